"""`canary undo`: back to the last version that was fully promoted."""

import difflib
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from companyos_canary.actions import undo as action
from companyos_canary.actions.change import Changed, Verb, change
from companyos_canary.actions.deploy import container_of
from companyos_canary.argo.effects import Effect, promoted_fully
from companyos_canary.argo.gitops import keeper_of
from companyos_canary.argo.patches.decision import Change, Nothing
from companyos_canary.argo.patches.hold import held_sentence
from companyos_canary.argo.patches.promote import promote_full
from companyos_canary.argo.patches.record import set_by
from companyos_canary.argo.patches.template import template_of
from companyos_canary.argo.rows import FOLLOWED
from companyos_canary.commands import base
from companyos_canary.commands.outcome import FOLLOWED_EXITS, DryRun, Sent, sent_answer, unseen, would_send
from companyos_canary.commands.session import permitted
from companyos_canary.errors import CanaryError, Refused, UsageError
from companyos_canary.model.image import version
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.row import Output, pick
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import ReplicaSet

if TYPE_CHECKING:
    from companyos_canary.actions.wait import Time


class UndoDryRun(DryRun, frozen=True, kw_only=True):
    """`diff` is that of the pod template, in lines."""

    diff: tuple[str, ...]


EXAMPLES = (
    "canary undo                           the last version that was fully promoted",
    "canary undo --to v1.0.0 --dry-run     what would change",
    'canary undo --fast --reason "checkout is down"',
    'canary undo --hold --reason "leaks"   do not let anyone deploy it again',
    "canary undo --to v1.2.0 --force       go back to it although it was aborted",
)
OUTPUT = Output((*FOLLOWED, Sent, UndoDryRun))
EXITS = FOLLOWED_EXITS


def undo(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="REVISION|VERSION", help="revision or version to go back to")
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="skip all steps (full promote); requires --reason")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="allow a version that was aborted or is held, or that Git does not have")
    ] = False,
    hold: Annotated[
        bool, typer.Option("--hold", help="refuse the version that is left until `deploy --release-hold`")
    ] = False,
    reason: base.ReasonOption = "",
    dry_run: base.DryRunOption = False,
    no_wait: base.NoWaitOption = False,
    timeout: base.FollowTimeoutOption = None,
) -> base.Answer:
    """Go back to the last version that was fully promoted, never to an aborted one.

    During a release this happens at once. After a finished release, the old version goes through the steps
    again, unless you pass --fast.

    Run the same command again to follow an undo in progress. Once an undo is complete, the next one needs
    --to, so that you do not return to the version you left by accident. --to an aborted version is refused
    without --force.

    --hold keeps the version that is left from being deployed again, until someone passes
    `--release-hold` to `canary deploy`. If Argo CD or Flux manages the image, the command prints the
    change to make in Git, and sends nothing without --force.
    """
    if fast and not reason:
        raise UsageError(
            "--fast skips all steps and analyses: give a reason with --reason", hint='canary undo --fast --reason "…"'
        )
    time = session.time(timeout)
    snapshot = session.cluster.snapshot(session.rollout)
    permitted(snapshot, "replicasets")
    if force and to is None and not keeper_of(snapshot.rollout):
        raise UsageError("--force needs --to with the aborted version", hint="canary undo --to VERSION --force")
    target = action.undo_target(snapshot, to, hold=hold)
    if to is not None:
        _warn(session, snapshot, target, force=force)
    record = action.record_for(snapshot, target, by=session.runtime.user, now=time.now(), reason=reason)
    changed = action.send_undo(
        session.cluster,
        snapshot.rollout.name,
        target,
        record,
        time=time,
        dry_run=dry_run,
        wait=not no_wait,
        hold=action.hold_for(snapshot, target, record) if hold else None,
        force=force,
    )
    if not changed.before.observed and isinstance(changed.decision, Change):
        _say_what_else(session, changed, dry_run=dry_run)
    if dry_run:
        return _would(session, changed, snapshot, target)
    if answer := _without_following(session, changed, target, no_wait=no_wait):
        return answer
    return _followed(session, changed, snapshot, target, fast=fast, timeout=timeout, time=time)


def _without_following(
    session: base.Session, changed: Changed, target: ReplicaSet, *, no_wait: bool
) -> base.Answer | None:
    """The answer where there is nothing to follow; None where there is."""
    live = changed.after
    over = live.observed and live.is_fully_promoted
    if isinstance(changed.decision, Nothing) and (no_wait or over):
        return sent_answer(session, changed, changed.decision.message)
    if no_wait:
        return sent_answer(session, changed, f"{live.name} in {session.place} goes back to {_named(target)}")
    if isinstance(changed.decision, Change) and changed.effect is not Effect.SEEN:
        return unseen(session, changed, "undo")
    return None


def _followed(
    session: base.Session,
    changed: Changed,
    snapshot: Snapshot,
    target: ReplicaSet,
    *,
    fast: bool,
    timeout: timedelta | None,
    time: "Time",
) -> base.Answer:
    """Says how it gets there, and follows it to its end; with `fast` past its steps."""
    from companyos_canary.commands.follow import Aim, follow_to_the_end

    _say_way(session, changed, snapshot, target, fast=fast)
    if fast and action.runs_steps_again(snapshot, target):
        _skip_the_steps(session, snapshot.rollout.name, time)
    container = container_of(changed.after, session.container)
    aim = Aim(
        timeout=timeout,
        generation=changed.after.generation,
        container=container,
        sent=bool(changed.sent),
        image=next((c.image for c in target.containers if c.name == container), ""),
    )
    return follow_to_the_end(session, changed.after, aim)


def _say_way(session: base.Session, changed: Changed, snapshot: Snapshot, target: ReplicaSet, *, fast: bool) -> None:
    again = action.runs_steps_again(snapshot, target)
    if isinstance(changed.decision, Nothing):
        way = "skipping the rest of its steps" if fast and again else "following it"
        session.note(f"{changed.decision.message}: {way}")
    else:
        way = _way(snapshot.rollout, again=again, fast=fast)
        session.note(f"back to {_named(target)}: {way}")
    for note in changed.notes:
        session.note(note)


def _say_what_else(session: base.Session, changed: Changed, *, dry_run: bool) -> None:
    """A version that no ReplicaSet has yet, as a colleague's of a second ago, is left without anyone having seen it."""
    left, by = version(changed.before.image()), set_by(changed.before)
    whose = f", deployed by {by}" if by else ""
    session.note(f"this {'would take' if dry_run else 'takes'} back {left}{whose}; the controller has not seen it yet")


def _skip_the_steps(session: base.Session, name: str, time: "Time") -> None:
    """What was sent before goes through its steps where they cannot be skipped, and is followed."""
    verb = Verb("undo --fast", promote_full, promoted_fully)
    try:
        change(session.cluster, name, verb, time=time, wait=False)
    except CanaryError as error:
        session.note(f"could not skip its steps: {error.message}")


def _warn(session: base.Session, snapshot: Snapshot, target: ReplicaSet, *, force: bool) -> None:
    """Says what is known against the version that was named. Raises Refused if it was aborted,
    unless that is meant."""
    from companyos_canary.argo.history import revision_of, was_aborted
    from companyos_canary.view.history import aborted_sentence, undone_sentence

    now = session.runtime.clock.now()
    current = target.hash == snapshot.rollout.current_hash
    told = revision_of(snapshot, target, now)
    where = _named(target)
    if was_aborted(snapshot, target) and not current:
        said = f"{where} was {aborted_sentence(told, now)}"
        if not force:
            raise Refused(said, hint="`canary history` shows the outcome of each version; --force allows this one")
        session.note(said)
    elif holding := action.holding(snapshot, target):
        said = f"{where} is held: {held_sentence(holding[0])}"
        if not force:
            raise Refused(said, hint="--force allows it; `canary deploy VERSION --release-hold` ends the hold")
        session.note(said)
    elif told.undone:
        session.note(f"{where} was {undone_sentence(told.undone)}")


def _named(target: ReplicaSet) -> str:
    return f"{action.version_of(target)} (revision {target.revision})"


def _way(rollout: Rollout, *, again: bool, fast: bool) -> str:
    """How it gets there. In blue-green a version whose pods are still there is active at once
    (recorded: undo-within-delay)."""
    if fast or not again:
        return "at once" if rollout.blue_green else "at once, no step is run"
    if rollout.blue_green:
        return "at once if its pods still exist, otherwise as a new preview"
    return "it goes through the steps again"


def _would(session: base.Session, changed: Changed, snapshot: Snapshot, target: ReplicaSet) -> base.Answer:
    """The diff of the pod template, and the request."""
    from companyos_canary.render.templates import to_yaml

    answer = would_send(session, changed)
    before = snapshot.rollout.template
    after = template_of(snapshot.rollout, target)
    diff = difflib.unified_diff(
        to_yaml([before]).splitlines(),
        to_yaml([after]).splitlines(),
        f"{snapshot.rollout.name} now",
        f"revision {target.revision}",
        lineterm="",
    )
    rows = tuple(diff)
    return base.Answer(
        code=answer.code,
        data=pick(UndoDryRun, answer.data, diff=rows),
        lines=(*rows, *answer.lines),
        notes=answer.notes,
        name=answer.name,
        objects=answer.objects,
    )


command = base.verb(undo, follows=True)
