"""`canary events`: what the controllers said of a Rollout and of what belongs to it, in chronological order.

A field selector cannot say "or": there is one list for each object, never one of the namespace,
which may hold the events of thousands of pods. So that these stay few, only objects that can have
fresh events are asked about (a cluster keeps events for an hour).
"""

from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import datetime, timedelta
from typing import Annotated

import typer

from companyos_canary.actions.change import interrupted
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.feed import Feed
from companyos_canary.cluster.kinds import ANALYSISRUN, POD, REPLICASET
from companyos_canary.commands import base
from companyos_canary.commands.session import permitted
from companyos_canary.errors import ExitCode, exits
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.row import Output, Placed
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import Event, Pod, ReplicaSet
from companyos_canary.view.machine import Failure


class Events(Placed, frozen=True, kw_only=True):
    events: tuple[Event, ...]
    notes: tuple[str, ...]


EXAMPLES = (
    "canary events                  rollout, ReplicaSets, pods and runs in one list",
    "canary events -w               print new events too, until Ctrl-C",
    "canary events | grep type=Warning",
)
OUTPUT = Output((Events,), {"event": Event, "error": Failure})
EXITS = exits(ExitCode.INTERRUPTED)


MOST = 40
TOGETHER = 1.0  # seconds in which changes are taken together
_AGAIN = timedelta(seconds=15)

Named = tuple[str, str]
Subject = ReplicaSet | Pod | AnalysisRun


def subjects(snapshot: Snapshot) -> dict[Named, Subject]:
    """What is asked about in addition to the Rollout, by kind and name: ReplicaSets with a role or pods,
    the newest revision's runs, pods that are not ready, its own pods, and then the others."""
    rollout = snapshot.rollout
    sets = (r for r in snapshot.replicasets if snapshot.role_of(r.hash) or r.desired or r.replicas)
    pods = sorted(snapshot.pods, key=lambda p: (p.ready, p.hash != rollout.current_hash))
    found: dict[Named, Subject] = {(REPLICASET.kind, r.name): r for r in sets}
    found |= {(ANALYSISRUN.kind, r.name): r for r in snapshot.current_runs}
    return found | {(POD.kind, p.name): p for p in pods}


def _read(cluster: Cluster, snapshot: Snapshot, wanted: Iterable[Named] | None = None) -> tuple[Event, ...]:
    """The Rollout's events, which the snapshot has, and those of the subjects (all of them, or
    those that are wanted), oldest first. At most `MOST` requests."""
    names = list(subjects(snapshot) if wanted is None else wanted)[:MOST]
    found = [*snapshot.events, *(e for kind, name in names for e in cluster.events(kind, name))]
    return by_time(found)


def by_time(events: Iterable[Event]) -> tuple[Event, ...]:
    return tuple(sorted(events, key=lambda e: e.at.timestamp() if e.at else 0.0))


def left_out(snapshot: Snapshot) -> int:
    """How many objects were not asked about."""
    return max(0, len(subjects(snapshot)) - MOST)


def _follow(
    cluster: Cluster,
    feed: Feed,
    *,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
    show: Callable[[Snapshot, tuple[Event, ...]], None],
) -> None:
    """Shows all events, then each that is new or counted up, until Ctrl-C (Interrupted) or until
    the Rollout is gone (NotFound). An object is asked about when it changed, and every 15 s."""
    told: set[Event] = set()
    before: dict[Named, Subject] = {}
    everything_at = now()
    try:
        while True:
            snapshot = feed.snapshot()
            if snapshot is not None:
                current = subjects(snapshot)
                every = now() >= everything_at
                if every:
                    everything_at = now() + _AGAIN
                changed = [n for n, s in current.items() if every or before.get(n) != s]
                fresh = [e for e in _read(cluster, snapshot, changed) if e not in told]
                if fresh or not before:
                    show(snapshot, tuple(fresh))
                told.update(fresh)
                before = current
            if feed.wait(_AGAIN.total_seconds()):
                sleep(TOGETHER)
    except KeyboardInterrupt:
        raise interrupted("stopped watching; the rollout continues") from None


def events(
    session: base.Session,
    rollout: base.RolloutArgument = None,
    watch: Annotated[bool, typer.Option("-w", "--watch", help="keep printing new events, until Ctrl-C")] = False,
) -> base.Answer:
    """Show the events of a rollout, its ReplicaSets, pods and analyses, oldest first.

    A cluster keeps events for about an hour and drops some when there are many, so they may be incomplete.
    """
    from companyos_canary.argo.picture import look
    from companyos_canary.view import events as view

    cluster, runtime = session.cluster, session.runtime
    if watch:
        session.ends("--watch")
        return _watch(session, cluster.resolved(cluster.rollout(session.rollout)))
    snapshot = cluster.snapshot(session.rollout)
    found = _read(cluster, snapshot)
    if not found:
        permitted(snapshot, "events")
    live = snapshot.rollout
    picture = look(snapshot, runtime.clock.now(), session.view_place(live))
    notes = () if found else (f"the cluster keeps no events of {live.name}",)
    if missing := left_out(snapshot):
        notes = (*notes, f"events of {missing} more objects were not read: kubectl get events")
    return base.Answer(
        data=Events(**session.place_of(live), events=tuple(found), notes=snapshot.notes),
        picture=lambda: view.event_lines(found, picture, runtime.facts),
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
            runtime.draw(ink(view.event_lines(fresh, picture, runtime.facts), runtime.facts))
        else:
            for e in fresh:
                runtime.say(view.plain(e))

    with closing(runtime.feed(session.cluster, live.name)) as feed:
        _follow(session.cluster, feed, now=now, sleep=runtime.clock.sleep, show=show)
    raise AssertionError("the watch never ends by itself")


command = base.verb(events, forms=("human", "json"))
