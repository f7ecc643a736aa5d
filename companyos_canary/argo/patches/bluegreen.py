"""Promoting a blue-green Rollout: the active Service goes over to the preview.

Recorded: the scenarios pause-promote, pre-promotion-inconclusive, promote-during-pre-promotion and
manual-pause-on-top of the blue-green set.
"""

from companyos_canary.argo.patches.decision import JSON_PATCH, Change, Decision, Patch, Refusal, pins, test
from companyos_canary.argo.phase import shown_phase
from companyos_canary.model.rollout import Rollout

NO_STEPS = "it has no steps and no weights"


def leave_pause(rollout: Rollout) -> Decision:
    """Takes the pause away. One for want of a verdict comes back: a new run decides then."""
    reason = rollout.pause_conditions[0].reason
    operations = [
        *pins(rollout),
        test("/status/pauseConditions/0/reason", reason),
        {"op": "remove", "path": "/status/pauseConditions"},
    ]
    note = ""
    if reason.startswith("Inconclusive"):
        note = (
            "the pre-promotion analysis gave no verdict and a promote does not get past it: a new "
            "run starts and decides (--full skips it)"
        )
    return Change((Patch(operations, JSON_PATCH, "status"),), note)


def refuse_to_skip(rollout: Rollout) -> Refusal:
    return Refusal(
        f"`{rollout.name}` is blue-green: {NO_STEPS}, so there is no step to skip",
        "`canary promote` ends its pause; --full skips its analyses too",
    )


def not_waiting(rollout: Rollout) -> Refusal:
    """What runs in place of a pause. The plugin prints `promoted` here and sends nothing."""
    state = rollout.blue_green
    hint = "follow it with `canary watch`; --full skips the pause and the analyses"
    if state and state.run is not None:
        kind = "pre" if state.run is state.pre_run else "post"
        doing = f"the {kind}-promotion analysis {state.run.name} is running"
    else:
        doing = shown_phase(rollout).message or "it is on its way"
    return Refusal(f"`{rollout.name}` does not wait for anybody: {doing}", hint)
