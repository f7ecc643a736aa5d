"""`canary get`: the whole picture once. Its drawing is compared in tests/view."""

import copy
import re
from datetime import datetime, timedelta

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.model.image import HASH_LABEL, REVISION
from companyos_canary.sandbox.faults.effects import Answer, Fault
from companyos_canary.sandbox.kinds import ANALYSISRUN, REPLICASET
from tests.commands.conftest import freeze
from tests.world import CONFIG, World


def test_it_ends_with_0_in_every_state(world: World) -> None:
    ran = world.canary("get")
    assert (ran.code, ran.err) == (ExitCode.OK, "")
    top, place, *_ = ran.out.splitlines()
    assert top == "✔ HEALTHY  v1.0.0 has all traffic"
    assert place == "companyos-api · companyos @ sandbox · revision 1"
    assert "    □ 10 running\n" in ran.out
    assert "ship another: canary deploy VERSION" in ran.out


@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_a_pause_shows_steps_and_what_to_type(waiting: World) -> None:
    ran = waiting.canary("get")
    assert ran.code == ExitCode.OK
    for part in (
        "v1.0.0 → v1.1.0",
        "WAITS FOR YOU  v1.0.0 → v1.1.0 at 10 %",
        "waits for a person",
        "1 of 10",
        "error-rate",
        "started 3s ago by ana",
        "canary promote",
    ):
        assert part in ran.out


def test_a_rolled_back_version_is_still_exit_0(rolled_back: World) -> None:
    ran = rolled_back.canary("get")
    assert ran.code == ExitCode.OK
    assert "aborted (no analysis failed)" in ran.out


def test_a_terminal_gets_colours_unless_they_are_unwanted(rolled_back: World) -> None:
    plain = rolled_back.canary("get", terminal=True, environ={"NO_COLOR": "1"}).out
    assert "\x1b[" in rolled_back.canary("get", terminal=True).out
    assert "\x1b[3" not in plain
    assert rolled_back.canary("get", "--no-color", terminal=True).out == plain
    assert "\x1b" not in rolled_back.canary("get").out


def test_json_has_pods_runs_and_metrics_with_their_values(running: World) -> None:
    running.advance(4)
    data = running.canary("get", "-o", "json").json["data"]
    assert len(data["pods"]) == 10
    assert {m["name"] for m in data["metrics"]} >= {"error-rate", "latency-p95"}
    (rate,) = (m for m in data["metrics"] if m["name"] == "error-rate")
    assert 0 <= rate["value"] < rate["limit"] == 0.05
    assert data["runs"][-1]["phase"] == "Running"


def test_parts_that_may_not_be_listed_become_notes(waiting: World) -> None:
    waiting.faults.add(Fault(Answer(403), verb="list", path="/(pods|events)$"))
    ran = waiting.canary("get")
    assert ran.code == ExitCode.OK
    assert "not permitted to `list` `pods`" in ran.out
    assert "not permitted to `list` `events`" in ran.out


def test_denied_missing_and_failed_have_their_codes(world: World) -> None:
    assert world.canary("get", "other").code == ExitCode.NOT_FOUND
    assert world.canary("get", "-o", "png").code == ExitCode.USAGE
    world.faults.add(Fault(Answer(401), times=1), Fault(Answer(500)))
    assert world.canary("get").code == ExitCode.DENIED
    assert world.canary("get").code == ExitCode.FAILED


def test_pods_that_cannot_start_end_it_at_the_time_that_is_said(world: World) -> None:
    world.canary("deploy", "bad1", "--no-wait")
    world.advance(20)
    said = re.search(r"next: rolled back at (\d\d:\d\d:\d\d) if they are not ready", world.canary("get").out)
    assert said
    world.advance(700)
    aborted = world.rollout().aborted_at
    assert aborted
    late = aborted - datetime.strptime(said[1], "%H:%M:%S").replace(
        year=aborted.year, month=aborted.month, day=aborted.day, tzinfo=aborted.tzinfo
    )
    assert timedelta() <= late <= timedelta(seconds=2)


@pytest.mark.parametrize("second", ["6s", "1m"])
@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_how_long_a_later_step_takes_is_not_taken_from_runs_of_other_steps(shipped: World, second: str) -> None:
    """Earlier runs do not say which template they are of: they count only if the steps are the same since."""
    shipped.advance(2)
    if second != "6s":
        later = CONFIG.replace("{weight: 25, analysis: 6s}", "{weight: 25, analysis: 1m}")
        (shipped.folder / "canary.yaml").write_text(later)
        assert shipped.canary("apply").code == ExitCode.OK
    shipped.canary("deploy", "v1.3.0", "--no-wait")
    shipped.advance(1)
    ran = shipped.canary("get", terminal=True)
    assert ran.out.count("then 6s") == (2 if second == "6s" else 1), ran.out
    assert ("left" in ran.out.splitlines()[1]) == (second == "6s")


def with_earlier_revisions(world: World, count: int) -> World:
    """So many ReplicaSets of earlier versions, all scaled down."""
    (live,) = world.store.items(REPLICASET, "companyos")
    for n in range(count):
        hash_ = f"6f9d{n:02}"
        old = copy.deepcopy(live)
        labels = {"app": "companyos-api", HASH_LABEL: hash_}
        old["metadata"] = {
            "name": f"companyos-api-{hash_}",
            "namespace": "companyos",
            "labels": labels,
            "annotations": {REVISION: str(n + 1)},
            "ownerReferences": live["metadata"]["ownerReferences"],
        }
        old["spec"] |= {"replicas": 0, "selector": {"matchLabels": labels}}
        old["spec"]["template"]["metadata"]["labels"] = labels
        old["spec"]["template"]["spec"]["containers"][0]["image"] = f"companyos-api:v0.{n}"
        world.store.create(REPLICASET, {k: v for k, v in old.items() if k != "status"})
    return world


def scaled_down(out: str) -> list[str]:
    return [" ".join(line.split()) for line in out.splitlines() if "scaled down" in line]


def test_of_many_revisions_the_newest_three_are_named(world: World) -> None:
    freeze(world)
    with_earlier_revisions(world, 40)
    assert scaled_down(world.canary("get").out) == [
        "• old v0.39 revision 40 scaled down",
        "• old v0.38 revision 39 scaled down",
        "• old v0.37 revision 38 scaled down",
        "• 37 more revisions, scaled down: canary get --all",
    ]
    assert len(world.canary("get", "-o", "json").json["data"]["replicasets"]) == 41


@pytest.mark.parametrize("command", [("get", "--all"), ("get", "rollout", "companyos-api", "--all")])
def test_all_revisions_are_named_where_they_are_asked_for(world: World, command: tuple[str, ...]) -> None:
    freeze(world)
    assert len(scaled_down(with_earlier_revisions(world, 40).canary(*command).out)) == 40


def test_one_revision_more_is_named_as_well(world: World) -> None:
    freeze(world)
    found = scaled_down(with_earlier_revisions(world, 4).canary("get").out)
    assert len(found) == 4
    assert "more" not in "".join(found)


def test_a_run_of_another_clock_takes_no_longer_than_its_step(running: World) -> None:
    """Whoever wrote when the run began is two hours ahead of us."""
    run = copy.deepcopy(running.store.items(ANALYSISRUN)[-1])
    run["status"]["startedAt"] = "2026-03-02T14:00:00Z"
    running.store.update(ANALYSISRUN, run)
    assert running.canary("get", "-o", "json").json["data"]["step"]["remaining_seconds"] == 6
    ran = running.canary("get", terminal=True, environ={"NO_COLOR": "1"})
    assert "analysing, 6s left" in ran.out, ran
    assert max(map(len, ran.out.splitlines())) <= 80, ran
