"""`canary retry`: run an aborted version again, from the first step."""

from datetime import timedelta
from typing import Annotated

import typer

from companyos_canary.actions.change import Changed
from companyos_canary.argo.durations import failing_metrics, window_left
from companyos_canary.argo.effects import retried
from companyos_canary.argo.patches.act import retry as decide
from companyos_canary.argo.steps import steps_of
from companyos_canary.commands import base
from companyos_canary.commands.outcome import CHANGE, changed, verb_with
from companyos_canary.commands.several import Several, several
from companyos_canary.errors import ExitCode, TimedOut, exits
from companyos_canary.model.quantity import format_duration
from companyos_canary.model.row import Output

EXAMPLES = (
    "canary retry                 again, from step 1",
    "canary retry --wait-window   once the failure has left the metrics' window",
    "canary retry web shop        several at once; or -l team=checkout",
)
OUTPUT = Output((*CHANGE, Several))
EXITS = exits(ExitCode.SUPERSEDED, ExitCode.REFUSED, ExitCode.UNOBSERVED, ExitCode.TIMEOUT)


def retry(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    wait_window: Annotated[
        bool, typer.Option("--wait-window", help="wait until the failure has left every query window")
    ] = False,
    reason: base.ReasonOption = "",
    dry_run: base.DryRunOption = False,
    no_wait: base.NoWaitOption = False,
    timeout: base.TimeoutOption = None,
) -> base.Answer:
    """Run an aborted version again. It starts from the first step, with new analyses.

    A metric fails again as long as its query window covers the failure; the command says how long that takes.
    """
    clock = session.runtime.clock
    snapshot = session.cluster.snapshot(session.rollout, events=False)
    left = window_left(snapshot, clock.now()) if snapshot.rollout.aborted else timedelta()
    if left and not dry_run:
        names = ", ".join(failing_metrics(snapshot.current_runs))
        span = format_duration(timedelta(seconds=int(left.total_seconds()) + 1))
        if wait_window:
            session.note(f"waiting {span}, until the window of {names} no longer covers the failure")
            clock.sleep(min(left.total_seconds(), session.time(timeout).left()))
            if session.is_over:
                raise TimedOut("timed out while the window still covered the failure; nothing was sent")
        else:
            session.note(
                f"the window of {names} covers the failure for {span} more: it may fail "
                "again on the old requests (--wait-window waits)"
            )

    def done(result: Changed) -> str:
        steps = len(steps_of(result.after))
        start = f"from step 1/{steps}" if steps else "from the start"
        return f"{result.after.name} in {session.place} runs again {start}: `canary watch`"

    verb = verb_with(session, "retry", decide, retried, reason)
    return changed(session, verb, dry_run=dry_run, no_wait=no_wait, done=done, limit=timeout)


command = base.verb(several(retry))
