"""`strategy: blue-green` in canary.yaml, from the rendered objects to a release and back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from companyos_canary.errors import ExitCode
from tests.world import World

CONFIG = """\
schema: canary/v1
rollout: companyos-api
namespace: companyos
image: companyos-api
replicas: 4
strategy: blue-green
analysis: {window: 5s, min_requests: 10, by_hash: true}
"""


@pytest.fixture
def switching(tmp_path: Path) -> Callable[[str], World]:
    """A cluster with nothing in it, and a canary.yaml with this `blue_green:`."""
    return lambda block: World(tmp_path, CONFIG + (f"blue_green: {block}\n" if block else ""))


def rendered(world: World) -> list[dict[str, Any]]:
    ran = world.canary("render", "v1.0.0")
    assert ran.code == ExitCode.OK, ran
    return list(yaml.safe_load_all(ran.out))


def test_the_defaults_switch_as_soon_as_the_pods_are_ready(switching: Callable[[str], World]) -> None:
    *others, rollout = rendered(switching(""))
    assert rollout["spec"]["strategy"] == {
        "blueGreen": {"activeService": "companyos-api", "previewService": "companyos-api-preview"}
    }
    assert [(o["kind"], o["metadata"]["name"]) for o in others] == [
        ("Service", "companyos-api"),
        ("Service", "companyos-api-preview"),
    ]


def test_what_it_says_is_rendered(switching: Callable[[str], World]) -> None:
    block = "{promote: manual, before: 6s, after: 6s, preview_replicas: 1, scale_down_delay: 1m}"
    *others, rollout = rendered(switching(block))
    latest = [{"name": "canary-hash", "valueFrom": {"podTemplateHashValue": "Latest"}}]
    assert rollout["spec"]["strategy"]["blueGreen"] == {
        "activeService": "companyos-api",
        "previewService": "companyos-api-preview",
        "autoPromotionEnabled": False,
        "previewReplicaCount": 1,
        "scaleDownDelaySeconds": 60,
        "prePromotionAnalysis": {"templates": [{"templateName": "companyos-api-before-6s"}], "args": latest},
        "postPromotionAnalysis": {"templates": [{"templateName": "companyos-api-after-6s"}], "args": latest},
    }
    queries = [m["provider"]["prometheus"]["query"] for m in others[0]["spec"]["metrics"]]
    assert not [q for q in queries if "canary=" in q or "canary!=" in q], "no label survives the switch"


def test_a_pause_of_its_own_length(switching: Callable[[str], World]) -> None:
    assert rendered(switching("{promote: 10m}"))[-1]["spec"]["strategy"]["blueGreen"]["autoPromotionSeconds"] == 600


def test_a_release_waits_for_a_person_is_judged_after_the_switch_and_can_be_undone(
    switching: Callable[[str], World],
) -> None:
    world = switching("{promote: manual, after: 6s}")
    assert world.canary("apply", "v1.0.0").code == ExitCode.OK
    assert world.canary("deploy", "v1.1.0", "--until", "paused").code == ExitCode.OK
    assert world.canary("promote").code == ExitCode.OK
    followed = world.canary("watch")
    assert (followed.code, "healthy" in followed.last) == (ExitCode.OK, True), followed
    assert world.canary("apply").code == ExitCode.OK
    assert world.canary("undo", "--no-wait").code == ExitCode.OK
    world.advance(5)
    assert world.rollout().image() == "companyos-api:v1.0.0"


def test_a_bad_version_is_rolled_back_after_the_switch(switching: Callable[[str], World]) -> None:
    world = switching("{after: 6s}")
    assert world.canary("apply", "v1.0.0").code == ExitCode.OK
    ran = world.canary("deploy", "v1.2.0")
    assert ran.code == ExitCode.DEGRADED, ran
    state = world.rollout().blue_green
    assert state
    assert state.active == world.rollout().stable_hash


@pytest.mark.parametrize(
    ("more", "field", "said"),
    [
        ("steps: [{weight: 10, pause: 2s}]", "steps", "no `steps`"),
        ("traffic: gateway", "traffic", "no `traffic`"),
        ("blue_green: {promte: manual}", "blue_green.promte", "promote"),
        ("blue_green: {promote: later}", "blue_green.promote", "`auto`, `manual`"),
        ("blue_green: {after: 1s}", "blue_green.after", "`4s` or more"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path: Path, more: str, field: str, said: str) -> None:
    ran = World(tmp_path, CONFIG + more + "\n").canary("render", "v1.0.0")
    assert ran.code == ExitCode.USAGE
    assert f"field `{field}`" in ran.err
    assert said in ran.err


def test_an_analysis_needs_the_hash_and_a_canary_has_no_block_of_blue_green(tmp_path: Path) -> None:
    without = CONFIG.replace(", by_hash: true", "") + "blue_green: {after: 6s}\n"
    assert "by_hash: true" in World(tmp_path, without).canary("render", "v1.0.0").err
    canary = CONFIG.replace("blue-green", "canary") + "blue_green: {after: 6s}\n"
    assert "together with `strategy: blue-green`" in World(tmp_path, canary).canary("render", "v1.0.0").err


def test_a_plan_says_that_there_is_no_share_to_simulate(switching: Callable[[str], World]) -> None:
    ran = switching("{after: 6s}").canary("plan", "--rps", "20", "--errors", "1%")
    assert (ran.code, "is blue-green: it has no share of the traffic" in ran.err) == (ExitCode.USAGE, True)


def test_argo_cd_is_told_to_ignore_the_selectors_of_both_services(switching: Callable[[str], World]) -> None:
    part = yaml.safe_load(switching("").canary("render", "--argocd").out)
    assert [(i["kind"], i["name"]) for i in part["spec"]["ignoreDifferences"]] == [
        ("Service", "companyos-api"),
        ("Service", "companyos-api-preview"),
    ]
