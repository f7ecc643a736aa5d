"""Steps with a plugin: what the controller notes of them, and what a person sees; played as upstream's source says."""

from pathlib import Path

import pytest

from companyos_canary.errors import ExitCode
from tests.world import World

CONFIG = """\
schema: canary/v1
rollout: web
namespace: companyos
image: web
replicas: 4
steps: [{weight: 25, pause: 1s}]
merge: [plugin.yaml]
"""
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
    world.advance(6)
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
    assert noted(world) == [("Run", "Failed"), ("Abort", "Successful")]
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
