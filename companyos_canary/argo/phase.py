"""Phase and message of a Rollout: as the controller computes them, and as a client shows them; since when it is in the
state that is shown, and whether it waits for a person."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from companyos_canary.model.quantity import parse_time
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.row import COMPLETED

SPEC_NOT_OBSERVED = "waiting for rollout spec update to be observed"
WORKLOAD_NOT_OBSERVED = f"{SPEC_NOT_OBSERVED} for the reference workload"
NOT_UNPAUSED = "waiting for rollout to unpause"
MORE_REPLICAS = "more replicas need to be updated"
BECOMING_AVAILABLE = "updated replicas are still becoming available"
CUTOVER = "active service cutover pending"
OLD_REPLICAS = "old replicas are pending termination"
_DEGRADED_REASONS = ("RolloutAborted", "ProgressDeadlineExceeded")
_TIMED_OUT = r'ProgressDeadlineExceeded: ReplicaSet "(?P<set>[^"]+)" has timed out progressing\.'


class Phase(Struct, frozen=True):
    """`word` is Healthy, Progressing, Paused or Degraded; `message` is empty when Healthy."""

    word: str
    message: str


def shown_phase(rollout: Rollout) -> Phase:
    """What a client shows: three tests of its own, then what the controller wrote, and where that
    is nothing yet, what it will write (upstream utils/rollout/rolloututil.go GetRolloutPhase)."""
    if not rollout.spec_is_observed:
        return Phase("Progressing", SPEC_NOT_OBSERVED)
    if not rollout.workload_is_observed:
        return Phase("Progressing", WORKLOAD_NOT_OBSERVED)
    if rollout.controller_pause and not rollout.pause_conditions:
        return Phase("Progressing", NOT_UNPAUSED)
    if rollout.status_phase:
        return Phase(rollout.status_phase, rollout.status_message)
    return calculated_phase(rollout)


def tells_of_an_earlier_version(rollout: Rollout, phase: Phase) -> bool:
    """Degraded by what happened to the version before: its abort, which is gone, or its deadline.
    A retry and the first status of a new version still show this; a later write of the controller
    says what is true of the newest (upstream rollout/sync.go checkPausedConditions and
    calculateRolloutConditions; recorded: abort-then-retry). Which ReplicaSet had the deadline is only in the
    message: the condition has a reason and times, and a ReplicaSet that is used again is older than both."""
    if phase.word != "Degraded" or not rollout.observed:
        return False
    if _degraded_by(rollout) == "RolloutAborted" or phase.message.startswith("RolloutAborted"):
        return not rollout.aborted
    late = re.fullmatch(_TIMED_OUT, phase.message)
    return late is not None and not late["set"].endswith(f"-{rollout.current_hash}")


def may_tell_of_the_version_before(rollout: Rollout) -> bool:
    """Whether only the ReplicaSets can say which version the status tells of (`Snapshot.is_behind`)."""
    return rollout.is_fully_promoted and rollout.observed and shown_phase(rollout).word != "Healthy"


def is_degraded(rollout: Rollout) -> bool:
    """Degraded by the newest version, as far as the status says."""
    phase = shown_phase(rollout)
    return phase.word == "Degraded" and not tells_of_an_earlier_version(rollout, phase)


def invalid_spec(rollout: Rollout) -> str:
    """The controller's message where it has called the newest spec invalid; empty if not."""
    found = (c.message for c in rollout.conditions if c.type == "InvalidSpec" and c.status == "True")
    return next(found, "") if rollout.spec_is_observed else ""


def calculated_phase(rollout: Rollout) -> Phase:
    """What the controller writes with every status (rolloututil.go CalculateRolloutPhase): the
    first of these tests that holds."""
    degraded = _degraded(rollout)
    if degraded:
        return degraded
    if rollout.paused:
        return Phase("Paused", "manually paused")
    if rollout.pause_conditions:
        return Phase("Paused", rollout.pause_conditions[0].reason)
    waiting = _waiting_for(rollout)
    return Phase("Progressing", waiting) if waiting else Phase("Healthy", "")


def _degraded(rollout: Rollout) -> Phase | None:
    for condition in rollout.conditions:
        if condition.type == "InvalidSpec":
            return Phase("Degraded", f"InvalidSpec: {condition.message}")
        if condition.reason in _DEGRADED_REASONS:
            return Phase("Degraded", f"{condition.reason}: {condition.message}")
    return None


def _degraded_by(rollout: Rollout) -> str:
    """The reason of the condition that makes it Degraded."""
    return next((c.reason for c in rollout.conditions if c.reason in _DEGRADED_REASONS), "")


def _waiting_for(rollout: Rollout) -> str:
    """Why it is not Healthy yet, or nothing."""
    if rollout.restart_at is not None and rollout.restart_at != rollout.restarted_at:
        return "rollout is restarting"
    if rollout.updated_replicas < rollout.replicas:
        return MORE_REPLICAS
    if rollout.available_replicas < rollout.updated_replicas:
        return BECOMING_AVAILABLE
    if rollout.strategy == "blueGreen":
        return _blue_green_waiting(rollout)
    if not rollout.is_routed and rollout.total_replicas > rollout.updated_replicas:
        return OLD_REPLICAS
    return "" if rollout.is_fully_promoted else "waiting for all steps to complete"


def _blue_green_waiting(rollout: Rollout) -> str:
    status: Mapping[str, Any] = (rollout.raw.get("status") or {}).get("blueGreen") or {}
    active = status.get("activeSelector")
    if not active or active != rollout.current_hash:
        return CUTOVER
    if rollout.is_fully_promoted:
        return ""
    wanted = rollout.written_strategy("blueGreen").get("postPromotionAnalysis")
    run = status.get("postPromotionAnalysisRunStatus") or {}
    if wanted and run.get("status") not in COMPLETED:
        return "waiting for analysis to complete"
    return "waiting for post-promotion verification to complete"


def waits_for_a_person(rollout: Rollout) -> bool:
    """Nothing moves until someone acts: an endless pause, a pause by hand, no verdict. A full
    promote ends all of these once the controller has seen it, a pause by hand alone stays."""
    if rollout.aborted or shown_phase(rollout).word != "Paused":
        return False
    if rollout.promote_full and not rollout.paused:
        return False
    if rollout.paused:
        return True
    if any(c.reason == "BlueGreenPause" for c in rollout.pause_conditions):
        return not (rollout.blue_green and rollout.blue_green.promotes_itself)
    if any(c.reason != "CanaryPauseStep" for c in rollout.pause_conditions):
        return True
    step = rollout.current_step
    return step is None or step.waits_for_a_person


def since(rollout: Rollout) -> datetime | None:
    """When the phase that is shown began, as far as the status says (recorded: the times of every
    scenario's conditions, status.duration of newer controllers)."""
    match shown_phase(rollout).word:
        case "Paused":
            return _paused(rollout)
        case "Degraded":
            refused = _changed(rollout, "InvalidSpec", "True")
            return refused or rollout.aborted_at or _changed(rollout, "Progressing", "False")
        case "Healthy":
            return _changed(rollout, "Healthy", "True")
    moved = (
        parse_time(_duration(rollout).get("rolloutStartedAt")),
        _changed(rollout, "Healthy", "False"),
        _changed(rollout, "Paused", "False"),
    )
    return max((m for m in moved if m), default=None)


def _paused(rollout: Rollout) -> datetime | None:
    """Since a person is waited for; for a timed pause, since it began."""
    if waits_for_a_person(rollout):
        asked = parse_time(_duration(rollout).get("manualPauseStartedAt"))
        if asked:
            return asked
    return rollout.paused_at or _changed(rollout, "Paused", "True")


def _duration(rollout: Rollout) -> Mapping[str, Any]:
    status: Mapping[str, Any] = rollout.raw.get("status") or {}
    return status.get("duration") or {}


def _changed(rollout: Rollout, type_: str, status: str) -> datetime | None:
    found = (c for c in rollout.conditions if (c.type, c.status) == (type_, status))
    return next((c.transitioned_at for c in found), None)
