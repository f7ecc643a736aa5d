"""Going on at a pause. The plugin's promote and its traps: recorded in the scenarios pause-promote,
promote-skips-running-step, manual-pause-then-promote."""

from datetime import datetime
from typing import Any

from companyos_canary.argo.patches.decision import (
    Change,
    Decision,
    Nothing,
    Patch,
    Refusal,
    add,
    pins,
    remove,
    replace,
    test,
)
from companyos_canary.argo.phase import invalid_spec, shown_phase
from companyos_canary.argo.steps import AT_ONCE, place_of, step_number
from companyos_canary.model.http import JSON_PATCH
from companyos_canary.model.rollout import Rollout

NO_STEPS = "it has no steps and no weights"


def not_taken_up(rollout: Rollout) -> Refusal | None:
    """Why the controller would not act on a change of the status: it has never seen this Rollout, or
    calls its spec invalid."""
    if rollout.never_seen:
        return Refusal(
            f"no controller has acted on `{rollout.name}` yet: is Argo Rollouts running in this cluster?",
            "look with `canary status`",
        )
    if invalid := invalid_spec(rollout):
        return Refusal(
            f"the controller does nothing with `{rollout.name}` while its spec is invalid: {invalid}",
            "fix the spec first; `canary get` shows it",
        )
    return None


def leave_pause(rollout: Rollout) -> Decision:
    """Takes the pause away. One for want of a verdict comes back: a new run decides then."""
    note = ""
    if rollout.pause_conditions[0].reason.startswith("Inconclusive"):
        note = (
            "the pre-promotion analysis gave no verdict and a promote does not get past it: a new "
            "run starts and decides (--full skips it)"
        )
    return Change((Patch(_without_pause(rollout), JSON_PATCH, "status"),), note)


def _without_pause(rollout: Rollout) -> list[dict[str, Any]]:
    return [
        *pins(rollout),
        test("/status/pauseConditions/0/reason", rollout.pause_conditions[0].reason),
        remove("/status/pauseConditions"),
    ]


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
        doing = shown_phase(rollout).message or "it is in progress"
    return Refusal(f"`{rollout.name}` is not waiting: {doing}", hint)


INCONCLUSIVE = "InconclusiveAnalysisRun"


def promote(rollout: Rollout, *, skip_step: bool) -> Decision:
    """Continues after a pause. A step that still runs is skipped only on request."""
    if rollout.blue_green and skip_step:
        return refuse_to_skip(rollout)
    if refusal := not_taken_up(rollout):
        return refusal
    if rollout.aborted:
        again = "run it again" if rollout.blue_green else "run the steps again"
        return Refusal(
            f"`{rollout.name}` is aborted: the controller would revert a promote",
            f"{again} with `canary retry`, or deploy another version",
        )
    if not rollout.observed:
        return not_seen(rollout)
    if rollout.paused:
        return _resume(rollout)
    if rollout.is_fully_promoted and not rollout.pause_conditions:
        return Nothing(f"`{rollout.name}` is already fully promoted")
    if rollout.controller_pause and not rollout.pause_conditions:
        return Nothing(f"`{rollout.name}` is already promoted and about to continue")
    if rollout.blue_green:
        waits = rollout.pause_conditions
        return leave_pause(rollout) if waits else not_waiting(rollout)
    if rollout.pause_conditions:
        return _leave_pause(rollout)
    return _skip(rollout, skip_step)


def not_seen(rollout: Rollout) -> Refusal:
    return Refusal(
        f"the controller has not seen the newest change of `{rollout.name}` yet",
        "look with `canary status`, then try again",
    )


def _resume(rollout: Rollout) -> Decision:
    patch = Patch([test("/spec/paused", True), replace("/spec/paused", False)], JSON_PATCH)
    if rollout.pause_conditions:
        return Change((patch,), "it was paused by hand as well: resumed first", again=True)
    nothing_skipped = "" if rollout.blue_green else ", no step is skipped"
    return Change((patch,), f"it was paused by hand: resumed{nothing_skipped}")


def _leave_pause(rollout: Rollout) -> Decision:
    operations = _without_pause(rollout)
    run, note = rollout.step_run, ""
    if run and run.status == "Inconclusive" and rollout.step_index is not None:
        operations.append(add("/status/controllerPause", False))
        operations.append(replace("/status/currentStepIndex", rollout.step_index + 1))
        note = f"the analysis {run.name} was inconclusive: it counts as passed"
    elif any(c.reason == INCONCLUSIVE for c in rollout.pause_conditions):
        note = "the background analysis was inconclusive: it starts again"
    return Change((Patch(operations, JSON_PATCH, "status"),), note)


def _skip(rollout: Rollout, skip_step: bool) -> Decision:
    step, index = rollout.current_step, rollout.step_index
    if step is None or index is None:
        return Refusal(
            f"`{rollout.name}` has no step left to promote: its last pods are being replaced",
            "follow it with `canary watch`",
        )
    place = place_of(rollout)
    if not skip_step:
        return Refusal(
            f"`{rollout.name}` is not waiting: {place} is running",
            "follow it with `canary watch`; --skip-step ends this step early",
        )
    operations = [*pins(rollout), replace("/status/currentStepIndex", index + 1)]
    return Change((Patch(operations, JSON_PATCH, "status"),), f"{place} is skipped")


def promote_full(rollout: Rollout) -> Decision:
    """Everything that is left is skipped: steps, pauses, analyses. Refused on an aborted rollout,
    where it would clear the abort and ship the version that was aborted (recorded in the notes);
    a finished one is `Nothing`, where the plugin prints success and sends nothing."""
    if refusal := not_taken_up(rollout):
        return refusal
    if rollout.aborted:
        return Refusal(
            f"`{rollout.name}` is aborted: a full promote would ship the version that was aborted",
            "deploy a fixed version",
        )
    if not rollout.observed:
        return not_seen(rollout)
    if rollout.is_fully_promoted:
        return Nothing(f"`{rollout.name}` is already fully promoted")
    if rollout.promote_full and not rollout.paused:
        return Nothing(f"`{rollout.name}` is already being promoted in full")
    # Nothing finer pins an abort that is not there yet: a `test` of an absent path fails.
    operations = [
        test("/metadata/resourceVersion", rollout.resource_version),
        test("/status/currentPodHash", rollout.current_hash),
        add("/status/promoteFull", True),
    ]
    patches = [Patch(operations, JSON_PATCH, "status")]
    if rollout.paused:
        lift = [test("/spec/paused", True), replace("/spec/paused", False)]
        patches.append(Patch(lift, JSON_PATCH, unwritten="the pause by hand could not be lifted"))
        return Change(tuple(patches), "it was paused by hand: resumed as well")
    return Change(tuple(patches))


def began_later(rollout: Rollout, asked: datetime | None, now: datetime | None, first: Rollout) -> Refusal | None:
    """A refusal where the Rollout waits at another pause than the one that was looked at: it began
    after the promote was asked for, or is another version's or at another step than the `first` look
    found. Whoever promoted the earlier one did not mean this one. A pause's time has no fractions of a
    second, and one that began after `now` says that the controller has another clock: then it says nothing. No `asked`
    where a promote was sent already: what was lost has begun again. An abort is no other pause: what is said of it is
    what counts."""
    if rollout.aborted:
        return None
    if another := another_version(rollout, first):
        return another
    here = rollout.pause_conditions[0].started_at if rollout.pause_conditions else None
    later = bool(here and asked and now and asked.replace(microsecond=0) < here <= now)
    return moved_on(rollout) if later or rollout.step_index != first.step_index else None


def another_version(rollout: Rollout, first: Rollout) -> Refusal | None:
    """A refusal where it is not the version that was looked at."""
    if rollout.current_hash == first.current_hash:
        return None
    return Refusal(
        f"`{rollout.name}` became another version since this promote was asked for",
        "look with `canary status`, then decide about that version",
    )


def may_have_begun_since(rollout: Rollout, asked: datetime) -> bool:
    """Whether the Rollout does not say if its step began after the promote was asked for: a pause of the same second,
    or a step that is no pause, which has no time."""
    if rollout.pause_conditions:
        return rollout.pause_conditions[0].started_at == asked.replace(microsecond=0)
    return not rollout.is_fully_promoted and rollout.current_step is not None


def created_again(rollout: Rollout, first: Rollout) -> Refusal | None:
    """A refusal where it is not the one that was looked at, whatever it has in common with that."""
    if rollout.uid == first.uid:
        return None
    return Refusal(
        f"`{rollout.name}` was deleted and created again since this promote was asked for",
        "look with `canary status`, then decide about the new one",
    )


def moved_on(rollout: Rollout, by: str = "") -> Refusal:
    """That the Rollout is at another step than the one that the promote was asked for at. `by`: whose promote it was,
    where that is known. Behind a pause that only a promote ends it was someone's; other steps end by themselves."""
    whose = f"that of {by}" if by else "another one" if _was_promoted(rollout) else ""
    return Refusal(
        f"`{rollout.name}` has moved on to {place_of(rollout)} since this promote was asked for"
        + (f": {whose} was faster" if whose else ""),
        "look with `canary status`, then decide about this step",
    )


def may_have_moved_on(rollout: Rollout) -> Refusal:
    """That no one can tell which of two steps the promote was asked for at."""
    return Refusal(
        f"`{rollout.name}` has moved on to {place_of(rollout)} in the second in which this promote was asked for: "
        "it may have been meant for the step before",
        "look with `canary status`, then decide about this step",
    )


def last_passed(rollout: Rollout) -> int | None:
    """The index of the last step before the current one that took any time."""
    steps = rollout.steps[: rollout.step_index or 0]
    return next((i for i in reversed(range(len(steps))) if steps[i].kind not in AT_ONCE), None)


def _was_promoted(rollout: Rollout) -> bool:
    """Whether the last step that took any time waited for a person."""
    last = last_passed(rollout)
    return last is not None and rollout.steps[last].waits_for_a_person


def may_be_meant_for(rollout: Rollout) -> int | None:
    """The index of the step before, where a promote may have been meant for that one: a pause that a person ended, or,
    where a running step is to be skipped, any that took time."""
    return last_passed(rollout) if _was_promoted(rollout) or not rollout.pause_conditions else None


def only_if(rollout: Rollout, *, step: int | None, revision: int | None) -> Refusal | None:
    """A refusal where the Rollout is not at that step (as screens count) or revision any more."""
    if revision is not None and rollout.revision != revision:
        return Refusal(
            f"`{rollout.name}` is on revision {rollout.revision}, not {revision}", "look with `canary status`"
        )
    if step is not None and rollout.blue_green:
        return Refusal(f"`{rollout.name}` is blue-green: {NO_STEPS}")
    if step is not None and step_number(rollout) != step:
        return Refusal(f"`{rollout.name}` is at {place_of(rollout)}, not at step {step}", "look with `canary status`")
    return None
