"""A Rollout that is followed: over the sandbox's API, with real threads and no waiting for time."""

import copy
import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from companyos_canary.cluster.client import Cluster
from companyos_canary.cluster.feed import WatchFeed
from companyos_canary.errors import CrdMissing, Forbidden, NotFound, Unreachable
from companyos_canary.model.http import Request, Response, Stream
from companyos_canary.sandbox.api.access import Attributes
from companyos_canary.sandbox.kinds import ANALYSISRUN, POD, REPLICASET, ROLLOUT
from tests import builders
from tests.cluster.fake_api import failure
from tests.cluster.memory import NOW, NS, SOON, Recording, World, until, whole

NAME = builders.NAME
Follow = Callable[..., WatchFeed]


class Ticking:
    """Time that continues with every look, so that no back-off takes real time."""

    def __init__(self) -> None:
        self.seconds = itertools.count()

    def now(self) -> Any:
        return NOW + timedelta(seconds=next(self.seconds))


def hurry(closed: threading.Event, seconds: float) -> None:
    closed.wait(min(seconds, 0.005))


@pytest.fixture
def follow() -> Iterator[Follow]:
    feeds: list[WatchFeed] = []

    def begin(transport: Recording, name: str = NAME, **options: Any) -> WatchFeed:
        cluster = Cluster(transport, NS)
        options = {"now": Ticking().now, "pause": hurry, **options}
        feeds.append(WatchFeed(cluster, name, **options))
        return feeds[-1]

    yield begin
    for feed in feeds:
        feed.close()
    assert not [t for t in threading.enumerate() if t.name.startswith(("watch-", "poll"))]


def test_a_followed_rollout_looks_like_one_that_was_read_once(follow: Follow) -> None:
    world = World()
    found = until(follow(world.transport()), whole)
    assert found == Cluster(world.transport(), NS).snapshot(NAME)


def test_nothing_is_shown_before_the_first_picture_is_whole(follow: Follow) -> None:
    world = World()
    gate = threading.Event()
    transport = world.transport()
    handle = transport.handle

    def held(request: Request) -> Response:
        if request.path.endswith("/pods"):
            gate.wait(SOON)
        return handle(request)

    transport.handle = held
    feed = follow(transport)
    assert feed.snapshot() is None
    assert feed.wait(0.05) is False
    gate.set()
    assert feed.wait(SOON) is True
    assert len(until(feed, whole).pods) == 4


def test_no_watch_asks_for_a_whole_namespace(follow: Follow) -> None:
    transport = World().transport()
    until(follow(transport), whole)
    assert {r.path.rsplit("/", 1)[1] for r in transport.asked} == {
        "rollouts",
        "replicasets",
        "pods",
        "analysisruns",
        "events",
    }
    for request in transport.asked:
        assert request.parameter("labelSelector") or request.parameter("fieldSelector")


def test_every_change_is_seen(follow: Follow) -> None:
    world = World()
    feed = follow(world.transport())
    until(feed, whole)
    world.change(phase="Degraded")
    assert until(feed, lambda s: s.rollout.status_phase == "Degraded")
    owner = world.store.read(REPLICASET, NS, f"{NAME}-{builders.CANARY}")
    world.owned(POD, builders.pod_object("new"), owner)
    assert until(feed, lambda s: len(s.pods) == 5)
    run = copy.deepcopy(world.store.items(ANALYSISRUN, NS)[0])
    run["status"]["phase"] = "Failed"
    world.store.update(ANALYSISRUN, run)
    assert until(feed, lambda s: s.runs[0].phase == "Failed")
    world.store.delete(POD, NS, f"{NAME}-{builders.CANARY}-new")
    assert until(feed, lambda s: len(s.pods) == 4)
    world.event("RolloutAborted", world.rollout["metadata"]["uid"])
    assert until(feed, lambda s: s.events[-1].reason == "RolloutAborted")


def test_what_changes_nothing_in_the_picture_wakes_nobody(follow: Follow) -> None:
    world = World()
    feed = follow(world.transport())
    until(feed, whole)
    stranger = copy.deepcopy(world.store.read(POD, NS, f"{NAME}-stranger-s"))
    stranger["status"]["phase"] = "Failed"
    world.store.update(POD, stranger)
    assert feed.wait(0.1) is False
    assert feed.snapshot() is feed.snapshot()


def test_a_deleted_rollout_is_not_found(follow: Follow) -> None:
    world = World()
    feed = follow(world.transport())
    until(feed, whole)
    world.store.delete(ROLLOUT, NS, NAME)
    with pytest.raises(NotFound, match=f"Rollout `{NAME}` not found in namespace `{NS}`"):
        until(feed, lambda s: False)


def test_a_rollout_that_never_was_is_not_found(follow: Follow) -> None:
    feed = follow(World().transport(), "other")
    assert feed.wait(SOON) is True
    with pytest.raises(NotFound, match="Rollout `other`"):
        feed.snapshot()


def test_what_may_not_be_watched_is_a_note(follow: Follow) -> None:
    def allowed(a: Attributes) -> bool:
        return a.resource not in ("events", "pods")

    found = until(follow(World().transport(allowed=allowed)), lambda s: len(s.notes) == 2)
    assert found.notes == (
        f"not permitted to `list` `pods` in namespace `{NS}`",
        f"not permitted to `list` `events` in namespace `{NS}`",
    )
    assert len(found.replicasets) == 2
    assert found.stale_since is None


def test_a_rollout_that_may_only_be_read_is_polled(follow: Follow) -> None:
    world = World()
    feed = follow(world.transport(allowed=lambda a: a.verb == "get"))
    assert until(feed, lambda s: len(s.notes) == 4)
    world.change(phase="Paused")
    assert until(feed, lambda s: s.rollout.status_phase == "Paused")


def test_a_rollout_that_may_not_be_read_at_all_stops_the_feed(follow: Follow) -> None:
    feed = follow(World().transport(allowed=lambda a: a.resource != "rollouts"))
    with pytest.raises(Forbidden):
        until(feed, lambda s: False)


def test_a_cluster_without_argo_rollouts_stops_the_feed(follow: Follow) -> None:
    feed = follow(Recording(lambda _: failure(404)))
    with pytest.raises(CrdMissing, match="Argo Rollouts is not installed"):
        until(feed, lambda s: False)


@pytest.mark.parametrize("readable", [True, False])
def test_a_workload_reference_is_followed(follow: Follow, readable: bool) -> None:
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "backing"}
    world = World(spec={"workloadRef": ref, "template": None, "selector": None})
    world.deployment("backing")
    world.owned(POD, builders.pod_object("x"), world.store.read(REPLICASET, NS, f"{NAME}-{builders.CANARY}"))
    transport = world.transport(allowed=lambda a: readable or a.resource != "deployments")
    found = until(follow(transport), lambda s: s.pods)
    assert len(found.pods) == 5
    assert found.rollout.image() == ("companyos-api:v1.1.0" if readable else "")


def test_a_lost_connection_is_stale_and_then_heals_with_what_was_missed(follow: Follow) -> None:
    world = World()
    transport = world.transport()
    handle = transport.handle
    streams: queue.Queue[Stream] = queue.Queue()

    def watched(request: Request) -> Response:
        response = handle(request)
        if response.stream:
            streams.put(response.stream)
        return response

    def unreachable(request: Request) -> Response:
        raise Unreachable("no route")

    transport.handle = watched
    feed = follow(transport)
    until(feed, whole)
    opened = [streams.get(timeout=SOON) for _ in range(5)]
    assert feed.stale_since is None
    transport.handle = unreachable
    for stream in opened:
        stream.close()
    stale = until(feed, lambda s: s.stale_since and s.notes)
    assert stale.notes == ("no route",)
    world.change(phase="Paused")
    transport.handle = handle
    healed = until(feed, lambda s: s.rollout.status_phase == "Paused" and not s.stale_since)
    assert healed.replicasets == stale.replicasets
    assert healed.notes == ()


def test_what_is_shown_is_as_old_as_the_last_word_of_any_kind(follow: Follow) -> None:
    """A kind in which nothing happens was heard long ago, though the connection was there."""
    feed = follow(World().transport())
    until(feed, whole)
    feed.close()  # so that no one else writes
    sources = feed._current()
    for n, source in enumerate(sources):
        source.stale_since = NOW + timedelta(seconds=n)
    assert feed.stale_since == NOW + timedelta(seconds=len(sources) - 1)


def test_closing_takes_no_time_and_keeps_the_last_picture(follow: Follow) -> None:
    world = World()
    feed = follow(world.transport())
    last = until(feed, whole)
    started = time.monotonic()
    feed.close()
    assert time.monotonic() - started < 1
    assert feed.snapshot() == last
    feed.close()


def test_closing_does_not_wait_for_a_server_that_does_not_answer(follow: Follow) -> None:
    gate = threading.Event()
    transport = World().transport()
    handle = transport.handle

    def held(request: Request) -> Response:
        gate.wait(SOON)
        return handle(request)

    transport.handle = held
    feed = follow(transport)
    started = time.monotonic()
    feed.close()
    assert time.monotonic() - started < 1
    gate.set()
