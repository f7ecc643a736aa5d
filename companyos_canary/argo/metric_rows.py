"""The metrics of an update as rows of facts: value, limit, verdict, history; and the sequential verdict on each, from
all that the runs have measured. Pure, no rich.

That verdict is advice: Argo Rollouts decides by the conditions of the metric, look by look.
"""

import json
import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Annotated, Literal

from msgspec import Struct, field

from companyos_canary.analysis import evidence
from companyos_canary.analysis.evidence import MARK, numbers
from companyos_canary.analysis.sequential import Asked, Counts, Found, SequentialVerdict, judge
from companyos_canary.analysis.windows import Look, disjoint
from companyos_canary.argo.limits import Decided, Limit, Operator, Unit, decided_of, limit_of, unit_of
from companyos_canary.model.analysisrun import AnalysisRun, Measurement, Metric
from companyos_canary.model.quantity import parse_duration, whole
from companyos_canary.model.row import INSIDE, RunPhase
from companyos_canary.model.snapshot import Snapshot

_BAD, _STABLE = 2, 6  # where the counts begin and end in a row of numbers


class SequentialRow(Struct, frozen=True):
    """What all requests of the update say together, valid however often it is read: advice next to the verdict of
    Argo Rollouts. `worse`: beyond the limit (or, compared, worse than stable with a ratio beyond it), surely;
    `not-worse`: surely better than the limit. Bad requests of all; the `ratio` of a metric that compares, the
    `share` of another, and the interval of it at 95 %; the limit for it; and about how many more requests of the
    canary a verdict takes, null once there is one and where that cannot be known."""

    verdict: SequentialVerdict
    bad: float
    requests: float
    stable_bad: float | None
    stable_requests: float | None
    share: float | None
    ratio: float | None
    low: float | None
    high: float | None
    limit: float
    requests_needed: float | None
    found: Annotated[Found, INSIDE]


def _sequential_row(found: Found) -> SequentialRow:
    counts, compares = found.counts, found.compares
    return SequentialRow(
        verdict=found.verdict,
        bad=counts.bad,
        requests=counts.requests,
        stable_bad=counts.stable_bad if compares else None,
        stable_requests=counts.stable if compares else None,
        share=None if compares else found.estimate,
        ratio=found.estimate if compares else None,
        low=found.low,
        high=found.high,
        limit=found.limit,
        requests_needed=found.needed,
        found=found,
    )


def advice(name: str, runs: Sequence[AnalysisRun], limit: Limit) -> SequentialRow | None:
    """Of a metric that answers a row of counts; None if no one can tell over which time."""
    run = runs[-1]
    metric = next(m for m in run.metrics if m.name == name)
    try:
        window = parse_duration(evidence.window(metric.query)).total_seconds()
    except ValueError:  # an argument whose value is a Secret's
        return None
    rows = tuple(_rows(name, runs))
    looks = [Look(at, part, _counts(row)) for at, part, row in rows]
    began = min((r.started_at.timestamp() for r in runs if r.started_at), default=0.0)
    by_value = bool(rows) and "histogram_quantile" in metric.query  # in the counts there is no time
    share = evidence.allowed_share(metric.query)
    asked = Asked(
        limit=limit.value if share is None else share,
        compares=share is None,
        burst=evidence.burst(metric.failure_condition),
        metrics=max(1, sum(evidence.is_row(m.query) for m in run.metrics)),
    )
    crossed = limit.broken_by(rows[-1][2][0]) if by_value and share is None else None
    return _sequential_row(judge(disjoint(looks, window, began), asked, crossed=crossed))


def _rows(name: str, runs: Sequence[AnalysisRun]) -> Iterator[tuple[float, str, tuple[float, ...]]]:
    """When, in which run, and the numbers of each measurement that has counted."""
    for run in runs:
        result = run.result(name)
        for m in result.measurements if result else ():
            at, row = m.finished_at or m.started_at, evidence.numbers(m.value)
            if at and len(row) >= _BAD + 2 and all(map(math.isfinite, row[_BAD:])):
                yield at.timestamp(), run.name, row


def _counts(row: tuple[float, ...]) -> Counts:
    return Counts(*(max(0.0, n) for n in row[_BAD:_STABLE]))


_REQUESTS = 3  # where a row of numbers has those of the canary
Verdict = Literal["ok", "failing", "no data", "no verdict", "error", "waiting"]


class MetricRow(Struct, frozen=True):
    """A metric over all runs of this update: `history` has every number, oldest first, the rest is of the newest run.
    `planned` is 0 where it has no end. `sequential` is null where a metric does not count. Of several `values` of an
    answer, `value` is the one that the condition judges: the `largest`, the `first`. `text` is an answer that is no
    number: `true`."""

    # `value` and `verdict` are those of the newest measurement: None and `waiting` before the first.
    name: str
    value: float | None
    unit: Unit
    operator: Operator | Literal[""]
    bound: float | None = field(name="limit")
    limit: Annotated[Limit | None, INSIDE] = field(name="bounds")
    verdict: Verdict
    phase: RunPhase
    failed: int
    measured: int
    planned: int
    history: tuple[float | None, ...]
    message: str
    run: str
    sequential: SequentialRow | None = None
    requests: float | None = None
    values: int = 1
    which: str = ""
    text: str = ""
    remark: Annotated[str, INSIDE] = ""

    @property
    def advice(self) -> Found | None:
        return self.sequential.found if self.sequential else None

    @property
    def known(self) -> float | None:
        """The value, where there is one: NaN is none."""
        return None if self.value is None or math.isnan(self.value) else self.value


def metric_rows(snapshot: Snapshot) -> tuple[MetricRow, ...]:
    """Every metric that judges the newest revision, in the order in which it is asked."""
    return rows_of(snapshot.attempt)


@lru_cache(maxsize=4)  # what is kept holds the runs, as they were read
def rows_of(runs: tuple[AnalysisRun, ...]) -> tuple[MetricRow, ...]:
    """The same of some runs alone, oldest first. Nothing of it changes with time, and a screen asks each second."""
    names = dict.fromkeys(m.name for r in runs for m in r.metrics)
    return tuple(_row(name, runs) for name in names)


def _row(name: str, runs: tuple[AnalysisRun, ...]) -> MetricRow:
    asked = [r for r in runs if any(m.name == name for m in r.metrics)]
    measured = [m for r in asked if (found := r.result(name)) for m in found.measurements if m.phase != "Running"]
    run = asked[-1]
    metric = next(m for m in run.metrics if m.name == name)
    limit = limit_of(metric.success_condition, metric.failure_condition)
    result = run.result(name)
    newest = result.measurements[-1] if result and result.measurements else None
    if newest and result and newest.phase == "Running":  # that of a Job
        newest = result.newest
    is_row = MARK in metric.query
    decided = {value: decided_of(metric, value) for value in {m.value for m in measured}}
    numbers = [decided[m.value] for m in measured]
    shown = numbers[-1] if newest else Decided(None)
    text = answer_text(newest, metric) if newest and shown.number is None else ""
    return MetricRow(
        name=name,
        value=shown.number,
        unit=unit_of(name, limit),
        operator=limit.operator if limit else "",
        bound=limit.value if limit else None,
        limit=limit,
        verdict=verdict_of(newest, shown.number, text, metric.provider),
        phase=result.phase if result else "",
        failed=result.failed if result else 0,
        measured=result.taken if result else 0,
        planned=_planned(metric.planned, metric.interval),
        history=tuple([d.number for d in numbers]),
        message=newest.message if newest else "",
        run=run.name,
        sequential=advice(name, tuple(asked), limit) if limit and is_row else None,
        requests=_requests(newest) if newest and is_row else None,
        values=1 if is_row else shown.count,
        which="" if is_row else shown.which,
        text=text,
        remark=_remark(newest, metric) if newest and metric.provider == "web" else "",
    )


def _requests(newest: Measurement) -> float | None:
    counted = numbers(newest.value)[_REQUESTS:]
    return counted[0] if counted and math.isfinite(counted[0]) else None


def verdict_of(newest: Measurement | None, value: float | None, text: str = "", provider: str = "") -> Verdict:
    """The word for the newest measurement. Inconclusive without a number is missing data: the
    recommended conditions match neither way then. Only a query can miss data: a Job answers nothing, and a web metric
    anything."""
    if newest is None:
        return "waiting"
    nothing = (value is None or math.isnan(value)) and not text and provider not in ("job", "web")
    match newest.phase:
        case "Successful":
            return "no data" if nothing else "ok"
        case "Failed":
            return "failing"
        case "Inconclusive":
            return "no data" if nothing else "no verdict"
        case "Error":
            return "error"
    return "waiting"


_NOTHING = ("", "[]", "null", "<nil>")


def answer_text(newest: Measurement, metric: Metric | None) -> str:
    """An answer without a number: `true`, `"yes"`, an object. Empty for a list of numbers and for none."""
    text = newest.value.strip()
    if text in _NOTHING and (metric is None or metric.provider != "web"):
        return ""
    numbers_alone = text.startswith("[") and all(c in "+-.,[]0123456789eInfNaN " for c in text)
    return "" if numbers_alone else text


def _remark(newest: Measurement, metric: Metric) -> str:
    conditions = metric.success_condition or metric.failure_condition
    if newest.phase != "Successful" or not conditions:
        return ""
    try:
        json.loads(newest.value)
    except ValueError:
        return "the answer is not JSON, which passes without a look at the conditions"
    return ""


@lru_cache(maxsize=64)  # the same few texts in every frame
def _planned(count: str, interval: str) -> int:
    """How often a run asks; 0 without an end (upstream: once without an interval)."""
    return max(0, whole(count)) or (0 if interval else 1)
