"""Replacing all pods by new ones of the same version."""

from datetime import datetime

from companyos_canary.argo.patches.decision import MERGE_PATCH, Change, Decision, Patch, Refusal
from companyos_canary.model.quantity import format_time
from companyos_canary.model.rollout import Rollout


def restart(rollout: Rollout, at: datetime) -> Decision:
    """spec.restartAt: the controller evicts older pods one by one, no step is run (recorded:
    restart). Refused while a version is on its way: its steps would be held up by it."""
    if rollout.aborted:
        return Refusal(
            f"`{rollout.name}` is aborted, and still names the version that was",
            "`canary undo` takes it out, `canary retry` runs it again; restart it after that",
        )
    if not rollout.observed or not rollout.is_fully_promoted:
        return Refusal(
            f"`{rollout.name}` is in the middle of a release: restart it when that has ended",
            "look with `canary status`",
        )
    return Change((Patch({"spec": {"restartAt": format_time(at)}}, MERGE_PATCH),))
