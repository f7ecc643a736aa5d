"""Following logs, with streams that a test owns: no thread, no waiting."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from companyos_canary.actions.logs import Wanted, lines_of
from companyos_canary.cluster.client import Cluster
from companyos_canary.commands.logs import LOOK, Follower
from companyos_canary.errors import CanaryError, Forbidden, Interrupted, NotFound, Unreachable
from companyos_canary.model.http import Request, Response
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import LogLine
from tests.builders import CANARY, NAME, NOW, STABLE, pod, snapshot

A, B = f"{NAME}-{CANARY}-a", f"{NAME}-{CANARY}-b"


def log(*seconds: int) -> bytes:
    return b"".join(b"2026-03-02T12:00:%02dZ line %d\n" % (s, s) for s in seconds)


@dataclass
class Body:
    parts: tuple[bytes | Exception, ...]
    closed: bool = False

    def __iter__(self) -> Iterator[bytes]:
        for part in self.parts:
            if isinstance(part, Exception):
                raise part
            yield part

    def close(self) -> None:
        self.closed = True


@dataclass
class Streams:
    """Answers to the requests for logs, by pod, in their order; then nothing new."""

    answers: dict[str, list[tuple[bytes | Exception, ...]]]
    requests: list[Request] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)

    def stream(self, request: Request) -> Response:
        self.requests.append(request)
        left = self.answers[request.path.split("/")[-2]]
        parts = left.pop(0) if left else ()
        if len(parts) == 1 and isinstance(parts[0], CanaryError):
            raise parts[0]
        self.bodies.append(Body(parts))
        return Response(200, stream=self.bodies[-1])

    def send(self, request: Request) -> Response:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Told:
    """Snapshots one after the other; the last stays. A wait is LOOK seconds."""

    snapshots: list[Snapshot | Exception]
    now: datetime = NOW
    stale_since: datetime | None = None
    trouble: None = None

    def snapshot(self) -> Snapshot | None:
        found = self.snapshots[0]
        if isinstance(found, Exception):
            raise found
        return found

    def wait(self, timeout: float) -> bool:
        self.now += timedelta(seconds=timeout)
        if len(self.snapshots) > 1:
            self.snapshots.pop(0)
        if self.now > NOW + timedelta(seconds=60):
            raise KeyboardInterrupt
        return True

    def close(self) -> None:
        """Nothing is open."""


def follow(streams: Streams, feed: Told, wanted: Wanted | None = None) -> tuple[list[LogLine], Callable[[], str]]:
    lines: list[LogLine] = []
    follower = Follower(
        Cluster(streams, "companyos"),
        wanted or Wanted(tail=2),
        now=lambda: feed.now,
        show=lines.append,
        start=lambda work: work(),
    )
    return lines, lambda: follower.follow(feed)


def with_pods(*names: str, **fields: object) -> Snapshot:
    return snapshot(pods_now=[pod(n) for n in names], **fields)


def ticks(found: Snapshot, seconds: float) -> list[Snapshot]:
    return [found] * round(seconds / LOOK)


def gone(**fields: object) -> Snapshot:
    return snapshot(pods_now=[], canary=0, **fields)


def aborted() -> Snapshot:
    return gone(phase="Degraded", aborted_at=NOW)


def test_it_ends_when_the_pods_are_gone_and_says_why() -> None:
    streams = Streams({A: [(log(1, 2),)]})
    lines, run = follow(streams, Told([with_pods("a"), aborted()]))
    assert run() == "the pods are gone: the version was aborted"
    assert [(x.pod, x.role, x.at, x.text) for x in lines] == [
        (A, "canary", "2026-03-02T12:00:01Z", "line 1"),
        (A, "canary", "2026-03-02T12:00:02Z", "line 2"),
    ]


def test_another_version_is_named_as_the_reason() -> None:
    found = Told([with_pods("a"), gone(current="other", stable_hash=STABLE)])
    assert follow(Streams({A: []}), found)[1]() == ("the pods are gone: another version replaced them")


def test_what_was_stable_at_the_start_gives_way_to_the_next_version() -> None:
    old = pod("s", hash=STABLE)
    settled = snapshot(pods_now=[old], current=STABLE, stable_hash=STABLE, canary=0)
    streams = Streams({old.name: [(log(1),)], A: [(log(2),)]})
    lines, run = follow(streams, Told([settled, snapshot(pods_now=[old, pod("a")]), aborted()]))
    assert run() == "the pods are gone: the version was aborted"
    assert [(x.pod, x.role) for x in lines] == [(old.name, "stable"), (A, "canary")]
    assert streams.bodies[0].closed


def test_pods_that_come_are_read_from_their_first_line() -> None:
    streams = Streams({A: [(log(1),)], B: [(log(1, 2, 3),)]})
    lines, run = follow(streams, Told([with_pods("a"), with_pods("a", "b"), aborted()]))
    run()
    assert [x.pod for x in lines] == [A, B, B, B]
    first, second = (dict(r.query) for r in streams.requests)
    assert (first["tailLines"], first["follow"]) == ("2", "true")
    assert "tailLines" not in second


@pytest.mark.parametrize("broken", [Unreachable("broke"), None])
def test_a_connection_that_ends_is_read_on_from_the_last_line(broken: Exception | None) -> None:
    first = (log(1, 2), broken) if broken else (log(1, 2),)
    streams = Streams({A: [first, (log(2, 3),)]})
    lines, run = follow(streams, Told([*ticks(with_pods("a"), 2), aborted()]))
    run()
    assert [x.text for x in lines] == ["line 1", "line 2", "line 3"]
    again = dict(streams.requests[1].query)
    assert again["sinceTime"] == "2026-03-02T12:00:02Z"
    assert "tailLines" not in again


def test_a_broken_connection_is_tried_once_a_second() -> None:
    away: list[tuple[bytes | Exception, ...]] = [(Unreachable("no"),) for _ in range(50)]
    streams = Streams({A: away})
    follow(streams, Told([*ticks(with_pods("a"), 5), aborted()]))[1]()
    assert 3 <= len(streams.requests) <= 6


def test_what_the_server_refuses_ends_it() -> None:
    streams = Streams({A: [(Forbidden("no"),)]})
    with pytest.raises(Forbidden):
        follow(streams, Told([with_pods("a")]))[1]()


def test_a_container_that_has_not_started_is_waited_for() -> None:
    young = snapshot(pods_now=[pod("a", waiting="ContainerCreating")])
    lines, run = follow(Streams({A: [(log(1),)]}), Told([*ticks(young, 3), with_pods("a"), aborted()]))
    run()
    assert [x.text for x in lines] == ["line 1"]


def test_before_the_first_pod_it_waits_and_after_an_abort_it_does_not() -> None:
    lines, run = follow(Streams({A: [(log(1),)]}), Told([gone(), with_pods("a"), aborted()]))
    run()
    assert len(lines) == 1
    with pytest.raises(NotFound, match="it was aborted"):
        follow(Streams({}), Told([aborted()]))[1]()


def test_one_pod_alone_is_followed_to_its_own_end() -> None:
    streams = Streams({B: [(log(1),)]})
    lines, run = follow(streams, Told([with_pods("a", "b"), with_pods("a")]), Wanted(pod="b"))
    assert run() == "the pod is gone"
    assert [x.pod for x in lines] == [B]


def test_only_lines_that_match_are_shown() -> None:
    wanted = Wanted(grep=re.compile("2$"))
    lines, run = follow(Streams({A: [(log(1, 2),)]}), Told([with_pods("a"), aborted()]), wanted)
    run()
    assert [x.text for x in lines] == ["line 2"]


def test_ctrl_c_says_that_the_rollout_goes_on_and_closes_the_streams() -> None:
    streams = Streams({A: [(log(1),)]})
    with pytest.raises(Interrupted, match="the rollout continues"):
        follow(streams, Told([with_pods("a")]))[1]()
    assert all(body.closed for body in streams.bodies[-1:])


def test_a_rollout_that_is_gone_ends_it() -> None:
    feed = Told([with_pods("a"), NotFound("Rollout `companyos-api` not found")])
    with pytest.raises(NotFound):
        follow(Streams({A: []}), feed)[1]()


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_lines_do_not_depend_on_how_they_are_cut(size: int) -> None:
    data = log(1, 2) + "2026-03-02T12:00:03Z grüß\r\n".encode() + b"2026-03-02T12:00:04Z \xff end"
    parts = tuple(data[i : i + size] for i in range(0, len(data), size))
    assert [text for _, text in lines_of(Body(parts))] == ["line 1", "line 2", "grüß", "\ufffd end"]
