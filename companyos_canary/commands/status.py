"""`canary status`: one line, one request where the Rollout alone tells, and an exit code by state."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from companyos_canary.argo.phase import may_tell_of_the_version_before, shown_phase, tells_of_an_earlier_version
from companyos_canary.commands import base
from companyos_canary.errors import CanaryError, ExitCode, exits
from companyos_canary.model.outcome import Diagnosis
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.row import Output
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import ReplicaSet

EXAMPLES = (
    "canary status                          the Rollout of canary.yaml",
    "canary status companyos-api -n companyos -o json",
    "canary status --wait --timeout 10m     wait until it is Healthy or Degraded",
)


def _rows() -> tuple[type[Any], ...]:
    from companyos_canary.argo.rows import FOLLOWED, SnapshotRow

    return (SnapshotRow, *FOLLOWED)


OUTPUT = Output(_rows)
EXITS = exits(ExitCode.DEGRADED, ExitCode.UNFINISHED, ExitCode.TIMEOUT, ExitCode.INTERRUPTED)

_LONG = timedelta(minutes=1)
_CODES = {"Healthy": ExitCode.OK, "Degraded": ExitCode.DEGRADED}


def status(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    wait: Annotated[bool, typer.Option("--wait", help="wait until it is Healthy or Degraded")] = False,
    timeout: base.FollowTimeoutOption = None,
) -> base.Answer:
    """Print one line that says what a rollout is doing. Exits with 0 if it is Healthy, 3 if Degraded, 8 otherwise.

    With -v it also says which version of Argo Rollouts acts on it.
    """
    live = session.cluster.resolved(session.cluster.rollout(session.rollout))
    if session.verbose:
        from companyos_canary.commands.version import controller_line, controller_seen

        session.runtime.say_error(controller_line(controller_seen(session.cluster)))
    if wait:
        from companyos_canary.commands.follow import Aim, follow_to_the_end

        return follow_to_the_end(session, live, Aim(timeout=timeout))
    from companyos_canary.view import rollouts as view

    now, place = session.runtime.clock.now(), session.view_place(live)
    snapshot = Snapshot(live, _replicasets(session, live), whole=False)
    why = _why(session, live, now) if _stands_still(live, now) else None

    def data() -> object:
        from companyos_canary.argo.picture import look
        from companyos_canary.argo.rows import snapshot_row

        return snapshot_row(replace(look(snapshot, now, place), why=why))

    return base.Answer(
        code=_code(live),
        data=data,
        lines=(view.status_line(snapshot, now, place=place, why=why),),
        objects=(live.raw,),
        name=live.resource,
    )


def _replicasets(session: base.Session, live: Rollout) -> tuple[ReplicaSet, ...]:
    """Those that tell which version is promoted, where the Rollout alone may still tell of the one before. None where
    they cannot be read."""
    if not may_tell_of_the_version_before(live):
        return ()
    try:
        return session.cluster.snapshot(live, events=False).replicasets
    except CanaryError:
        return ()


def _stands_still(live: Rollout, now: datetime) -> bool:
    """Whether it failed, or has not moved for a minute: why is not in the Rollout alone."""
    phase = shown_phase(live)
    if phase.word == "Degraded":
        return not tells_of_an_earlier_version(live, phase)
    if live.lacks_a_verdict:
        return True
    moved = live.progressed_at
    return phase.word == "Progressing" and moved is not None and now - moved > _LONG


def _why(session: base.Session, live: Rollout, now: datetime) -> Diagnosis | None:
    """What `canary why` would say; None where nothing is wrong, or where no one can say."""
    from companyos_canary.actions.explain import AskedWhy, explain

    try:
        found, _, _ = explain(
            session.cluster, live, now, session.view_place(live), AskedWhy(prometheus=session.prometheus)
        )
    except CanaryError:
        return None
    return None if found.fine else found


def _code(live: Rollout) -> ExitCode:
    phase = shown_phase(live)
    if tells_of_an_earlier_version(live, phase):
        return ExitCode.UNFINISHED
    return _CODES.get(phase.word, ExitCode.UNFINISHED)


command = base.verb(status, follows=True)
