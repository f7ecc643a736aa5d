"""Whether the controller has shown the effect of a verb. Pure: the Rollout before, and now.

`SEEN`: done. `PENDING`: not yet. `LOST`: the controller dropped it, it may be sent again.
`OTHER`: someone else's change came in between. `REPLACED`: the Rollout was deleted, and another one has its name now.
`RETRIED`: someone took an abort back. `HELD`: a
pause by hand keeps the pods. `INVALID`: the controller calls the spec invalid, and acts on nothing
until that is fixed.
"""

from collections.abc import Callable
from enum import Enum, auto

from companyos_canary.argo.steps import routed_weight
from companyos_canary.model.rollout import Rollout


class Effect(Enum):
    PENDING = auto()
    SEEN = auto()
    LOST = auto()
    OTHER = auto()
    REPLACED = auto()
    RETRIED = auto()
    HELD = auto()
    INVALID = auto()


Seen = Callable[[Rollout, Rollout], Effect]
"""(the Rollout before, the Rollout now) -> whether the effect is there."""


def aborted(before: Rollout, now: Rollout) -> Effect:
    """Seen when the controller says so itself (condition RolloutAborted), not when our own
    patch is still in the status; or when it shows the stable version for a template that was put
    back. A rollout that was promoted meanwhile has dropped it. A pass that only scales says that it has seen a
    template, and still shows the hash of the one before."""
    if not now.observed:
        return Effect.PENDING
    if now.is_fully_promoted:
        return Effect.SEEN if now.stable_hash == before.stable_hash else Effect.OTHER
    if not now.aborted:
        not_seen = now.template != before.template and now.current_hash == before.current_hash
        return Effect.PENDING if not_seen else Effect.LOST
    shown = any(c.reason == "RolloutAborted" for c in now.conditions)
    return Effect.SEEN if shown else Effect.PENDING


def drained(now: Rollout, stable: int | None = None) -> bool:
    """After an abort: all traffic is back on stable, and stable has all of its pods. Where traffic follows the pods, no
    canary pod is left, nor one of a version between the two, which the total alone has in it. Where a router or a
    Service sends it, pods of the canary may stay (abortScaleDownDelaySeconds, 0 for ever); what counts is the weight
    (recorded: abort-delay-0), or where the active Service points (recorded: abort-during-post-promotion). Where the
    stable template was put back, the newest pods are the stable ones.
    `stable`: the available pods of its ReplicaSet; where they are not known, what the Rollout counts, which has those
    of the canary in it."""
    whole = (now.available_replicas if stable is None else stable) >= now.replicas
    if now.blue_green:
        return now.blue_green.active == now.stable_hash and whole
    if now.is_routed and not now.is_fully_promoted:
        return routed_weight(now, shown=True) == 0 and whole
    return not canary_pods(now) and whole and (now.is_fully_promoted or now.total_replicas <= now.replicas)


def keeps_canary_pods(now: Rollout) -> bool:
    """Whether pods of the canary may be there when an abort is over."""
    return (now.is_routed or now.blue_green is not None) and not now.is_fully_promoted and bool(canary_pods(now))


def canary_pods(now: Rollout) -> int:
    """How many pods are not of the stable version, as far as the status says."""
    others = now.total_replicas - now.updated_replicas
    return others if now.is_fully_promoted else now.updated_replicas


def promoted(before: Rollout, now: Rollout) -> Effect:
    """Seen when the step moved on, or a pause by hand is gone and observed. A new pause at the
    same step means that the promote was lost (recorded: manual-pause-then-promote). Behind a pause by hand the
    controller may not have looked at the template: then its hash comes with the resume."""
    looked_at = before.paused and now.template == before.template
    if (now.current_hash != before.current_hash and not looked_at) or now.aborted:
        return Effect.OTHER
    if before.paused:
        return Effect.SEEN if not now.paused and now.observed else Effect.PENDING
    if now.blue_green:
        return _promoted_blue_green(before, now)
    if now.step_index != before.step_index or now.is_fully_promoted:
        return Effect.SEEN
    if now.pause_conditions and now.pause_conditions != before.pause_conditions:
        return Effect.LOST
    if before.step_index is None and not now.pause_conditions:
        return Effect.SEEN
    return Effect.PENDING


def _promoted_blue_green(before: Rollout, now: Rollout) -> Effect:
    """Seen when the controller continues by itself: it has dropped its own pause too (recorded:
    pause-promote, preview-replica-count). Behind an analysis without a verdict that is a new run
    (pre-promotion-inconclusive)."""
    if now.is_fully_promoted:
        return Effect.SEEN
    if before.lacks_a_verdict:
        return Effect.SEEN if _pre_run(now) != _pre_run(before) else Effect.PENDING
    if now.pause_conditions:
        same = now.pause_conditions == before.pause_conditions
        return Effect.PENDING if same else Effect.LOST
    return Effect.PENDING if now.controller_pause else Effect.SEEN


def _pre_run(rollout: Rollout) -> str:
    run = rollout.blue_green.pre_run if rollout.blue_green else None
    return run.name if run else ""


def promoted_fully(before: Rollout, now: Rollout) -> Effect:
    """Seen when the stable hash is the promoted one: not when the flag is set."""
    if now.current_hash != before.current_hash or now.aborted:
        return Effect.OTHER
    return Effect.SEEN if now.is_fully_promoted else Effect.PENDING


def full_promote_taken_up(before: Rollout, now: Rollout) -> Effect:
    """Seen when the pause that it was sent at is gone and no step is left: the patch of a status
    does not raise the generation, so until then the old state is no answer to it."""
    if now.current_hash != before.current_hash or now.aborted:
        return Effect.OTHER
    if now.is_fully_promoted:
        return Effect.SEEN
    left = bool(now.steps) and (now.step_index is None or now.step_index < len(now.steps))
    return Effect.PENDING if left or now.pause_conditions else Effect.SEEN


def paused(before: Rollout, now: Rollout) -> Effect:
    """Seen when the controller has observed the spec that says so."""
    if not now.paused and now.generation > before.generation:
        return Effect.OTHER
    return Effect.SEEN if now.paused and now.observed else Effect.PENDING


def resumed(before: Rollout, now: Rollout) -> Effect:
    """Seen when the controller has observed the spec without the pause."""
    if now.paused and now.generation > before.generation:
        return Effect.OTHER
    return Effect.SEEN if not now.paused and now.observed else Effect.PENDING


def retried(before: Rollout, now: Rollout) -> Effect:
    """Seen when the controller has taken the abort out of its conditions. An abort that is there
    again with a later time is someone else's, or the same failure."""
    if now.current_hash != before.current_hash:
        return Effect.OTHER
    if now.aborted:
        return Effect.OTHER if now.aborted_at != before.aborted_at else Effect.PENDING
    gone = all(c.reason != "RolloutAborted" for c in now.conditions)
    return Effect.SEEN if gone else Effect.PENDING


def restarted(before: Rollout, now: Rollout) -> Effect:
    """Seen when the controller says that all pods are newer than spec.restartAt."""
    if now.restart_at is None or now.restart_at == before.restart_at:
        return Effect.PENDING
    return Effect.SEEN if now.restarted_at == now.restart_at else Effect.PENDING


def undone(target: str) -> Seen:
    """The effect of an undo to a hash: seen when the controller shows that hash."""

    def effect(before: Rollout, now: Rollout) -> Effect:
        if not now.observed:
            return Effect.PENDING
        if now.current_hash == target:
            return Effect.SEEN
        return Effect.PENDING if now.current_hash == before.current_hash else Effect.OTHER

    return effect
