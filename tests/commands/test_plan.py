"""`canary plan`: a release before it happens."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Response
from companyos_canary.sandbox.scenarios import default
from companyos_canary.sandbox.scenarios.scenario import Behaviour, Course
from tests.commands.test_evidence import FOUR_LINES
from tests.world import CONFIG, World

GIVEN = ("plan", "--rps", "20", "--errors", "1%")


@pytest.fixture
def four_lines(world_of: Callable[[str], World]) -> World:
    return world_of(FOUR_LINES)


def test_it_asks_no_cluster_and_says_what_comes_of_good_and_of_bad_versions(four_lines: World) -> None:
    ran = four_lines.canary(*GIVEN, "--releases", "12", "-o", "json")
    assert (ran.code, four_lines.requests) == (ExitCode.OK, [])
    data = ran.json["data"]
    assert (data["rollout"], data["given"], data["prometheus"], data["errors"]) == ("companyos-api", True, "", 0.01)
    assert [(s["weight"], s["pods"], s["looks"]) for s in data["steps"]] == [(10, 1, 4), (25, 3, 4), (50, 5, 4)]
    assert [s["requests"] for s in data["steps"]] == pytest.approx([2 * 121, 20 * 3 / 11 * 121, 10 * 181])
    found = {c["times"]: c for c in data["chances"]}
    assert set(found) == {1, 1.5, 2, 3, 5}
    assert (found[1]["releases"], found[5]["releases"]) == (12, 3)
    assert found[1]["promoted"] >= 0.9
    assert found[1]["promoted_after_seconds"] == data["steps"][-1]["ends_after_seconds"]
    assert found[5]["rolled_back"] == 1
    assert 0 < found[5]["stopped_after_seconds"] < found[1]["promoted_after_seconds"]
    for c in found.values():
        assert c["rolled_back"] + c["held"] + c["promoted"] == pytest.approx(1)


def test_the_same_seed_gives_the_same_plan(four_lines: World) -> None:
    once, again, other = (
        four_lines.canary("plan", "--rps", "50", "--errors", "0.01", "--releases", "4", "--seed", seed).out
        for seed in ("7", "7", "8")
    )
    assert once == again
    assert once.replace("seed=7", "seed=8") != other


def test_where_requests_are_few_it_says_which_step_cannot_be_judged_and_what_helps(four_lines: World) -> None:
    ran = four_lines.canary("plan", "--rps", "2", "--errors", "1%", "--releases", "4", terminal=True)
    assert "stops for a person at every release, and judges none" in ran.out
    said = " ".join(ran.out.split())
    assert "step 1 cannot be judged: 60 of 100 requests in 5m; it stops for a person." in said
    assert "a weight of 17 %" in said


def test_a_limit_that_is_far_away_and_evidence_that_comes_late_are_warned_about(four_lines: World) -> None:
    data = four_lines.canary("plan", "--rps", "20", "--errors", "0.1%", "--releases", "4", "-o", "json").json["data"]
    assert {w["code"] for w in data["warnings"]} == {"far-limit", "slow"}
    slow = next(w["message"] for w in data["warnings"] if w["code"] == "slow")
    assert slow.startswith("twice the errors are sure after about ")
    assert " at 25 %: a larger weight" in slow


def test_pods_make_the_share_of_the_traffic(world_of: Callable[[str], World]) -> None:
    world = world_of(FOUR_LINES + "replicas: 3\n")
    steps = world.canary(*GIVEN, "--releases", "1", "-o", "json").json["data"]["steps"]
    assert [(s["weight"], s["pods"]) for s in steps] == [(10, 1), (25, 1), (50, 2)]
    assert [round(s["share"]) for s in steps] == [25, 25, 50]


def test_markdown_is_for_a_pull_request(four_lines: World) -> None:
    ran = four_lines.canary(*GIVEN, "v1.2.0", "--releases", "4", "-o", "markdown")
    assert ran.out.startswith("### Plan: companyos-api v1.2.0 at 20 requests/s and 1 % errors, as given\n\n| step |")
    assert "\n| 5 x the errors | 100 % | 0 % | 0 % |" in ran.out
    assert "\n**stops 5 x the errors after " in ran.out


def test_a_query_of_the_users_own_is_named_and_left_out(world_of: Callable[[str], World]) -> None:
    world = world_of(FOUR_LINES + "metrics: {error-rate: {below: 5%}, mine: {below: 1, query: 'sum(up)'}}\n")
    data = world.canary(*GIVEN, "--releases", "1", "-o", "json").json["data"]
    assert data["left_out"] == ["mine"]


def test_requests_and_errors_are_those_of_today(tmp_path: Path) -> None:
    world = World(tmp_path, FOUR_LINES, scenario=replace(default(), traffic=50.0), seed=1, scrape=15)
    assert world.canary("apply", "v1.0.0", "-q").code == 0
    world.advance(900)
    data = world.canary("plan", "--releases", "1", "-o", "json").json["data"]
    assert (data["given"], data["prometheus"]) == (False, "http://prometheus")
    assert data["requests_per_second"] == pytest.approx(50, rel=0.05)
    assert data["errors"] == pytest.approx(0.01, abs=0.003)
    assert [s["pods"] for s in data["steps"]] == [1, 3, 5]


def test_windows_that_suit_how_often_pods_are_scraped_are_simulated_so(world: World) -> None:
    """On a sandbox steps take seconds, and pods are scraped as often: releases go through there."""
    world.advance(400)
    data = world.canary("plan", "--releases", "4", "-o", "json").json["data"]
    good = next(c for c in data["chances"] if c["times"] == 1)
    assert (data["scrape_seconds"], good["held"]) == (0.5, 0)
    given = world.canary("plan", "--releases", "4", "--rps", "200", "--errors", "1%", "--scrape-interval", "500ms")
    assert "version times=1 rolled_back=0 held=0 promoted=1 " in given.out
    assert "scrape=500ms" in given.out


def test_windows_that_are_too_short_for_the_scrapes_are_named_where_they_judge_nothing(world: World) -> None:
    ran = world.canary(*GIVEN, "--releases", "1", "-o", "json")
    data = ran.json["data"]
    assert (data["scrape_seconds"], {c["held"] for c in data["chances"]}) == (15, {1})
    (said,) = {w["message"] for w in data["warnings"] if w["code"] == "window-too-short"}
    assert said == (
        "a window of 5s has fewer than two scrapes if pods are scraped every 15s, so its queries often "
        "answer nothing. Take a longer `analysis.window`, or give --scrape-interval"
    )
    assert "slow" not in [w["code"] for w in data["warnings"]]
    shown = " ".join(world.canary(*GIVEN, "--releases", "1", terminal=True).out.split())
    assert "scraped every 15s" in shown


def test_without_canary_yaml_the_live_rollout_is_planned(tmp_path: Path) -> None:
    world = World(tmp_path, FOUR_LINES)
    assert world.canary("apply", "v1.0.0", "-q").code == 0
    (tmp_path / "canary.yaml").unlink()
    ran = world.canary(*GIVEN, "--rollout", "companyos-api", "-n", "companyos", "--releases", "2", "-o", "json")
    data = ran.json["data"]
    assert [(s["weight"], s["pods"], s["looks"]) for s in data["steps"]] == [(10, 1, 4), (25, 3, 4), (50, 5, 4)]
    assert data["chances"][-1]["rolled_back"] == 1


def test_without_prometheus_it_says_what_to_give(four_lines: World) -> None:
    four_lines.prometheus = lambda _: Response(503, {}, b"gone")
    ran = four_lines.canary("plan", "--rps", "20")
    assert ran.code not in (0, 70)
    assert "hint: give them in place of what Prometheus counts: canary plan --errors 1%" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rps", "0"), "--rps `0` must be more than 0"),
        (("--rps", "20", "--errors", "many"), "--errors `many` is not a share below 100 %"),
        (("--rps", "20", "--errors", "5m"), "--errors `5m` is not a share below 100 %"),
        (("--rps", "20", "--errors", "100%"), "--errors `100%` is not a share below 100 %"),
        (("--scrape-interval", "0s"), "--scrape-interval `0s` is not a duration of 10ms or more"),
        (("--releases", "0"), "--releases `0` must be between 1 and 100000"),
        (("-o", "yaml"), "--output `yaml` is not a format here"),
    ],
)
def test_bad_input_is_a_sentence(four_lines: World, arguments: tuple[str, ...], said: str) -> None:
    ran = four_lines.canary("plan", *arguments)
    assert (ran.code, ran.out, four_lines.requests) == (ExitCode.USAGE, "", [])
    assert said in ran.err


def test_what_is_not_judged_cannot_be_planned(world_of: Callable[[str], World]) -> None:
    ran = world_of(CONFIG.partition("steps:")[0] + "steps: [{weight: 10, pause: 5s}]\n").canary(*GIVEN)
    assert ran.code == ExitCode.USAGE
    assert "nothing judges `companyos-api` that can be simulated" in ran.err


def test_what_takes_long_says_how_far_it_is(four_lines: World) -> None:
    class Slow:
        """A second goes by each time that someone looks at the clock."""

        def __init__(self, world: World) -> None:
            self.now = world.now

        def __call__(self) -> datetime:
            self.now += timedelta(seconds=1)
            return self.now

    four_lines.clock = Slow(four_lines)
    ran = four_lines.canary(*GIVEN, "--releases", "4")
    assert ran.err.startswith("simulated 2 of 8 releases\n")


def test_what_it_needs_and_cannot_get_has_its_exit_code(four_lines: World) -> None:
    nobody = four_lines.folder / "nobody.yaml"
    nobody.write_text(FOUR_LINES + "analysis: {scope: 'pod=\"nobody\"'}\n")
    assert four_lines.canary("plan", "--file", "nobody.yaml").code == ExitCode.NOT_FOUND
    four_lines.prometheus = lambda _: Response(503, {}, b"gone")
    assert four_lines.canary("plan").code == ExitCode.FAILED
    (four_lines.folder / "canary.yaml").unlink()
    four_lines.allowed = lambda _: False
    live = ("--rollout", "companyos-api", "-n", "companyos")
    assert four_lines.canary(*GIVEN, *live).code == ExitCode.DENIED
    (four_lines.folder / "canary.yaml").write_text(FOUR_LINES)
    begun, looks = four_lines.now, iter(range(1000))

    def ctrl_c() -> datetime:
        if next(looks) > 3:
            raise KeyboardInterrupt
        return begun

    four_lines.clock = ctrl_c
    assert four_lines.canary("plan", "--rps", "20", "--errors", "1%").code == ExitCode.INTERRUPTED


@pytest.mark.prompt_only("where the first pods come later other errors are drawn, and the estimate is one of those")
def test_errors_that_come_in_clumps_are_counted_and_the_line_to_write_is_named(tmp_path: Path) -> None:
    clumped = Behaviour(clumps=5)
    scenario = replace(default(), traffic=50.0, versions=(("v1.0.0", clumped),))
    world = World(tmp_path, FOUR_LINES, scenario=scenario, seed=1, scrape=15)
    assert world.canary("apply", "v1.0.0", "-q").code == 0
    world.advance(4000)
    data = world.canary("plan", "--releases", "1", "-o", "json").json["data"]
    assert 4 <= data["burst"] <= 6
    (said,) = [w["message"] for w in data["warnings"] if w["code"] == "burst"]
    assert f"errors came about {data['burst']} at a time" in said
    (tmp_path / "canary.yaml").write_text(FOUR_LINES + f"analysis: {{burst: {data['burst']}}}\n")
    known = world.canary("plan", "--releases", "1", "-o", "json").json["data"]
    assert known["burst"] == data["burst"]
    assert "burst" not in [w["code"] for w in known["warnings"]]


def shipped(folder: Path, form: str, times: float, seed: int) -> str:
    """What a release through the sandbox's API server, controller, exporter and Prometheus comes to."""
    worse = Behaviour(errors=Course(((0.0, 0.01 * times),)))
    scenario = replace(default(), traffic=20.0, versions=(("v1.1.0", worse),))
    folder.mkdir()
    world = World(folder, FOUR_LINES + f"analysis: {{form: {form}}}\n", scenario=scenario, seed=seed, scrape=15)
    assert world.canary("apply", "v1.0.0", "-q").code == 0
    world.advance(400)
    assert world.canary("deploy", "v1.1.0", "--no-wait", "-q").code == 0
    while (phase := world.canary("status", "--field", "phase").out.strip()) == "Progressing":
        world.advance(30)
    return {"Healthy": "promoted", "Degraded": "rolled-back", "Paused": "held"}[phase]


@pytest.mark.soak
@pytest.mark.parametrize(("form", "times"), [("literal", 1), ("safe", 1), ("evidence", 1), ("evidence", 2)])
def test_a_plan_comes_true_in_the_sandbox(tmp_path: Path, form: str, times: float) -> None:
    releases = 250
    found = [shipped(tmp_path / str(n), form, times, n) for n in range(releases)]
    world = World(tmp_path, FOUR_LINES + f"analysis: {{form: {form}}}\n")
    arguments = ("--releases", "1000" if times == 1 else "4000", "-o", "json")
    chances = world.canary(*GIVEN, *arguments).json["data"]["chances"]
    planned = next(c for c in chances if c["times"] == times)
    for kind, share in (("rolled-back", planned["rolled_back"]), ("held", planned["held"])):
        seen = found.count(kind) / releases
        print(f"{form} {times:g} {kind}: planned {100 * share:.1f} %, seen {100 * seen:.1f} %")
        assert abs(seen - share) <= 0.02 + 2 * math.sqrt(share * (1 - share) / releases)
