"""`canary list`: a line a rollout, those that wait for a person first; one request, and one more where the
Rollouts alone may tell of the version before."""

from datetime import timedelta
from typing import Annotated

import typer
from msgspec import Struct

from companyos_canary.argo.phase import may_tell_of_the_version_before
from companyos_canary.argo.rows import Listed, listed
from companyos_canary.commands import base
from companyos_canary.commands.options import a_duration, not_a_selector
from companyos_canary.errors import Forbidden, Invalid, exits
from companyos_canary.model.place import Place
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.row import Output
from companyos_canary.model.snapshot import Snapshot


class Rollouts(Struct, frozen=True):
    """`namespace` is empty for all of them."""

    namespace: str
    context: str
    rollouts: tuple[Listed, ...]


EXAMPLES = (
    "canary list                          all Rollouts in the namespace",
    "canary list -A --waiting --older 2h  what has waited for a person for 2 hours",
    "canary list -l team=checkout -o json",
)
OUTPUT = Output((Rollouts,))
EXITS = exits()


def list_rollouts(
    session: base.Session,
    everywhere: Annotated[bool, typer.Option("-A", "--all-namespaces", help="all namespaces")] = False,
    selector: Annotated[str, typer.Option("-l", "--selector", help="label selector, e.g. team=checkout")] = "",
    waiting: Annotated[bool, typer.Option("--waiting", help="only those that wait for a person")] = False,
    older: Annotated[
        timedelta | None,
        typer.Option("--older", help="only those in their phase for longer than, e.g. 2h"),
        a_duration("--older"),
    ] = None,
) -> base.Answer:
    """List rollouts with phase, step, weight and version. Those that wait for a person come first, longest
    wait on top.
    """
    from companyos_canary.view import rollouts as view

    found = _read(session, everywhere, selector)
    now, facts, settings = (session.runtime.clock.now(), session.runtime.facts, session.resolved.settings)
    context = session.cluster.context

    def place(rollout: Rollout) -> Place:
        own = settings is not None and settings.rollout == rollout.name
        return Place(context=context, container=settings.container if settings and own else None)

    rows = view.longest_waiting_first(listed(s, now, place(s.rollout)) for s in _seen(session, found))
    rows = [r for r in rows if r.waits_for_a_person or not waiting]
    rows = [r for r in rows if older is None or (r.for_seconds is not None and r.for_seconds >= older)]
    there = {(r.namespace, r.name): r for r in found}
    shown = [there[r.namespace, r.rollout] for r in rows]
    where = "any namespace" if everywhere else f"namespace `{session.cluster.namespace}`"
    that = " like this" if (waiting or older is not None or selector) else ""
    return base.Answer(
        data=Rollouts("" if everywhere else session.cluster.namespace, context, tuple(rows)),
        picture=lambda: view.screen(rows, facts, namespaces=everywhere),
        lines=tuple(view.plain(r) for r in rows),
        notes=() if rows else (f"no Rollout{that} in {where}",),
        objects=tuple(r.raw for r in shown),
        name="\n".join(r.resource for r in shown),
    )


def _seen(session: base.Session, rollouts: tuple[Rollout, ...]) -> list[Snapshot]:
    """With the ReplicaSet that is shown, where only that tells of which version it is."""
    unsure = [r for r in rollouts if may_tell_of_the_version_before(r)]
    sets = session.cluster.shown_replicasets(unsure) if unsure else ()
    by_owner = {s.owner_uid: s for s in sets}
    return [Snapshot(r, tuple(s for s in (by_owner.get(r.uid),) if s), whole=False) for r in rollouts]


def _read(session: base.Session, everywhere: bool, selector: str) -> tuple[Rollout, ...]:
    try:
        return session.cluster.rollouts(all_namespaces=everywhere, labels=selector)
    except Invalid as error:
        if selector:
            raise not_a_selector(selector) from error
        raise
    except Forbidden as error:
        if everywhere:
            error.hint = "look at one namespace with -n; " + error.hint
        raise


command = base.verb(list_rollouts)
