"""`canary events`: what the controllers said, in the order of time."""

from contextlib import closing
from typing import Annotated

import typer

from companyos_canary.actions import events as action
from companyos_canary.commands import base
from companyos_canary.commands.base import permitted
from companyos_canary.errors import ExitCode
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import Event

EXAMPLES = (
    "canary events                  rollout, ReplicaSets, pods and runs in one list",
    "canary events -w               and each that comes, until Ctrl-C",
    "canary events | grep type=Warning",
)
EXITS = (ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE, ExitCode.DENIED, ExitCode.NOT_FOUND, ExitCode.INTERRUPTED)


def events(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    watch: Annotated[bool, typer.Option("-w", "--watch", help="keep printing new events, until Ctrl-C")] = False,
) -> base.Answer:
    """Show the events of a rollout, its ReplicaSets, pods and analyses, oldest first.

    A cluster forgets events after an hour and drops some of many: they are hints.
    """
    from companyos_canary.argo.picture import look
    from companyos_canary.view import events as view
    from companyos_canary.view.ink import ink

    cluster, runtime = session.cluster, session.runtime
    if watch:
        session.ends("--watch")
        return _watch(session, cluster.resolved(cluster.rollout(session.rollout)))
    snapshot = cluster.snapshot(session.rollout)
    found = action.read(cluster, snapshot)
    if not found:
        permitted(snapshot, "events")
    live = snapshot.rollout
    picture = look(snapshot, runtime.clock.now(), session.view_place(live))
    notes = () if found else (f"the cluster keeps no events of {live.name}",)
    if missing := action.left_out(snapshot):
        notes = (*notes, f"{missing} more objects were not asked about: kubectl get events")
    return base.Answer(
        data={**session.place_of(live), "events": found, "notes": list(snapshot.notes)},
        picture=(lambda: ink(view.lines(found, picture, runtime.facts), runtime.facts)) if found else None,
        lines=tuple(map(view.plain, found)),
        notes=(*snapshot.notes, *notes),
    )


def _watch(session: base.Session, live: Rollout) -> base.Answer:
    """Ends by Ctrl-C, or with the Rollout."""
    from companyos_canary.argo.picture import look
    from companyos_canary.view import events as view
    from companyos_canary.view.ink import ink

    runtime, place, now = session.runtime, session.view_place(live), session.runtime.clock.now

    def show(snapshot: Snapshot, fresh: tuple[Event, ...]) -> None:
        if session.output == "json":
            for e in fresh:
                runtime.say_event("event", e)
        elif runtime.facts.terminal and fresh:
            picture = look(snapshot, now(), place)
            runtime.out.print(ink(view.lines(fresh, picture, runtime.facts), runtime.facts))
        else:
            for e in fresh:
                runtime.say(view.plain(e))

    with closing(runtime.feed(session.cluster, live.name)) as feed:
        action.follow(session.cluster, feed, now=now, sleep=runtime.clock.sleep, show=show)
    raise AssertionError("it goes on until it is ended")


command = base.verb(events, forms=("human", "json"))
