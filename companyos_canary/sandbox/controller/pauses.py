"""Pause conditions, controllerPause and abort of the status that a pass will write, and
status.duration: when the update began and ended, how, and how long people kept it waiting.

The duration is not in upstream's documentation; it was read off the recordings.
"""

from datetime import timedelta
from typing import Any

from companyos_canary.model.quantity import format_time, parse_time
from companyos_canary.model.rollout import Step
from companyos_canary.sandbox.controller.passes import (
    BLUE_GREEN,
    INCONCLUSIVE,
    INCONCLUSIVE_EXPERIMENT,
    PAUSE_STEP,
    Pass,
)


def put_pauses(work: Pass, status: dict[str, Any]) -> None:
    """Writes abort, abortedAt, pauseConditions and controllerPause into the new status.
    controllerPause only survives together with a condition. An abort of this pass outlives that an
    abort is taken off a promoted version, although the rest of the pass takes it for none."""
    if work.pauses.abort or work.aborted:
        status["abort"] = True
        status["abortedAt"] = work.status.get("abortedAt") or format_time(work.now)
        return
    if work.pauses.cleared:
        return
    old = work.status.get("pauseConditions") or []
    kept = [c for c in old if c["reason"] not in work.pauses.removed]
    present = {c["reason"] for c in old}
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
    """Someone took the condition away, or its time is up."""
    if work.view.controller_pause and not work.has_pause(PAUSE_STEP):
        return True
    end = _expires_at(work, step)
    return end is not None and work.now > end


def _expires_at(work: Pass, step: Step) -> Any:
    begun = next((p for p in work.view.pause_conditions if p.reason == PAUSE_STEP), None)
    if begun is None or begun.started_at is None or step.duration is None:
        return None
    return begun.started_at + max(step.duration, timedelta())


Duration = dict[str, Any]


def put_duration(work: Pass, status: dict[str, Any], *, started: bool = False) -> None:
    """Carries the duration on into a status that is otherwise ready. `started`: a new update has
    begun; a retry begins one too."""
    if not work.release.has_duration:
        return
    old: Duration = dict(work.status.get("duration") or {})
    retried = old.get("completionStatus") == "Aborted" and not status.get("abort")
    promoted = bool(status.get("stableRS")) and status["stableRS"] == status.get("currentPodHash")
    if started or (retried and not promoted):
        old = {"rolloutStartedAt": format_time(work.now)}
    if not old:
        return
    if "completionStatus" not in old:
        ending = _completion(work, status, promoted)
        if ending:
            old["completionStatus"] = ending
    waiting = "completionStatus" not in old and _waits_for_a_person(work, status)
    _put_manual_pause(work, old, waiting)
    if "completionStatus" in old and "finishedAt" not in old and _is_over(work, old):
        old["finishedAt"] = format_time(work.now)
    status["duration"] = old


def _completion(work: Pass, status: dict[str, Any], promoted: bool) -> str:
    if status.get("abort"):
        return "Aborted"
    if not promoted:
        return ""
    if work.view.stable_hash == status["stableRS"]:
        return "FastRolledBack"
    return "FastPromoted" if work.view.promote_full else "Promoted"


def _waits_for_a_person(work: Pass, status: dict[str, Any]) -> bool:
    """Paused by hand, inconclusive, or at a pause without an end."""
    if work.view.paused:
        return True
    reasons = [p["reason"] for p in status.get("pauseConditions") or []]
    index = status.get("currentStepIndex")
    steps = work.view.steps
    step = steps[index] if index is not None and index < len(steps) else None
    endless = PAUSE_STEP in reasons and step is not None and step.waits_for_a_person
    if BLUE_GREEN in reasons and work.view.blue_green is not None and not work.view.blue_green.promotes_itself:
        return True
    return INCONCLUSIVE in reasons or INCONCLUSIVE_EXPERIMENT in reasons or endless


def _put_manual_pause(work: Pass, duration: Duration, waiting: bool) -> None:
    since = duration.get("manualPauseStartedAt")
    if waiting and since is None:
        duration["manualPauseStartedAt"] = format_time(work.now)
    if not waiting and since is not None:
        begun = parse_time(since) or work.now
        now = parse_time(format_time(work.now)) or work.now
        waited = int((now - begun).total_seconds())
        total = duration.get("totalManualPauseDurationSeconds", 0) + waited
        duration["totalManualPauseDurationSeconds"] = total
        del duration["manualPauseStartedAt"]


def _is_over(work: Pass, duration: Duration) -> bool:
    """An abort is over at once, anything else when the version has all its pods."""
    if duration["completionStatus"] == "Aborted":
        return True
    available = ((work.canary or {}).get("status") or {}).get("availableReplicas", 0)
    return bool(available >= work.view.replicas)
