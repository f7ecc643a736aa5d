"""`canary abort`: stop the canary. Needs no canary.yaml, and no more rights than get and patch."""

from companyos_canary.actions import abort as action
from companyos_canary.actions.change import change
from companyos_canary.argo.effects import Effect, aborted_or_back
from companyos_canary.argo.patches import Decision, Nothing, tag
from companyos_canary.argo.patches.abort import abort as decide
from companyos_canary.argo.patches.abort import abort_unseen, is_unseen
from companyos_canary.commands import base
from companyos_canary.commands.changing import unobserved, verb_with
from companyos_canary.commands.given import time_limit
from companyos_canary.commands.requests import sent_answer, would_send
from companyos_canary.errors import ExitCode, Refused
from companyos_canary.model.rollout import Rollout

EXAMPLES = (
    "canary abort                           the Rollout of canary.yaml",
    "canary abort companyos-api -n companyos --context prod-eu",
    "canary abort companyos-api --no-wait   end once it is sent",
    'canary abort --reason "wrong tag"      for the history',
)
EXITS = (
    ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE, ExitCode.DENIED, ExitCode.NOT_FOUND,
    ExitCode.REFUSED, ExitCode.UNOBSERVED, ExitCode.TIMEOUT, ExitCode.INTERRUPTED,
)  # fmt: skip


def abort(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    reason: base.ReasonOption = "",
    dry_run: base.DryRunOption = False,
    no_wait: base.NoWaitOption = False,
    timeout: base.TimeoutOption = "10m",
) -> base.Answer:
    """Stop the canary: its traffic and its pods go back to the stable version."""
    limit = time_limit(timeout or "10m")
    clock, name = session.runtime.clock, session.rollout

    def decision(live: Rollout) -> Decision:
        """Reads ReplicaSets only where an abort would be lost."""
        if not is_unseen(live):
            return decide(live)
        return abort_unseen(session.cluster.snapshot(live, events=False))

    verb = verb_with(session, "abort", decision, aborted_or_back, reason)
    changed = change(
        session.cluster, name, verb, sleep=clock.sleep, dry_run=dry_run, wait=not no_wait
    )
    if dry_run:
        return would_send(session, changed)
    live, place = changed.after, session.place
    if changed.effect is Effect.OTHER:
        raise Refused(
            f"`{name}` was fully promoted before the abort arrived: nothing is aborted",
            hint="to go back to an earlier version: `canary undo`",
        )
    nothing = isinstance(changed.decision, Nothing)
    if no_wait:
        told = f"{name} in {place} is already aborted" if nothing else None
        return sent_answer(session, changed, told or f"the abort of {name} in {place} was sent")
    if changed.effect in (Effect.PENDING, Effect.LOST):
        said = unobserved(session, "abort")
        return sent_answer(session, changed, said, code=ExitCode.UNOBSERVED)
    if live.is_fully_promoted and changed.effect is Effect.SEEN:
        back = tag(live.image(live.containers[0].name)) if live.containers else "its old version"
        said = f"{name} in {place} is stopped before it began: {back} keeps all traffic"
        return sent_answer(session, changed, said)
    already = "already " if nothing else ""
    session.note(f"{name} in {place} is {already}aborted; waiting for {_last(live)}")
    drained = action.drain(session.cluster, live, now=clock.now, sleep=clock.sleep, limit=limit)
    if not drained.done:
        return sent_answer(
            session, action.with_after(changed, drained.rollout),
            f"{name} is aborted, but {drained.rollout.updated_replicas} canary pods are still "
            f"there and stable has {drained.rollout.available_replicas} of "
            f"{drained.rollout.replicas} available; look with `canary get`",
            code=ExitCode.TIMEOUT,
        )  # fmt: skip
    bad = tag(live.image(live.containers[0].name)) if live.containers else "the aborted version"
    return sent_answer(
        session, action.with_after(changed, drained.rollout),
        f"{name} in {place} is aborted: all traffic is on the stable version\n"
        f"the {_holder(live)} still names {bad}: `canary undo` or `canary deploy VERSION` "
        "replaces it",
    )  # fmt: skip


def _last(rollout: Rollout) -> str:
    """What an abort takes the longest for."""
    if rollout.blue_green:
        return f"{rollout.blue_green.active_service or 'the active Service'} to be back on stable"
    return "the canary's pods to go"


def _holder(rollout: Rollout) -> str:
    """What holds the pod template."""
    return str(rollout.workload_ref.get("kind")) if rollout.workload_ref else "Rollout"


command = base.verb(abort)
