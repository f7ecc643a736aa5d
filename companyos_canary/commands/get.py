"""`canary get`: the whole picture once."""

from typing import Annotated

import typer

from companyos_canary.argo.rows import SnapshotRow, snapshot_row
from companyos_canary.commands import base
from companyos_canary.errors import exits
from companyos_canary.model.row import Output

EXAMPLES = (
    "canary get                             the Rollout of canary.yaml",
    "canary get companyos-api -n companyos",
    "canary get --all                       and each earlier revision",
    "canary get -o json | jq .data.metrics",
)
OUTPUT = Output((SnapshotRow,))
EXITS = exits()


def get(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    every: Annotated[bool, typer.Option("--all", help="name each earlier revision, too")] = False,
) -> base.Answer:
    """Show a rollout once: steps, weights, revisions, pods, and every metric with its value.

    Of the earlier revisions that are scaled down, the newest three are named.
    """
    from companyos_canary.diagnosis.table import seen
    from companyos_canary.view.lines import plain_text
    from companyos_canary.view.screen import whole_screen

    cluster, now = session.cluster, session.runtime.clock.now()
    snapshot = cluster.with_words(cluster.snapshot(session.rollout), now)
    facts = session.runtime.facts
    picture = seen(snapshot, now, session.view_place(snapshot.rollout))
    lines = whole_screen(picture, facts, "every" if every else "all")
    return base.Answer(
        data=lambda: snapshot_row(picture),
        picture=lambda: lines,
        lines=tuple(map(plain_text, lines)),
        objects=(snapshot.rollout.raw,),
        name=snapshot.rollout.resource,
    )


command = base.verb(get)
