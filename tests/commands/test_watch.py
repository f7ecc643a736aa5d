"""`canary watch`: follows what is going on until it ends."""

import json
from typing import Any

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.faults.effects import Answer, Fault
from companyos_canary.sandbox.kinds import ROLLOUT
from tests.commands.conftest import changing, freeze, interrupt
from tests.world import LockstepFeed, World

pytestmark = pytest.mark.usefixtures("over_the_real_feed")


@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_a_healthy_rollout_ends_at_once(world: World) -> None:
    ran = world.canary("watch")
    assert (ran.code, ran.err) == (ExitCode.OK, "✔ v1.0.0 is stable and has all traffic\n")
    assert ran.out == (
        "12:00:10 +0s watch companyos-api version=v1.0.0 namespace=companyos context=sandbox "
        "revision=1\n"
        "12:00:10 +0s healthy version=v1.0.0 pods=10/10\n"
        "verdict=healthy version=v1.0.0 stable=v1.0.0 step=3/3 weight=100 exit=0\n"
    )


@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_a_pipe_gets_a_line_a_change_with_its_time(running: World) -> None:
    ran = running.canary("watch")
    assert ran.code == ExitCode.OK
    assert changing(running) == []
    *lines, verdict = ran.out.splitlines()
    words = [line.split(" ", 2)[2] for line in lines]
    assert words[0] == ("watch companyos-api version=v1.1.0 was=v1.0.0 namespace=companyos context=sandbox revision=2")
    assert lines[-1].startswith("12:00:30 +17s healthy ")
    for step in ("step 2/3 weight=25", "step 3/3 weight=50"):
        assert step in words
    assert ran.err.startswith("✔ v1.1.0 is stable and has all traffic, after ")
    assert verdict.startswith("verdict=healthy version=v1.1.0 ")


def test_a_pause_for_a_person_is_8_and_names_both_ways_on(waiting: World) -> None:
    ran = waiting.canary("watch")
    assert ran.code == ExitCode.UNFINISHED
    assert ran.err.splitlines() == [
        "‖ v1.1.0 waits for a person at 10 % (step 1/3)",
        "  the weight stays until someone promotes or aborts it; the analysis keeps running, and can still abort it",
        "  continue: canary promote",
        "  back:     canary abort",
    ]
    assert ran.last == "verdict=paused version=v1.1.0 stable=v1.0.0 step=1/3 weight=10 exit=8"


def test_until_paused_makes_that_0(waiting: World) -> None:
    assert waiting.canary("watch", "--until", "paused").code == ExitCode.OK


def test_until_a_weight_or_a_step(running: World) -> None:
    assert running.canary("watch", "--until", "weight=25").code == ExitCode.OK
    assert running.rollout().step_index in (3, 4)
    assert running.canary("watch", "--until", "step=3").code == ExitCode.OK
    assert not running.rollout().is_fully_promoted


def test_a_roll_back_is_3_with_the_metric(world: World) -> None:
    world.canary("deploy", "errors-1", "--no-wait")
    ran = world.canary("watch")
    assert ran.code == ExitCode.DEGRADED
    assert "verdict=rolled-back" in ran.last
    assert "metric=error-rate" in ran.last


def test_what_was_rolled_back_before_is_3_at_once(rolled_back: World) -> None:
    began = rolled_back.now
    assert rolled_back.canary("watch").code == ExitCode.DEGRADED
    assert rolled_back.now == began


def test_another_version_meanwhile_is_6(running: World) -> None:
    def somebody_else() -> None:
        running.on_wait.clear()
        running.canary("deploy", "v1.3.0", "--supersede", "--no-wait")

    running.on_wait.append(somebody_else)
    ran = running.canary("watch")
    assert (ran.code, ran.last.split()[0]) == (ExitCode.SUPERSEDED, "verdict=superseded")


@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_the_time_is_124_and_the_rollout_goes_on(running: World) -> None:
    ran = running.canary("watch", "--timeout", "2s")
    assert ran.code == ExitCode.TIMEOUT
    assert "the rollout continues in the cluster without this command" in ran.err
    running.advance(60)
    assert running.rollout().is_fully_promoted


def test_no_controller_is_9(world: World) -> None:
    freeze(world)
    world.canary("deploy", "v1.1.0", "--no-wait")
    ran = world.canary("watch")
    assert ran.code == ExitCode.UNOBSERVED
    assert "no controller has acted on it in 30 s: is Argo Rollouts running?" in ran.err
    assert ran.last == "verdict=unobserved exit=9"


def test_ctrl_c_is_130_and_names_the_way_to_stop_the_rollout(running: World) -> None:
    interrupt(running, after=2)
    ran = running.canary("watch")
    assert ran.code == ExitCode.INTERRUPTED
    assert ran.err.splitlines() == [
        "! no longer watching: the rollout of v1.1.0 continues, now at 10 %",
        "  watch: canary watch",
        "  stop:  canary abort",
    ]
    assert ran.last == ("verdict=interrupted version=v1.1.0 stable=v1.0.0 step=1/3 weight=10 exit=130")
    assert changing(running) == []


def test_a_rollout_that_is_deleted_meanwhile_is_5(running: World) -> None:
    running.on_wait.append(lambda: running.store.delete(ROLLOUT, "companyos", "companyos-api"))
    ran = running.canary("watch")
    assert ran.code == ExitCode.NOT_FOUND
    assert "`companyos-api` was deleted while it was watched" in ran.err


def test_json_is_one_object_a_line_numbered_and_ends_with_the_verdict(running: World) -> None:
    ran = running.canary("watch", "-o", "json")
    events = [json.loads(line) for line in ran.out.splitlines()]
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    assert events[0]["event"] == "snapshot"
    assert {e["event"] for e in events[:-1]} == {"snapshot", "transition", "measurement"}
    assert events[-1]["event"] == "verdict"
    assert events[-1]["data"]["verdict"] == "healthy"


def test_each_measurement_is_a_line_once(running: World) -> None:
    ran = running.canary("watch", "-o", "json")
    told = [e["data"] for e in map(json.loads, ran.out.splitlines()) if e["event"] == "measurement"]
    made = [
        (run["name"], metric["name"], m["raw"], m["started_at"])
        for run in running.canary("analysis", "-o", "json").json["data"]["runs"]
        for metric in run["metrics"]
        for m in metric["measurements"]
    ]
    assert len(made) > 50
    assert sorted((m["run"], m["metric"], m["raw"], m["started_at"]) for m in told) == sorted(made)


def test_json_of_what_no_controller_acts_on_ends_with_an_error(waiting: World) -> None:
    freeze(waiting)
    waiting.patch({"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}})
    ran = waiting.canary("watch", "-o", "json")
    last = json.loads(ran.last)
    assert (ran.code, last["event"], last["data"]["exit_code"]) == (ExitCode.UNOBSERVED, "error", 9)
    assert last["data"]["errors"][0]["code"] == "unobserved"


def test_json_of_a_failure_is_a_line_too(running: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "feed", LockstepFeed)  # a watch that is open asks for nothing and is refused nothing
    running.on_wait.append(lambda: running.faults.add(Fault(Answer(401))))
    ran = running.canary("watch", "-o", "json")
    assert ran.code == ExitCode.DENIED
    last = json.loads(ran.last)
    assert (last["event"], last["data"]["exit_code"]) == ("error", 4)
    assert last["data"]["errors"][0]["code"] == "unauthenticated"
    assert last["seq"] == len(ran.out.splitlines())


def test_quiet_says_only_how_it_ended(waiting: World) -> None:
    ran = waiting.canary("watch", "-q")
    assert (ran.out, ran.err) == (f"{ran.last}\n", "")
    assert ran.last.startswith("verdict=paused ")


def test_a_terminal_gets_a_screen_and_keeps_the_last_one(waiting: World) -> None:
    ran = waiting.canary("watch", "--until", "paused", terminal=True)
    assert ran.code == ExitCode.OK
    assert "\x1b[?25l" in ran.out
    assert ran.out.rindex("\x1b[?25h") > ran.out.rindex("waits for a person")
    assert "has reached 10 %" in ran.out


def test_wrong_flags_missing_and_failing_have_their_codes(world: World) -> None:
    assert world.canary("watch", "--until", "monday").code == ExitCode.USAGE
    assert world.canary("watch", "--timeout", "-1s").code == ExitCode.USAGE
    assert world.canary("watch", "other").code == ExitCode.NOT_FOUND
    world.faults.add(Fault(Answer(503)))
    assert world.canary("watch").code == ExitCode.FAILED


def test_a_step_that_was_skipped_is_not_said_to_have_passed(running: World) -> None:
    def somebody_else() -> None:
        running.on_wait.clear()
        running.canary("promote", "--skip-step")

    running.on_wait.append(somebody_else)
    out = running.canary("watch").out
    assert 'step 1/3 skipped reason="went on without a verdict"' in out
    assert "step 1/3 passed" not in out
    assert "step 2/3 passed error-rate=" in out


def test_the_end_of_a_screen_says_each_command_once(waiting: World) -> None:
    ran = waiting.canary("watch", "--until", "paused", terminal=True)
    last = ran.out[ran.out.rindex("\x1b[J") :]
    assert last.count("canary promote") == last.count("canary abort") == 1


def test_a_step_is_said_to_have_passed_before_the_next_one_begins(running: World) -> None:
    lines = [line.split(" ", 2)[2] for line in running.canary("watch").out.splitlines()[:-1]]
    passed = next(n for n, line in enumerate(lines) if line.startswith("step 1/3 passed"))
    assert passed < lines.index("step 2/3 weight=25")


def test_the_verdict_of_what_was_rolled_back_before_knows_where_it_stopped(world: World) -> None:
    world.canary("deploy", "errors-1")
    assert " step=1/3 weight=10 " in world.canary("watch").last


def test_a_version_that_the_controller_has_not_looked_at_has_no_traffic(behind: World) -> None:
    shown: Any = [json.loads(behind.canary(verb, "-o", "json").out)["data"] for verb in ("status", "get")]
    for data in shown:
        assert [data[key] for key in ("version", "stable_version", "promoted")] == ["v1.1.0", "v1.0.0", False], data
        assert (data["activity"], data["weights"]) == ("held", {"set": 0, "actual": 0}), data
        assert [data["traffic"][key] for key in ("asked", "actual", "pods")] == [0, 0, 0], data
        for replicaset in data["replicasets"] or ():
            assert replicaset["role"] == {"v1.1.0": "canary", "v1.0.0": "stable"}[replicaset["version"]]
    assert "PAUSED BY HAND  v1.0.0 → v1.1.0" in behind.canary("get").out
    assert "revision=2 version=v1.1.0 outcome=in-progress" in behind.canary("history").out
    ran = behind.canary("watch", "--timeout", "3s")
    assert "verdict=paused version=v1.1.0 stable=v1.0.0 weight=0 exit=8" in ran.out, ran
    assert "v1.1.0 is paused by hand at 0 %" in ran.err, ran
