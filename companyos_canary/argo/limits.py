"""The limit of a metric, read from its conditions; views show it next to the value.

Nothing here decides anything. A condition that is not about a single number has no limit.
"""

import math
from functools import lru_cache
from typing import TYPE_CHECKING
from typing import Literal as OneOf

from msgspec import Struct

from companyos_canary.analysis.gotext import float_text, parse_float
from companyos_canary.model.analysisrun import Metric

if TYPE_CHECKING:
    from companyos_canary.analysis.comparisons import Comparison

Unit = OneOf["percent", "seconds", "milliseconds", "times", "number"]
_SECONDS = {"latency", "duration", "seconds", "time", "p50", "p90", "p95", "p99", "p999"}
_MILLIS = {"ms", "millis", "milliseconds"}
_TIMES = {"ratio", "delta", "factor"}
_SHARES = {"rate", "share", "success", "errors", "error", "failure", "availability", "percent"}
Operator = OneOf["<", "<=", ">", ">="]

OPERATORS: dict[str, Operator] = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}


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


@lru_cache(maxsize=256)
def limit_of(success_condition: str, failure_condition: str = "") -> Limit | None:
    """The single limit of a metric: that of the success condition, else the inverse of that of the
    failure condition. None if there is none, if there are several, or if the text is invalid."""
    found = _comparison_of(success_condition, failure_condition)
    return Limit(OPERATORS[found.operator], found.bound) if found else None


@lru_cache(maxsize=256)
def _comparison_of(success_condition: str, failure_condition: str) -> "Comparison | None":
    return _comparison(success_condition, good=True) or _comparison(failure_condition, good=False)


def _comparison(text: str, *, good: bool) -> "Comparison | None":
    """None also if the text is invalid. The language is loaded here: a line of `status` reads no condition."""
    from companyos_canary.analysis.comparisons import comparison  # noqa: PLC0415
    from companyos_canary.analysis.expr.parser import parse  # noqa: PLC0415
    from companyos_canary.analysis.expr.tree import ConditionError  # noqa: PLC0415

    try:
        return comparison(parse(text), good=good) if text else None
    except (ConditionError, RecursionError):
        return None


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
    found = _comparison_of(success_condition, failure_condition)
    numbers = [measured_number(part) for part in parts]
    known = [n for n in numbers if n is not None]
    if len(known) < max(2, len(numbers)):
        return Decided(measured_number(value), len(numbers) if known else 0)
    if found and found.place:
        number = known[found.place] if found.place < len(known) else None
        return Decided(number, len(known), _ordinal(found.place + 1))
    number, which = _read(known, found)
    return Decided(number, len(known), which)


def decided_of(metric: Metric | None, value: str) -> Decided:
    """The same by a metric's own conditions."""
    return decided(value, metric.success_condition, metric.failure_condition) if metric else decided(value, "")


def _ordinal(n: int) -> str:
    return {2: "second", 3: "third"}.get(n, f"{n}th")


def _read(numbers: list[float], found: "Comparison | None") -> tuple[float, str]:
    """Of several numbers the one that a condition compares, and its word. NaN is within no limit, so it is the worst;
    the functions of the language see it as Go does, and are asked without it where there is another."""
    reading = found.reading if found else "first"
    upward = found is None or found.operator in ("<", "<=")
    missing = any(map(math.isnan, numbers))
    if reading == "worst" and missing:
        return math.nan, "worst"
    rest = [n for n in numbers if not math.isnan(n)] or numbers
    match reading:
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
