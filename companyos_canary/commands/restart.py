"""`canary restart`: new pods of the same version."""

from collections.abc import Collection
from datetime import timedelta
from typing import Annotated

import typer

from companyos_canary.actions.change import Changed, change
from companyos_canary.argo.effects import Effect, restarted
from companyos_canary.argo.patches.act import restart as decide
from companyos_canary.commands import base
from companyos_canary.commands.options import TEN_MINUTES, a_duration
from companyos_canary.commands.outcome import CHANGE, sent_answer, unseen, verb_with, would_send
from companyos_canary.errors import ExitCode, exits
from companyos_canary.model.quantity import format_duration
from companyos_canary.model.row import Output

EXAMPLES = (
    "canary restart                         until all pods are new",
    "canary restart --in 10m --no-wait      later",
)
OUTPUT = Output(CHANGE)
EXITS = exits(ExitCode.REFUSED, ExitCode.UNOBSERVED, ExitCode.TIMEOUT, ExitCode.INTERRUPTED)


def restart(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    delay: Annotated[
        timedelta,
        typer.Option("--in", metavar="DURATION", help="wait this long before the first pod, e.g. 10m"),
        a_duration("--in"),
    ] = timedelta(),
    reason: base.ReasonOption = "",
    dry_run: base.DryRunOption = False,
    no_wait: base.NoWaitOption = False,
    timeout: base.TimeoutOption = TEN_MINUTES,
) -> base.Answer:
    """Replace all pods with new ones of the same version, one at a time, and wait until it is done.

    This runs no step and no analysis.
    """
    time = session.time(delay + timeout if timeout else None)
    snapshot = session.cluster.snapshot(session.rollout, events=False)
    at = (session.cluster.server_time or time.now()) + delay
    old = {pod.name: pod.created_at for pod in snapshot.pods}
    newest = max(filter(None, old.values()), default=None)
    result = change(
        session.cluster,
        session.rollout,
        verb_with(session, "restart", lambda live: decide(live, at, newest), restarted, reason),
        time=time,
        dry_run=dry_run,
        wait=not no_wait,
        patience=None,
    )
    if dry_run:
        return would_send(session, result)
    name = result.after.name
    if no_wait:
        when = f"in {format_duration(delay)}" if delay else "now"
        return sent_answer(session, result, f"{name} in {session.place} restarts {when}")
    if result.effect is Effect.SEEN:
        return _seen(session, result, old)
    if result.timed_out and not result.trouble and not result.unsure:
        said = f"{name} in {session.place} is still restarting; look with `canary get`"
        return sent_answer(session, result, said, code=ExitCode.TIMEOUT)
    return unseen(session, result, "restart")


def _seen(session: base.Session, result: Changed, old: Collection[str]) -> base.Answer:
    """The controller says that it is done; the pods tell whether it is, where they may be listed."""
    name = f"{result.after.name} in {session.place}"
    snapshot = session.cluster.snapshot(result.after, events=False)
    kept = [pod for pod in snapshot.pods if pod.name in old and not pod.deleting]
    if snapshot.denied("pods") or not snapshot.pods:
        return sent_answer(session, result, f"the controller says that all pods of {name} are new")
    if kept:
        pods = "1 pod is" if len(kept) == 1 else f"{len(kept)} pods are"
        said = f"the controller says that the restart of {name} is done, but {pods} the same as before"
        return sent_answer(session, result, said, code=ExitCode.UNOBSERVED)
    return sent_answer(session, result, f"all pods of {name} are new")


command = base.verb(restart)
