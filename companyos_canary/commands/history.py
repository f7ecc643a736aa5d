"""`canary history`: the revisions of a rollout and their outcomes."""

import difflib
from typing import Annotated

import typer
from msgspec import field

from companyos_canary.actions.undo import undo_target
from companyos_canary.argo.history import RevisionRow, revision_row
from companyos_canary.argo.patches.template import template_of
from companyos_canary.commands import base
from companyos_canary.commands.session import Where, permitted
from companyos_canary.errors import exits
from companyos_canary.model.row import Output, Placed
from companyos_canary.model.snapshot import Snapshot


class Revisions(Placed, frozen=True, kw_only=True):
    revisions: tuple[RevisionRow, ...]
    notes: tuple[str, ...]


class Diff(Placed, frozen=True, kw_only=True):
    """`history --diff`: two revisions, and what is different in their pods, in lines."""

    before: int = field(name="from")
    after: int = field(name="to")
    diff: tuple[str, ...]


EXAMPLES = (
    "canary history                         revisions, who, why, outcome",
    "canary history --diff v1.0.0 v1.1.0    how their pods differ",
    "canary history -o json | jq '.data.revisions[0].outcome'",
)
OUTPUT = Output((Revisions, Diff))
EXITS = exits()


def history(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    diff: Annotated[
        tuple[str, str] | None,
        typer.Option("--diff", metavar="A B", help="two revisions or versions: compare their pods"),
    ] = None,
) -> base.Answer:
    """List the revisions that the cluster still has: version, who, why, outcome, duration.

    The outcome of an earlier revision comes from the records that `canary deploy` leaves, and from the
    analyses that the cluster still has.
    """
    from companyos_canary.argo.history import history as revision_rows
    from companyos_canary.view import history as view

    snapshot = session.cluster.snapshot(session.rollout)
    facts, place = session.runtime.facts, session.view_place(snapshot.rollout)
    head = session.place_of(snapshot.rollout)
    if diff:
        return _compared(session, snapshot, diff, head)
    now = session.runtime.clock.now()
    revisions = revision_rows(snapshot, now)
    if not revisions:
        permitted(snapshot, "replicasets")
    nothing = () if revisions else (f"{snapshot.rollout.name} has no revisions yet",)
    return base.Answer(
        data=Revisions(
            **head, revisions=tuple(revision_row(r, place.container) for r in revisions), notes=snapshot.notes
        ),
        picture=lambda: view.screen(revisions, now, facts, place.container) if revisions else (),
        lines=tuple(view.plain(r, place.container) for r in revisions),
        notes=snapshot.notes or nothing,
    )


def _compared(session: base.Session, snapshot: Snapshot, names: tuple[str, str], head: Where) -> base.Answer:
    """The difference of two pod templates, without what the controller put into them."""
    from companyos_canary.render.templates import to_yaml
    from companyos_canary.view.history import diff_lines

    before, after = (undo_target(snapshot, name) for name in names)
    old, new = (to_yaml([template_of(snapshot.rollout, r)]).splitlines() for r in (before, after))
    labels = (f"revision {before.revision}", f"revision {after.revision}")
    rows = tuple(difflib.unified_diff(old, new, *labels, lineterm=""))
    notes = () if rows else (f"revisions {before.revision} and {after.revision} are the same",)
    return base.Answer(
        data=Diff(**head, before=before.revision, after=after.revision, diff=rows),
        picture=lambda: diff_lines(rows),
        lines=rows,
        notes=notes,
    )


command = base.verb(history, forms=("human", "json"))
