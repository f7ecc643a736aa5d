"""Running an aborted version again."""

from companyos_canary.argo.patches.decision import JSON_PATCH, Change, Decision, Patch, Refusal, replace, test
from companyos_canary.model.rollout import Rollout


def retry(rollout: Rollout) -> Decision:
    """Only after an abort: elsewhere the plugin's retry prints success and does nothing (recorded:
    retry-without-abort). The steps start again from the first."""
    if not rollout.aborted:
        return Refusal(f"`{rollout.name}` is not aborted: there is nothing to try again", "look with `canary status`")
    operations = [
        test("/status/currentPodHash", rollout.current_hash),
        test("/status/abort", True),
        replace("/status/abort", False),
    ]
    note = "it is paused by hand: nothing moves until `canary resume`" if rollout.paused else ""
    return Change((Patch(operations, JSON_PATCH, "status"),), note)
