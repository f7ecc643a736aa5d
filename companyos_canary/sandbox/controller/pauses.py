"""Pause conditions, controllerPause and abort of the status that a pass will write, and
status.duration: when the update began and ended, how, and how long people kept it waiting.

The duration is not in upstream's documentation; its rules are those of rollout/sync.go.
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
    hash_of,
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


def put_duration(work: Pass, status: dict[str, Any], *, changed: bool = False) -> None:
    """Carries the duration on into a status that is otherwise ready. `changed`: the template or the steps are others
    than those of the status before, or there was none. A new update that interrupts one supersedes it, unless it goes
    back to the stable version or one before it: then it is the end of the same."""
    invalid = any(c["type"] == "InvalidSpec" for c in status.get("conditions") or [])
    if not work.release.has_duration or invalid:
        return
    old: Duration = dict(work.status.get("duration") or {})
    new = dict(old)
    if work.view.stable_hash != status.get("stableRS", "") and new:
        new.setdefault("completionStatus", "FastPromoted" if work.view.promote_full else "Promoted")
    completed = status.get("stableRS") == status.get("currentPodHash") and _has_all_pods(work)
    waited = "manualPauseStartedAt" in old
    if _is_running(old):
        _end_if_over(work, new, changed, completed)
    if not _is_running(new) and not (completed and new):
        waited = False
        if (changed and not completed) or _is_retried(work):
            new = {"rolloutStartedAt": format_time(work.now)}
    if _is_running(new):
        _put_manual_pause(work, new, waited, _waits_for_a_person(work, status))
    if new:
        status["duration"] = new


def _end_if_over(work: Pass, duration: Duration, changed: bool, completed: bool) -> None:
    """Notes how an update ends: it goes back, is superseded, is complete or was aborted."""
    if changed and (way_back := _way_back(work)):
        duration["completionStatus"] = way_back
    elif changed:
        _finish(work, duration, "Superseded")
    if _is_running(duration) and (completed or work.aborted):
        _finish(work, duration, duration.get("completionStatus") or ("Promoted" if completed else "Aborted"))


def _is_running(duration: Duration) -> bool:
    return "rolloutStartedAt" in duration and "finishedAt" not in duration


def _way_back(work: Pass) -> str:
    """How an update that was interrupted goes back; empty where it goes on to another version."""
    if work.canary is None or work.stable is None:
        return ""
    to_stable = work.view.stable_hash == hash_of(work.canary)
    if to_stable or (work.goes_back and (work.returns_in_time or work.in_window)):
        return "FastRolledBack"
    return "RolledBack" if work.goes_back else ""


def _is_retried(work: Pass) -> bool:
    """The status still tells of an abort that has been taken back."""
    conditions = work.status.get("conditions") or []
    aborted = any(c["type"] == "Progressing" and c.get("reason") == "RolloutAborted" for c in conditions)
    return aborted and not work.aborted


def _finish(work: Pass, duration: Duration, how: str) -> None:
    _end_manual_pause(work, duration)
    duration.update(finishedAt=format_time(work.now), completionStatus=how)


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


def _put_manual_pause(work: Pass, duration: Duration, waited: bool, waits: bool) -> None:
    if waits and not waited:
        duration.setdefault("manualPauseStartedAt", format_time(work.now))
    elif waited and not waits:
        _end_manual_pause(work, duration)


def _end_manual_pause(work: Pass, duration: Duration) -> None:
    since = duration.pop("manualPauseStartedAt", None)
    if since is not None:
        begun, now = parse_time(since) or work.now, parse_time(format_time(work.now)) or work.now
        before = duration.get("totalManualPauseDurationSeconds", 0)
        duration["totalManualPauseDurationSeconds"] = before + int((now - begun).total_seconds())


def _has_all_pods(work: Pass) -> bool:
    available = ((work.canary or {}).get("status") or {}).get("availableReplicas", 0)
    return bool(available >= work.view.replicas)
