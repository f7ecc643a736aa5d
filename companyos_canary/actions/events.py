"""Events of a Rollout and of what belongs to it.

A field selector cannot say "or": there is one list for each object, never one of the namespace,
which may hold the events of thousands of pods. So that these stay few, only objects that can have
fresh events are asked about (a cluster keeps events for an hour).
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from companyos_canary.actions.change import interrupted
from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.feed import Feed
from companyos_canary.cluster.kinds import ANALYSISRUN, POD, REPLICASET
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import Event, Pod, ReplicaSet

MOST = 40
TOGETHER = 1.0  # seconds in which changes are taken together
AGAIN = timedelta(seconds=15)

Named = tuple[str, str]
Subject = ReplicaSet | Pod | AnalysisRun


def subjects(snapshot: Snapshot) -> dict[Named, Subject]:
    """What is asked about beside the Rollout, by kind and name: ReplicaSets with a role or pods,
    the newest revision's runs, pods that are not ready, its own pods, and then the others."""
    rollout = snapshot.rollout
    roles = (rollout.current_hash, rollout.stable_hash)
    sets = (r for r in snapshot.replicasets if r.hash in roles or r.desired or r.replicas)
    pods = sorted(snapshot.pods, key=lambda p: (p.ready, p.hash != rollout.current_hash))
    found: dict[Named, Subject] = {(REPLICASET.kind, r.name): r for r in sets}
    found |= {(ANALYSISRUN.kind, r.name): r for r in snapshot.current_runs}
    return found | {(POD.kind, p.name): p for p in pods}


def read(cluster: Cluster, snapshot: Snapshot, wanted: Iterable[Named] | None = None) -> tuple[Event, ...]:
    """The Rollout's events, which the snapshot has, and those of the subjects (all of them, or
    those that are wanted), oldest first. At most `MOST` requests."""
    names = list(subjects(snapshot) if wanted is None else wanted)[:MOST]
    found = [*snapshot.events, *(e for kind, name in names for e in cluster.events(kind, name))]
    return in_order(found)


def in_order(events: Iterable[Event]) -> tuple[Event, ...]:
    return tuple(sorted(events, key=lambda e: e.at.timestamp() if e.at else 0.0))


def left_out(snapshot: Snapshot) -> int:
    """How many objects were not asked about."""
    return max(0, len(subjects(snapshot)) - MOST)


def follow(
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
                    everything_at = now() + AGAIN
                changed = [n for n, s in current.items() if every or before.get(n) != s]
                fresh = [e for e in read(cluster, snapshot, changed) if e not in told]
                if fresh or not before:
                    show(snapshot, tuple(fresh))
                told.update(fresh)
                before = current
            if feed.wait(AGAIN.total_seconds()):
                sleep(TOGETHER)
    except KeyboardInterrupt:
        raise interrupted("stopped watching; the rollout continues") from None
