"""Functions of one number, or of a handful of them, as Go computes them: none raises, and what has
no answer is NaN. Dates are those of a moment in Unix seconds, in UTC.

Upstream: Prometheus 2.42 promql/functions.go and promql/quantile.go.
"""

import calendar
import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from companyos_canary.promql.values import divide

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def rounded(value: float, to: float) -> float:
    """The nearest multiple of `to`; halves go up."""
    inverse = divide(1.0, to)
    return divide(_whole(math.floor)(value * inverse + 0.5), inverse)


def quantile(wanted: float, values: Sequence[float]) -> float:
    """The quantile of values, straight in between; NaN counts as the smallest of all."""
    if not values or math.isnan(wanted):
        return math.nan
    if not 0 <= wanted <= 1:
        return math.copysign(math.inf, wanted)
    ordered = sorted(values, key=lambda v: -math.inf if math.isnan(v) else v)
    ordered.sort(key=lambda v: not math.isnan(v))
    rank = wanted * (len(ordered) - 1)
    low = math.floor(rank)
    weight = rank - low
    return ordered[low] * (1 - weight) + ordered[min(low + 1, len(ordered) - 1)] * weight


def as_label(value: float) -> str:
    """A number as count_values writes it: no exponent, as few digits as tell it apart."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" in text:
        digits = max(17 - math.floor(math.log10(abs(value))), 0)
        text = _shortest(value, digits)
    return text.removesuffix(".0")


def is_label_name(text: str) -> bool:
    return _LABEL_NAME.fullmatch(text) is not None


def _shortest(value: float, digits: int) -> str:
    """Without an exponent; the mantissa of repr has as many digits as are needed."""
    mantissa, exponent = repr(value).split("e")
    places = len(mantissa.partition(".")[2]) - int(exponent)
    return f"{value:.{min(max(places, 0), digits)}f}"


def _whole(function: Callable[[float], int]) -> Callable[[float], float]:
    """Floor or ceil; what is not finite stays, and so does the sign of a zero."""

    def whole(value: float) -> float:
        return math.copysign(float(function(value)), value) if math.isfinite(value) else value

    return whole


def _total(function: Callable[[float], float]) -> Callable[[float], float]:
    """NaN outside the domain, and infinite where the result is too large for a float."""

    def total(value: float) -> float:
        try:
            return function(value)
        except OverflowError:
            return math.inf if function(1.0) == function(-1.0) or value > 0 else -math.inf
        except ValueError:
            return math.nan

    return total


def _logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: -math.inf if value == 0 else _total(function)(value)


def _atanh(value: float) -> float:
    return math.copysign(math.inf, value) if abs(value) == 1 else math.atanh(value)


def _sign(value: float) -> float:
    return math.copysign(1.0, value) if value < 0 or value > 0 else value


NUMBERS: dict[str, Callable[[float], float]] = {
    "abs": abs,
    "acos": _total(math.acos),
    "acosh": _total(math.acosh),
    "asin": _total(math.asin),
    "asinh": math.asinh,
    "atan": math.atan,
    "atanh": _total(_atanh),
    "ceil": _whole(math.ceil),
    "cos": _total(math.cos),
    "cosh": _total(math.cosh),
    "deg": lambda value: value * 180 / math.pi,
    "exp": _total(math.exp),
    "floor": _whole(math.floor),
    "ln": _logarithm(math.log),
    "log10": _logarithm(math.log10),
    "log2": _logarithm(math.log2),
    "rad": lambda value: value * math.pi / 180,
    "sgn": _sign,
    "sin": _total(math.sin),
    "sinh": _total(math.sinh),
    "sqrt": _total(math.sqrt),
    "tan": _total(math.tan),
    "tanh": math.tanh,
}


def _of_a_date(function: Callable[[datetime], int]) -> Callable[[float], float]:
    """NaN for a moment that no calendar has."""

    def found(seconds: float) -> float:
        try:
            return float(function(_EPOCH + timedelta(seconds=math.trunc(seconds))))
        except (ValueError, OverflowError):
            return math.nan

    return found


DATES: dict[str, Callable[[float], float]] = {
    "day_of_month": _of_a_date(lambda at: at.day),
    "day_of_week": _of_a_date(lambda at: at.isoweekday() % 7),
    "day_of_year": _of_a_date(lambda at: at.timetuple().tm_yday),
    "days_in_month": _of_a_date(lambda at: calendar.monthrange(at.year, at.month)[1]),
    "hour": _of_a_date(lambda at: at.hour),
    "minute": _of_a_date(lambda at: at.minute),
    "month": _of_a_date(lambda at: at.month),
    "year": _of_a_date(lambda at: at.year),
}
