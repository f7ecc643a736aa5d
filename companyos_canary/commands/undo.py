"""`canary undo`: back to the last version that was fully promoted."""

import difflib
from typing import Annotated

import typer

from companyos_canary.actions import undo as action
from companyos_canary.actions.change import Changed, Verb, change
from companyos_canary.actions.deploy import container_of
from companyos_canary.argo.effects import Effect, promoted_fully
from companyos_canary.argo.endings import Until
from companyos_canary.argo.patches import Change, promote_full, tag
from companyos_canary.argo.patches.undo import template_of
from companyos_canary.commands import base
from companyos_canary.commands.changing import unobserved
from companyos_canary.commands.given import time_limit
from companyos_canary.commands.requests import sent_answer, would_send
from companyos_canary.errors import ExitCode, UsageError
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import ReplicaSet

EXAMPLES = (
    "canary undo                           the last version that was fully promoted",
    "canary undo --to v1.0.0 --dry-run     what would change",
    'canary undo --fast --reason "checkout is down"',
)
EXITS = (
    ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE, ExitCode.DEGRADED, ExitCode.DENIED,
    ExitCode.NOT_FOUND, ExitCode.SUPERSEDED, ExitCode.REFUSED, ExitCode.UNFINISHED,
    ExitCode.UNOBSERVED, ExitCode.TIMEOUT, ExitCode.INTERRUPTED,
)  # fmt: skip


def undo(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="REVISION|VERSION", help="where to go back to")
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="skip the steps: promote in full; wants --reason")
    ] = False,
    reason: base.ReasonOption = "",
    dry_run: base.DryRunOption = False,
    no_wait: base.NoWaitOption = False,
    timeout: base.TimeoutOption = None,
) -> base.Answer:
    """Go back to the last version that was fully promoted, never to an aborted one.

    In the middle of a release that happens at once. After one, the old version goes through the
    steps again, unless --fast.
    """
    from companyos_canary.commands.following import follow_to_the_end

    if fast and not reason:
        raise UsageError(
            "--fast skips every step and analysis: say why with --reason",
            hint='canary undo --fast --reason "…"',
        )
    if timeout is not None:
        time_limit(timeout)
    snapshot = session.cluster.snapshot(session.rollout, events=False)
    target = action.target_of(snapshot, to)
    name, clock = snapshot.rollout.name, session.runtime.clock
    record = action.record_for(
        snapshot, target, by=session.runtime.user, now=clock.now(), reason=reason
    )
    changed = action.send(
        session.cluster, name, target, record, sleep=clock.sleep, dry_run=dry_run, wait=not no_wait
    )
    where = f"{tag(target.containers[0].image)} (revision {target.revision})"
    if dry_run:
        return _would(session, changed, snapshot, target)
    if not isinstance(changed.decision, Change):
        return sent_answer(session, changed, changed.decision.message)
    if no_wait:
        return sent_answer(session, changed, f"{name} in {session.place} goes back to {where}")
    if changed.effect is Effect.PENDING:
        return sent_answer(session, changed, unobserved(session, "undo"))
    again = action.runs_steps_again(snapshot, target)
    session.note(f"back to {where}: {_way(snapshot.rollout, again=again, fast=fast)}")
    if fast and again:
        verb = Verb("undo --fast", promote_full, promoted_fully)
        change(session.cluster, name, verb, sleep=clock.sleep, wait=False)
    settings = session.resolved.settings
    container = container_of(changed.after, settings.container if settings else None)
    return follow_to_the_end(
        session, changed.after, until=Until(), timeout=timeout,
        generation=changed.after.generation, container=container,
        image=next((c.image for c in target.containers if c.name == container), ""),
    )  # fmt: skip


def _way(rollout: Rollout, *, again: bool, fast: bool) -> str:
    """How it gets there. In blue-green a version whose pods are still there is active at once
    (recorded: undo-within-delay)."""
    if fast or not again:
        return "at once" if rollout.blue_green else "at once, no step is run"
    if rollout.blue_green:
        return "at once while its pods are still there, else as a new preview"
    return "it goes through the steps again"


def _would(
    session: base.Session, changed: Changed, snapshot: Snapshot, target: ReplicaSet
) -> base.Answer:
    """The diff of the pod template, and the request."""
    from companyos_canary.render.yamltext import to_yaml

    answer = would_send(session, changed)
    before = snapshot.rollout.template
    after = template_of(snapshot.rollout, target)
    diff = difflib.unified_diff(
        to_yaml([before]).splitlines(), to_yaml([after]).splitlines(),
        f"{snapshot.rollout.name} now", f"revision {target.revision}", lineterm="",
    )  # fmt: skip
    rows = tuple(diff)
    return base.Answer(
        code=answer.code, data={**answer.data, "diff": list(rows)},
        lines=(*rows, *answer.lines), notes=answer.notes, name=answer.name,
        objects=answer.objects,
    )  # fmt: skip


command = base.verb(undo, follows=True)
