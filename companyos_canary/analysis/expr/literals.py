"""Numbers as conditions write them."""

from companyos_canary.analysis.expr.errors import ConditionError
from companyos_canary.analysis.gotext import parse_float

_BASES = {"0x": (16, "hex"), "0b": (2, "binary"), "0o": (8, "octal")}
_LARGEST = 2**63 - 1


def number(text: str) -> int | float:
    """`1`, `1_000`, `0x1f`, `.5`, `1e3`; ConditionError for one that does not fit 64 bits."""
    digits = text.replace("_", "")
    base, name = _BASES.get(digits[:2].lower(), (10, "integer"))
    if base == 10 and any(c in digits for c in ".eE"):
        try:
            return parse_float(digits)
        except ValueError as error:
            raise ConditionError(f"invalid float literal: {error}") from None
    try:
        value = int(digits[2:] if base != 10 else digits, base)
    except ValueError:
        raise ConditionError(
            f'invalid {name} literal: strconv.ParseInt: parsing "{digits}"'
        ) from None
    if value > _LARGEST:
        raise ConditionError(
            f'invalid {name} literal: strconv.ParseInt: parsing "{digits}": value out of range'
        )
    return value
