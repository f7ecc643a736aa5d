"""The metrics of AnalysisRuns, judged: worst first, and as rows. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Struct

from companyos_canary.argo.limits import Operator, Unit
from companyos_canary.argo.metric_rows import MetricRow, SequentialRow, Verdict, rows_of
from companyos_canary.argo.rows import Measured, bound, measured_row
from companyos_canary.model.analysisrun import AnalysisRun, Metric, MetricResult
from companyos_canary.model.http import without_password
from companyos_canary.model.row import RunPhase, Says, pick

_FIRST = {"Failed": 0, "Error": 0, "Inconclusive": 1, "Successful": 3}


class Judged(Struct, frozen=True):
    """One metric of one run. `result` is None until it is measured."""

    row: MetricRow
    metric: Metric
    result: MetricResult | None

    @property
    def phase(self) -> str:
        return (self.result.phase if self.result else "") or "Pending"

    @property
    def message(self) -> str:
        return self.row.message or (self.result.message if self.result else "")

    @property
    def query(self) -> str:
        """As it was asked; as it is written in the run until then."""
        return (self.result.query if self.result else "") or self.metric.query


def worst_first(runs: Iterable[AnalysisRun]) -> tuple[AnalysisRun, ...]:
    """Failures first, then what still runs, then the good ones; the newest of each first."""
    newest = sorted(runs, key=lambda r: r.created_at.timestamp() if r.created_at else 0.0)[::-1]
    return tuple(sorted(newest, key=lambda r: _FIRST.get(r.phase, 2)))


def judged(run: AnalysisRun) -> tuple[Judged, ...]:
    """The metrics of a run, failures first."""
    asked = {m.name: m for m in run.metrics}
    rows = rows_of((run,))
    found = (Judged(r, asked[r.name], run.result(r.name)) for r in rows)
    return tuple(sorted(found, key=lambda j: _FIRST.get(j.phase, 2)))


class Counts(Struct, frozen=True):
    count: int = 0
    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0


class JudgedMetric(Struct, frozen=True):
    name: str
    phase: RunPhase
    verdict: Verdict
    value: float | None
    unit: Unit
    operator: Operator | Literal[""]
    limit: float | None
    counts: Counts
    planned: int
    success_condition: str
    failure_condition: str
    interval: str
    failure_limit: str
    dry_run: bool
    message: str
    address: str
    query: Annotated[str, Says("as it was asked")]
    sequential: SequentialRow | None
    measurements: tuple[Measured, ...]


class JudgedRun(Struct, frozen=True):
    """`step` as the screens say it: `2/3`, `background`; empty for a run of no Rollout."""

    name: str
    revision: int
    hash: str
    step: str
    step_index: int | None
    phase: RunPhase
    message: str
    started_at: datetime | None
    completed_at: datetime | None
    metrics: tuple[JudgedMetric, ...]


def judged_run(run: AnalysisRun, step: str = "") -> JudgedRun:
    """A run with all its metrics and all their measurements."""
    return pick(JudgedRun, run, step=step, metrics=tuple(map(_metric, judged(run))))


def _metric(one: Judged) -> JudgedMetric:
    row, metric, result = one.row, one.metric, one.result
    return JudgedMetric(
        name=row.name,
        phase=one.phase,
        verdict=row.verdict,
        value=row.value,
        unit=row.unit,
        **bound(row.limit),
        counts=pick(Counts, result) if result else Counts(),
        planned=row.planned,
        success_condition=metric.success_condition,
        failure_condition=metric.failure_condition,
        interval=metric.interval,
        failure_limit=metric.failure_limit,
        dry_run=bool(result and result.dry_run),
        message=one.message,
        address=without_password(metric.address),
        query=one.query,
        sequential=row.sequential,
        measurements=tuple(measured_row(m, metric) for m in result.measurements) if result else (),
    )
