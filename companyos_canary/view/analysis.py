"""AnalysisRuns in full: each metric's values against its limit, counts, conditions and query."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from companyos_canary.argo.cause import number_text
from companyos_canary.argo.history import as_if_current
from companyos_canary.argo.weight_steps import weight_step_at, weight_steps
from companyos_canary.model.analysisrun import AnalysisRun, Metric, MetricResult
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view.keyed import keyed
from companyos_canary.view.metrics import MetricRow, metric_rows
from companyos_canary.view.records import limit_record, measured_record
from companyos_canary.view.theme import Role

if TYPE_CHECKING:
    from companyos_canary.view.contract import answers

_FIRST = {"Failed": 0, "Error": 0, "Inconclusive": 1, "Successful": 3}
ROLES: dict[str, Role] = {"Failed": "failure", "Error": "failure", "Inconclusive": "warning", "Successful": "success"}
_WHILE_RUNNING: dict[str, Role] = {
    "failing": "failure",
    "error": "failure",
    "no data": "warning",
    "no verdict": "warning",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """One metric of one run. `result` is None until it is measured."""

    row: MetricRow
    metric: Metric
    result: MetricResult | None

    @property
    def phase(self) -> str:
        return (self.result.phase if self.result else "") or "Pending"

    @property
    def role(self) -> Role:
        """That of the phase; while it runs, that of the newest measurement if it is bad."""
        return ROLES.get(self.phase) or _WHILE_RUNNING.get(self.row.verdict, "")

    @property
    def is_bad(self) -> bool:
        return self.role in ("failure", "warning")

    @property
    def message(self) -> str:
        return self.row.message or (self.result.message if self.result else "")


def worst_first(runs: Iterable[AnalysisRun]) -> tuple[AnalysisRun, ...]:
    """Failures first, then what still runs, then the good ones; the newest of each first."""
    newest = sorted(runs, key=lambda r: r.created_at.timestamp() if r.created_at else 0.0)[::-1]
    return tuple(sorted(newest, key=lambda r: _FIRST.get(r.phase, 2)))


def judged(snapshot: Snapshot, run: AnalysisRun) -> tuple[Judged, ...]:
    """The metrics of a run, failures first."""
    asked = {m.name: m for m in run.metrics}
    rows = metric_rows(as_if_current(snapshot, run))
    found = (Judged(r, asked[r.name], run.result(r.name)) for r in rows)
    return tuple(sorted(found, key=lambda j: _FIRST.get(j.phase, 2)))


def step_of(rollout: Rollout, run: AnalysisRun) -> str:
    """`2/3`, as the screens count; `background`."""
    if run.step_index is None:
        return "background"
    groups = weight_steps(rollout.steps)
    at = weight_step_at(groups, run.step_index)
    return f"{at.number}/{len(groups)}" if at else f"index {run.step_index}"


def plain(snapshot: Snapshot, run: AnalysisRun, *, full: bool) -> tuple[str, ...]:
    """A line a metric for a pipe, failures first; conditions and query as on a screen."""
    step = step_of(snapshot.rollout, run)
    return tuple(
        keyed(
            f"run={run.name} step={step.replace(' ', '-')} metric={j.row.name} phase={j.phase}",
            value=number_text(j.row.known),
            limit=f"{j.row.limit.value:g}" if j.row.limit else "",
            failed=str(j.row.failed),
            measured=str(j.row.measured),
            planned=str(j.row.planned) if j.row.planned else "",
            message=j.message,
            **(_asked(j) if full or j.is_bad else {}),
        )
        for j in judged(snapshot, run)
    )


def record(snapshot: Snapshot, run: AnalysisRun) -> "answers.JudgedRun":
    """For machines: a run with all its metrics and all their measurements."""
    return {
        "name": run.name,
        "revision": run.revision,
        "hash": run.hash,
        "step": step_of(snapshot.rollout, run),
        "step_index": run.step_index,
        "phase": run.phase,
        "message": run.message,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "metrics": [_metric_record(j) for j in judged(snapshot, run)],
    }


def _metric_record(one: Judged) -> "answers.JudgedMetric":
    row, metric, result = one.row, one.metric, one.result
    return {
        "name": row.name,
        "phase": one.phase,
        "verdict": row.verdict,
        "value": row.value,
        "unit": row.unit,
        **limit_record(row.limit),
        "counts": {
            "count": result.count if result else 0,
            "successful": result.successful if result else 0,
            "failed": result.failed if result else 0,
            "inconclusive": result.inconclusive if result else 0,
            "error": result.error if result else 0,
        },
        "planned": row.planned,
        "success_condition": metric.success_condition,
        "failure_condition": metric.failure_condition,
        "interval": metric.interval,
        "failure_limit": metric.failure_limit,
        "dry_run": bool(result and result.dry_run),
        "message": one.message,
        "address": metric.address,
        "query": query(one),
        "measurements": [measured_record(m) for m in (result.measurements if result else ())],
    }


def _asked(one: Judged) -> dict[str, str]:
    return {"success": one.metric.success_condition, "failure": one.metric.failure_condition, "query": query(one)}


def query(one: Judged) -> str:
    """As it was asked; as it is written in the run until then."""
    return (one.result.query if one.result else "") or one.metric.query
