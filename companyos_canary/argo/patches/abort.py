"""Stopping a canary."""

from companyos_canary.argo.patches.decision import (
    JSON_PATCH,
    MERGE_PATCH,
    Change,
    Decision,
    Nothing,
    Patch,
    Refusal,
    replace,
    test,
)
from companyos_canary.argo.patches.image import tag
from companyos_canary.argo.patches.undo import template_of
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot

MAY_BE_LOST = (
    "the controller has not seen the newest change yet and may drop this abort: "
    "look again with `canary status`"
)


def abort(rollout: Rollout) -> Decision:
    """Always sent without a precondition; refused only where the controller would drop it
    (recorded: abort-healthy). A pause by hand is lifted too: under it no pod would move. A full
    promote is taken back in the same patch: while it is set the controller drops an abort (seen
    on v1.9.1)."""
    if rollout.aborted and rollout.observed and not (rollout.paused or rollout.promote_full):
        return Nothing(f"`{rollout.name}` is already aborted")
    if rollout.observed and rollout.is_fully_promoted:
        return Refusal(
            f"`{rollout.name}` is fully promoted: there is nothing to abort",
            "to go back to an earlier version: `canary undo`",
        )
    patches = [Patch({"status": {"abort": True, "promoteFull": False}}, MERGE_PATCH, "status")]
    if rollout.paused:
        patches.append(Patch({"spec": {"paused": False}}, MERGE_PATCH))
        return Change(tuple(patches), "it was paused by hand: resumed, so that its pods can go")
    return Change(tuple(patches))


def is_unseen(rollout: Rollout) -> bool:
    """The controller has not seen the newest spec: with a new pod template it would begin a new
    update and forget an abort that is older (upstream rollout/canary.go, resetRolloutStatus)."""
    return not rollout.spec_is_observed and not rollout.workload_ref and bool(rollout.stable_hash)


def abort_unseen(snapshot: Snapshot) -> Decision:
    """What holds where the newest spec is not seen yet: the stable template is put back, pinned to
    the spec that was looked at. A plain abort where the template is the one that the controller
    acts on; with a warning where no ReplicaSet says what the stable one is."""
    rollout, stable, current = snapshot.rollout, snapshot.stable, snapshot.current
    decision = abort(rollout)
    in_work = current and not rollout.is_fully_promoted
    if current and in_work and template_of(rollout, current) == rollout.template:
        return decision
    if stable is None:
        return Change(decision.patches, MAY_BE_LOST) if isinstance(decision, Change) else decision
    template = template_of(rollout, stable)
    if template == rollout.template:
        return Nothing(f"`{rollout.name}` is already back on its stable version")
    was = ", ".join(tag(c.image) for c in rollout.containers)
    back = ", ".join(tag(c.image) for c in stable.containers)
    operations = [
        test("/metadata/generation", rollout.generation),
        replace("/spec/template", template),
        *([replace("/spec/paused", False)] if rollout.paused else []),
    ]
    return Change(
        (Patch(operations, JSON_PATCH),),
        f"the controller had not seen {was} yet and would have dropped an abort: {back} was put "
        "back",
    )
