"""status.duration: when the update began and ended, how, and how long people kept it waiting.

Not in upstream's documentation; read off the recordings.
"""

from typing import Any

from companyos_canary.model.quantity import format_time, parse_time
from companyos_canary.sandbox.controller.context import Pass
from companyos_canary.sandbox.controller.pauses import INCONCLUSIVE, PAUSE_STEP

Duration = dict[str, Any]


def put_duration(work: Pass, status: dict[str, Any], *, started: bool = False) -> None:
    """Carries the duration on into a status that is otherwise ready. `started`: a new update has
    begun; a retry begins one too."""
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
    return INCONCLUSIVE in reasons or endless


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
