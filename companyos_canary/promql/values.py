"""What PromQL works on and answers: series in, a scalar or a vector out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from companyos_canary.promql.matcher import Matcher

NAME = "__name__"

#: Marks the moment after which a series is no longer there. It is told from other NaNs by
#: identity (`value is STALE`), so hand on the object itself.
STALE = float("nan")

Labels = Mapping[str, str]
Key = frozenset[tuple[str, str]]


class PromqlError(Exception):
    """`bad_data`: the text is no PromQL, or PromQL that is not supported here; `execution`: it
    could not be evaluated. The two words are the errorType of Prometheus' HTTP API."""

    def __init__(self, kind: Literal["bad_data", "execution"], message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True, slots=True)
class Series:
    """Samples are (Unix seconds, value), by time; `labels` include `__name__`."""

    labels: Labels
    samples: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Sample:
    """One element of an instant vector."""

    labels: Labels
    value: float


@dataclass(frozen=True, slots=True)
class Scalar:
    value: float


@dataclass(frozen=True, slots=True)
class Vector:
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The answer to a range selector alone, or to a range query."""

    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Text:
    value: str


Value = Scalar | Vector | Matrix | Text

#: (matchers, start, end) -> every series that all matchers accept, with its samples from start to
#: end, both included, in Unix seconds. Further samples do no harm.
Select = Callable[[Sequence[Matcher], float, float], Iterable[Series]]


def key(labels: Labels) -> Key:
    """What two label sets share exactly when they are equal."""
    return frozenset(labels.items())


def without_name(labels: Labels) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name != NAME}


def shown(labels: Labels) -> str:
    """`{__name__="up", job="api"}`, as Prometheus writes label sets into its messages."""
    return "{" + ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}"


def select_from(series: Iterable[Series]) -> Select:
    """A Select over series that are all in memory."""
    everything = tuple(series)

    def select(matchers: Sequence[Matcher], start: float, end: float) -> Iterable[Series]:
        return [
            Series(s.labels, [p for p in s.samples if start - 0.001 < p[0] < end + 0.001])
            for s in everything
            if all(m.accepts(s.labels) for m in matchers)
        ]

    return select
