"""The values of the operators of a condition.

Upstream: expr-lang/expr 1.17 vm/runtime.
"""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from companyos_canary.analysis.expr.tree import Budget, ConditionError
from companyos_canary.analysis.expr.types import TIMED, List, type_of

_CHARACTERS_A_STEP = 100


def truth(value: Any) -> bool:
    """Return a value that must be a bool."""
    if isinstance(value, bool):
        return value
    kind = "nil" if value is None else type_of(value)
    raise ConditionError(f"interface conversion: interface {{}} is {kind}, not bool")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def wrapped(value: int) -> int:
    """An integer with 64-bit overflow, as in Go."""
    return (value + 2**63) % 2**64 - 2**63


def equal(left: Any, right: Any, budget: Budget) -> bool:
    """`==`: numbers by value whatever their type, lists element by element."""
    budget.step()
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(equal(a, b, budget) for a, b in zip(left, right, strict=True))
    if is_number(left) and is_number(right):
        return bool(left == right)
    if isinstance(left, str):
        budget.step(len(left) // _CHARACTERS_A_STEP)
    return type(left) is type(right) and bool(left == right)


def contained(needle: Any, items: Any, budget: Budget) -> bool:
    """`needle in items`."""
    if items is None:
        return False
    if not isinstance(items, list):
        raise ConditionError(f'operator "in" not defined on {type_of(items)}')
    return any(equal(item, needle, budget) for item in items)


def ordered(operator: str, left: Any, right: Any) -> bool:
    """`<`, `>`, `<=`, `>=`."""
    fits = (is_number(left) and is_number(right)) or (
        type(left) is type(right) and isinstance(left, str | datetime | timedelta)
    )
    if not fits:
        raise _mismatch(operator, left, right)
    return bool(_COMPARE[operator](left, right))


def searched(operator: str, left: Any, right: Any, budget: Budget) -> bool:
    """`contains`, `startsWith`, `endsWith`; false if either side is nil."""
    if left is None or right is None:
        return False
    if not isinstance(left, str) or not isinstance(right, str):
        wrong = right if isinstance(left, str) else left
        raise ConditionError(f"interface conversion: interface {{}} is {type_of(wrong)}, not string")
    budget.step(len(left) // _CHARACTERS_A_STEP)
    if operator == "contains":
        return right in left
    return left.startswith(right) if operator == "startsWith" else left.endswith(right)


def arithmetic(operator: str, left: Any, right: Any, budget: Budget) -> Any:
    """`+ - * / % ** ^` of numbers, strings, times and durations."""
    if operator in ("**", "^"):
        return _power(_float(left), _float(right))
    if is_number(left) and is_number(right):
        return _number(operator, left, right)
    if operator == "+" and isinstance(left, str) and isinstance(right, str):
        budget.grow(len(left) + len(right))
        return left + right
    try:
        return _timed(operator, left, right)
    except OverflowError:
        raise ConditionError("the time is out of range") from None


def span(low: Any, high: Any, budget: Budget) -> List:
    """`low..high`, both included."""
    first, last = integer(low), integer(high)
    budget.grow(max(0, last - first + 1))
    return List(range(first, last + 1), "[]int")


def integer(value: Any) -> int:
    """A number as Go's int() converts it: truncated towards zero; the smallest int if it does not
    fit."""
    if not is_number(value):
        raise ConditionError(f"invalid operation: int({type_of(value)})")
    if isinstance(value, float):
        fits = math.isfinite(value) and -(2.0**63) <= value < 2.0**63
        return int(value) if fits else -(2**63)
    return int(value)


def _float(value: Any) -> float:
    if not is_number(value):
        raise ConditionError(f"invalid operation: float({type_of(value)})")
    return float(value)


def _number(operator: str, left: Any, right: Any) -> int | float:
    if operator == "/":
        return _quotient(float(left), float(right))
    if operator == "%":
        if isinstance(left, float) or isinstance(right, float):
            raise _mismatch(operator, left, right)
        if right == 0:
            raise ConditionError("runtime error: integer divide by zero")
        return int(math.copysign(1, left)) * int(abs(left) % abs(right))
    found: int | float = _SUMS[operator](left, right)
    return found if isinstance(found, float) else wrapped(found)


def _quotient(left: float, right: float) -> float:
    if right != 0:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1, right)


def _power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except OverflowError:
        odd = exponent % 2 == 1
        return -math.inf if base < 0 and odd else math.inf
    except ValueError:
        return math.inf if base == 0 else math.nan


def _timed(operator: str, left: Any, right: Any) -> Any:
    if operator == "*" and {type(left), type(right)} & {timedelta}:
        factor, length = (left, right) if isinstance(right, timedelta) else (right, left)
        if is_number(factor) and math.isfinite(factor):
            return factor * length
    kinds = (operator, type_of(left), type_of(right))
    if kinds in TIMED:
        return _SUMS[operator](left, right)
    raise _mismatch(operator, left, right)


def _mismatch(operator: str, left: Any, right: Any) -> ConditionError:
    return ConditionError(f"invalid operation: {type_of(left)} {operator} {type_of(right)}")


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}
_SUMS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}
