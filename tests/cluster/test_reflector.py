"""The reflector with no I/O: every fault that a watch can have, and laws over random ones."""

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companyos_canary.cluster.kinds import POD, Selection
from companyos_canary.cluster.reflector import SILENCE, Answered, Chunk, Due, Ended, Input, Pushed, Reflector, Tick
from companyos_canary.errors import CrdMissing, Forbidden, Unauthenticated, Unreachable
from companyos_canary.model.http import Request, Response
from tests.cluster.fake_api import FakeApi, failure, line, status

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BROKEN = Ended(Unreachable("the connection broke"))


class Play:
    """A reflector, a clock and a server; remembers what was asked and told."""

    def __init__(self) -> None:
        self.api = FakeApi()
        self.now = START
        self.reflector = Reflector(Selection(POD, "n", "app=a"), lambda: 0.5)
        self.asked: list[Request] = []
        self.told: list[Pushed] = []
        self.last = Due()

    def give(self, what: Input) -> Due:
        self.last = self.reflector.step(what, self.now)
        self.told += self.last.events
        if self.last.request:
            self.asked.append(self.last.request)
        return self.last

    def wait(self) -> Due:
        """Jumps to where it needs to be woken."""
        assert self.last.wake_at
        self.pause = self.last.wake_at - self.now
        self.now = self.last.wake_at
        return self.give(Tick())

    def opened(self) -> "Play":
        self.give(Tick())
        self.give(Answered(self.api.list()))
        self.give(Answered(Response(200)))
        return self

    def news(self) -> bytes:
        return self.api.since(int(self.reflector.version))

    @property
    def told_names(self) -> list[tuple[str, str]]:
        return [(e.type, e.object["metadata"]["name"]) for e in self.told]


def resumes_from(step: Due) -> str:
    assert step.request
    assert step.request.parameter("watch") == "true"
    return step.request.parameter("resourceVersion")


def test_it_lists_and_then_watches_from_there() -> None:
    play = Play()
    play.api.put("a")
    assert play.give(Tick()).request == Request("GET", "/api/v1/namespaces/n/pods", (("labelSelector", "app=a"),))
    assert not play.reflector.synced
    step = play.give(Answered(play.api.list()))
    assert play.reflector.synced
    assert step.request
    assert dict(step.request.query) == {
        "labelSelector": "app=a",
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": "11",
        "timeoutSeconds": "360",
    }
    assert step.request.timeout == 90
    assert play.give(Answered(Response(200))).reading
    assert play.told_names == [("ADDED", "a")]


def test_watches_last_four_to_eight_minutes() -> None:
    for chance, seconds in ((0.0, "240"), (0.999, "479")):
        reflector = Reflector(Selection(POD, "n"), lambda chance=chance: chance)
        reflector.step(Tick(), START)
        step = reflector.step(Answered(FakeApi().list()), START)
        assert step.request
        assert step.request.parameter("timeoutSeconds") == seconds


def test_events_are_told_once_and_kept() -> None:
    play = Play().opened()
    play.api.put("a")
    play.api.put("a", n=1)
    play.api.put("b")
    play.api.delete("b")
    play.give(Chunk(play.news()))
    assert play.told_names == [("ADDED", "a"), ("MODIFIED", "a"), ("ADDED", "b"), ("DELETED", "b")]
    assert list(play.reflector.objects.values()) == list(play.api.objects.values())


def test_lines_may_come_in_pieces() -> None:
    play = Play().opened()
    play.api.put("ä")
    for byte in play.news():
        assert play.give(Chunk(bytes([byte]))).reading
    assert play.told_names == [("ADDED", "ä")]


def test_a_clean_end_resumes_at_once_from_the_newest_event() -> None:
    play = Play().opened()
    play.api.put("a")
    play.give(Chunk(play.news()))
    assert resumes_from(play.give(Ended())) == "11"
    assert play.reflector.stale_since is None


def test_half_a_line_and_a_reset_resume_without_the_half() -> None:
    play = Play().opened()
    play.api.put("a")
    play.give(Chunk(play.news()))
    play.api.put("b")
    play.give(Chunk(play.news()[:20]))
    play.now += timedelta(seconds=1)
    assert play.give(BROKEN).request is None
    assert play.reflector.stale_since == START
    assert resumes_from(play.wait()) == "11"
    play.give(Answered(Response(200)))
    assert play.reflector.stale_since is None
    play.give(Chunk(play.news()))
    assert play.told_names == [("ADDED", "a"), ("ADDED", "b")]


@pytest.mark.parametrize("as_event", [True, False])
def test_410_lists_again_and_tells_the_difference(as_event: bool) -> None:
    play = Play()
    for name in "abc":
        play.api.put(name)
    play.opened()
    play.give(Ended())
    play.wait()
    play.api.delete("a")
    play.api.put("b", n=1)
    play.api.put("d")
    play.told.clear()
    if as_event:
        play.give(Answered(Response(200)))
        step = play.give(Chunk(line("ERROR", status(410, "Expired"))))
    else:
        step = play.give(Answered(failure(410, "Expired")))
    if step.request is None:
        step = play.wait()
    assert step.request
    assert step.request.parameter("watch") == ""
    play.give(Answered(play.api.list()))
    assert play.told_names == [("DELETED", "a"), ("MODIFIED", "b"), ("ADDED", "d")]
    assert {o["metadata"]["name"] for o in play.reflector.objects.values()} == {"b", "c", "d"}


def test_410_twice_lists_at_once_and_then_waits() -> None:
    play = Play().opened()
    assert play.give(Chunk(line("ERROR", status(410)))).request
    play.give(Answered(play.api.list()))
    play.give(Answered(Response(200)))
    assert play.give(Chunk(line("ERROR", status(410)))).request is None
    assert play.wait().request
    assert play.pause > timedelta(seconds=0.2)


def test_an_object_that_was_made_anew_under_its_name_is_deleted_and_added() -> None:
    play = Play()
    play.api.put("a")
    play.opened()
    play.api.delete("a")
    play.api.put("a")
    play.give(Chunk(line("ERROR", status(410))))
    play.told.clear()
    play.give(Answered(play.api.list()))
    assert play.told_names == [("DELETED", "a"), ("ADDED", "a")]


def test_500_is_tried_again_ever_more_slowly() -> None:
    play = Play().opened()
    play.give(Ended())
    pauses = []
    for _ in range(12):
        play.wait()
        pauses.append(play.pause.total_seconds())
        play.give(Answered(failure(500)))
    assert pauses[:4] == [0.1875, 0.375, 0.75, 1.5]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 22.5
    assert play.reflector.stale_since == START
    assert play.reflector.stopped is None


def test_retry_after_is_honoured() -> None:
    play = Play().opened()
    play.give(Ended())
    play.wait()
    play.give(Answered(failure(429, **{"Retry-After": "7"})))
    play.wait()
    assert play.pause == timedelta(seconds=7)
    play.give(Answered(failure(429, **{"Retry-After": "86400"})))
    play.wait()
    assert play.pause == timedelta(seconds=300)


def test_retry_after_in_an_error_event_is_honoured() -> None:
    play = Play().opened()
    busy = {**status(429, "TooManyRequests"), "details": {"retryAfterSeconds": 3}}
    play.give(Chunk(line("ERROR", busy)))
    play.wait()
    assert play.pause == timedelta(seconds=3)


def test_a_bookmark_moves_the_version_and_nothing_else() -> None:
    play = Play().opened()
    play.api.version = 20
    assert play.give(Chunk(play.api.bookmark())).events == ()
    assert resumes_from(play.give(Ended())) == "20"


def test_silence_is_left_and_resumed() -> None:
    play = Play().opened()
    play.now += timedelta(seconds=60)
    step = play.give(Chunk(play.api.bookmark()))
    assert step.wake_at == play.now + SILENCE
    assert play.give(Tick()).request is None
    assert resumes_from(play.wait()) == "10"
    assert play.reflector.stale_since is None


def test_a_read_that_timed_out_is_silence_too_and_stale_since_the_last_word() -> None:
    play = Play().opened()
    play.now += SILENCE
    assert resumes_from(play.give(BROKEN)) == "10"
    play.now += timedelta(seconds=10)
    play.give(BROKEN)
    assert play.reflector.stale_since == START


def test_garbage_in_the_stream_is_a_broken_connection() -> None:
    for garbage in (
        b"<html>\n",
        b'{"type": "ERROR", "object": "x"}\n',
        b"[]\n",
        b'{"type": "ADDED"}\n',
        b'{"type":"ADDED","object":{}}\n',
    ):
        play = Play().opened()
        step = play.give(Chunk(garbage))
        assert not step.reading
        assert step.wake_at
        assert resumes_from(play.wait()) == "10"


def test_what_comes_after_an_error_in_the_same_piece_is_not_read() -> None:
    play = Play().opened()
    play.api.put("a")
    play.give(Chunk(line("ERROR", status(410)) + play.news()))
    assert play.told == []


@pytest.mark.parametrize(("code", "family"), [(401, Unauthenticated), (403, Forbidden), (404, CrdMissing)])
def test_what_is_refused_three_times_stops_with_the_reason(code: int, family: type) -> None:
    play = Play()
    play.give(Tick())
    for _ in range(2):
        play.give(Answered(failure(code)))
        assert play.reflector.stopped is None
        play.wait()
    step = play.give(Answered(failure(code)))
    assert step == Due()
    assert isinstance(play.reflector.stopped, family)
    assert play.reflector.stale_since == START
    assert play.give(Tick()) == Due()


def test_credentials_that_cannot_be_had_stop_it_too() -> None:
    play = Play()
    play.give(Tick())
    for _ in range(2):
        play.give(Ended(Unauthenticated("the plugin failed")))
        play.wait()
    assert play.give(Ended(Unauthenticated("the plugin failed"))) == Due()
    assert isinstance(play.reflector.stopped, Unauthenticated)


def test_a_watch_that_is_forbidden_while_lists_are_not_stops_and_names_the_watch() -> None:
    play = Play()
    play.give(Tick())
    while play.reflector.stopped is None:
        request = play.asked[-1]
        watch = request.parameter("watch")
        play.give(Answered(failure(403) if watch else play.api.list()))
        if play.last.wake_at:
            play.wait()
    assert "`watch` `pods`" in play.reflector.stopped.message
    assert len(play.asked) <= 6


def test_a_server_that_refuses_everybody_while_it_restarts_is_given_half_a_minute() -> None:
    play = Play().opened()
    play.give(BROKEN)
    while play.reflector.stopped is None:
        play.wait()
        play.give(Answered(failure(403)))
    assert timedelta(seconds=20) < play.now - START < timedelta(seconds=60)
    assert play.reflector.stale_since == START


def test_a_refusal_long_ago_is_forgotten() -> None:
    play = Play().opened()
    for _ in range(5):
        play.give(BROKEN)
        play.wait()
        play.give(Answered(failure(401)))
        play.wait()
        play.give(Answered(Response(200)))
        play.api.put("a")
        play.give(Chunk(play.news()))
    assert play.reflector.stopped is None


def test_after_three_failures_it_lists_again() -> None:
    play = Play().opened()
    play.give(BROKEN)
    for _ in range(2):
        play.wait()
        assert play.asked[-1].parameter("watch")
        play.give(Answered(failure(504)))
    assert play.wait().request
    assert play.asked[-1].parameter("watch") == ""


def test_what_a_server_repeats_is_told_once() -> None:
    play = Play().opened()
    play.api.put("a")
    play.api.put("a", n=1)
    for _ in range(3):
        play.give(Chunk(play.api.since(0)))
    assert play.told_names == [("ADDED", "a"), ("MODIFIED", "a")]
    assert play.reflector.version == "12"


@given(changes=st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=1, max_size=12), data=st.data())
def test_in_whatever_order_events_come_and_how_often_the_end_is_the_servers_state(
    changes: list[tuple[str, bool]], data: st.DataObject
) -> None:
    """As something in between may change it; a real API server never does."""
    play = Play()
    play.api.put("a")
    play.opened()
    for name, deleted in changes:
        play.api.delete(name) if deleted else play.api.put(name)
    lines = play.news().splitlines(keepends=True)
    again = data.draw(st.lists(st.sampled_from(lines))) if lines else []
    for one in data.draw(st.permutations([*lines, *again])):
        play.give(Chunk(one))
    held = {o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in play.reflector.objects.values()}
    assert held == {name: o["metadata"]["resourceVersion"] for name, o in play.api.objects.items()}
    assert play.reflector.version == str(play.api.version)
    told = [(e.type, e.object["metadata"]["uid"], e.object["metadata"]["resourceVersion"]) for e in play.told]
    assert len(told) == len(set(told))


def test_a_list_that_is_none_is_tried_again() -> None:
    for body in (b"<html>", b"{}", b'{"metadata": {"resourceVersion": "1"}, "items": [1]}'):
        play = Play()
        play.give(Tick())
        assert play.give(Answered(Response(200, {}, body))).wake_at
        assert not play.reflector.synced


def always(answer: Callable[[FakeApi], Response]) -> Callable[[FakeApi, Request], list[Input]]:
    return lambda api, request: [Answered(answer(api))]


def lists_but(*inputs: Input) -> Callable[[FakeApi, Request], list[Input]]:
    def play(api: FakeApi, request: Request) -> list[Input]:
        return list(inputs) if request.parameter("watch") else [Answered(api.list())]

    return play


@pytest.mark.parametrize(
    "server",
    [
        always(lambda api: failure(500)),
        always(lambda api: failure(410)),
        lists_but(Answered(failure(500))),
        lists_but(Answered(failure(410))),
        lists_but(Answered(failure(400))),
        lists_but(Answered(Response(200)), Ended()),
        lists_but(Answered(Response(200)), BROKEN),
        lists_but(BROKEN),
        lists_but(Answered(Response(200)), Chunk(b"garbage\n")),
        lists_but(Answered(Response(200)), Chunk(line("ERROR", status(410)))),
        lists_but(
            Answered(Response(200)),
            Chunk(line("ADDED", {"metadata": {"name": "a", "resourceVersion": "3"}})),
            Chunk(line("BOOKMARK", {"metadata": {"resourceVersion": "4"}})),
            Ended(),
        ),
    ],
)
def test_no_server_can_make_it_spin(server: Callable[[FakeApi, Request], list[Input]]) -> None:
    play = Play()
    play.give(Tick())
    while play.now < START + timedelta(minutes=10):
        request = play.last.request
        if request:
            for what in server(play.api, request):
                play.give(what)
        elif play.last.wake_at:
            play.wait()
        else:
            break
        assert len(play.asked) < 80


FAULTS = (
    "clean end",
    "half line",
    "reset",
    "410 event",
    "410 http",
    "500",
    "429",
    "bookmark",
    "silence",
    "garbage",
    "504 event",
    "no answer",
)
CHANGES = st.tuples(st.sampled_from(["put", "put", "delete"]), st.sampled_from("abcd"))
SCHEDULE = st.lists(st.one_of(CHANGES, st.sampled_from(FAULTS)), max_size=40)


class Faulty(Play):
    """Plays a schedule of changes and faults against an honest log."""

    numbers = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.lists: list[tuple[int, int]] = []  # version, and how much was reported by then

    def change(self, what: tuple[str, str]) -> None:
        if what[0] == "put":
            self.api.put(what[1], n=next(self.numbers))
        else:
            self.api.delete(what[1])

    def until_reading(self) -> None:
        """Answers honestly until a watch is open."""
        for _ in range(10):
            if self.last.reading:
                return
            if not self.last.request:
                self.wait()
            elif not self.last.request.parameter("watch"):
                self.give(Answered(self.api.list()))
                self.lists.append((self.api.version, len(self.told)))
            elif int(self.last.request.parameter("resourceVersion")) < self.api.compacted:
                self.give(Answered(failure(410)))
            else:
                self.give(Answered(Response(200)))
        raise AssertionError("no watch")

    def fault(self, name: str) -> None:
        http: dict[str, Any] = {
            "410 http": failure(410),
            "500": failure(500),
            "429": failure(429, **{"Retry-After": "2"}),
        }
        if name in http or name == "no answer":
            self.until_reading()
            self.give(Ended())
            if not self.last.request:
                self.wait()
            self.give(Answered(http[name]) if name in http else BROKEN)
            return
        self.until_reading()
        pieces: dict[str, list[Input]] = {
            "clean end": [Chunk(self.news()), Ended()],
            "half line": [Chunk(self.news()[:-7]), BROKEN],
            "reset": [BROKEN],
            "410 event": [Chunk(line("ERROR", status(410)))],
            "bookmark": [Chunk(self.news()), Chunk(self.api.bookmark()), Ended()],
            "garbage": [Chunk(self.news() + b"garbage\n")],
            "504 event": [Chunk(line("ERROR", status(504, "Timeout")))],
            "silence": [],
        }
        for piece in pieces[name]:
            self.give(piece)
        if name == "silence":
            self.wait()


@settings(deadline=None)
@given(SCHEDULE, st.data())
def test_whatever_fails_the_end_is_the_servers_state_and_nothing_is_told_twice(
    schedule: list[Any], data: st.DataObject
) -> None:
    play = Faulty()
    play.api.put("a")
    play.give(Tick())
    for entry in schedule:
        if isinstance(entry, tuple):
            play.change(entry)
            if play.last.reading and data.draw(st.booleans(), "send at once"):
                play.give(Chunk(play.news()))
        else:
            play.fault(entry)
    play.until_reading()
    play.give(Chunk(play.news()))

    held = {o["metadata"]["uid"]: o for o in play.reflector.objects.values()}
    assert held == {o["metadata"]["uid"]: o for o in play.api.objects.values()}
    assert replayed(play.told) == held
    assert len(play.asked) <= 3 * len(schedule) + 2
    if len(play.lists) == 1:
        version, told = play.lists[0]
        log = [(kind, obj) for v, kind, obj in play.api.log if v > version]
        assert [(e.type, e.object) for e in play.told[told:]] == log


def replayed(events: list[Pushed]) -> dict[str, Any]:
    """The state that the events add up to; each must fit to the ones before."""
    state: dict[str, Any] = {}
    for event in events:
        uid = event.object["metadata"]["uid"]
        assert (uid in state) == (event.type != "ADDED"), json.dumps(event.object)
        if event.type == "DELETED":
            del state[uid]
        else:
            assert state.get(uid) != event.object
            state[uid] = event.object
    return state


def test_why_the_connection_is_lost_is_known_until_it_is_back() -> None:
    play = Play().opened()
    play.give(BROKEN)
    assert play.reflector.trouble is BROKEN.error
    play.wait()
    play.give(Answered(failure(401)))
    assert isinstance(play.reflector.trouble, Unauthenticated)
    play.wait()
    play.give(Answered(Response(200)))
    assert play.reflector.trouble is None
