"""Holding a rollout by hand, and letting it go on. Neither touches a step."""

from companyos_canary.argo.effects import drained
from companyos_canary.argo.patches.decision import (
    JSON_PATCH,
    Change,
    Decision,
    Nothing,
    Patch,
    Refusal,
    add,
    replace,
    test,
)
from companyos_canary.argo.weight_steps import place_of
from companyos_canary.model.rollout import Rollout


def pause(rollout: Rollout) -> Decision:
    """Sets spec.paused. Refused while an abort still moves pods: they would stay where they are
    (recorded in the notes on manual pauses)."""
    if rollout.paused:
        return Nothing(f"`{rollout.name}` is already paused by hand")
    if rollout.aborted and not drained(rollout) and rollout.updated_replicas:
        return Refusal(
            f"`{rollout.name}` is being aborted: a pause now would keep the canary's pods",
            "wait until they are gone: `canary status --wait`",
        )
    if rollout.is_fully_promoted and rollout.observed:
        note = "nothing is under way: the next version will wait for `canary resume`"
    elif _is_judged(rollout):
        note = "the analysis goes on under the pause, and may still abort"
    else:
        note = ""
    return Change((Patch([add("/spec/paused", True)], JSON_PATCH),), note)


def resume(rollout: Rollout) -> Decision:
    """Clears spec.paused and nothing else: no step is skipped, a timed pause that ran out
    meanwhile ends at once (recorded: manual-pause-resume)."""
    if rollout.paused:
        patch = Patch([test("/spec/paused", True), replace("/spec/paused", False)], JSON_PATCH)
        return Change((patch,), _still_waits(rollout))
    if rollout.pause_conditions and not rollout.aborted:
        return Refusal(
            f"`{rollout.name}` is not paused by hand: it waits {_where(rollout)}", "`canary promote` goes on there"
        )
    return Nothing(f"`{rollout.name}` is not paused")


def _is_judged(rollout: Rollout) -> bool:
    """Whether a run is at work, as far as the Rollout knows."""
    runs = [r for r in (rollout.step_run, rollout.background_run) if r]
    blue_green = rollout.blue_green is not None and rollout.blue_green.run is not None
    return blue_green or any(r.status in ("", "Pending", "Running") for r in runs)


def _still_waits(rollout: Rollout) -> str:
    step = rollout.current_step
    if rollout.blue_green and rollout.pause_conditions:
        return "it still waits for a person: `canary promote` goes on there"
    if rollout.pause_conditions and step is not None and step.waits_for_a_person:
        return f"it still waits {_where(rollout)}: `canary promote` goes on there"
    return ""


def _where(rollout: Rollout) -> str:
    return f"at {place_of(rollout)}" if rollout.current_step else "for a person"
