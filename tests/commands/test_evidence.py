"""Releases under drawn traffic, with the canary.yaml of four lines: evidence, and waiting for requests."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from companyos_canary.sandbox.kinds import ANALYSISTEMPLATE
from companyos_canary.sandbox.scenarios import default
from tests.world import CONFIG, World

FOUR_LINES = CONFIG.partition("replicas:")[0]


def released(folder: Path, requests: float, deploy: str = "v1.1.0", seed: int = 1) -> tuple[World, int, str]:
    """v1.0.0 has served for the window of five minutes; then this version is deployed."""
    world = World(folder, FOUR_LINES, scenario=replace(default(), traffic=requests), seed=seed, scrape=15)
    assert world.canary("apply", "v1.0.0", "-q").code == 0
    world.advance(320)
    ran = world.canary("deploy", deploy, "--timeout", "1h", "--heartbeat", "0")
    return world, ran.code, ran.out


def test_at_ten_requests_a_second_a_step_waits_for_requests_and_needs_no_person(tmp_path: Path) -> None:
    _, code, out = released(tmp_path, 10)
    assert code == 0, out
    assert "metric error-rate no-verdict value=" in out
    assert "verdict=healthy" in out.splitlines()[-1]


def test_at_two_requests_a_second_it_holds_when_three_times_the_step_is_over(tmp_path: Path) -> None:
    world, code, out = released(tmp_path, 2)
    assert code == 8, out
    assert " +6m00s no verdict " in out
    shown = world.canary("get").out
    assert re.search(r"error-rate 0\.\d % \(limit < 5 %\) cannot be judged: \d\d of 100 requests in 5m\n", shown), shown


@pytest.mark.parametrize("requests", [20, 200])
def test_a_version_with_many_more_errors_is_rolled_back(tmp_path: Path, requests: float) -> None:
    _, code, out = released(tmp_path, requests, deploy="errors-1")
    assert code == 3, out
    assert "metric=error-r" in out.splitlines()[-1]


def test_the_rule_of_a_live_rollout_changes_with_apply_and_no_canary_starts(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.canary("apply", "v1.0.0", "-q").code == 0
    world.advance(6)
    (tmp_path / "canary.yaml").write_text(CONFIG.replace(", form: safe", ""))
    ran = world.canary("apply")
    assert ran.code == 0
    assert "AnalysisTemplate companyos-api-6s: configured" in ran.out
    assert "Rollout companyos-api: unchanged" in ran.out
    assert "is Healthy" in ran.out
    template = world.store.read(ANALYSISTEMPLATE, "companyos", "companyos-api-6s")
    assert "result[1] >= 2.8" in template["spec"]["metrics"][0]["failureCondition"]
