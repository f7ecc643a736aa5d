"""Faults in front of a handle, without a socket."""

from typing import Any

import pytest

from companyos_canary.errors import UsageError
from companyos_canary.sandbox.faults import (
    Answer,
    Cut,
    Drop,
    Dropped,
    Expire,
    Fault,
    Faulty,
    Silence,
    Silent,
    Slow,
    parse_fault,
)
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
    client = faulty(
        Fault(Answer(403), verb="watch"),
        Fault(Answer(409), method="PATCH", path=r"/status$"),
    )
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
    ],
)
def test_a_fault_can_be_written(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize("text", ["", "PATCH", "999", "slow=soon"])
def test_what_is_no_fault_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_fault(text)
    assert raised.value.hint
