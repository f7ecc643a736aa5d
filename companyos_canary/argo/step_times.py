"""When the controller completed each step of the update in work. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime

from companyos_canary.argo.attempt import update_started
from companyos_canary.model.snapshot import Snapshot

_COMPLETED = re.compile(r"Rollout step (\d+)/\d+ completed")  # message: recorded


def step_times(snapshot: Snapshot) -> Mapping[int, datetime]:
    """By the index of the Rollout's own step. Told by events, which a cluster may drop, so that
    any may be missing; none where it is not known when this update began."""
    began = _began(snapshot)
    told = (
        (int(found[1]) - 1, event.at)
        for event in snapshot.events
        if began
        and event.at
        and event.at >= began
        and event.reason == "RolloutStepCompleted"
        and (found := _COMPLETED.match(event.message))
    )
    return dict(told)


def _began(snapshot: Snapshot) -> datetime | None:
    """An undo mid-way keeps the start of the release that it ended; its own revision is told."""
    updated = f"Rollout updated to revision {snapshot.rollout.revision}"  # message: recorded
    told = [e.at for e in snapshot.events if e.at and e.message == updated]
    started = update_started(snapshot)
    return max([started, *told]) if started else None
