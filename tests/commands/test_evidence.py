"""Releases under drawn traffic, with the canary.yaml of four lines: evidence, and waiting for requests."""

import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from companyos_canary.sandbox.kinds import ANALYSISTEMPLATE
from companyos_canary.sandbox.scenarios import default, find
from tests.world import CONFIG, World

FOUR_LINES = CONFIG.partition("replicas:")[0]


def released(folder: Path, requests: float, deploy: str = "v1.1.0", seed: int = 1) -> tuple[World, int, str]:
    """v1.0.0 has served for the window of five minutes; then this version is deployed."""
    world = World(folder, FOUR_LINES, scenario=replace(default(), traffic=requests), seed=seed, scrape=15)
    assert world.canary("apply", "v1.0.0", "-q").code == 0
    world.advance(320)
    ran = world.canary("deploy", deploy, "--timeout", "1h", "--heartbeat", "30s")
    return world, ran.code, ran.out


def test_at_ten_requests_a_second_a_step_waits_for_requests_and_needs_no_person(tmp_path: Path) -> None:
    _, code, out = released(tmp_path, 10)
    assert code == 0, out
    assert "metric error-rate no-verdict value=" in out
    assert "verdict=healthy" in out.splitlines()[-1]


@pytest.mark.prompt_only("asserts what is counted in a number of seconds")
def test_at_two_requests_a_second_it_holds_when_three_times_the_step_is_over(tmp_path: Path) -> None:
    world, code, out = released(tmp_path, 2)
    assert code == 8, out
    assert " +6m00s no verdict " in out
    waiting = [line for line in out.splitlines() if " still analysing " in line]
    assert "left=0s" not in out
    assert any("left=" not in line for line in waiting), "the requests decide how long it takes"
    shown = world.canary("get").out
    assert re.search(
        r"too few requests to judge \(\d\d of 100\): all 5 metrics; at this rate 100 take \d+m\d\ds\n", shown
    ), shown


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
    assert "no canary starts; analyses that begin from now on use the new AnalysisTemplates" in ran.err
    assert "is Healthy" in ran.out
    template = world.store.read(ANALYSISTEMPLATE, "companyos", "companyos-api-6s")
    assert "result[1] >= 2.8" in template["spec"]["metrics"][0]["failureCondition"]


@pytest.mark.prompt_only("asserts what is counted in a number of seconds")
def test_all_requests_together_are_a_verdict_beside_that_of_argo_rollouts(tmp_path: Path) -> None:
    world, code, out = released(tmp_path, 50, deploy="errors-1")
    assert code == 3, out
    told = re.search(r"metric error-ratio failing value=\S+ limit=1.5 failed=2/2 (.*)", out)
    assert told, out
    assert re.fullmatch(r"sequential=worse n=\d+ ratio=[\d.]+ low=[\d.]+ high=[\d.]+", told[1])

    def sequential(*arguments: str) -> dict[str, Any]:
        metrics = world.canary(*arguments, "-o", "json").json["data"]["metrics"]
        return {m["name"]: m["sequential"] for m in metrics}

    got = sequential("get")
    assert got == sequential("metrics")
    ratio, share = got["error-ratio"], got["latency-p95"]
    assert (ratio["verdict"], share["verdict"]) == ("worse", "not-worse")
    assert ratio["ratio"] == pytest.approx(
        ratio["bad"] / ratio["requests"] / (ratio["stable_bad"] / ratio["stable_requests"])
    )
    assert 1 < ratio["low"] < ratio["ratio"] < ratio["high"]
    assert (ratio["share"], ratio["requests_needed"], share["ratio"], share["stable_bad"]) == (None, None, None, None)
    judged = world.canary("analysis", "-o", "json").json["data"]["runs"][0]["metrics"]
    assert {m["name"]: m["sequential"] for m in judged} == got
    (kept, _) = world.canary("history", "-o", "json").json["data"]["revisions"]
    assert {m["metric"]: m["sequential"] for m in kept["sequential"]} == got
    assert " worse=error-ratio not_worse=latency-p95" in world.canary("history").out
    shown = world.canary("analysis", terminal=True, size=(120, 40)).out
    assert re.search(r"error-ratio +\d+/\d+ vs \d+/[\d,]+ +[\d.]+ x \([\d.]+-[\d.]+\) .*worse, sure", shown), shown
    assert "SO FAR" in world.canary("get", terminal=True, size=(120, 40)).out


def test_where_a_verdict_is_open_the_requests_that_it_takes_are_told(tmp_path: Path) -> None:
    world, code, _ = released(tmp_path, 2)
    assert code == 8
    shown = world.canary("metrics").out
    assert re.search(r"metric=error-rate .* sequential=open n=\d+ share=\S+ low=0 high=\S+ more=\d+", shown), shown
    told = world.canary("metrics", terminal=True, size=(120, 40)).out
    assert re.search(r"cannot tell yet: about \d+ more requests", told), told


def test_a_metric_that_does_not_count_has_no_sequential_verdict(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.canary("apply", "v1.0.0", "-q").code == 0
    world.canary("deploy", "v1.1.0")
    assert {m["sequential"] for m in world.canary("get", "-o", "json").json["data"]["metrics"]} == {None}


def test_the_summary_of_ci_keeps_the_verdict(tmp_path: Path) -> None:
    world = World(tmp_path, FOUR_LINES, scenario=replace(default(), traffic=50), seed=1, scrape=15)
    assert world.canary("apply", "v1.0.0", "-q").code == 0
    world.advance(320)
    world.canary("deploy", "errors-1", "--timeout", "1h", "--summary", str(tmp_path / "summary.md"))
    summary = (tmp_path / "summary.md").read_text()
    assert "| all requests |" in summary
    assert re.search(r"\| error-ratio \|.* vs .*: worse, sure \|", summary), summary


def test_errors_where_the_stable_version_has_none_are_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "clean.yaml").write_text("description: x\nversions:\n  v1.0.*: {errors: 0%}\n  v1.1.0: {errors: 3%}\n")
    world = World(tmp_path, FOUR_LINES, scenario=find("clean.yaml", tmp_path), seed=1, scrape=15)
    assert world.canary("apply", "v1.0.0", "-q").code == 0
    world.advance(320)
    ran = world.canary("deploy", "v1.1.0", "--timeout", "1h")
    assert ran.code == 3, ran.out
    assert re.search(r"metric error-ratio failing value=\+Inf .* sequential=worse ", ran.out), ran.out

    shown = {verb: world.canary(verb, terminal=True).out for verb in ("get", "status", "why", "analysis")}
    assert not [verb for verb, out in shown.items() if verb != "why" and "+Inf" in out]
    for verb in ("get", "status", "why"):
        assert re.search(r"error-ratio infinite,\s+as\s+stable\s+had\s+none", shown[verb]), shown[verb]
    told = re.sub(r"\x1b\[[\d;]*m", "", shown["analysis"])
    assert re.search(r"error-ratio +over \d+ x +worse, sure", told), told
    assert '"value":"+Inf"' in re.sub(r"\s", "", world.canary("get", "-o", "json").out)


def test_no_line_of_a_long_query_is_cut(tmp_path: Path) -> None:
    world, _, _ = released(tmp_path, 20, deploy="errors-1")
    shown = world.canary("analysis", "2-1", terminal=True).out
    assert "…" not in shown
    assert "label_replace(" in shown
