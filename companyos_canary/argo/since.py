"""Since when a Rollout is in the state that it shows. Pure; from the Rollout alone."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from companyos_canary.argo.endings import waits_for_a_person
from companyos_canary.argo.phase import shown_phase
from companyos_canary.model.quantity import parse_time
from companyos_canary.model.rollout import Rollout


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
    started = (c.started_at for c in rollout.pause_conditions if c.started_at)
    return min(started, default=None) or _changed(rollout, "Paused", "True")


def _duration(rollout: Rollout) -> Mapping[str, Any]:
    status: Mapping[str, Any] = rollout.raw.get("status") or {}
    return status.get("duration") or {}


def _changed(rollout: Rollout, type_: str, status: str) -> datetime | None:
    found = (c for c in rollout.conditions if (c.type, c.status) == (type_, status))
    return next((c.transitioned_at for c in found), None)
