"""`canary events`, from argv to exit, in the sandbox."""

import json
import re

import pytest

from companyos_canary.commands.events import MOST, left_out, subjects
from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.faults.effects import Answer, Fault
from companyos_canary.sandbox.kinds import EVENT, ROLLOUT
from tests.builders import pods, snapshot
from tests.commands.conftest import interrupt
from tests.world import Ran, World


def asked(world: World) -> list[str]:
    """The field selectors of the lists of events."""
    return [r.parameter("fieldSelector") for r in world.requests if r.path.endswith("/events")]


def test_all_that_belongs_to_the_rollout_in_the_order_of_time(waiting: World) -> None:
    ran = waiting.canary("events")
    assert (ran.code, ran.err) == (ExitCode.OK, "")
    lines = ran.out.splitlines()
    stamps = [line.split()[0] for line in lines]
    assert stamps == sorted(stamps)
    assert {re.search(r"object=(\w+)/", line)[1] for line in lines} == {"Rollout", "ReplicaSet"}
    assert 'reason=RolloutPaused message="Rollout is paused (CanaryPauseStep)"' in ran.out


def test_every_list_is_about_one_object_and_none_about_the_namespace(waiting: World) -> None:
    waiting.canary("events")
    kinds = [re.fullmatch(r"involvedObject.kind=(\w+),involvedObject.name=\S+", s)[1] for s in asked(waiting)]
    assert sorted(kinds) == ["AnalysisRun"] + ["Pod"] * 10 + ["ReplicaSet"] * 2 + ["Rollout"]


def test_a_large_rollout_costs_a_bounded_number_of_requests() -> None:
    found = snapshot(canary=30, stable=90, replicas=100)
    assert len(subjects(found)) == 122
    assert left_out(found) == 122 - MOST
    first = [name for kind, name in subjects(found) if kind == "Pod"][:30]
    assert set(first) == {p.name for p in pods(30)}


def test_counted_up_events_say_how_often(waiting: World) -> None:
    newest = max(waiting.store.items(EVENT, "companyos"), key=lambda e: e["lastTimestamp"])
    waiting.store.update(EVENT, {**newest, "count": 7, "type": "Warning"})
    out = waiting.canary("events").out
    assert re.search(r"type=Warning object=\S+ reason=\w+ count=7 ", out)
    assert " (x7)" in waiting.canary("events", terminal=True).out


def test_json_has_the_facts(waiting: World) -> None:
    data = waiting.canary("events", "-o", "json").json["data"]
    assert set(data) == {"rollout", "namespace", "context", "events", "notes"}
    assert set(data["events"][0]) == {"at", "type", "reason", "kind", "name", "message", "count"}


@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_following_shows_each_new_one_once_until_ctrl_c(waiting: World) -> None:
    before = len(waiting.canary("events").out.splitlines())
    waiting.canary("promote", "--no-wait")
    interrupt(waiting, after=20)
    ran = waiting.canary("events", "-w")
    assert ran.code == ExitCode.INTERRUPTED
    assert "interrupted: stopped watching; the rollout continues" in ran.err
    lines = ran.out.splitlines()
    assert len(lines) > before
    assert len(set(lines)) == len(lines)
    assert 'message="Rollout step 3/6 completed (setWeight: 25)"' in ran.out
    assert "object=AnalysisRun/" in ran.out


def test_following_asks_only_about_what_changed(waiting: World) -> None:
    interrupt(waiting, after=5)
    waiting.canary("events", "-w")
    about_pods = [s for s in asked(waiting) if "kind=Pod" in s]
    assert len(about_pods) <= 2 * 10


def test_following_as_json_is_an_object_a_line(waiting: World) -> None:
    interrupt(waiting, after=3)
    ran = waiting.canary("events", "-w", "-o", "json")
    first = json.loads(ran.out.splitlines()[0])
    assert (first["event"], first["seq"], first["data"]["kind"]) == ("event", 1, "Rollout")


def test_following_ends_with_the_rollout(waiting: World) -> None:
    def remove() -> None:
        waiting.on_wait.clear()
        waiting.store.delete(ROLLOUT, "companyos", "companyos-api")

    waiting.on_wait.append(remove)
    ran = waiting.canary("events", "-w")
    assert ran.code == ExitCode.NOT_FOUND


def test_none_is_no_line_and_a_note(world: World) -> None:
    for found in world.store.items(EVENT, "companyos"):
        world.store.delete(EVENT, "companyos", found["metadata"]["name"])
    note = "the cluster keeps no events of companyos-api\n"
    assert world.canary("events") == Ran(0, "", note)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("companyos-ap",), ExitCode.NOT_FOUND, "did you mean `companyos-api`?"),
        (("-w", "companyos-ap"), ExitCode.NOT_FOUND, "did you mean `companyos-api`?"),
        (("-o", "yaml"), ExitCode.USAGE, "--output `yaml` is not a format here"),
    ],
)
def test_bad_input_is_a_sentence(world: World, arguments: tuple[str, ...], code: ExitCode, said: str) -> None:
    ran = world.canary("events", *arguments)
    assert ran.code == code
    assert said in ran.err


def test_who_may_not_read_events_is_denied(world: World) -> None:
    world.faults.add(Fault(Answer(403), path="/events"))
    ran = world.canary("events")
    assert ran.code == ExitCode.DENIED
    assert "not permitted to `list` `events`" in ran.err
