"""Two services in one Prometheus: each is judged by its own requests, or someone says that it is not."""

import json
import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from companyos_canary.errors import ExitCode
from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.scenarios import default
from tests.commands.test_evidence import FOUR_LINES
from tests.world import World

OTHER = FOUR_LINES.replace("rollout: companyos-api", "rollout: billing")
WIDE = FOUR_LINES + "analysis: {scope: ''}\n"
SAID = "the metrics of `companyos-api` also count the requests of `billing`"
LINE = 'analysis: {scope: \'namespace="companyos",pod=~"companyos-api-[^-]+-[^-]+"\'}'


def two_services(folder: Path, config: str) -> World:
    """Both have served v1.0.0 for five minutes."""
    world = World(folder, config, scenario=replace(default(), traffic=100), seed=1, scrape=15)
    (folder / "billing.yaml").write_text(OTHER)
    for file in ("billing.yaml", "canary.yaml"):
        assert world.canary("apply", "v1.0.0", "-q", "--file", file, "--force").code == 0
    world.advance(320)
    return world


def test_services_that_are_released_at_once_do_not_judge_each_other(tmp_path: Path) -> None:
    world = two_services(tmp_path, FOUR_LINES)
    assert world.canary("deploy", "errors-1", "--file", "billing.yaml", "--no-wait").code == 0
    good = world.canary("deploy", "v1.1.0", "--timeout", "1h")
    assert good.code == ExitCode.OK, good.out
    assert "also count" not in good.err
    assert world.canary("status", "billing", "-n", "companyos").code == ExitCode.DEGRADED


def test_apply_refuses_templates_that_count_other_services_and_force_applies_them(tmp_path: Path) -> None:
    world = two_services(tmp_path, FOUR_LINES)
    (tmp_path / "canary.yaml").write_text(WIDE)
    refused = world.canary("apply")
    assert refused.code == ExitCode.REFUSED
    assert f"{SAID}\nhint: write into canary.yaml: {LINE}; --force applies it as it is\n" in refused.err
    assert "unchanged" in world.canary("apply", "--file", "billing.yaml").out
    forced = world.canary("apply", "--force")
    assert forced.code == ExitCode.OK
    assert SAID in forced.err


@pytest.mark.parametrize("verb", [("deploy", "v1.1.0", "--timeout", "1h"), ("metrics",), ("plan", "--releases", "1")])
def test_verbs_that_judge_say_so_first_and_name_the_line_to_write(tmp_path: Path, verb: tuple[str, ...]) -> None:
    world = two_services(tmp_path, WIDE)
    ran = world.canary(*verb, together=True)
    lines = ran.out.splitlines()
    told = [n for n, text in enumerate(lines) if SAID in text]
    assert told, ran.out
    assert LINE in lines[told[0]].replace("\\", "")
    if verb[0] == "deploy":
        assert told[0] < 2, lines[:3]
        assert told[-1] == len(lines) - 3, lines[-3:]


def test_without_a_canary_yaml_it_is_said_with_the_verdict(tmp_path: Path) -> None:
    world = two_services(tmp_path, WIDE)
    world.canary("deploy", "v1.1.0", "--no-wait")
    (tmp_path / "canary.yaml").unlink()
    ran = world.canary("watch", "companyos-api", "-n", "companyos", "--timeout", "1h", together=True)
    assert ran.code == ExitCode.OK
    *_, said, closing, verdict = ran.out.splitlines()
    assert SAID in said
    assert closing.startswith("✔ v1.1.0 is stable")
    assert verdict.startswith("verdict=healthy ")


SHORT = ("--until", "weight=25", "--timeout", "1h")
MEASURED = re.compile(r"Prometheus counts 5 % of the requests at the canary, and 10 % are asked for")


def nameless(world: World) -> None:
    """A Prometheus whose series do not say which service they are of."""
    answer = world.prometheus

    def without_names(request: Request) -> Response:
        nothing = {"status": "success", "data": {"resultType": "vector", "result": []}}
        nameless = request.parameter("query").startswith("group by (namespace, pod, app)")
        return Response(200, {}, json.dumps(nothing).encode()) if nameless else answer(request)

    world.prometheus = without_names


@pytest.mark.parametrize("config", ["canary.yaml", "no canary.yaml"])
def test_a_measured_share_that_contradicts_the_asked_one_is_said_in_a_pipe(tmp_path: Path, config: str) -> None:
    world = two_services(tmp_path, WIDE)
    nameless(world)
    assert world.canary("deploy", "v1.1.0", "--no-wait").code == 0
    if config == "no canary.yaml":
        (tmp_path / "canary.yaml").unlink()
    ran = world.canary("watch", "companyos-api", "-n", "companyos", *SHORT, together=True)
    lines = ran.out.splitlines()
    told = [n for n, text in enumerate(lines) if MEASURED.search(text)]
    assert len(told) == 2
    first = lines[told[0]]
    assert " note text=" in first
    assert LINE in first.replace("\\", "")
    assert "step 2/3" not in "".join(lines[: told[0]])
    again = lines[told[-1]]
    assert LINE in again
    assert again.startswith("Prometheus counts"), "for people, with the verdict"
    assert " warnings=share exit=0" in lines[-1]


def test_what_the_metrics_count_too_is_in_the_json_and_the_ci_output_of_a_release(tmp_path: Path) -> None:
    world = two_services(tmp_path, WIDE)
    github = {"GITHUB_ACTIONS": "true"}
    ran = world.canary("deploy", "v1.1.0", *SHORT, "--summary", "summary.md", "-o", "json", environ=github)
    verdict = ran.json["data"]
    assert [w["code"] for w in verdict["warnings"]] == ["scope"]
    assert SAID in verdict["warnings"][0]["message"]
    assert any(SAID in note for note in verdict["snapshot"]["notes"])
    assert f"::warning title=companyos-api scope::{SAID}" in ran.err
    assert "- the metrics of \\`companyos-api\\` also count" in (tmp_path / "summary.md").read_text()
    asked = world.canary("metrics", "-o", "json").json["data"]
    assert [w["code"] for w in asked["warnings"]] == ["scope"]


@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_the_metrics_of_a_canary_say_that_its_share_is_another_one(tmp_path: Path) -> None:
    world = two_services(tmp_path, WIDE)
    nameless(world)
    assert world.canary("deploy", "v1.1.0", "--no-wait").code == 0
    world.advance(20)
    assert world.canary("metrics", "-o", "json").json["data"]["warnings"] == [], "the weight has just begun"
    world.advance(80)
    asked = world.canary("metrics", "-o", "json").json["data"]
    assert [w["code"] for w in asked["warnings"]] == ["share"]
    assert MEASURED.search(asked["warnings"][0]["message"])
    ran = world.canary("metrics")
    assert MEASURED.search(ran.err)
    assert " warnings=share" in ran.out.splitlines()[0]
    planned = world.canary("plan", "--releases", "1").out.splitlines()
    assert any(MEASURED.search(line) for line in planned[:3]), planned


def test_a_share_that_is_as_asked_is_never_said_to_be_another(tmp_path: Path) -> None:
    world = World(tmp_path, FOUR_LINES, scenario=replace(default(), traffic=20), seed=1, scrape=15)
    assert world.canary("apply", "v1.0.0", "-q").code == 0
    world.advance(60)
    ran = world.canary("deploy", "v1.1.0", *SHORT, together=True)
    assert "Prometheus counts" not in ran.out
    assert "warnings=" not in ran.out


def test_where_prometheus_cannot_be_asked_that_is_said_once(tmp_path: Path) -> None:
    world = World(tmp_path, FOUR_LINES)
    world.prometheus = lambda _: Response(503, {}, b"gone")
    ran = world.canary("apply", "v1.0.0")
    assert ran.code == ExitCode.OK
    assert ran.err.count("whether the metrics count the requests of `companyos-api` alone could not be checked") == 1


def test_init_writes_the_scope_and_the_boundary_that_the_series_have(tmp_path: Path) -> None:
    world = two_services(tmp_path, FOUR_LINES)
    ran = world.canary("init", "billing", "-n", "companyos", "--image", "companyos-api", "--file", "new.yaml")
    assert ran.code == ExitCode.OK
    assert "scope and boundary are those of the series that Prometheus has of `billing`" in ran.err
    written = (tmp_path / "new.yaml").read_text()
    assert "\nanalysis:  # canary-lint: ignore=window-too-short a sandbox is scraped every second\n" in written
    assert '\n  scope: \'namespace="companyos",pod=~"billing-.*"\'\n  by_hash: true\n' in written
    assert "\n  latency-p95: {below: 300ms, boundary: 300ms}\n" in written
    assert world.canary("apply", "--file", "new.yaml", "--dry-run").code == ExitCode.OK
    asked = world.canary("render", "--file", "new.yaml").out
    assert "rollouts_pod_template_hash=~" in asked


def test_init_counts_exact_pod_names_where_another_name_begins_alike(tmp_path: Path) -> None:
    world = World(tmp_path, FOUR_LINES, scenario=replace(default(), traffic=100), seed=1, scrape=15)
    (tmp_path / "long.yaml").write_text(FOUR_LINES.replace("rollout: companyos-api", "rollout: companyos-api-v2"))
    for file in ("long.yaml", "canary.yaml"):
        assert world.canary("apply", "v1.0.0", "-q", "--file", file, "--force").code == 0
    world.advance(60)
    assert "also count the requests of `companyos-api-v2`" in world.canary("metrics").err
    world.canary("init", "companyos-api", "-n", "companyos", "--file", "new.yaml")
    assert 'pod=~"companyos-api-[^-]+-[^-]+"' in (tmp_path / "new.yaml").read_text()
    assert "also count" not in world.canary("metrics", "--file", "new.yaml").err


def test_init_says_once_that_prometheus_could_not_be_asked(tmp_path: Path) -> None:
    world = World(tmp_path, "")
    world.prometheus = lambda _: Response(503, {}, b"gone")
    ran = world.canary("init", "api", "-n", "shop")
    assert ran.code == ExitCode.OK
    assert ran.err.count("Prometheus could not be asked which labels the series of `api` have") == 1


def test_a_limit_between_two_buckets_is_warned_about_until_a_boundary_is_named(tmp_path: Path) -> None:
    config = FOUR_LINES + "metrics: {latency-p95: {below: 250ms%s}}\n"
    world = World(tmp_path, config % "", scenario=replace(default(), traffic=100), seed=1, scrape=15)
    assert world.canary("apply", "v1.0.0", "-q").code == 0
    world.advance(320)
    said = "the limit of 250 ms is not a boundary of the histogram; between 200 ms and 300 ms a p95 is a guess"
    assert said in world.canary("metrics").err
    assert said in world.canary("plan", "--releases", "1").out
    (tmp_path / "canary.yaml").write_text(config % ", boundary: 200ms")
    assert "is not a boundary" not in world.canary("metrics").err + world.canary("plan", "--releases", "1").out
    assert 'le=~"0[.]2[0-9]*' in world.canary("render").out


@pytest.mark.parametrize(
    ("metric", "allowed"),
    [
        ("error-rate: {below: 5%, boundary: 0.3}", "with the guide's latency-p95 alone"),
        ("latency-p95: {below: 300ms, boundary: 0}", "more than 0s and up to 60s"),
    ],
)
def test_a_boundary_that_cannot_be_is_refused(tmp_path: Path, metric: str, allowed: str) -> None:
    ran = World(tmp_path, FOUR_LINES + f"metrics: {{{metric}}}\n").canary("render")
    assert ran.code == ExitCode.USAGE
    assert allowed in ran.err
