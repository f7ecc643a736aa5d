"""The faults of a watch over a real socket, and what polling does instead of it."""

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from companyos_canary.cluster.kinds import ROLLOUT, rollout_named
from companyos_canary.cluster.reflector import Pushed, Reflector
from companyos_canary.cluster.sources import Poller, Watcher
from companyos_canary.cluster.transport import KubernetesTransport
from companyos_canary.errors import CanaryError, Forbidden, Unreachable
from companyos_canary.model.http import Request, Response
from companyos_canary.network.connections import Connections
from tests.cluster.fake_api import failure, line, status
from tests.cluster.wire import Play, Wire, answer, serving

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class Clock:
    """Jumps when it is told to wait, unless it is told to block."""

    def __init__(self) -> None:
        self.now = START
        self.pauses: list[float] = []

    def pause(self, closed: threading.Event, seconds: float) -> None:
        self.pauses.append(round(seconds, 4))
        self.now += timedelta(seconds=seconds)


def item(version: int, name: str = "api", **more: Any) -> dict[str, Any]:
    meta = {"name": name, "uid": f"u-{name}", "resourceVersion": str(version)}
    return {"metadata": meta, **more}


READ = threading.Event()


def listing(version: int, *items: dict[str, Any]) -> Play:
    return answer(200, {"metadata": {"resourceVersion": str(version)}, "items": list(items)})


def watch(*pieces: bytes, end: str = "clean") -> Play:
    def play(wire: Wire) -> None:
        wire.head(200, Transfer_Encoding="chunked")
        for piece in pieces:
            wire.chunk(piece)
        if end == "clean":
            wire.end()
        elif end == "reset":
            READ.wait(5)  # what the client has not read yet would go with the connection
            wire.reset()
        else:
            wire.hold()

    return play


class Told(Reflector):
    """A reflector that remembers what it told."""

    def __init__(self) -> None:
        super().__init__(rollout_named("n", "api"), lambda: 0.0)
        self.told: list[Pushed] = []

    def step(self, given: Any, now: datetime) -> Any:
        step = super().step(given, now)
        self.told += step.events
        return step


def test_no_fault_of_the_wire_loses_or_repeats_an_event() -> None:
    gone = line("ERROR", status(410, "Expired"))
    script = (
        listing(9),
        watch(line("ADDED", item(10))),
        watch(line("MODIFIED", item(11, n=1)), line("MODIFIED", item(12, n=2))[:30], end="reset"),
        watch(gone),
        listing(13, item(12, n=2), item(13, "b")),
        watch(gone),
        listing(15, item(14, n=3)),
        answer(500, status(500)),
        answer(429, status(429), Retry_After="7"),
        listing(15, item(14, n=3)),
        watch(line("BOOKMARK", item(20))),
        watch(line("MODIFIED", item(21, n=4)), end="hold"),
    )
    done = threading.Event()
    reflector, clock = Told(), Clock()
    READ.clear()

    def changed() -> None:
        if reflector.version == "11":
            READ.set()
        if reflector.version == "21":
            done.set()

    with serving(*script) as server:
        transport = KubernetesTransport(Connections(server.url), str, timeout=5)
        watcher = Watcher(transport, reflector, changed, now=lambda: clock.now, pause=clock.pause)
        watcher.start()
        assert done.wait(60)
        assert watcher.stale_since is None
        watcher.close()
        watcher.join(60)
        asked = [parse_qs(urlsplit(s).query) for s in server.seen]
        transport.close()

    assert [(e.type, e.object["metadata"]["name"], e.object.get("n")) for e in reflector.told] == [
        ("ADDED", "api", None),
        ("MODIFIED", "api", 1),
        ("MODIFIED", "api", 2),
        ("ADDED", "b", None),  # the list after the first 410
        ("DELETED", "b", None),
        ("MODIFIED", "api", 3),  # the list after the second
        ("MODIFIED", "api", 4),
    ]
    assert [q.get("resourceVersion", ["list"])[0] for q in asked] == [
        "list",
        "9",
        "10",
        "11",
        "list",
        "13",
        "list",
        "15",
        "list",
        "list",
        "15",
        "20",
    ]
    assert all(q["fieldSelector"] == ["metadata.name=api"] for q in asked)
    assert clock.pauses == [0.125, 0.25, 0.5, 1.0, 7.0]


def test_closing_ends_a_silent_watch_at_once() -> None:
    ready = threading.Event()
    reflector = Told()
    with serving(listing(9), watch(line("ADDED", item(10)), end="hold")) as server:
        transport = KubernetesTransport(Connections(server.url), str, timeout=5)

        def changed() -> None:
            if reflector.objects:
                ready.set()

        watcher = Watcher(transport, reflector, changed, now=lambda: START)
        watcher.start()
        assert ready.wait(60)
        watcher.close()
        watcher.join(60)
        assert not watcher._thread.is_alive()
        transport.close()


class Scripted:
    """A Transport that gives these answers in order, and then ends the thread's loop."""

    def __init__(self, *answers: Response | CanaryError, then: threading.Event) -> None:
        self.answers = list(answers)
        self.then = then
        self.asked: list[Request] = []

    def send(self, request: Request) -> Response:
        self.asked.append(request)
        if len(self.answers) == 1:
            self.then.set()
        given = self.answers.pop(0)
        if isinstance(given, CanaryError):
            raise given
        return given

    stream = send

    def close(self) -> None:
        pass


def polled(*answers: Response | CanaryError) -> tuple[Poller, Clock, list[Any]]:
    """A poller that ran until the answers were used up; what it said after each."""
    over, clock, said = threading.Event(), Clock(), []
    transport = Scripted(*answers, then=over)

    def pause(closed: threading.Event, seconds: float) -> None:
        clock.pause(closed, seconds)
        if over.is_set():
            closed.set()

    def changed() -> None:
        said.append((poller.synced, bool(poller.objects()), poller.stale_since))

    poller = Poller(transport, rollout_named("n", "api"), "api", changed, now=lambda: clock.now, pause=pause)
    poller.start()
    poller.join(60)
    assert transport.asked[0] == Request("GET", "/apis/argoproj.io/v1alpha1/namespaces/n/rollouts/api")
    return poller, clock, said


def good() -> Response:
    return Response(200, {}, json.dumps(item(1)).encode())


def test_a_poll_says_what_is_there_and_since_when_it_does_not_know() -> None:
    _, clock, said = polled(Unreachable("gone"), good(), failure(500), Unreachable("gone"), good(), failure(404))
    assert clock.pauses == [2.0] * 6
    assert said == [
        (False, False, START),
        (True, True, None),
        (True, True, START + timedelta(seconds=2)),
        (True, True, START + timedelta(seconds=2)),
        (True, True, None),
        (True, False, None),
    ]


def test_a_poll_that_is_forbidden_three_times_stops() -> None:
    poller, _, said = polled(failure(403), failure(403), failure(403))
    assert isinstance(poller.stopped, Forbidden)
    assert len(said) == 3


def test_a_mistake_of_ours_is_told_and_not_taken_for_silence() -> None:
    class Wrong(Reflector):
        def step(self, given: Any, now: datetime) -> Any:
            raise ZeroDivisionError

    watcher = Watcher(
        Scripted(then=threading.Event()), Wrong(rollout_named("n", "api"), lambda: 0.0), lambda: None, now=lambda: START
    )
    watcher.start()
    watcher.join(60)
    assert watcher.stopped
    assert "ZeroDivisionError" in watcher.stopped.message
    assert isinstance(watcher.stopped.__cause__, ZeroDivisionError)
    assert ROLLOUT.plural in watcher._thread.name
