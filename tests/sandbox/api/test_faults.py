"""Faults in front of a handle, without a socket."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.errors import UsageError
from companyos_canary.sandbox.faults.effects import (
    Answer,
    Cut,
    Drop,
    Dropped,
    Expire,
    Fault,
    Freeze,
    Html,
    Lose,
    Race,
    Silence,
    Silent,
    Slow,
    Truncate,
    parse_fault,
    rule_text,
)
from companyos_canary.sandbox.faults.injection import Faulty
from tests.sandbox.api.client import ROLLOUTS, Client, connect, rollout


def faulty(*faults: Fault, **options: Any) -> Client:
    client = connect()
    client.post(ROLLOUTS, rollout())
    client.handle = Faulty(client.handle, *faults, **options)
    return client


@pytest.mark.parametrize(
    ("code", "reason", "message"),
    [
        (401, "Unauthorized", "Unauthorized"),
        (
            403,
            "Forbidden",
            'rollouts.argoproj.io "demo" is forbidden: User "sandbox" cannot get resource '
            '"rollouts" in API group "argoproj.io" in the namespace "default"',
        ),
        (
            409,
            "Conflict",
            'Operation cannot be fulfilled on rollouts.argoproj.io "demo": the object has been '
            "modified; please apply your changes to the latest version and try again",
        ),
        (410, "Expired", "The resourceVersion for the provided watch is too old."),
        (422, "Invalid", "the server rejected our request due to an error in our request"),
        (500, "InternalError", "Internal error occurred: the sandbox was told to fail"),
        (503, "ServiceUnavailable", "the server is currently unable to handle the request"),
    ],
)
def test_an_answer_takes_the_place_of_the_real_one(code: int, reason: str, message: str) -> None:
    answer = faulty(Fault(Answer(code))).send("GET", f"{ROLLOUTS}/demo")
    body = answer.json()
    assert (answer.status, body["code"], body["reason"]) == (code, code, reason)
    assert body["message"] == message


def test_too_many_requests_say_when_to_come_back() -> None:
    answer = faulty(Fault(Answer(429, retry_after=3))).send("GET", ROLLOUTS)
    assert (answer.status, answer.header("Retry-After")) == (429, "3")
    assert answer.json()["details"] == {"retryAfterSeconds": 3}


def test_a_fault_happens_as_often_as_it_says() -> None:
    client = faulty(Fault(Answer(500), times=2, after=1))
    assert [client.send("GET", ROLLOUTS).status for _ in range(5)] == [200, 500, 500, 200, 200]


def test_a_fault_meets_only_the_requests_that_it_describes() -> None:
    client = faulty(Fault(Answer(403), verb="watch"), Fault(Answer(409), method="PATCH", path=r"/status$"))
    assert client.send("GET", ROLLOUTS).status == 200
    assert client.send("GET", ROLLOUTS, watch="1").status == 403
    assert client.patch(f"{ROLLOUTS}/demo", {}).status == 200
    assert client.patch(f"{ROLLOUTS}/demo/status", {}).status == 409
    assert client.send("GET", "/api/v1/nosuch").status == 404


def test_faults_come_and_go() -> None:
    client = faulty()
    assert isinstance(client.handle, Faulty)
    client.handle.add(Fault(Drop()))
    with pytest.raises(Dropped):
        client.send("GET", ROLLOUTS)
    client.handle.clear()
    assert client.send("GET", ROLLOUTS).status == 200


def test_a_cut_answer_is_a_reset_with_a_part_of_it() -> None:
    with pytest.raises(Dropped) as raised:
        faulty(Fault(Cut(10))).send("GET", ROLLOUTS)
    assert raised.value.partial is not None
    assert raised.value.length == 10


def test_a_cut_stream_ends_in_the_middle_of_a_line() -> None:
    client = faulty(Fault(Cut(25), verb="watch"))
    lines = iter(client.send("GET", ROLLOUTS, watch="1").stream or ())
    assert next(lines) == b'{"type":"ADDED","object":'
    with pytest.raises(ConnectionResetError):
        next(lines)


def test_silence_is_a_time_out() -> None:
    with pytest.raises(Silent):
        faulty(Fault(Silence())).send("GET", ROLLOUTS)


def test_a_stream_falls_silent_until_it_is_closed() -> None:
    client = faulty(Fault(Silence(lines=1), verb="watch"))
    stream = client.send("GET", ROLLOUTS, watch="1").stream
    assert stream is not None
    lines = iter(stream)
    assert b"ADDED" in next(lines)
    client.patch(f"{ROLLOUTS}/demo", {"spec": {"replicas": 9}})
    stream.close()
    assert list(lines) == []


def test_a_watch_is_told_that_its_version_is_gone() -> None:
    client = faulty(Fault(Expire(), verb="watch", times=1))
    events = list(client.watch(ROLLOUTS, resourceVersion="1"))
    assert [(e["type"], e["object"]["code"]) for e in events] == [("ERROR", 410)]


def test_a_slow_answer_is_the_real_one() -> None:
    slept: list[float] = []
    client = faulty(Fault(Slow(2.5)), sleep=slept.append)
    assert client.send("GET", ROLLOUTS).status == 200
    assert slept == [2.5]


def test_a_page_of_a_proxy_is_no_object() -> None:
    answer = faulty(Fault(Html())).send("GET", ROLLOUTS)
    assert (answer.status, answer.header("Content-Type")) == (200, "text/html; charset=utf-8")
    assert answer.body.startswith(b"<!DOCTYPE html>")
    assert faulty(Fault(Html(502))).send("GET", ROLLOUTS).status == 502


def test_half_a_body_ends_in_good_order() -> None:
    whole = faulty().send("GET", f"{ROLLOUTS}/demo")
    half = faulty(Fault(Truncate(50))).send("GET", f"{ROLLOUTS}/demo")
    assert (half.status, half.body) == (200, whole.body[:50])
    client = faulty(Fault(Truncate(25), verb="watch"))
    stream = client.send("GET", ROLLOUTS, watch="1").stream
    assert list(stream or ()) == [b'{"type":"ADDED","object":']


def test_a_stream_that_is_short_enough_is_not_cut() -> None:
    client = faulty(Fault(Cut(100_000), verb="watch"))
    stream = client.send("GET", ROLLOUTS, watch="1", timeoutSeconds="1").stream
    assert stream is not None
    lines = iter(stream)
    assert b"ADDED" in next(lines)
    client.clock.tick(1)
    stream.close()
    assert list(lines) == []


def test_a_change_that_is_lost_looks_made() -> None:
    client = faulty(Fault(Lose(), path="/status$", times=1))
    before = client.get(f"{ROLLOUTS}/demo")
    for made in (False, True):
        answer = client.patch(f"{ROLLOUTS}/demo/status", {"status": {"abort": True}})
        assert (answer.status, answer.json()["status"]["abort"]) == (200, True)
        assert (client.get(f"{ROLLOUTS}/demo") != before) is made


def test_creations_and_deletions_are_lost_too_but_reads_and_dry_runs_are_no_changes() -> None:
    client = faulty(Fault(Lose(), times=2))
    assert client.get(f"{ROLLOUTS}/demo")["metadata"]["name"] == "demo"
    assert client.delete(f"{ROLLOUTS}/demo", dryRun="All").status == 200
    assert client.post(ROLLOUTS, rollout("other")).status == 201
    assert client.delete(f"{ROLLOUTS}/demo").status == 200
    assert [item["metadata"]["name"] for item in client.get(ROLLOUTS)["items"]] == ["demo"]


def test_a_race_is_lost_by_those_who_pin_the_version() -> None:
    client = faulty(Fault(Race()))
    seen = client.get(f"{ROLLOUTS}/demo")
    refused = client.put(f"{ROLLOUTS}/demo", {**seen, "spec": {**seen["spec"], "replicas": 4}})
    assert (refused.status, refused.json()["reason"]) == (409, "Conflict")
    patched = client.patch(f"{ROLLOUTS}/demo/status", {"status": {"abort": True}})
    assert patched.status == 200
    assert patched.json()["metadata"]["annotations"] == {"sandbox/race": "2"}


def test_in_a_storm_everybody_loses_for_a_while() -> None:
    client = faulty(Fault(Race(refuse=True), times=3))
    before = client.get(f"{ROLLOUTS}/demo")["metadata"]["resourceVersion"]
    answers = [client.patch(f"{ROLLOUTS}/demo", {"spec": {"replicas": 9}}) for _ in range(4)]
    assert [answer.status for answer in answers] == [409, 409, 409, 200]
    after = answers[-1].json()["metadata"]
    assert int(after["resourceVersion"]) == int(before) + 4
    assert after["annotations"] == {"sandbox/race": "3"}
    assert client.post(ROLLOUTS, rollout("other")).status == 201


def test_the_rules_tell_how_often_they_were_met() -> None:
    client = faulty(Fault(Answer(500), verb="list", times=1, after=1), Fault(Drop(), method="PUT"))
    assert isinstance(client.handle, Faulty)
    for _ in range(4):
        client.send("GET", ROLLOUTS)
    assert [met for _, met in client.handle.rules()] == [1, 0]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("drop", Fault(Drop())),
        ("PATCH 409 x2", Fault(Answer(409), method="PATCH", times=2)),
        ("watch /rollouts cut=120", Fault(Cut(120), verb="watch", path="/rollouts")),
        ("429=3 after=5", Fault(Answer(429, retry_after=3), after=5)),
        ("slow=1m30s", Fault(Slow(90))),
        ("list silence", Fault(Silence(), verb="list")),
        ("watch silence=2", Fault(Silence(2), verb="watch")),
        ("watch expire x1", Fault(Expire(), verb="watch", times=1)),
        ("html", Fault(Html())),
        ("GET html=502", Fault(Html(502), method="GET")),
        ("truncate", Fault(Truncate())),
        ("PATCH /status$ lose", Fault(Lose(), method="PATCH", path="/status$")),
        ("race", Fault(Race())),
        ("storm x9", Fault(Race(refuse=True), times=9)),
        ("freeze", Freeze()),
        ("freeze=1m", Freeze(60)),
    ],
)
def test_a_fault_can_be_written(text: str, fault: Fault | Freeze) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "`` names no fault"),
        ("PATCH", "`PATCH` names no fault"),
        ("999", "`999` names no fault"),
        ("slow=soon", "`slow=soon` is no duration"),
        ("slow", "`slow` is no duration"),
        ("wtach drop", "`wtach` names no fault; did you mean `watch`"),
        ("silense", "did you mean `silence`"),
        ("429=soon", "`429=soon` names no fault"),
        ("cut=", "`cut=` names no fault"),
        ("drop=3", "`drop=3` names no fault"),
        ("drop cut", "`drop cut` names two"),
        ("/[ drop", "`/[` is no regular expression"),
        ("PATCH freeze", "`freeze` takes nothing else"),
        ("freeze=-1s", "`freeze=-1s` is no duration"),
    ],
)
def test_what_is_no_fault_is_a_usage_error(text: str, told: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_fault(text)
    assert told in raised.value.message
    assert raised.value.hint


counts = st.integers(0, 10_000)
effects = st.one_of(
    st.builds(Answer, st.sampled_from([401, 409, 429, 503]), retry_after=st.none() | counts),
    st.builds(Html, st.sampled_from([200, 502])),
    st.builds(Cut, counts),
    st.builds(Truncate, counts),
    st.builds(Silence, st.none() | counts),
    st.builds(Slow, counts.map(lambda n: n / 8)),
    st.sampled_from([Drop(), Expire(), Lose(), Race(), Race(refuse=True)]),
)


@given(
    st.builds(
        Fault,
        effects,
        st.sampled_from(["", "GET", "PATCH"]),
        st.sampled_from(["", "watch"]),
        st.sampled_from(["", "/pods", "/rollouts/[^/]*$"]),
        st.none() | counts,
        counts,
    )
)
def test_what_is_written_is_read_again(fault: Fault) -> None:
    assert parse_fault(rule_text(fault)) == fault
