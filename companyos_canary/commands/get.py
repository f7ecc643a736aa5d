"""`canary get`: the whole picture once."""

from companyos_canary.argo.rows import SnapshotRow, snapshot_row
from companyos_canary.commands import base
from companyos_canary.errors import ExitCode
from companyos_canary.model.row import Output

EXAMPLES = (
    "canary get                             the Rollout of canary.yaml",
    "canary get companyos-api -n companyos",
    "canary get -o json | jq .data.metrics",
)
OUTPUT = Output((SnapshotRow,))
EXITS = (ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE, ExitCode.DENIED, ExitCode.NOT_FOUND)


def get(session: base.Session, rollout: base.RolloutArgument = None) -> base.Answer:
    """Show a rollout once: steps, weights, revisions, pods, and every metric with its value."""
    from companyos_canary.argo.picture import look
    from companyos_canary.view import get as view

    snapshot = session.cluster.snapshot(session.rollout)
    runtime, place = session.runtime, session.view_place(snapshot.rollout)
    now = runtime.clock.now()
    return base.Answer(
        data=lambda: snapshot_row(look(snapshot, now, place)),
        picture=lambda: view.picture(snapshot, now, runtime.facts, place=place),
        lines=view.lines(snapshot, now, runtime.facts, place=place),
        objects=(snapshot.rollout.raw,),
        name=snapshot.rollout.resource,
    )


command = base.verb(get)
