"""`canary status`: one line, one request, and an exit code by state."""

from typing import Annotated

import typer

from companyos_canary.argo.endings import Until
from companyos_canary.argo.phase import shown_phase, tells_of_an_earlier_version
from companyos_canary.argo.rows import FOLLOWED, SnapshotRow, snapshot_row
from companyos_canary.commands import base
from companyos_canary.errors import ExitCode, exits
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.row import Output
from companyos_canary.model.snapshot import Snapshot

EXAMPLES = (
    "canary status                          the Rollout of canary.yaml",
    "canary status companyos-api -n companyos -o json",
    "canary status --wait --timeout 10m     wait until it is Healthy or Degraded",
)
OUTPUT = Output((SnapshotRow, *FOLLOWED))
EXITS = exits(ExitCode.DEGRADED, ExitCode.UNFINISHED, ExitCode.TIMEOUT, ExitCode.INTERRUPTED)

_CODES = {"Healthy": ExitCode.OK, "Degraded": ExitCode.DEGRADED}


def status(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    wait: Annotated[bool, typer.Option("--wait", help="wait until it is Healthy or Degraded")] = False,
    timeout: base.FollowTimeoutOption = None,
) -> base.Answer:
    """Print one line that says what a rollout is doing. Exits with 0 if it is Healthy, 3 if Degraded, 8 otherwise."""
    live = session.cluster.resolved(session.cluster.rollout(session.rollout))
    if wait:
        from companyos_canary.commands.follow import follow_to_the_end

        return follow_to_the_end(session, live, until=Until(), timeout=timeout)
    from companyos_canary.view import status as view

    now, snapshot = session.runtime.clock.now(), Snapshot(live, whole=False)
    place = session.view_place(live)

    def data() -> object:
        from companyos_canary.argo.picture import look

        return snapshot_row(look(snapshot, now, place))

    return base.Answer(
        code=_code(live),
        data=data,
        lines=(view.line(snapshot, now, place=place),),
        objects=(live.raw,),
        name=live.resource,
    )


def _code(live: Rollout) -> ExitCode:
    phase = shown_phase(live)
    if tells_of_an_earlier_version(live, phase):
        return ExitCode.UNFINISHED
    return _CODES.get(phase.word, ExitCode.UNFINISHED)


command = base.verb(status, follows=True)
