"""The values of PromQL: matchers and series in, a scalar or a vector out; and float operations
as in Go, which never raise and may return NaN."""

import math
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Struct
from msgspec.structs import force_setattr

Op = Literal["=", "!=", "=~", "!~"]


class Matcher(Struct, frozen=True):
    """A missing label counts as an empty one. A regular expression must match the whole value.
    Raises ValueError if Python would read it differently from Prometheus' RE2, or not at all."""

    name: str
    op: Op
    value: str
    _pattern: re.Pattern[str] | None = None

    def __post_init__(self) -> None:
        if self.op in ("=~", "!~"):
            force_setattr(self, "_pattern", regular_expression(self.value))

    def accepts(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.name, "")
        if self._pattern is None:
            return (value == self.value) == (self.op == "=")
        return (self._pattern.fullmatch(value) is not None) == (self.op == "=~")


def regular_expression(pattern: str) -> re.Pattern[str]:
    """Raises ValueError if Python would read it differently from RE2, or not at all."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Python reads `[[:alpha:]]` differently, and warns
        try:
            return re.compile(pattern, re.ASCII)
        except (re.error, FutureWarning, OverflowError, RecursionError) as error:
            raise ValueError(f"the regular expression `{pattern}` is not supported") from error


NAME = "__name__"

#: Marks the moment after which a series no longer exists. Only identity (`value is STALE`) tells it
#: from other NaNs, so pass on the object itself.
STALE = float("nan")

Labels = Mapping[str, str]
Key = frozenset[tuple[str, str]]


class PromqlError(Exception):
    """`bad_data`: the query is invalid or not supported; `execution`: it could not be evaluated.
    The two words are the errorType of Prometheus' HTTP API."""

    def __init__(self, kind: Literal["bad_data", "execution"], message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Series(Struct, frozen=True):
    """`samples` are (Unix seconds, value), in order of time; `labels` include `__name__`."""

    labels: Labels
    samples: Sequence[tuple[float, float]]


class Sample(Struct, frozen=True):
    """One element of an instant vector."""

    labels: Labels
    value: float


class Scalar(Struct, frozen=True):
    value: float


class Vector(Struct, frozen=True):
    samples: tuple[Sample, ...]


class Matrix(Struct, frozen=True):
    """The answer to a lone range selector, or to a range query."""

    series: tuple[Series, ...]


class Text(Struct, frozen=True):
    value: str


Value = Scalar | Vector | Matrix | Text

#: (matchers, start, end) -> every series that all matchers accept, in the order of `by_labels`, with its samples from
#: start to end, both included, in Unix seconds. More samples do no harm.
Select = Callable[[Sequence[Matcher], float, float], Iterable[Series]]


class Labelled(Protocol):
    @property
    def labels(self) -> Labels: ...


def by_labels(series: Labelled) -> list[tuple[str, str]]:
    """The key of an order of series: what is computed of several does not depend on which was there first."""
    return sorted(series.labels.items())


def key(labels: Labels) -> Key:
    """A key that is equal for equal label sets."""
    return frozenset(labels.items())


def without_name(labels: Labels) -> Labels:
    if NAME not in labels:
        return labels
    kept = dict(labels)
    del kept[NAME]
    return kept


def labels_text(labels: Labels) -> str:
    """`{__name__="up", job="api"}`, as Prometheus writes label sets into its messages."""
    return "{" + ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}"


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
