"""The AnalysisRuns of the update in work, apart from those of an earlier try. Pure."""

from collections.abc import Iterable
from datetime import datetime

from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.quantity import parse_time
from companyos_canary.model.snapshot import Snapshot


def attempt(snapshot: Snapshot) -> tuple[AnalysisRun, ...]:
    """The runs that judge the newest revision, oldest first: the newest of each step, and none of
    an earlier attempt (recorded: scenario abort-then-retry; the steps begin again at the first)."""
    rollout = snapshot.rollout
    started = update_started(snapshot)
    newest: dict[int | None, AnalysisRun] = {}
    for run in snapshot.current_runs:
        before = started and run.created_at and run.created_at < started
        if not before:
            newest[run.step_index] = run
    index = rollout.step_index
    if rollout.aborted or index is None:
        return _by_age(newest.values())
    return _by_age(r for i, r in newest.items() if i is None or i <= index)


def is_judged(snapshot: Snapshot) -> bool:
    """Whether an analysis is at work: also at a pause it may abort the update."""
    return any(not r.is_finished for r in attempt(snapshot))


def update_started(snapshot: Snapshot) -> datetime | None:
    """When the controller began with this update or retry: newer ones write it down (upstream
    status.duration.rolloutStartedAt); None where it is not written."""
    status = snapshot.rollout.raw.get("status") or {}
    return parse_time((status.get("duration") or {}).get("rolloutStartedAt"))


def _by_age(runs: Iterable[AnalysisRun]) -> tuple[AnalysisRun, ...]:
    return tuple(sorted(runs, key=lambda r: r.created_at.timestamp() if r.created_at else 0.0))
