"""Rollouts with a traffic router (nginx): what is done is said by the traffic, not by the pods."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from companyos_canary.cluster.kinds import KNOWN
from companyos_canary.cluster.requests import create_request
from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.kinds import POD
from companyos_canary.sandbox.scenarios import Behaviour, Scenario
from tests.world import World

MANIFESTS = Path(__file__).parents[1] / "conformance" / "scenarios-nginx" / "abort-delay-2" / "manifests.yaml"
KINDS = {kind.kind: kind for kind in KNOWN}


@pytest.fixture
def routed(tmp_path: Path) -> Callable[..., World]:
    """v2 of a Rollout behind nginx waits for a person at 50 %; `canary` changes fields of its strategy, `starts_in`
    is how many seconds a pod of v1 takes."""

    def begin(*, starts_in: float = 0.5, **canary: Any) -> World:
        world = World(tmp_path, "", scenario=Scenario("slow", "", versions=(("v1", Behaviour(starts_in=starts_in)),)))
        for obj in yaml.safe_load_all(MANIFESTS.read_text()):
            obj["metadata"]["namespace"] = "companyos"
            if obj["kind"] == "Rollout":
                strategy = obj["spec"]["strategy"]["canary"]
                del strategy["abortScaleDownDelaySeconds"], strategy["scaleDownDelaySeconds"]
                strategy.update(canary)
            made = world.answer(create_request(obj, KINDS[obj["kind"]], "companyos"))
            assert made.status == 201, made.body
        world.advance(10 + starts_in)
        world.until(lambda r: r.observed and r.is_fully_promoted and r.available_replicas == r.replicas)
        assert world.canary("deploy", "v2", "--rollout", "companyos-api", "-n", "companyos", "--no-wait").code == 0
        world.advance(10)
        world.until(lambda r: bool(r.pause_conditions))
        return world

    return begin


def abort(world: World, *more: str) -> tuple[int, str, float]:
    began = world.now
    ran = world.canary("abort", "companyos-api", "-n", "companyos", *more)
    return ran.code, ran.out + ran.err, (world.now - began).total_seconds()


def test_an_abort_is_done_when_the_traffic_is_back_not_when_the_pods_are_gone(routed: Callable[..., World]) -> None:
    world = routed()
    code, said, took = abort(world)
    assert code == ExitCode.OK
    assert "companyos-api in companyos @ sandbox is aborted: all traffic is on the stable version" in said
    assert "its 3 canary pods stay for up to 30s (abortScaleDownDelaySeconds)" in said
    assert took < 10
    assert world.rollout().updated_replicas == 3
    world.advance(40)
    assert world.rollout().updated_replicas == 0


def test_a_pause_shows_all_of_its_events_while_the_terminal_has_rows_for_them(routed: Callable[..., World]) -> None:
    ran = routed().canary("watch", "companyos-api", "-n", "companyos", "--until", "paused", terminal=True)
    last = ran.out[ran.out.rindex("\x1b[J") :]
    assert "routed 50 %" in last
    assert "Rollout updated to revision 2" in last, "the first event of this update"


def test_pods_that_stay_for_ever_after_an_abort_are_said_to(routed: Callable[..., World]) -> None:
    steps = [{"setCanaryScale": {"replicas": 2}}, {"setWeight": 50}, {"pause": {}}]
    world = routed(abortScaleDownDelaySeconds=0, steps=steps)
    code, said, took = abort(world)
    assert (code, took < 10) == (ExitCode.OK, True)
    assert "its 2 canary pods stay until the next version (abortScaleDownDelaySeconds: 0)" in said


def test_a_delay_of_its_own_is_named(routed: Callable[..., World]) -> None:
    assert "its 3 canary pods stay for up to 2m" in abort(routed(abortScaleDownDelaySeconds=120))[1]


def test_with_a_stable_version_that_shrinks_it_waits_for_its_pods(routed: Callable[..., World]) -> None:
    world = routed(dynamicStableScale=True)
    code, *_ = abort(world)
    live = world.rollout()
    weights = live.raw["status"]["canary"]["weights"]
    assert (code, weights["canary"]["weight"]) == (ExitCode.OK, 0)
    assert live.available_replicas >= live.replicas


def test_who_watches_is_told_of_the_roll_back_when_the_traffic_is_back(routed: Callable[..., World]) -> None:
    world = routed(abortScaleDownDelaySeconds=3600)
    assert world.canary("abort", "companyos-api", "-n", "companyos", "--no-wait").code == ExitCode.OK
    began = world.now
    ran = world.canary("watch", "companyos-api", "-n", "companyos")
    assert ran.code == ExitCode.DEGRADED
    assert (world.now - began).total_seconds() < 60


def without(world: World, tag: str, count: int = 1) -> None:
    """So many pods of a version are gone, as a node takes them with it."""
    lost = [p for p in world.pods() if p["spec"]["containers"][0]["image"].endswith(tag)]
    for pod in lost[:count]:
        world.store.delete(POD, "companyos", pod["metadata"]["name"])
    world.sandbox.settle(world.now)


def losing(world: World, count: int) -> World:
    """A world in which stable loses so many pods once all traffic is back on it."""

    def lose() -> None:
        if (world.rollout().raw["status"]["canary"].get("weights") or {})["canary"]["weight"] == 0:
            world.on_wait.remove(lose)
            without(world, "v1", count)

    world.on_wait.append(lose)
    return world


@pytest.mark.prompt_only("a late ReplicaSet has not counted the pods that are lost when the abort is over")
def test_pods_of_the_canary_that_stay_do_not_make_stable_whole(routed: Callable[..., World]) -> None:
    code, said, took = abort(losing(routed(starts_in=20, abortScaleDownDelaySeconds=3600), 2))
    assert (code, took >= 19) == (ExitCode.OK, True), said


@pytest.mark.prompt_only("a late ReplicaSet has not counted the pods that are lost when the abort is over")
def test_the_pods_that_are_missing_are_counted_in_the_stable_version_alone(routed: Callable[..., World]) -> None:
    world = losing(routed(starts_in=20, abortScaleDownDelaySeconds=3600), 2)
    code, said, _ = abort(world, "--timeout", "8s")
    assert code == ExitCode.TIMEOUT
    assert "is aborted, but stable has 3 of 5 available; look with" in said


def test_who_watches_is_told_of_the_roll_back_when_stable_is_whole(routed: Callable[..., World]) -> None:
    world = routed(starts_in=20, abortScaleDownDelaySeconds=3600)
    assert world.canary("abort", "companyos-api", "-n", "companyos", "--no-wait").code == ExitCode.OK
    without(world, "v1", 2)
    began = world.now
    assert world.canary("watch", "companyos-api", "-n", "companyos").code == ExitCode.DEGRADED
    assert (world.now - began).total_seconds() >= 19
