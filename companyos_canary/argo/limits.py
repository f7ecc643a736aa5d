"""The limit of a metric, read from its conditions; views show it next to the value.

Nothing here decides anything. A condition that is not about a single number has no limit.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal as OneOf

from msgspec import Struct

from companyos_canary.analysis.expr.parser import parse
from companyos_canary.analysis.expr.tree import (
    Binary,
    Builtin,
    Call,
    Chain,
    Conditional,
    ConditionError,
    Literal,
    Member,
    Name,
    Node,
    Pointer,
    Unary,
)
from companyos_canary.analysis.gotext import float_text, parse_float

Unit = OneOf["percent", "seconds", "milliseconds", "times", "number"]
_SECONDS = {"latency", "duration", "seconds", "time", "p50", "p90", "p95", "p99", "p999"}
_MILLIS = {"ms", "millis", "milliseconds"}
_TIMES = {"ratio", "delta", "factor"}
_SHARES = {"rate", "share", "success", "errors", "error", "failure", "availability", "percent"}
Operator = OneOf["<", "<=", ">", ">="]

_FLIPPED: dict[str, Operator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_INVERTED: dict[str, Operator] = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_SAME: dict[str, Operator] = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}
_OF_THE_VALUE = frozenset(("first", "last", "max", "min", "mean", "median", "sum", "abs", "float"))
_OF_EACH = frozenset(("all", "any", "none", "one"))


class Limit(Struct, frozen=True):
    """A good value is `operator value`: Limit("<", 0.05) for an error rate."""

    operator: Operator
    value: float

    def __str__(self) -> str:
        return f"{self.operator} {float_text(self.value)}"

    def holds(self, number: float) -> bool:
        """Whether a number is within the limit; NaN never is."""
        if self.operator in ("<", "<="):
            return number < self.value or (self.operator == "<=" and number == self.value)
        return number > self.value or (self.operator == ">=" and number == self.value)

    def broken_by(self, number: float | None) -> bool:
        """Whether there is a number and it is outside the limit."""
        return number is not None and not math.isnan(number) and not self.holds(number)

    def used(self, number: float | None) -> float | None:
        """How much of what the limit allows a number takes: 1.0 at the limit, more beyond it. Of a share that
        must be above a limit it is the part that is missing. None if that has no meaning."""
        if number is None or math.isnan(number):
            return None
        if self.operator in ("<", "<="):
            found = number / self.value if self.value > 0 else math.inf
        elif 0 < self.value < 1:
            found = (1 - number) / (1 - self.value)
        else:
            found = self.value / number if number > 0 and self.value > 0 else math.inf
        found = max(0.0, found)
        return max(1.0, found) if not self.holds(number) else min(found, 1.0)


@lru_cache(maxsize=256)
def limit_of(success_condition: str, failure_condition: str = "") -> Limit | None:
    """The single limit of a metric: that of the success condition, else the inverse of that of the
    failure condition. None if there is none, if there are several, or if the text is invalid."""
    return _limit(success_condition, good=True) or _limit(failure_condition, good=False)


@lru_cache(maxsize=4096)  # the same few texts in every frame
def measured_number(value: str) -> float | None:
    """The number in the value of a measurement: 0.0123 for `[0.0123]` and `0.0123`, the first of a
    longer list; None for `[]` and for anything that is not a number."""
    first = value.strip().removeprefix("[").removesuffix("]").partition(",")[0].strip()
    try:
        return parse_float(first)
    except ValueError:
        return None


def number_text(value: float | None) -> str:
    """A measured number as text: `0.112`, `NaN`, `+Inf`; empty for no data."""
    if value is None:
        return ""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return f"{value:.6g}"


def _limit(text: str, *, good: bool) -> Limit | None:
    if not text:
        return None
    try:
        found = set(_limits(parse(text), good))
    except (ConditionError, RecursionError):
        return None
    return found.pop() if len(found) == 1 else None


def _limits(node: Node, good: bool) -> Iterator[Limit]:
    """The limits in a condition that is `good` (or not) when it holds."""
    match node:
        case Unary("!" | "not", inner):
            yield from _limits(inner, not good)
        case Binary("&&" | "and" | "||" | "or", left, right):
            yield from _limits(left, good)
            yield from _limits(right, good)
        case Conditional(_, then, otherwise):
            yield from _limits(then, good)
            yield from _limits(otherwise, good)
        case Builtin(name, (_, predicate)) if name in _OF_EACH:
            yield from _limits(predicate, good != (name == "none"))
        case Binary(operator, left, right) if operator in _SAME:
            limit = _compared(_SAME[operator], left, right)
            limit = limit or _compared(_FLIPPED[operator], right, left)
            if limit:
                yield limit if good else Limit(_INVERTED[limit.operator], limit.value)


def _compared(operator: Operator, value: Node, bound: Node) -> Limit | None:
    number = _constant(bound)
    return Limit(operator, number) if number is not None and _is_value(value) else None


def _is_value(node: Node) -> bool:
    """Whether a tree is the measured number."""
    match node:
        case Name("result") | Pointer(""):
            return True
        case Member(inner, index):
            return index in (Literal(0), None) and _is_value(inner)
        case Chain(inner) | Binary("??", inner, _):
            return _is_value(inner)
        case Builtin(name, (inner,)) if name in _OF_THE_VALUE:
            return _is_value(inner)
        case Call(Name("asFloat" | "default"), (inner, *_)):
            return _is_value(inner)
    return False


def _constant(node: Node) -> float | None:
    match node:
        case Literal(bool()):
            return None
        case Literal(int() | float() as value):
            return float(value)
        case Unary("-", inner):
            number = _constant(inner)
            return None if number is None else -number
    return None


def unit_of(metric: str, limit: Limit | None) -> Unit:
    """What a metric counts, guessed from the words of its name and the size of its limit: a
    share is between 0 and 1, a comparison is measured in times the stable's value."""
    words = set(metric.lower().replace("_", "-").replace(".", "-").split("-"))
    within_one = limit is None or 0 <= limit.value <= 1
    if words & _TIMES:
        return "percent" if limit is not None and limit.value < 1 else "times"
    if words & _MILLIS:
        return "milliseconds"
    if words & _SECONDS:
        return "seconds"
    return "percent" if words & _SHARES and within_one else "number"
