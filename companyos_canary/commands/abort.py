"""`canary abort`: stop the canary. Needs no canary.yaml, and no more rights than get and patch."""

from dataclasses import replace
from datetime import timedelta

from companyos_canary.actions import abort as action
from companyos_canary.actions.change import Changed, change
from companyos_canary.argo.effects import Effect, aborted, canary_pods
from companyos_canary.argo.patches import Change, Decision, Nothing, names
from companyos_canary.commands import base
from companyos_canary.commands.options import time_limit
from companyos_canary.commands.outcome import sent_answer, unobserved, verb_with, would_send
from companyos_canary.errors import ExitCode, Refused
from companyos_canary.model.rollout import Rollout

EXAMPLES = (
    "canary abort                           the Rollout of canary.yaml",
    "canary abort companyos-api -n companyos --context prod-eu",
    "canary abort companyos-api --no-wait   end once it is sent",
    'canary abort --reason "wrong tag"      for the history',
)
EXITS = (
    ExitCode.OK,
    ExitCode.FAILED,
    ExitCode.USAGE,
    ExitCode.DENIED,
    ExitCode.NOT_FOUND,
    ExitCode.REFUSED,
    ExitCode.UNOBSERVED,
    ExitCode.TIMEOUT,
    ExitCode.INTERRUPTED,
)


def abort(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    reason: base.ReasonOption = "",
    dry_run: base.DryRunOption = False,
    no_wait: base.NoWaitOption = False,
    timeout: base.TimeoutOption = "10m",
) -> base.Answer:
    """Stop the canary: its traffic and its pods go back to the stable version.

    Where the controller has not seen the newest version yet, it would drop an abort: then the
    stable version is put back in its place.
    """
    limit = time_limit(timeout or "10m")
    runtime, name = session.runtime, session.rollout
    clock, at = runtime.clock, runtime.clock.now()

    def decision(live: Rollout) -> Decision:
        return action.decide(session.cluster, live, by=runtime.user, now=at, reason=reason)

    verb = replace(verb_with(session, "abort", decision, aborted, reason), insists=True)
    changed = change(session.cluster, name, verb, sleep=clock.sleep, dry_run=dry_run, wait=not no_wait)
    if dry_run:
        return would_send(session, changed)
    if changed.effect is Effect.OTHER:
        raise Refused(
            f"`{name}` was fully promoted before the abort arrived: nothing is aborted",
            hint="to go back to an earlier version: `canary undo`",
        )
    if isinstance(changed.decision, Nothing) and not changed.after.observed:
        said = f"{changed.decision.message}, but the controller has not seen it yet"
        return sent_answer(session, changed, said, code=ExitCode.UNOBSERVED)
    if no_wait:
        return _sent(session, changed)
    if changed.effect in (Effect.PENDING, Effect.LOST):
        said = unobserved(session, "abort")
        if back := _back(changed):
            said = f"{back}, but the controller has not acted on it; look with `canary status`"
        return _answer(session, changed, said, code=ExitCode.UNOBSERVED)
    return _drained(session, changed, limit)


def _drained(session: base.Session, changed: Changed, limit: timedelta | None) -> base.Answer:
    """Waits for the last canary pod; the answer says where traffic is then."""
    clock, name, place, live = session.runtime.clock, session.rollout, session.place, changed.after
    if not live.is_fully_promoted:
        already = "already " if isinstance(changed.decision, Nothing) else ""
        session.note(f"{name} in {place} is {already}aborted; waiting for {_last(live)}")
    drained = action.drain(session.cluster, live, now=clock.now, sleep=clock.sleep, limit=limit)
    changed, live = action.with_after(changed, drained.rollout), drained.rollout
    if not drained.done:
        stopped = "stopped" if live.is_fully_promoted else "aborted"
        return _answer(
            session,
            changed,
            f"{name} is {stopped}, but {canary_pods(live)} canary pods are still "
            f"there and stable has {live.available_replicas} of "
            f"{live.replicas} available; look with `canary get`",
            code=ExitCode.TIMEOUT,
        )
    if live.is_fully_promoted:
        back = _back(changed) or f"{name} in {place} is back on its stable version"
        return _answer(session, changed, f"{back}: all traffic is on the stable version")
    bad = names(live.containers[:1]) or "the aborted version"
    return _answer(
        session,
        changed,
        f"{name} in {place} is aborted: all traffic is on the stable version\n"
        f"the {_holder(live)} still names {bad}: `canary undo` or `canary deploy VERSION` "
        "replaces it",
    )


def _sent(session: base.Session, changed: Changed) -> base.Answer:
    """The answer of --no-wait."""
    name, place = session.rollout, session.place
    if isinstance(changed.decision, Nothing):
        return sent_answer(session, changed, f"{name} in {place} is already aborted")
    return _answer(session, changed, _back(changed) or f"the abort of {name} in {place} was sent")


def _answer(session: base.Session, changed: Changed, said: str, *, code: ExitCode = ExitCode.OK) -> base.Answer:
    """With what was put back, and why that was done in place of an abort."""
    answer = sent_answer(session, changed, said, code=code)
    if not action.was_put_back(changed):
        return answer
    why = "the controller had not seen the newest change yet, and would have dropped an abort"
    back = changed.decision.put_back if isinstance(changed.decision, Change) else ""
    notes = (*answer.notes, why)
    data = {**answer.data, "notes": list(notes), "put_back": back}
    return replace(answer, data=data, notes=notes)


def _back(changed: Changed) -> str:
    """What was put back in place of what; empty where nothing was."""
    if not action.was_put_back(changed) or not isinstance(changed.decision, Change):
        return ""
    was, back = names(changed.before.containers), changed.decision.put_back
    what = f"the template of {back}" if was == back else back
    where = f" in place of {was}" if was and was != back else ""
    return f"{what} was put back{where} in {changed.before.name}"


def _last(rollout: Rollout) -> str:
    """What an abort takes the longest for."""
    if rollout.blue_green:
        return f"{rollout.blue_green.active_service or 'the active Service'} to be back on stable"
    return "the canary's pods to go"


def _holder(rollout: Rollout) -> str:
    """What holds the pod template."""
    return str(rollout.workload_ref.get("kind")) if rollout.workload_ref else "Rollout"


command = base.verb(abort)
