"""Numbers in the words of Go's strconv and fmt packages.

AnalysisRuns carry values and messages that Go printed; the judge prints the same ones.
"""

import math
import re
from decimal import Decimal

_DECIMAL = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_HEX = r"[+-]?0[xX]([0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?\d+"
_NAMED = r"(?i:nan|[+-]?inf(inity)?)"


def float_text(value: float) -> str:
    """The shortest decimal without an exponent, `NaN`, `+Inf` or `-Inf`: strconv 'f', -1."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0") if "." in text else text


def value_text(value: object) -> str:
    """A JSON scalar as fmt's %v prints it: numbers are float64, 1000000 is `1e+06`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, int | float):
        return str(value)
    number = float(value)
    if not math.isfinite(number):
        return float_text(number)
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    power = int(exponent) + len(digits) - 1
    if number == 0 or -4 <= power < 6:
        return float_text(number)
    first, rest = str(digits[0]), "".join(map(str, digits[1:]))
    mantissa = f"{first}.{rest}" if rest else first
    return f"{'-' if sign else ''}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"


def parse_float(text: str) -> float:
    """strconv.ParseFloat: decimal, hexadecimal, inf, nan. ValueError carries Go's sentence."""
    if re.fullmatch(_NAMED, text):
        return float(text)
    if re.fullmatch(_DECIMAL, text, re.ASCII):
        value = float(text)
    elif re.fullmatch(_HEX, text, re.ASCII):
        try:
            value = float.fromhex(text)
        except OverflowError:
            value = math.inf
    else:
        raise ValueError(f'strconv.ParseFloat: parsing "{text}": invalid syntax')
    if math.isinf(value):
        raise ValueError(f'strconv.ParseFloat: parsing "{text}": value out of range')
    return value


def parse_int(text: str, function: str = "ParseInt") -> int:
    """strconv.ParseInt base 10 within 64 bits. ValueError carries Go's sentence."""
    if not re.fullmatch(r"[+-]?\d+", text, re.ASCII):
        raise ValueError(f'strconv.{function}: parsing "{text}": invalid syntax')
    digits = text.lstrip("+-").lstrip("0")
    value = int(digits or "0") * (-1 if text.startswith("-") else 1) if len(digits) < 20 else 2**64
    if not -(2**63) <= value < 2**63:
        raise ValueError(f'strconv.{function}: parsing "{text}": value out of range')
    return value


def int_or_text(value: object) -> int:
    """An IntOrString as a number. Text that is not a number counts as 0 (recorded: count `two` is
    1)."""
    if isinstance(value, str):
        try:
            return parse_int(value)
        except ValueError:
            return 0
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else 0
