"""Stopping a canary."""

import dataclasses

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
from companyos_canary.argo.patches.record import Record
from companyos_canary.argo.patches.undo import template_of, undo
from companyos_canary.model.rollout import Container, Rollout
from companyos_canary.model.workload import ReplicaSet

MAY_BE_LOST = (
    "the controller has not seen the newest change yet and may drop this abort: look again with `canary status`"
)
_NOT_BACK = "the stable template could not be put back, so the controller may drop this abort"


def abort(rollout: Rollout) -> Decision:
    """Always sent without a precondition; refused only where the controller would drop it
    (recorded: abort-healthy), and `Nothing` once the controller has acted on one. A pause by hand
    is lifted too: under it no pod would move. A full promote is taken back in the same patch: while
    it is set the controller drops an abort (seen on v1.9.1)."""
    acted = rollout.observed and any(c.reason == "RolloutAborted" for c in rollout.conditions)
    if rollout.aborted and acted and not (rollout.paused or rollout.promote_full):
        return Nothing(f"`{rollout.name}` is already aborted")
    if rollout.observed and rollout.is_fully_promoted:
        return Refusal(
            f"`{rollout.name}` is fully promoted: there is nothing to abort",
            "to go back to an earlier version: `canary undo`",
        )
    held = "it was paused by hand: resumed, so that its pods can go"
    return Change(_plain(rollout), held if rollout.paused else "")


def is_unseen(rollout: Rollout) -> bool:
    """The controller has not seen the newest template or spec. A new template and new steps begin a
    new update, which forgets an abort that is older (upstream rollout/canary.go,
    resetRolloutStatus); which change it is that was not seen, the object does not say."""
    return not rollout.observed and bool(rollout.stable_hash)


def abort_unseen(rollout: Rollout, stable: ReplicaSet | None, record: Record | None) -> Decision:
    """What holds where the newest spec is not seen yet: the stable template is put back, pinned to
    the spec that was looked at. Without one, or a record of who did it, a plain abort with a
    warning."""
    plain = Change(_plain(rollout), MAY_BE_LOST)
    if stable is None or record is None:
        return plain
    template, back = template_of(rollout, stable), names(stable.containers)
    if template == rollout.template and not rollout.paused:
        return Nothing(f"{back} is already put back in `{rollout.name}`")
    lift = [replace("/spec/paused", False)] if rollout.paused else []
    if not rollout.workload_ref:
        operations = [
            test("/metadata/generation", rollout.generation),
            replace("/spec/template", template),
            *lift,
            record.annotation(rollout.annotations),
        ]
        return Change((Patch(operations, JSON_PATCH),), put_back=back)
    undone = undo(rollout, stable, record)
    if not isinstance(undone, Change):
        return plain
    # The right to change the Deployment may be missing: then the abort is all there is.
    written, *rest = undone.patches
    written = dataclasses.replace(written, beside=True, unwritten=_NOT_BACK)
    return Change((*_plain(rollout), written, *rest), put_back=back)


def _plain(rollout: Rollout) -> tuple[Patch, ...]:
    """The abort, which takes back a full promote; and the end of a pause by hand."""
    patch = Patch({"status": {"abort": True, "promoteFull": False}}, MERGE_PATCH, "status")
    if not rollout.paused:
        return (patch,)
    return patch, Patch({"spec": {"paused": False}}, MERGE_PATCH)


def names(containers: tuple[Container, ...]) -> str:
    """The versions of a pod template, as people call them."""
    return ", ".join(tag(c.image) for c in containers)
