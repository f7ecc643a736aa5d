"""Float operations as Go does them: nothing raises, everything has an answer (perhaps NaN)."""

import math
from collections.abc import Callable

COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
ARITHMETIC = frozenset({"+", "-", "*", "/", "%", "^", "atan2"})
SETS = frozenset({"and", "or", "unless"})


def divide(a: float, b: float) -> float:
    try:
        return a / b
    except ZeroDivisionError:
        if a == 0 or math.isnan(a):
            return math.nan
        return math.copysign(math.inf, math.copysign(1, a) * math.copysign(1, b))


def modulo(a: float, b: float) -> float:
    try:
        return math.fmod(a, b)
    except ValueError:  # inf % b, a % 0
        return math.nan


def power(a: float, b: float) -> float:
    try:
        return math.pow(a, b)
    except OverflowError:
        return -math.inf if a < 0 and _odd(b) else math.inf
    except ValueError:  # 0 to a negative power, or a root of a negative number
        if a != 0:
            return math.nan
        return math.copysign(math.inf, a) if _odd(b) else math.inf


def largest(a: float, b: float) -> float:
    """Go's math.Max: NaN wins, but not over +Inf."""
    if math.inf in (a, b):
        return math.inf
    if math.isnan(a) or math.isnan(b):
        return math.nan
    if a == b == 0:
        return b if math.copysign(1, a) < 0 else a
    return max(a, b)


def smallest(a: float, b: float) -> float:
    """Go's math.Min."""
    return -largest(-a, -b)


_APPLY: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": divide,
    "%": modulo,
    "^": power,
    "atan2": math.atan2,
}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}


def apply(op: str, a: float, b: float) -> float:
    return _APPLY[op](a, b)


def compare(op: str, a: float, b: float) -> bool:
    return _COMPARE[op](a, b)


def _odd(number: float) -> bool:
    return math.isfinite(number) and math.fmod(number, 2) in (1.0, -1.0)
