"""Stopping a canary."""

from companyos_canary.argo.patches.decision import (
    MERGE_PATCH,
    Change,
    Decision,
    Nothing,
    Patch,
    Refusal,
)
from companyos_canary.model.rollout import Rollout


def abort(rollout: Rollout) -> Decision:
    """Always sent without a precondition; refused only where the controller would drop it
    (recorded: abort-healthy). A pause by hand is lifted too: under it no pod would move."""
    if rollout.aborted and not rollout.paused:
        return Nothing(f"`{rollout.name}` is already aborted")
    if rollout.observed and rollout.is_fully_promoted:
        return Refusal(
            f"`{rollout.name}` is fully promoted: there is nothing to abort",
            "to go back to an earlier version: `canary undo`",
        )
    patches = [Patch({"status": {"abort": True}}, MERGE_PATCH, "status")]
    if rollout.paused:
        patches.append(Patch({"spec": {"paused": False}}, MERGE_PATCH))
        return Change(tuple(patches), "it was paused by hand: resumed, so that its pods can go")
    return Change(tuple(patches))
