"""`canary get`: the whole picture once."""

from typing import Annotated, Any

import typer

from companyos_canary.commands import base
from companyos_canary.errors import exits
from companyos_canary.model.row import Output

EXAMPLES = (
    "canary get                             the Rollout of canary.yaml",
    "canary get companyos-api -n companyos",
    "canary get --all                       and each earlier revision",
    "canary get -o json | jq .data.metrics",
)


def _rows() -> tuple[type[Any], ...]:
    from companyos_canary.argo.rows import SnapshotRow

    return (SnapshotRow,)


OUTPUT = Output(_rows)
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

    def data() -> object:
        from companyos_canary.argo.rows import snapshot_row

        return snapshot_row(picture)

    return base.Answer(
        data=data,
        picture=lambda: lines,
        lines=tuple(map(plain_text, lines)),
        objects=(snapshot.rollout.raw,),
        name=snapshot.rollout.resource,
    )


command = base.verb(get)
