"""Steps with a plugin: what the controller notes of them, and what a person sees."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.controller.passes import Answer, Call
from tests.sandbox.stage import Json, Stage
from tests.world import WEB, World

CONFIG = WEB + "steps: [{weight: 25, pause: 1s}]\nmerge: [plugin.yaml]\n"
STEPS = """\
kind: Rollout
metadata: {name: web}
spec:
  strategy:
    canary:
      steps:
      - setWeight: 25
      - plugin: {name: example/load-test, config: {requests: 100}}
      - pause: {}
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / "plugin.yaml").write_text(STEPS)
    made = World(tmp_path, CONFIG)
    ran = made.canary("apply", "v1.0.0")
    assert ran.code == ExitCode.OK, ran
    return made


def noted(world: World) -> list[tuple[str, str]]:
    canary = world.rollout("web").raw["status"]["canary"]
    return [(s["operation"], s["phase"]) for s in canary.get("stepPluginStatuses") or []]


def test_a_plugin_runs_for_a_while_and_its_step_is_done(world: World) -> None:
    assert world.canary("deploy", "v1.1.0", "--no-wait").code == ExitCode.OK
    world.advance(3)
    assert (world.rollout("web").step_index, noted(world)) == (1, [("Run", "Running")])
    assert "plugin example/load-test: Running" in world.canary("get").out
    world.advance(16)
    assert (world.rollout("web").step_index, noted(world)) == (2, [("Run", "Successful")])
    assert world.canary("promote").code == ExitCode.OK
    world.advance(30)
    assert world.rollout("web").is_fully_promoted
    assert world.canary("deploy", "v1.3.0", "--until", "paused").code == ExitCode.OK
    assert noted(world) == [("Run", "Successful")]


def test_a_plugin_that_fails_aborts_and_why_says_so(world: World) -> None:
    ran = world.canary("deploy", "errors-1")
    assert ran.code == ExitCode.DEGRADED, ran
    assert "Step Plugin 2 (example/load-test) failed" in ran.out + ran.err
    assert "Step Plugin 2 (example/load-test) failed" in world.canary("why").out
    world.advance(5)
    assert noted(world) == [("Run", "Failed")]
    assert world.canary("retry", "--no-wait").code == ExitCode.OK
    world.advance(3)
    assert noted(world) == [("Run", "Running")]


def test_a_promotion_in_full_ends_the_plugin(world: World) -> None:
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(3)
    assert world.canary("promote", "--full", "--yes", "--reason", "hotfix").code == ExitCode.OK
    assert noted(world) == [("Run", "Running"), ("Terminate", "Successful")]


def test_an_abort_ends_the_plugin(world: World) -> None:
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(3)
    assert world.canary("abort").code == ExitCode.OK
    assert noted(world) == [("Run", "Running"), ("Abort", "Successful")]


class Script:
    """A plugin that answers what it is told to, and notes what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, Any]] = []

    def __call__(self, call: Call) -> Answer:
        self.asked.append((call.operation, call.state))
        if call.operation != "Run":
            return Answer()
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def stage_with(plugin: Script, *steps: Json) -> Stage:
    stage = Stage([*steps], ask_plugin=plugin)
    stage.run(5)
    stage.set_image("v2")
    return stage


def statuses(stage: Stage) -> list[Json]:
    found: list[Json] = stage.object["status"]["canary"].get("stepPluginStatuses") or []
    return found


STEP: Json = {"plugin": {"name": "example/check", "config": {"limit": 3}}}
PAUSE: Json = {"pause": {}}


def test_a_plugin_that_is_done_at_once_needs_no_event_of_its_own() -> None:
    plugin = Script(Answer(message="all good", state={"seen": 1}))
    stage = stage_with(plugin, STEP, PAUSE)
    stage.run(2)
    (ran,) = statuses(stage)
    assert (stage.phase, ran["phase"], ran["message"]) == ("Paused - CanaryPauseStep", "Successful", "all good")
    assert (ran["executions"], ran["status"], "backoff" in ran) == (1, {"seen": 1}, False)
    assert stage.events("StepPluginTransition") == []


@pytest.mark.parametrize(("wanted", "backoff"), [(2, 30), (10, 30), (12, 12), (90, 90)])
def test_a_plugin_is_left_alone_for_more_than_ten_seconds(wanted: int, backoff: int) -> None:
    plugin = Script(Answer("Running", state="half", after=timedelta(seconds=wanted)))
    stage = stage_with(plugin, STEP, PAUSE)
    stage.run(2)
    assert statuses(stage)[0]["backoff"] == f"{backoff}s"
    stage.run(backoff - 4)
    assert plugin.asked == [("Run", None)]
    stage.run(10)
    assert plugin.asked == [("Run", None), ("Run", "half")]


def test_a_plugin_waits_until_nothing_has_to_be_scaled() -> None:
    plugin = Script(Answer())
    stage = stage_with(plugin, {"setWeight": 40}, STEP, PAUSE)
    stage.act()
    assert plugin.asked == []
    stage.run(5)
    assert (plugin.asked, stage.phase) == ([("Run", None)], "Paused - CanaryPauseStep")


def test_an_abort_undoes_what_has_run_the_last_first_and_leaves_what_failed() -> None:
    plugin = Script(Answer(state="one"), Answer(state="two"), Answer("Failed", "too slow"))
    stage = stage_with(plugin, STEP, STEP, STEP, PAUSE)
    stage.run(10)
    assert stage.phase.endswith("Step Plugin 3 (example/check) failed: too slow")
    assert plugin.asked[3:] == [("Abort", "two"), ("Abort", "one")]
    assert [(s["index"], s["operation"]) for s in statuses(stage)[3:]] == [(1, "Abort"), (0, "Abort")]
    ended = statuses(stage)[-1]
    assert {"executions", "updatedAt", "backoff"}.isdisjoint(ended)
    assert ended["finishedAt"]


def test_a_retry_begins_without_what_was_noted_before() -> None:
    plugin = Script(Answer(), Answer("Failed"), Answer())
    stage = stage_with(plugin, STEP, STEP, PAUSE)
    stage.run(10)
    stage.retry()
    stage.run(10)
    assert [(s["index"], s["operation"], s["phase"]) for s in statuses(stage)] == [
        (0, "Run", "Successful"),
        (1, "Run", "Successful"),
    ]


def test_a_promotion_in_full_ends_only_what_runs() -> None:
    plugin = Script(Answer(), Answer("Running"))
    stage = stage_with(plugin, STEP, STEP, PAUSE)
    stage.run(5)
    stage.status(promoteFull=True)
    stage.run(30)
    assert [(s["index"], s["operation"]) for s in statuses(stage)] == [(0, "Run"), (1, "Run"), (1, "Terminate")]
    assert stage.phase == "Healthy"


def test_a_plugin_that_says_error_stops_the_rollout_until_someone_acts() -> None:
    plugin = Script(Answer("Error", "no connection"))
    stage = stage_with(plugin, STEP, PAUSE)
    stage.run(120)
    assert len(plugin.asked) == 1
    assert stage.rollout.step_index == 0
    trouble = 'could not parse backoff duration: time: invalid duration ""'
    assert stage.events("ReconciliationError")[-1].endswith(f"failed to run plugin: {trouble}")
    stage.abort()
    stage.run(10)
    assert [s["operation"] for s in statuses(stage)] == ["Run"]
