"""What happened between two snapshots, as typed events for machines: `watch -o json`."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, Literal

from companyos_canary.argo.limits import Operator, limit_of
from companyos_canary.argo.metric_rows import Verdict, verdict_of
from companyos_canary.argo.picture import Picture
from companyos_canary.argo.rows import Measured, SnapshotRow, bound, measured_row, snapshot_row
from companyos_canary.argo.steps import step_of
from companyos_canary.model import analysisrun
from companyos_canary.model.row import Says, named, pick


def _ready(of: SnapshotRow, role: str) -> int | None:
    return next((r.ready for r in of.replicasets or () if r.role == role), None)


# In the order in which they matter: how each reads, and what is said about it.
_WATCHED: dict[str, tuple[Callable[[SnapshotRow], str | int | None], str]] = {
    "connection": (lambda d: "lost" if d.stale_since else "connected", ""),
    "revision": (lambda d: d.revision, "version"),
    "phase": (lambda d: d.phase, "message"),
    "activity": (lambda d: d.activity, "message"),
    "step": (lambda d: d.step.number, ""),
    "weight": (lambda d: d.weights.set, ""),
    "canary_ready": (lambda d: _ready(d, "canary"), ""),
    "stable_ready": (lambda d: _ready(d, "stable"), ""),
}


@dataclass(frozen=True, slots=True)
class Transition:
    """One thing that is not as it was. `connection` is `connected` or `lost`; `phase` and `activity` are words; the
    others are numbers, null where there is none: `step` as `step.number`, `weight` in percent, `canary_ready` and
    `stable_ready` in pods."""

    what: Annotated[str, Says(words=tuple(_WATCHED))]
    before: str | int | None = field(metadata=named("from"))
    after: str | int | None = field(metadata=named("to"))
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement(Measured):
    """One answer of a metric, told once. A good value is `operator limit`; `limit` is null where
    the conditions name no single one."""

    run: str
    metric: str
    step: Annotated[str, Says("`2/3`, or `background`")]
    step_index: int | None
    operator: Operator | Literal[""]
    limit: float | None
    verdict: Verdict


def happenings(before: Picture | None, after: Picture) -> list[tuple[str, Any]]:
    """Events and their data: the new snapshot if something of substance changed (or there was
    none before), each transition, each measurement that was not there."""
    data = snapshot_row(after)
    told: list[tuple[str, Any]] = [("snapshot", data)]
    if before is not None:
        was = snapshot_row(before)
        told = [] if _substance(was) == _substance(data) else told
        told += [("transition", t) for t in _transitions(was, data)]
    return told + [("measurement", m) for m in _measurements(before, after)]


def _substance(of: SnapshotRow) -> SnapshotRow:
    """Without what changes all the time: that makes no new snapshot by itself."""
    return replace(of, pods=None, metrics=None, events=None)


def _transitions(was: SnapshotRow, now: SnapshotRow) -> list[Transition]:
    return [
        Transition(what, read(was), read(now), getattr(now, about) if about else "")
        for what, (read, about) in _WATCHED.items()
        if read(was) != read(now)
    ]


def _measurements(before: Picture | None, after: Picture) -> list[Measurement]:
    """In the order in which they ended. The controller keeps the last ten of a metric alone, so
    they are told apart by what they are, not by their number."""
    known = {
        (run.name, result.name): [*result.measurements]
        for run in (before.snapshot.current_runs if before else ())
        for result in run.results
    }
    fresh: list[tuple[datetime, Measurement]] = []
    for run in after.snapshot.current_runs:
        for result in run.results:
            seen = known.get((run.name, result.name), [])
            for one in result.measurements:
                if one in seen:
                    seen.remove(one)
                elif one.finished_at:
                    fresh.append((one.finished_at, _measurement(after, run, result.name, one)))
    return [row for _, row in sorted(fresh, key=lambda pair: pair[0])]


def _measurement(
    picture: Picture, run: analysisrun.AnalysisRun, metric: str, one: analysisrun.Measurement
) -> Measurement:
    asked = next((m for m in run.metrics if m.name == metric), None)
    return pick(
        Measurement,
        measured_row(one),
        run=run.name,
        metric=metric,
        step=step_of(picture.snapshot.rollout, run),
        step_index=run.step_index,
        **bound(limit_of(asked.success_condition, asked.failure_condition) if asked else None),
        verdict=verdict_of(one),
    )
