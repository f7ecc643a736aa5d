"""`canary watch`: follow what is going on until it ends."""

from typing import Annotated

import typer

from companyos_canary.argo.endings import UNTIL_HEALTHY
from companyos_canary.argo.events import MeasurementRow, Transition
from companyos_canary.argo.rows import FOLLOWED, SnapshotRow, VerdictRow
from companyos_canary.commands import base
from companyos_canary.commands.follow import Aim, follow_to_the_end
from companyos_canary.commands.options import AbortOnOption, UntilOption, guarded_by
from companyos_canary.commands.shows.lines import Manner
from companyos_canary.errors import ExitCode, UsageError, exits
from companyos_canary.model.abort_on import NEVER
from companyos_canary.model.row import Output
from companyos_canary.view.machine import Failure

EXAMPLES = (
    "canary watch                           the Rollout of canary.yaml",
    "canary watch companyos-api -n companyos --until paused",
    "canary watch --stay                    keep it open, on a second screen",
    "canary watch -o json                   one object per line",
)
OUTPUT = Output(
    FOLLOWED,
    {
        "snapshot": SnapshotRow,
        "transition": Transition,
        "measurement": MeasurementRow,
        "verdict": VerdictRow,
        "error": Failure,
    },
)
EXITS = exits(
    ExitCode.DEGRADED,
    ExitCode.SUPERSEDED,
    ExitCode.UNFINISHED,
    ExitCode.UNOBSERVED,
    ExitCode.TIMEOUT,
    ExitCode.INTERRUPTED,
)


def watch(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    abort_on: AbortOnOption = None,
    until: UntilOption = UNTIL_HEALTHY,
    read_only: Annotated[bool, typer.Option("--read-only", help="turn off the keys that change something")] = False,
    stay: Annotated[bool, typer.Option("--stay", help="do not exit; follow the next version too")] = False,
    timeout: base.FollowTimeoutOption = None,
) -> base.Answer:
    """Follow a rollout live until it is Healthy or Degraded.

    On a terminal, keys promote, abort, retry and pause (`?` lists them); q and Ctrl-C only stop watching.
    Without a terminal it exits with 8 if the rollout waits for a person.

    --abort-on aborts a version in progress whose pods crash or cannot get their image, or if nothing moves for
    so long, for as long as this command watches it. It goes before `abort_on` of canary.yaml; `none` turns that
    off, and so does --read-only.
    """
    if read_only and abort_on:
        raise UsageError("--abort-on and --read-only exclude each other", hint="leave out one of them")
    live = session.cluster.resolved(session.cluster.rollout(session.rollout))
    manner = Manner(read_only, stay)
    guarded = NEVER if read_only else guarded_by(session.resolved.settings, abort_on)
    return follow_to_the_end(session, live, Aim(until=until, timeout=timeout, manner=manner, abort_on=guarded))


command = base.verb(watch, follows=True)
