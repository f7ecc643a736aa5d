"""What Prometheus says at this moment, beside what the AnalysisRuns have measured."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class LiveMetric:
    """One metric now, in the unit that its query answers in (shares from 0 to 1, seconds, times).

    `canary` is None without data (also for NaN); `stable` is the same question asked about the
    stable pods, None where there is no such question (a comparison) or no data. `requests`: how
    many the canary has had in the metric's window, and `needed` how many its query wants at least;
    None where the query does not count them.
    `compares`: the metric itself compares canary and stable. `problem` is the server's sentence
    where the query could not be answered."""

    name: str
    canary: float | None
    stable: float | None
    requests: float | None
    needed: float | None = None
    compares: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Live:
    """One look at Prometheus. `address` is whom it asked, as it may be shown; `share` the canary's
    part of all requests over at most the last minute, from 0 to 1, None if unknown. With a
    `problem` nobody answered, and the rest is empty."""

    at: datetime
    address: str
    metrics: tuple[LiveMetric, ...] = ()
    share: float | None = None
    problem: str = ""

    def metric(self, name: str) -> LiveMetric | None:
        return next((m for m in self.metrics if m.name == name), None)
