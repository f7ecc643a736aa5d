"""Whether the controller has shown the effect of a verb. Pure: the Rollout before, and now.

`SEEN`: done. `PENDING`: not yet. `LOST`: the controller dropped it, it may be sent again.
`OTHER`: somebody else's change came in between.
"""

from enum import Enum, auto

from companyos_canary.model.rollout import Rollout


class Effect(Enum):
    PENDING = auto()
    SEEN = auto()
    LOST = auto()
    OTHER = auto()


def aborted(before: Rollout, now: Rollout) -> Effect:
    """Seen when the controller says so itself (condition RolloutAborted), not when our own
    patch is still in the status. A rollout that was promoted meanwhile has dropped it."""
    if now.aborted and any(c.reason == "RolloutAborted" for c in now.conditions):
        return Effect.SEEN
    if now.aborted or not now.observed:
        return Effect.PENDING
    if now.is_fully_promoted and now.current_hash == before.current_hash:
        return Effect.OTHER
    return Effect.LOST


def drained(now: Rollout) -> bool:
    """After an abort: no canary pod is left and stable has all of its own."""
    return now.updated_replicas == 0 and now.available_replicas >= now.replicas


def promoted(before: Rollout, now: Rollout) -> Effect:
    """Seen when the step moved on, or a pause by hand is gone and observed. A new pause at the
    same step means that the promote was lost (recorded: manual-pause-then-promote)."""
    if now.current_hash != before.current_hash or now.aborted:
        return Effect.OTHER
    if before.paused:
        return Effect.SEEN if not now.paused and now.observed else Effect.PENDING
    if now.step_index != before.step_index or now.is_fully_promoted:
        return Effect.SEEN
    if now.pause_conditions and now.pause_conditions != before.pause_conditions:
        return Effect.LOST
    if before.step_index is None and not now.pause_conditions:
        return Effect.SEEN
    return Effect.PENDING
