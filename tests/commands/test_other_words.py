"""Another release of the controller has other words for the same: what is said follows from fields."""

import copy
from pathlib import Path

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.kinds import ROLLOUT
from tests.commands.conftest import freeze, installed
from tests.world import CONFIG, World

WORDS = [
    'RolloutAborted: Rollout aborted update to revision 2: Metric "error-rate" assessed Failed',
    "RolloutAborted: revision 2 was aborted (error-rate)",
    "Aborted",
]


def retold(world: World, words: str) -> None:
    """The controller's message in other words, in the status and in the condition that it comes from."""
    live = copy.deepcopy(world.store.read(ROLLOUT, "companyos", "companyos-api"))
    live["status"]["message"] = words
    for condition in live["status"]["conditions"]:
        if condition["reason"] in ("RolloutAborted", "ProgressDeadlineExceeded"):
            condition["message"] = words
    freeze(world)
    world.store.update(ROLLOUT, live, status_only=True)


@pytest.fixture
def failed(tmp_path: Path) -> World:
    """errors-1 was rolled back by its analysis."""
    world = installed(tmp_path, CONFIG)
    assert world.canary("deploy", "errors-1").code == ExitCode.DEGRADED
    return world


@pytest.mark.parametrize("words", WORDS)
def test_a_roll_back_by_an_analysis_names_its_metric(failed: World, words: str) -> None:
    before = failed.canary("why", "-o", "json").json["data"]
    metrics = failed.canary("get", "-o", "json").json["data"]["cause"]["metrics"]
    assert metrics
    retold(failed, words)
    after = failed.canary("why", "-o", "json").json["data"]
    assert (after["cause"], after["sentence"]) == (before["cause"], before["sentence"])
    assert failed.canary("get", "-o", "json").json["data"]["cause"]["metrics"] == metrics
