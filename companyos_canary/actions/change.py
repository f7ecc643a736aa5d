"""The one engine behind every verb that changes something:
read, decide, send with its precondition, and wait until the controller shows the effect.

A failed `test` (422) or a stale resourceVersion (409) means: read again and decide again. If the
decision is another one then, the verb stops: it would not do what the user saw.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from companyos_canary.argo.effects import Effect
from companyos_canary.argo.patches import Change, Decision, Nothing, Patch, Refusal
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.kinds import DEPLOYMENT, ROLLOUT
from companyos_canary.cluster.reads import with_workload, workload_of
from companyos_canary.errors import CanaryError, Conflict, Interrupted, Invalid, NotFound, Refused
from companyos_canary.model.rollout import Rollout


def read(cluster: Cluster, name: str) -> Rollout:
    """The Rollout with the pod template that is in force. Unlike `Cluster.resolved`, which serves
    views, this raises where the Deployment is missing (NotFound) or may not be read."""
    rollout = cluster.rollout(name)
    if not rollout.workload_ref or workload_of(rollout) is None:
        return rollout
    workload = str(rollout.workload_ref.get("name"))
    found = cluster.object(DEPLOYMENT.api_version, DEPLOYMENT.plural, workload)
    if found is None:
        raise NotFound(
            f"Rollout `{name}` takes its pods from the Deployment `{workload}`, which is not there",
            hint=f"look with `kubectl get deployments -n {cluster.namespace}`",
        )
    return with_workload(rollout, found)


def read_if_possible(cluster: Cluster, name: str) -> Rollout:
    """As `read`, but the Rollout as it is where its Deployment cannot be read: for a verb that
    must not wait for anything."""
    rollout = cluster.rollout(name)
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
    return dataclasses.replace(
        after,
        selector=rollout.selector,
        containers=rollout.containers,
        template=rollout.template,
        workload_generation=rollout.workload_generation,
    )


ATTEMPTS = 5
ROUNDS = 3
PATIENCE = timedelta(seconds=30)
_FIRST_LOOK, _SLOWEST_LOOK = 0.05, 1.0


@dataclass(frozen=True, slots=True)
class Verb:
    """`decide`: what to send for what was read. `effect`: whether it is seen, given the Rollout
    before and now. `of_template`: it is about the pod template, which may be a Deployment's.
    `insists`: it is sent whatever came in between, decided anew each time; the pod template is
    only read where it can be."""

    name: str
    decide: Callable[[Rollout], Decision]
    effect: Callable[[Rollout, Rollout], Effect]
    of_template: bool = False
    insists: bool = False

    def read(self, cluster: Cluster, name: str) -> Rollout:
        if self.insists:
            return read_if_possible(cluster, name)
        return read(cluster, name) if self.of_template else cluster.rollout(name)


@dataclass(frozen=True, slots=True)
class Changed:
    """What came of a change. `sent` is empty for `Nothing` and in a dry run; `effect` is None
    where nobody waited for it."""

    decision: Change | Nothing
    before: Rollout
    after: Rollout
    sent: tuple[Patch, ...] = ()
    effect: Effect | None = None
    notes: tuple[str, ...] = ()


def change(
    cluster: Cluster,
    name: str,
    verb: Verb,
    *,
    sleep: Callable[[float], None],
    dry_run: bool = False,
    wait: bool = True,
    patience: timedelta = PATIENCE,
) -> Changed:
    """Runs a verb to the point where its effect is seen. Raises Refused where it would do
    something else, the API's errors otherwise; `effect` PENDING means: sent, not seen in time."""
    notes: tuple[str, ...] = ()
    rounds = ROUNDS
    while True:
        rounds -= 1
        before, decision, after, left_out = _send(cluster, name, verb, dry_run=dry_run)
        if isinstance(decision, Nothing) or dry_run:
            return Changed(decision, before, after, notes=notes)
        notes = (*notes, *filter(None, (decision.note, *left_out)))
        if verb.insists and rounds and _overtaken(cluster, verb, decision, before, after):
            continue
        if not wait and not decision.again:
            return Changed(decision, before, after, decision.patches, notes=notes)
        try:
            effect, after = _observe(cluster, before, after, verb, sleep=sleep, patience=patience)
        except KeyboardInterrupt:
            raise interrupted(f"the {verb.name} of `{name}` was sent and stays") from None
        once_more = effect is Effect.LOST or (effect is Effect.SEEN and decision.again)
        if not once_more or not rounds:
            return Changed(decision, before, after, decision.patches, effect, notes)


def _send(
    cluster: Cluster, name: str, verb: Verb, *, dry_run: bool
) -> tuple[Rollout, Change | Nothing, Rollout, tuple[str, ...]]:
    """One decision, sent. Returns the Rollout before, the decision, the Rollout after, and notes
    about what could not be written beside it."""
    first: Change | None = None
    seen = ""
    for attempt in range(1, ATTEMPTS + 1):
        before = verb.read(cluster, name)
        decision = verb.decide(before)
        if isinstance(decision, Refusal):
            raise refused(decision)
        other = before.current_hash != seen if attempt > 1 else False
        if isinstance(decision, Change) and first is not None:
            other = _meant(decision) != _meant(first)
        if other and not verb.insists:
            raise Refused(
                f"`{name}` changed while `{verb.name}` was on its way; nothing was sent",
                hint="look with `canary status`, then decide again",
            )
        if isinstance(decision, Nothing) or dry_run:
            return before, decision, before, ()
        first, seen = decision, before.current_hash
        try:
            after, notes = _patched(cluster, before, decision.patches)
        except (Conflict, Invalid) as error:
            if attempt == ATTEMPTS:
                raise type(error)(
                    f"{error.message} ({ATTEMPTS} times)",
                    hint="something else keeps writing to it; look with `canary status`",
                ) from error
            continue
        return before, decision, after, notes
    raise AssertionError("unreachable")


def _meant(decision: Change) -> tuple[object, ...]:
    """What a decision does, without the resourceVersion that it was read at."""
    return tuple(
        replace(p, body=[o for o in p.body if o.get("path") != "/metadata/resourceVersion"])
        if isinstance(p.body, list)
        else p
        for p in decision.patches
    )


def _patched(cluster: Cluster, before: Rollout, patches: tuple[Patch, ...]) -> tuple[Rollout, tuple[str, ...]]:
    after, notes = before, list[str]()
    for patch in patches:
        try:
            after = send(cluster, after, patch)
        except CanaryError as error:
            pinned = isinstance(patch.body, list) and isinstance(error, (Conflict, Invalid))
            if pinned or not patch.beside:
                raise
            notes.append(f"{patch.unwritten}: {error.message}")
    return after, tuple(notes)


def _overtaken(cluster: Cluster, verb: Verb, decision: Change, before: Rollout, after: Rollout) -> bool:
    """What was decided on is not what the patch met: another template or other steps came between
    the read and the patch, which had no precondition."""
    if decision.put_back:
        return False
    if before.workload_ref:
        after = verb.read(cluster, before.name)
    return not after.observed and _intent(after) != _intent(before)


def _intent(rollout: Rollout) -> tuple[object, ...]:
    strategy = (rollout.raw.get("spec") or {}).get("strategy")
    return rollout.template, rollout.workload_generation, strategy


def _observe(
    cluster: Cluster,
    before: Rollout,
    after: Rollout,
    verb: Verb,
    *,
    sleep: Callable[[float], None],
    patience: timedelta,
) -> tuple[Effect, Rollout]:
    """Looks again, more and more slowly, until the effect is seen or the patience is over. It
    needs no more than the right to get the Rollout, so it also works in an emergency."""
    waited, pause = 0.0, _FIRST_LOOK
    effect = verb.effect(before, after)
    while effect is Effect.PENDING and waited < patience.total_seconds():
        sleep(pause)
        waited += pause
        pause = min(pause * 2, _SLOWEST_LOOK)
        after = verb.read(cluster, before.name)
        effect = verb.effect(before, after)
    return effect, after


def interrupted(what: str) -> Interrupted:
    """Ctrl-C after something was sent: `what` says what goes on without us."""
    return Interrupted(f"interrupted: {what}", hint="look with `canary status`")


def refused(refusal: Refusal) -> CanaryError:
    """A refusal as the error that ends the run, with its own exit code."""
    error = Refused(refusal.message, hint=refusal.hint)
    error.exit_code = refusal.exit_code
    return error
