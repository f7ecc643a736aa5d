"""Pause conditions, controllerPause and abort of the status that a pass will write."""

from datetime import timedelta
from typing import Any

from companyos_canary.model.quantity import format_time
from companyos_canary.model.rollout import Step
from companyos_canary.sandbox.controller.context import Pass

PAUSE_STEP = "CanaryPauseStep"
INCONCLUSIVE = "InconclusiveAnalysisRun"


def put_pauses(work: Pass, status: dict[str, Any]) -> None:
    """Writes abort, abortedAt, pauseConditions and controllerPause into the new status.
    controllerPause only survives together with a condition."""
    if work.aborted:
        status["abort"] = True
        status["abortedAt"] = work.status.get("abortedAt") or format_time(work.now)
        return
    if work.pauses.cleared:
        return
    old = work.status.get("pauseConditions") or []
    kept = [c for c in old if c["reason"] not in work.pauses.removed]
    present = {c["reason"] for c in kept}
    new = [r for r in dict.fromkeys(work.pauses.added) if r not in present]
    kept = kept + [{"reason": r, "startTime": format_time(work.now)} for r in new]
    if kept:
        status["pauseConditions"] = kept
        if new or work.view.controller_pause:
            status["controllerPause"] = True


def enter_pause(work: Pass) -> bool:
    """At a pause step: whether the pass ends here, having begun the pause or waiting in it."""
    step = work.view.current_step
    if work.view.paused or step is None or step.kind != "pause":
        return False
    if not work.has_pause(PAUSE_STEP):
        if not work.view.controller_pause:
            work.pauses.added.append(PAUSE_STEP)
        return True
    if step.duration is not None:
        end = _expires_at(work, step)
        if end is not None:
            work.wake_at.append(end)
    return True


def pause_is_over(work: Pass, step: Step) -> bool:
    """Somebody took the condition away, or its time is up."""
    if work.view.controller_pause and not work.has_pause(PAUSE_STEP):
        return True
    end = _expires_at(work, step)
    return end is not None and work.now > end


def _expires_at(work: Pass, step: Step) -> Any:
    begun = next((p for p in work.view.pause_conditions if p.reason == PAUSE_STEP), None)
    if begun is None or begun.started_at is None or step.duration is None:
        return None
    return begun.started_at + max(step.duration, timedelta())
