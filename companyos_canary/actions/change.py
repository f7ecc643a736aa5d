"""The one engine behind every verb that changes something:
read, decide, send with its precondition, and wait until the controller shows the effect.

A failed `test` (422) or a stale resourceVersion (409) means: read again and decide again. If the
decision is another one then, the verb stops: it would not do what the user saw. Once a change was
accepted, or may have been, nothing is sent again unless the controller has shown that it is lost.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from msgspec import Struct, structs
from msgspec.structs import replace

from companyos_canary.actions.wait import Time, Waited
from companyos_canary.actions.wait import wait as observe
from companyos_canary.argo.effects import Effect
from companyos_canary.argo.patches.decision import Change, Decision, Nothing, Patch, Refusal
from companyos_canary.argo.patches.record import set_by
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import DEPLOYMENT, ROLLOUT, with_workload, workload_of
from companyos_canary.errors import (
    CanaryError,
    Conflict,
    Forbidden,
    Interrupted,
    Invalid,
    NotFound,
    Refused,
    Stale,
    Uncertain,
)
from companyos_canary.model.image import version
from companyos_canary.model.rollout import Rollout


def read_rollout(cluster: Cluster, name: str) -> Rollout:
    """The Rollout with the pod template that is in force. Unlike `Cluster.resolved`, which serves
    views, this raises where the Deployment is missing (NotFound) or may not be read."""
    rollout = cluster.rollout(name)
    if not rollout.workload_ref or workload_of(rollout) is None:
        return rollout
    workload = str(rollout.workload_ref.get("name"))
    found = cluster.object(DEPLOYMENT, workload)
    if found is None:
        raise NotFound(
            f"Rollout `{name}` takes its pods from the Deployment `{workload}`, which does not exist",
            hint=f"look with `kubectl get deployments -n {cluster.namespace}`",
        )
    return with_workload(rollout, found)


def read_if_possible(cluster: Cluster, name: str) -> Rollout:
    """As `read`, but the Rollout as it is where its Deployment cannot be read: for a verb that
    must not wait for anything."""
    return resolved_if_possible(cluster, cluster.rollout(name))


def resolved_if_possible(cluster: Cluster, rollout: Rollout) -> Rollout:
    """With the template of its Deployment, where that can be read."""
    try:
        return cluster.resolved(rollout)
    except CanaryError:
        return rollout


def send(cluster: Cluster, rollout: Rollout, patch: Patch) -> Rollout:
    """Sends one patch of a decision on this Rollout; the Rollout after it."""
    if patch.target == "Deployment":
        workload = str((rollout.workload_ref or {}).get("name"))
        answer = cluster.patch(DEPLOYMENT, workload, patch.body, content_type=patch.content_type)
        return with_workload(rollout, answer)
    answer = cluster.patch(
        ROLLOUT, rollout.name, patch.body, content_type=patch.content_type, subresource=patch.subresource
    )
    after = Rollout.from_object(answer)
    if rollout.workload_generation is None:
        return after
    return structs.replace(
        after,
        selector=rollout.selector,
        containers=rollout.containers,
        template=rollout.template,
        workload_generation=rollout.workload_generation,
    )


_ATTEMPTS = 5
ROUNDS = 3
PATIENCE = timedelta(seconds=30)


class Verb(Struct, frozen=True):
    """`decide`: what to send for what was read. `effect`: whether it is seen, given the Rollout
    before and now. `of_template`: it is about the pod template, which may be a Deployment's.
    `insists`: it is sent whatever came in between, decided again each time; the pod template is
    only read where it can be. `reason` is the user's."""

    name: str
    decide: Callable[[Rollout], Decision]
    effect: Callable[[Rollout, Rollout], Effect]
    of_template: bool = False
    insists: bool = False
    reason: str = ""

    def read(self, cluster: Cluster, name: str) -> Rollout:
        if self.insists:
            return read_if_possible(cluster, name)
        return read_rollout(cluster, name) if self.of_template else cluster.rollout(name)


class Changed(Struct, frozen=True):
    """What came of a change. `sent` is empty for `Nothing` and in a dry run; `effect` is None
    where no one waited for it. `unsure`: what came in place of an answer to the change.
    `trouble`: why the last looks failed; then `after` is older. `timed_out`: the user's time was
    over before the effect was seen. `hash`: that of the version that it was first decided about."""

    decision: Change | Nothing
    before: Rollout
    after: Rollout
    sent: tuple[Patch, ...] = ()
    effect: Effect | None = None
    notes: tuple[str, ...] = ()
    unsure: Uncertain | None = None
    trouble: CanaryError | None = None
    timed_out: bool = False
    hash: str = ""


def change(
    cluster: Cluster,
    name: str,
    verb: Verb,
    *,
    time: Time,
    dry_run: bool = False,
    wait: bool = True,
    patience: timedelta | None = PATIENCE,
) -> Changed:
    """Runs a verb to the point where its effect is seen. Raises Refused if it would do
    something else, Uncertain where no one waits and the answer was lost, the API's errors
    otherwise; `effect` PENDING means: sent, not seen in time."""
    notes: tuple[str, ...] = ()
    rounds, told, meant = ROUNDS, False, ""
    while True:
        first, rounds = rounds == ROUNDS, rounds - 1
        done = _send(cluster, name, verb, dry_run=dry_run, first=first)
        meant = meant or done.before.current_hash
        done = replace(done, hash=meant)
        decision = done.decision
        if not isinstance(decision, Change) or dry_run:
            return replace(done, notes=notes)
        # What was meant is only said where all of it was written.
        whole = not done.notes or all(p.beside for p in decision.patches[1:])
        notes = tuple(dict.fromkeys((*notes, *filter(None, (decision.note if whole else "", *done.notes)))))
        done = replace(done, notes=notes)
        if not told and not done.unsure:
            told = True
            cluster.leave_event(done.after, verb.name, verb.reason, time.now())
        if verb.insists and rounds and _overtaken(cluster, verb, done):
            continue
        if not wait and not decision.again:
            if done.unsure:
                raise done.unsure
            return done
        try:
            waited = _observe(cluster, done, verb, time=time, patience=patience)
        except KeyboardInterrupt:
            raise interrupted(f"the {verb.name} of `{name}` was sent and stays") from None
        if not told and waited.effect is Effect.SEEN:
            told = True
            cluster.leave_event(done.after, verb.name, verb.reason, time.now())
        once_more = waited.effect is Effect.LOST or (waited.effect is Effect.SEEN and decision.again)
        if not once_more or not rounds:
            return replace(done, **waited.outcome)


def _send(cluster: Cluster, name: str, verb: Verb, *, dry_run: bool, first: bool) -> Changed:
    """One decision, sent; its notes are about what could not be written next to it. `first`: nothing
    was sent before it."""
    meant: tuple[object, ...] = ()
    seen = ""
    looked_at: Rollout | None = None
    for attempt in range(1, _ATTEMPTS + 1):
        before = verb.read(cluster, name)
        decision = verb.decide(before)
        if isinstance(decision, Refusal):
            if not first:
                raise _refused(replace(decision, message=f"the {verb.name} was sent, and then: {decision.message}"))
            raise _refused(decision)
        means = _meant(before, decision) if isinstance(decision, Change) else ()
        if isinstance(decision, Change) and looked_at and looked_at.uid != before.uid and not verb.insists:
            raise Refused(
                f"`{name}` was deleted and created again before `{verb.name}` could be sent; "
                f"nothing {'was' if first else 'more was'} sent",
                hint="look with `canary status`, then decide about the new one",
            )
        other = bool(meant) and (means != meant if means else before.current_hash != seen)
        if other and not verb.insists:
            raise Refused(
                f"`{name}` changed before `{verb.name}` could be sent{_by(looked_at, before)}; "
                f"nothing {'was' if first else 'more was'} sent",
                hint="look with `canary status`, then decide again",
            )
        if isinstance(decision, Nothing) or dry_run:
            return Changed(decision, before, before)
        meant, seen, looked_at = means, before.current_hash, before
        try:
            return _patched(cluster, verb, before, decision)
        except (Conflict, Stale) as error:
            if attempt == _ATTEMPTS:
                raise type(error)(
                    f"{error.message} ({_ATTEMPTS} times)",
                    hint="something else keeps writing to it; look with `canary status`",
                ) from error
        except Invalid as error:
            raise Forbidden(f"the cluster refused the {verb.name} of `{name}`: {error.message}") from error
    raise AssertionError("unreachable")


def _by(before: Rollout | None, live: Rollout) -> str:
    """Whose version it is, where it went over to another one."""
    by = set_by(live) if before is not None and live.template != before.template else ""
    return f" ({by} deployed {version(live.image())})" if by else ""


_READ_AT = ("/metadata/resourceVersion", "/metadata/generation")


def _meant(before: Rollout, decision: Change) -> tuple[object, ...]:
    """What was looked at, and what a decision does, without when it was read."""
    states = (before.aborted, before.promote_full, before.is_fully_promoted)
    looked = (before.current_hash, before.template, before.steps, *states)
    bodies = (
        [o for o in p.body if o.get("path") not in _READ_AT] if isinstance(p.body, list) else p.body
        for p in decision.patches
    )
    return (*looked, *bodies)


def _patched(cluster: Cluster, verb: Verb, before: Rollout, decision: Change) -> Changed:
    """Sends the patches in their order. Once the first is accepted, one that fails is only a note:
    what was sent stays. Behind one without an answer, only a verb that insists sends the others; behind one
    that met another Rollout of its name none does."""
    after, notes = before, list[str]()
    unsure: Uncertain | None = None
    for number, patch in enumerate(decision.patches):
        if unsure and not verb.insists:
            break
        try:
            found = send(cluster, after, patch)
            if number and found.uid != after.uid:
                break
            after = found
        except Uncertain as error:
            unsure = unsure or error
        except CanaryError as error:
            pinned = isinstance(patch.body, list) and isinstance(error, Conflict | Stale)
            if number == 0 or (pinned and verb.insists):
                raise
            if not pinned:
                notes.append(f"{patch.unwritten}: {error.message}")
    return Changed(decision, before, after, decision.patches, notes=tuple(notes), unsure=unsure)


def _overtaken(cluster: Cluster, verb: Verb, done: Changed) -> bool:
    """What was decided on is not what the patch met: another template or other steps came between
    the read and the patch, which had no precondition."""
    before, after = done.before, done.after
    if done.unsure or (isinstance(done.decision, Change) and done.decision.put_back):
        return False
    if before.workload_ref:
        try:
            after = verb.read(cluster, before.name)
        except CanaryError:
            return False
    return not after.observed and _intent(after) != _intent(before)


def _intent(rollout: Rollout) -> tuple[object, ...]:
    strategy = (rollout.raw.get("spec") or {}).get("strategy")
    return rollout.template, rollout.workload_generation, strategy


def _observe(cluster: Cluster, done: Changed, verb: Verb, *, time: Time, patience: timedelta | None) -> Waited[Rollout]:
    """Waits for the effect. Behind a change without an answer it may still come, and nothing says
    that it is lost."""

    def judge(now: Rollout) -> Effect:
        effect = verb.effect(done.before, now)
        return Effect.PENDING if done.unsure and effect is Effect.LOST else effect

    look = partial(verb.read, cluster, done.before.name)
    return observe(look, judge, done.after, time=time, patience=patience, known=not done.unsure)


def interrupted(what: str) -> Interrupted:
    """Ctrl-C after something was sent: `what` says what continues without us."""
    return Interrupted(f"interrupted: {what}", hint="look with `canary status`")


def _refused(refusal: Refusal) -> CanaryError:
    """A refusal as the error that ends the run, with its own exit code."""
    error = Refused(refusal.message, hint=refusal.hint)
    error.exit_code = refusal.exit_code
    return error
