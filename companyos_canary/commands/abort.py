"""`canary abort`: stop the canary. Needs no canary.yaml, and no more rights than get and patch."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from msgspec.structs import replace

from companyos_canary.actions import abort as action
from companyos_canary.actions.change import PATIENCE, ROUNDS, Changed, change
from companyos_canary.actions.wait import Time, wait
from companyos_canary.argo.effects import Effect, aborted, canary_pods, keeps_canary_pods
from companyos_canary.argo.patches.act import names
from companyos_canary.argo.patches.decision import Change, Decision, Nothing
from companyos_canary.argo.phase import invalid_spec
from companyos_canary.argo.replicas import abort_delay
from companyos_canary.argo.steps import routed_weight
from companyos_canary.commands import base
from companyos_canary.commands.options import TEN_MINUTES
from companyos_canary.commands.outcome import CHANGE, sent_answer, unseen, verb_with, would_send
from companyos_canary.commands.several import Several, several
from companyos_canary.errors import CanaryError, ExitCode, Refused, exits
from companyos_canary.model.quantity import format_duration
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.row import Output

EXAMPLES = (
    "canary abort                           the Rollout of canary.yaml",
    "canary abort companyos-api -n companyos --context prod-eu",
    "canary abort companyos-api --no-wait   do not wait",
    'canary abort --reason "wrong tag"      for the history',
    "canary abort web shop -n checkout      several at once; or -l team=checkout",
)
OUTPUT = Output((*CHANGE, Several))
EXITS = exits(ExitCode.REFUSED, ExitCode.UNOBSERVED, ExitCode.TIMEOUT, ExitCode.INTERRUPTED)


def abort(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    reason: base.ReasonOption = "",
    dry_run: base.DryRunOption = False,
    no_wait: base.NoWaitOption = False,
    timeout: base.TimeoutOption = TEN_MINUTES,
) -> base.Answer:
    """Stop the canary: all traffic and pods go back to the stable version.

    If the controller has not seen the newest version yet, it would ignore an abort. In that case the stable
    version is put back instead.
    """
    runtime, name, at = session.runtime, session.rollout, session.runtime.clock.now()

    def decision(live: Rollout) -> Decision:
        return action.decide(session.cluster, live, by=runtime.user, now=at, reason=reason)

    verb = replace(verb_with(session, "abort", decision, aborted, reason), insists=True)
    time = session.time(timeout)
    changed = change(session.cluster, name, verb, time=time, dry_run=dry_run, wait=not no_wait)
    if dry_run:
        return would_send(session, changed)
    if changed.effect is Effect.OTHER:
        raise Refused(
            f"`{name}` was fully promoted before the abort arrived: nothing is aborted",
            hint="to go back to an earlier version: `canary undo`",
        )
    if isinstance(changed.decision, Nothing) and not (no_wait or changed.after.observed):
        changed = _once_observed(session, changed, time)
    if isinstance(changed.decision, Nothing) and not changed.after.observed:
        said = f"{changed.decision.message}, but the controller has not seen it yet"
        return sent_answer(session, changed, said, code=ExitCode.UNOBSERVED)
    if no_wait:
        return _sent(session, changed)
    if isinstance(changed.decision, Change) and changed.effect is not Effect.SEEN:
        return _not_seen(session, changed)
    return _drained(session, changed, time, lambda: change(session.cluster, name, verb, time=time))


def _once_observed(session: base.Session, changed: Changed, time: Time) -> Changed:
    """What was put back before is back once the controller has seen it; unchanged where it does not, or where someone
    has changed it again."""

    def judge(now: Rollout) -> Effect:
        return Effect.SEEN if now.observed else Effect.PENDING

    waited = wait(lambda: session.cluster.rollout(session.rollout), judge, changed.after, time=time, patience=PATIENCE)
    same = waited.seen.template == changed.after.template and waited.seen.is_fully_promoted
    return replace(changed, after=waited.seen) if waited.effect is Effect.SEEN and same else changed


def _not_seen(session: base.Session, changed: Changed) -> base.Answer:
    answer = unseen(session, changed, "abort")
    back = _back(changed)
    if back and changed.effect in (Effect.PENDING, Effect.LOST) and not changed.unsure:
        said = f"{back}, but the controller has not acted on it; look with `canary status`"
        answer = replace(answer, lines=(said,))
    return _put_back_told(changed, answer)


def _drained(session: base.Session, changed: Changed, time: Time, again: Callable[[], Changed]) -> base.Answer:
    """Waits for the last canary pod; the answer says where traffic is then. A pause by hand that came
    in between is lifted as one that was there before: `again`."""
    name, place, live = session.rollout, session.place, changed.after
    if not live.is_fully_promoted:
        already = "already " if isinstance(changed.decision, Nothing) else ""
        session.note(f"{name} in {place} is {already}aborted; waiting for {_last(live)}")
    changed = action.drain(session.cluster, changed, time=time)
    for _ in range(ROUNDS):
        if changed.effect is not Effect.HELD or not changed.after.aborted:
            break
        earlier, changed = changed.notes, again()
        changed = replace(changed, notes=tuple(dict.fromkeys((*earlier, *changed.notes))))
        if isinstance(changed.decision, Change) and changed.effect is not Effect.SEEN:
            return _not_seen(session, changed)
        changed = action.drain(session.cluster, changed, time=time)
    live = changed.after
    if changed.effect is not Effect.SEEN:
        return _not_drained(session, changed)
    if live.is_fully_promoted:
        back = _back(changed) or f"{name} in {place} is back on its stable version"
        return _answer(session, changed, f"{back}: all traffic is on the stable version")
    bad = names(live.containers[:1]) or "the aborted version"
    for note in _staying(live):
        session.note(note)
    return _answer(
        session,
        changed,
        f"{name} in {place} is aborted: all traffic is on the stable version\n"
        f"the {_holder(live)}'s spec still has {bad}: `canary undo` or `canary deploy VERSION` "
        "replaces it",
    )


def _not_drained(session: base.Session, changed: Changed) -> base.Answer:
    """What keeps the canary's pods, or why no one knows whether they are gone."""
    name, place, live = session.rollout, session.place, changed.after
    stopped = f"{name} in {place} is {'stopped' if live.is_fully_promoted else 'aborted'}"
    code = ExitCode.TIMEOUT if changed.timed_out else ExitCode.UNOBSERVED
    match changed.effect:
        case Effect.RETRIED:
            said, code = f"{name} in {place} was retried by someone: its canary serves again", ExitCode.SUPERSEDED
        case Effect.REPLACED:
            said = f"the abort of {name} in {place} was sent, but `{name}` was deleted and created again"
        case Effect.OTHER:
            said = f"another version of {name} in {place} replaced the one that was aborted"
            code = ExitCode.SUPERSEDED
        case Effect.HELD:
            said = f"{stopped}, but it is paused by hand, which keeps its pods: `canary resume` lets them terminate"
        case Effect.INVALID:
            said = f"{stopped}, but its pods stay while the spec is invalid: {invalid_spec(live)}"
        case _ if changed.trouble:
            said = f"{stopped}, but it is not known whether its pods are gone: {changed.trouble.message}"
        case _:
            said = f"{stopped}, but {_missing(session, live)}; look with `canary get`"
    return _answer(session, changed, said, code=code)


def _missing(session: base.Session, live: Rollout) -> str:
    """What an abort still waits for."""
    pods, found = canary_pods(live), []
    if live.blue_green and live.blue_green.active != live.stable_hash:
        found.append(f"{live.blue_green.active_service or 'the active Service'} is not back on stable")
    elif live.is_routed and not live.is_fully_promoted and routed_weight(live, shown=True) != 0:
        found.append("traffic still goes to the canary")
    elif pods and not keeps_canary_pods(live):
        found.append(f"{pods} canary {'pod is' if pods == 1 else 'pods are'} still there")
    with suppress(CanaryError):
        stable = action.stable_pods(session.cluster, live)
        if stable is not None and stable < live.replicas:
            found.append(f"stable has {stable} of {live.replicas} available")
    return " and ".join(found) or "stable is not complete"


def _sent(session: base.Session, changed: Changed) -> base.Answer:
    """The answer of --no-wait."""
    name, place = session.rollout, session.place
    if isinstance(changed.decision, Nothing):
        return sent_answer(session, changed, f"{name} in {place} is already aborted")
    return _answer(session, changed, _back(changed) or f"the abort of {name} in {place} was sent")


def _answer(session: base.Session, changed: Changed, said: str, *, code: ExitCode = ExitCode.OK) -> base.Answer:
    """With what was put back, and why that was done in place of an abort."""
    return _put_back_told(changed, sent_answer(session, changed, said, code=code))


def _put_back_told(changed: Changed, answer: base.Answer) -> base.Answer:
    if not action.was_put_back(changed):
        return answer
    why = "the controller had not seen the newest change yet, and would have dropped an abort"
    back = changed.decision.put_back if isinstance(changed.decision, Change) else ""
    notes = (*answer.notes, why)
    return replace(answer, data=replace(answer.data, notes=notes, put_back=back), notes=notes)


def _back(changed: Changed) -> str:
    """What was put back in place of what; empty if nothing was."""
    if not action.was_put_back(changed) or not isinstance(changed.decision, Change):
        return ""
    was, back = names(changed.before.containers), changed.decision.put_back
    what = f"the template of {back}" if was == back else back
    where = f" in place of {was}" if was and was != back else ""
    return f"{what} was put back{where} in {changed.before.name}"


def _staying(live: Rollout) -> Iterator[str]:
    """Pods of the canary that serve nothing any more, and for how long they stay."""
    pods = canary_pods(live)
    if not pods or not (live.is_routed or live.blue_green):
        return
    verb, delay = ("pod stays" if pods == 1 else "pods stay"), abort_delay(live)
    until = "until the next version" if delay is None else f"for up to {format_duration(delay)}"
    field = "abortScaleDownDelaySeconds" + (": 0" if delay is None else "")
    yield f"its {pods} canary {verb} {until} ({field})"


def _last(rollout: Rollout) -> str:
    """What an abort takes the longest for."""
    if rollout.is_routed and not rollout.blue_green:
        return "all traffic to be back on stable"
    if rollout.blue_green:
        return f"{rollout.blue_green.active_service or 'the active Service'} to be back on stable"
    return "the canary's pods to go"


def _holder(rollout: Rollout) -> str:
    """What holds the pod template."""
    return str(rollout.workload_ref.get("kind")) if rollout.workload_ref else "Rollout"


command = base.verb(several(abort))
