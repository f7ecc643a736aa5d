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


def put_pauses(state: Pass, status: dict[str, Any]) -> None:
    """Writes abort, abortedAt, pauseConditions and controllerPause into the new status.
    controllerPause only survives together with a condition. An abort of this pass outlives that an
    abort is taken off a promoted version, although the rest of the pass takes it for none."""
    if state.pauses.abort or state.aborted:
        status["abort"] = True
        status["abortedAt"] = state.status.get("abortedAt") or format_time(state.now)
        return
    if state.pauses.cleared:
        return
    old = state.status.get("pauseConditions") or []
    kept = [c for c in old if c["reason"] not in state.pauses.removed]
    present = {c["reason"] for c in old}
    new = [r for r in dict.fromkeys(state.pauses.added) if r not in present]
    kept = kept + [{"reason": r, "startTime": format_time(state.now)} for r in new]
    if kept:
        status["pauseConditions"] = kept
        if new or state.view.controller_pause:
            status["controllerPause"] = True


def enter_pause(state: Pass) -> bool:
    """At a pause step: whether the pass ends here, having begun the pause or waiting in it."""
    step = state.view.current_step
    if state.view.paused or state.view.promote_full or step is None or step.kind != "pause":
        return False
    if not state.has_pause(PAUSE_STEP):
        if not state.view.controller_pause:
            state.pauses.added.append(PAUSE_STEP)
        return True
    if step.duration is not None:
        end = _expires_at(state, step)
        if end is not None:
            state.wake_at.append(end)
    return True


def pause_is_over(state: Pass, step: Step) -> bool:
    """Someone took the condition away, or its time is up."""
    if state.view.controller_pause and not state.has_pause(PAUSE_STEP):
        return True
    end = _expires_at(state, step)
    return end is not None and state.now > end


def _expires_at(state: Pass, step: Step) -> Any:
    begun = next((p for p in state.view.pause_conditions if p.reason == PAUSE_STEP), None)
    if begun is None or begun.started_at is None or step.duration is None:
        return None
    return begun.started_at + max(step.duration, timedelta())


Duration = dict[str, Any]


def put_duration(state: Pass, status: dict[str, Any], *, changed: bool = False) -> None:
    """Carries the duration on into a status that is otherwise ready. `changed`: the template or the steps are others
    than those of the status before, or there was none. A new update that interrupts one supersedes it, unless it goes
    back to the stable version or one before it: then it is the end of the same."""
    invalid = any(c["type"] == "InvalidSpec" for c in status.get("conditions") or [])
    if not state.release.has_duration or invalid:
        return
    old: Duration = dict(state.status.get("duration") or {})
    new = dict(old)
    if state.view.stable_hash != status.get("stableRS", "") and new:
        new.setdefault("completionStatus", "FastPromoted" if state.view.promote_full else "Promoted")
    completed = status.get("stableRS") == status.get("currentPodHash") and _has_all_pods(state)
    waited = "manualPauseStartedAt" in old
    if _is_running(old):
        _end_if_over(state, new, changed, completed)
    if not _is_running(new) and not (completed and new):
        waited = False
        if (changed and not completed) or _is_retried(state):
            new = {"rolloutStartedAt": format_time(state.now)}
    if _is_running(new):
        _put_manual_pause(state, new, waited, _waits_for_a_person(state, status))
    if new:
        status["duration"] = new


def _end_if_over(state: Pass, duration: Duration, changed: bool, completed: bool) -> None:
    """Notes how an update ends: it goes back, is superseded, is complete or was aborted."""
    if changed and (way_back := _way_back(state)):
        duration["completionStatus"] = way_back
    elif changed:
        _finish(state, duration, "Superseded")
    if _is_running(duration) and (completed or state.aborted):
        _finish(state, duration, duration.get("completionStatus") or ("Promoted" if completed else "Aborted"))


def _is_running(duration: Duration) -> bool:
    return "rolloutStartedAt" in duration and "finishedAt" not in duration


def _way_back(state: Pass) -> str:
    """How an update that was interrupted goes back; empty where it goes on to another version."""
    if state.canary is None or state.stable is None:
        return ""
    to_stable = state.view.stable_hash == hash_of(state.canary)
    if to_stable or (state.goes_back and (state.returns_in_time or state.in_window)):
        return "FastRolledBack"
    return "RolledBack" if state.goes_back else ""


def _is_retried(state: Pass) -> bool:
    """The status still tells of an abort that has been taken back."""
    conditions = state.status.get("conditions") or []
    aborted = any(c["type"] == "Progressing" and c.get("reason") == "RolloutAborted" for c in conditions)
    return aborted and not state.aborted


def _finish(state: Pass, duration: Duration, how: str) -> None:
    _end_manual_pause(state, duration)
    duration.update(finishedAt=format_time(state.now), completionStatus=how)


def _waits_for_a_person(state: Pass, status: dict[str, Any]) -> bool:
    """Paused by hand, inconclusive, or at a pause without an end."""
    if state.view.paused:
        return True
    reasons = [p["reason"] for p in status.get("pauseConditions") or []]
    index = status.get("currentStepIndex")
    steps = state.view.steps
    step = steps[index] if index is not None and index < len(steps) else None
    endless = PAUSE_STEP in reasons and step is not None and step.waits_for_a_person
    if BLUE_GREEN in reasons and state.view.blue_green is not None and not state.view.blue_green.promotes_itself:
        return True
    return INCONCLUSIVE in reasons or INCONCLUSIVE_EXPERIMENT in reasons or endless


def _put_manual_pause(state: Pass, duration: Duration, waited: bool, waits: bool) -> None:
    if waits and not waited:
        duration.setdefault("manualPauseStartedAt", format_time(state.now))
    elif waited and not waits:
        _end_manual_pause(state, duration)


def _end_manual_pause(state: Pass, duration: Duration) -> None:
    since = duration.pop("manualPauseStartedAt", None)
    if since is not None:
        begun, now = parse_time(since) or state.now, parse_time(format_time(state.now)) or state.now
        before = duration.get("totalManualPauseDurationSeconds", 0)
        duration["totalManualPauseDurationSeconds"] = before + int((now - begun).total_seconds())


def _has_all_pods(state: Pass) -> bool:
    available = ((state.canary or {}).get("status") or {}).get("availableReplicas", 0)
    return bool(available >= state.view.replicas)
