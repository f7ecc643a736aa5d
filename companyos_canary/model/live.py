"""What Prometheus says at this moment, beside what the AnalysisRuns have measured."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Missing = Literal["", "no data", "NaN", "too few requests", "several series"]


@dataclass(frozen=True, slots=True)
class LiveMetric:
    """One metric now, in the unit that its query answers in (shares from 0 to 1, seconds, times).

    `canary` is None without data (also for NaN), and `missing` has the word for it: `no data`,
    `NaN`, `too few requests`, `several series`. `stable` is the same question asked about the
    stable pods, None where there is no such question (a comparison) or no data. `requests`: how
    many the canary has had in the metric's window, and `needed` how many it must have; None where
    its query does not count them. `compares`: the metric itself compares canary and stable.
    `problem` is the sentence where the query could not be answered."""

    name: str
    canary: float | None
    stable: float | None
    requests: float | None
    compares: bool = False
    problem: str = ""
    needed: float | None = None
    missing: Missing = ""


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


@dataclass(frozen=True, slots=True)
class Course:
    """The canary's values of one metric over time, evenly spaced; None without data."""

    name: str
    points: tuple[tuple[datetime, float | None], ...] = ()
    problem: str = ""
