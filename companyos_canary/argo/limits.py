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
from companyos_canary.model.analysisrun import Metric

Unit = OneOf["percent", "seconds", "milliseconds", "times", "number"]
_SECONDS = {"latency", "duration", "seconds", "time", "p50", "p90", "p95", "p99", "p999"}
_MILLIS = {"ms", "millis", "milliseconds"}
_TIMES = {"ratio", "delta", "factor"}
_SHARES = {"rate", "share", "success", "errors", "error", "failure", "availability", "percent"}
Operator = OneOf["<", "<=", ">", ">="]

_FLIPPED: dict[str, Operator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_INVERTED: dict[str, Operator] = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_SAME: dict[str, Operator] = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}
_OF_EACH = frozenset(("all", "any", "none", "one"))


class Limit(Struct, frozen=True):
    """A good value is `operator value`: Limit("<", 0.05) for an error rate."""

    operator: Operator
    value: float

    def __str__(self) -> str:
        return f"{self.operator} {float_text(self.value)}"

    @property
    def is_upper(self) -> bool:
        """A good value is below it."""
        return self.operator in ("<", "<=")

    def holds(self, number: float) -> bool:
        """Whether a number is within the limit; NaN never is."""
        if self.operator in ("<", "<="):  # asked for every value: no second call
            return number < self.value or (self.operator == "<=" and number == self.value)
        return number > self.value or (self.operator == ">=" and number == self.value)

    def broken_by(self, number: float | None) -> bool:
        """Whether there is a number and it is outside the limit."""
        return number is not None and not math.isnan(number) and not self.holds(number)

    def used(self, number: float | None) -> float | None:
        """How much of what the limit allows a number takes: 1.0 at the limit, more beyond it. Of a share that
        must be above a limit it is the part that is missing. None if that has no meaning."""
        found = self.against(number)
        return found and found[0]

    def against(self, number: float | None) -> tuple[float, bool] | None:
        """The same, and whether it is broken."""
        if number is None or math.isnan(number):
            return None
        broken = not self.holds(number)
        if self.is_upper:
            found = number / self.value if self.value > 0 else math.inf
        elif 0 < self.value < 1:
            found = (1 - number) / (1 - self.value)
        else:
            found = self.value / number if number > 0 and self.value > 0 else math.inf
        found = max(0.0, found)
        return max(1.0, found) if broken else min(found, 1.0), broken


_Reading = OneOf["first", "last", "worst", "best", "max", "min", "mean", "median", "sum"]
"""Which number of a longer list a condition compares with its limit."""


_OF_THE_VALUE: dict[str, _Reading] = {
    "first": "first",
    "last": "last",
    "max": "max",
    "min": "min",
    "mean": "mean",
    "median": "median",
    "sum": "sum",
    "abs": "first",
    "float": "first",
}


class _Compared(Struct, frozen=True):
    """A limit, and what is compared with it: by `reading`, or the number at a `place` other than the first."""

    limit: Limit
    reading: _Reading = "first"
    place: int = 0


@lru_cache(maxsize=256)
def limit_of(success_condition: str, failure_condition: str = "") -> Limit | None:
    """The single limit of a metric: that of the success condition, else the inverse of that of the
    failure condition. None if there is none, if there are several, or if the text is invalid."""
    found = _compared_of(success_condition, failure_condition)
    return found.limit if found else None


@lru_cache(maxsize=256)
def _compared_of(success_condition: str, failure_condition: str) -> _Compared | None:
    return _compared(success_condition, good=True) or _compared(failure_condition, good=False)


class Decided(Struct, frozen=True):
    """The number of a measurement that decided, None without one; of how many; and which of them it is, in words
    (`largest`, `first`; empty where there is but one)."""

    number: float | None
    count: int = 1
    which: str = ""


@lru_cache(maxsize=1024)
def decided(value: str, success_condition: str, failure_condition: str = "") -> Decided:
    """Of the value of a measurement, `[0.01,0.2]`, by the conditions of its metric."""
    parts = value.strip().removeprefix("[").removesuffix("]").split(",")
    found = _compared_of(success_condition, failure_condition) or _Compared(Limit("<", math.inf))
    numbers = [measured_number(part) for part in parts]
    known = [n for n in numbers if n is not None]
    if len(known) < max(2, len(numbers)):
        return Decided(measured_number(value), len(numbers) if known else 0)
    if found.place:
        number = known[found.place] if found.place < len(known) else None
        return Decided(number, len(known), _ordinal(found.place + 1))
    number, which = _read(known, found)
    return Decided(number, len(known), which)


def decided_of(metric: Metric | None, value: str) -> Decided:
    """The same by a metric's own conditions."""
    return decided(value, metric.success_condition, metric.failure_condition) if metric else decided(value, "")


def _ordinal(n: int) -> str:
    return {2: "second", 3: "third"}.get(n, f"{n}th")


def _read(numbers: list[float], found: _Compared) -> tuple[float, str]:
    """Of several numbers the one that a condition compares, and its word. NaN is within no limit, so it is the worst;
    the functions of the language see it as Go does, and are asked without it where there is another."""
    upward = found.limit.is_upper
    missing = any(map(math.isnan, numbers))
    if found.reading == "worst" and missing:
        return math.nan, "worst"
    rest = [n for n in numbers if not math.isnan(n)] or numbers
    match found.reading:
        case "worst":
            return (max(rest), "largest") if upward else (min(rest), "smallest")
        case "best":
            return (min(rest), "smallest") if upward else (max(rest), "largest")
        case "max":
            return max(rest), "largest"
        case "min":
            return min(rest), "smallest"
        case "mean":
            return sum(rest) / len(rest), "mean"
        case "median":
            return _median(sorted(rest)), "median"
        case "sum":
            return sum(rest), "sum"
        case "last":
            return numbers[-1], "last"
    return numbers[0], "first"


@lru_cache(maxsize=1024)  # the same few texts in every frame
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


def _median(numbers: list[float]) -> float:
    return (numbers[(len(numbers) - 1) // 2] + numbers[len(numbers) // 2]) / 2


def _compared(text: str, *, good: bool) -> _Compared | None:
    if not text:
        return None
    try:
        found = list(_comparisons(parse(text), good, "first"))
    except (ConditionError, RecursionError):
        return None
    found = [c for c in found if not c.place] or found
    return found[0] if len({(c.limit, c.place) for c in found}) == 1 else None


def _comparisons(node: Node, good: bool, of_each: _Reading) -> Iterator[_Compared]:
    """The limits in a condition that is `good` (or not) when it holds. `of_each`: which element `#` stands for."""
    match node:
        case Unary("!" | "not", inner):
            yield from _comparisons(inner, not good, of_each)
        case Binary("&&" | "and" | "||" | "or", left, right):
            yield from _comparisons(left, good, of_each)
            yield from _comparisons(right, good, of_each)
        case Conditional(_, then, otherwise):
            yield from _comparisons(then, good, of_each)
            yield from _comparisons(otherwise, good, of_each)
        case Builtin(name, (_, predicate)) if name in _OF_EACH:
            which: _Reading = "worst" if (name in ("all", "none")) == good else "best"
            yield from _comparisons(predicate, good != (name == "none"), which)
        case Binary(operator, left, right) if operator in _SAME:
            for sign, value, bound in ((_SAME[operator], left, right), (_FLIPPED[operator], right, left)):
                number, read = _constant(bound), _reading(value, of_each)
                if number is not None and read is not None:
                    reading, place = read
                    limit = Limit(sign if good else _INVERTED[sign], number)
                    yield _Compared(limit, reading, place)


def _reading(node: Node, of_each: _Reading) -> tuple[_Reading, int] | None:
    """Which number of what was measured a tree is, and its place; None if it is none of them."""
    match node:
        case Name("result"):
            return "first", 0
        case Pointer(""):
            return of_each, 0
        case Member(Name("result"), Literal(int() as place)) if place > 0:
            return "first", place
        case Member(inner, index):
            return _reading(inner, of_each) if index in (Literal(0), None) else None
        case Chain(inner) | Binary("??", inner, _):
            return _reading(inner, of_each)
        case Builtin(name, (inner,)) if name in _OF_THE_VALUE:
            whole = inner == Name("result")
            return (_OF_THE_VALUE[name], 0) if whole else _reading(inner, of_each)
        case Call(Name("asFloat" | "default"), (inner, *_)):
            return _reading(inner, of_each)
    return None


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
