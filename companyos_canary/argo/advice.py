"""The sequential verdict on a metric, from all that the runs of an update have measured. Pure.

It is advice: Argo Rollouts decides by the conditions of the metric, look by look.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from companyos_canary.analysis import evidence
from companyos_canary.analysis.sequential import Asked, Counts, Found, Verdict, judge
from companyos_canary.analysis.windows import Look, disjoint
from companyos_canary.argo.limits import Limit
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.quantity import parse_duration
from companyos_canary.model.row import INSIDE

_BAD, _STABLE = 2, 6  # where the counts begin and end in a row of numbers


@dataclass(frozen=True, slots=True)
class SequentialRow:
    """What all requests of the update say together, valid however often it is read: advice next to the verdict of
    Argo Rollouts. `worse`: beyond the limit (or, compared, worse than stable with a ratio beyond it), surely;
    `not-worse`: surely better than the limit. Bad requests of all; the `ratio` of a metric that compares, the
    `share` of another, and the interval of it at 95 %; the limit for it; and about how many more requests of the
    canary a verdict takes, null once there is one and where that cannot be known."""

    verdict: Verdict
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
    found: Found = field(metadata=INSIDE)


def _row(found: Found) -> SequentialRow:
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
    return _row(judge(disjoint(looks, window, began), asked, crossed=crossed))


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
