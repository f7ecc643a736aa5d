"""What happened between two snapshots, as typed events for machines: `watch -o json`."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from companyos_canary.argo.limits import limit_of
from companyos_canary.argo.metric_rows import verdict_of
from companyos_canary.argo.picture import Place
from companyos_canary.model.analysisrun import AnalysisRun, Measurement
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view.analysis import step_of
from companyos_canary.view.machine import snapshot_data
from companyos_canary.view.records import limit_record, measured_record

if TYPE_CHECKING:
    from companyos_canary.view.contract import parts, verbs

# What changes all the time: it makes no new snapshot by itself.
_DETAILS = frozenset({"pods", "metrics", "events"})


def happenings(
    before: Snapshot | None, after: Snapshot, now: datetime, *, place: Place | None = None
) -> list[tuple[str, Mapping[str, Any]]]:
    """Events and their data: the new snapshot if something of substance changed (or there was
    none before), each transition, each measurement that was not there."""
    data = snapshot_data(after, now, place=place)
    told: list[tuple[str, Mapping[str, Any]]] = [("snapshot", data)]
    if before is not None:
        was = snapshot_data(before, now, place=place)
        told = [] if _substance(was) == _substance(data) else told
        told += [("transition", t) for t in _transitions(was, data)]
    return told + [("measurement", m) for m in _measurements(before, after)]


def _substance(data: "parts.Snapshot") -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in _DETAILS}


def _ready(data: "parts.Snapshot", role: str) -> int | None:
    return next((r["ready"] for r in data["replicasets"] or () if r["role"] == role), None)


# In the order in which they matter: how each reads, and what is said about it.
_WATCHED: dict[str, tuple[Callable[["parts.Snapshot"], str | int | None], str]] = {
    "connection": (lambda d: "lost" if d["stale_since"] else "connected", ""),
    "revision": (lambda d: d["revision"], "version"),
    "phase": (lambda d: d["phase"], "message"),
    "activity": (lambda d: d["activity"], "message"),
    "step": (lambda d: d["step"]["number"], ""),
    "weight": (lambda d: d["weights"]["set"], ""),
    "canary_ready": (lambda d: _ready(d, "canary"), ""),
    "stable_ready": (lambda d: _ready(d, "stable"), ""),
}


def _transitions(was: "parts.Snapshot", now: "parts.Snapshot") -> "list[verbs.Transition]":
    said: Mapping[str, Any] = now
    return [
        {"what": what, "from": read(was), "to": read(now), "message": said.get(about, "")}
        for what, (read, about) in _WATCHED.items()
        if read(was) != read(now)
    ]


def _measurements(before: Snapshot | None, after: Snapshot) -> "list[verbs.Measurement]":
    """In the order in which they ended. The controller keeps the last ten of a metric alone, so
    they are told apart by what they are, not by their number."""
    known = {
        (run.name, result.name): [*result.measurements]
        for run in (before.current_runs if before else ())
        for result in run.results
    }
    fresh: list[tuple[datetime, verbs.Measurement]] = []
    for run in after.current_runs:
        for result in run.results:
            seen = known.get((run.name, result.name), [])
            for one in result.measurements:
                if one in seen:
                    seen.remove(one)
                elif one.finished_at:
                    fresh.append((one.finished_at, _measurement(after, run, result.name, one)))
    return [record for _, record in sorted(fresh, key=lambda pair: pair[0])]


def _measurement(snapshot: Snapshot, run: AnalysisRun, metric: str, one: Measurement) -> "verbs.Measurement":
    asked = next((m for m in run.metrics if m.name == metric), None)
    limit = limit_of(asked.success_condition, asked.failure_condition) if asked else None
    return {
        "run": run.name,
        "metric": metric,
        "step": step_of(snapshot.rollout, run),
        "step_index": run.step_index,
        **measured_record(one),
        **limit_record(limit),
        "verdict": verdict_of(one),
    }
