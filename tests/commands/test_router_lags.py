"""A router that takes weights over late: nothing goes on before it has, and everyone is told."""

from collections.abc import Callable
from pathlib import Path

import pytest

from companyos_canary.errors import ExitCode, UsageError
from companyos_canary.promql import Vector, evaluate
from companyos_canary.sandbox.faults.effects import RouterLag, parse_fault
from tests.world import WEB, World

CONFIG = WEB + "traffic: alb\nsteps: [{weight: 10, pause: 5s}, {weight: 50, pause: 5s}]\n"


@pytest.fixture
def lagging(tmp_path: Path) -> Callable[[float], World]:
    """v1.0.0 is Healthy behind a router that is so many seconds late from now on."""

    def begin(seconds: float) -> World:
        world = World(tmp_path, CONFIG)
        assert world.canary("apply", "v1.0.0").code == ExitCode.OK
        world.sandbox.lag.seconds = seconds
        return world

    return begin


def served(world: World) -> float:
    """The share of the requests of the last 2 s that went to the canary, as Prometheus sees it."""
    counted = "sum(rate(companyos_http_requests_total{%s}[2s]))"
    of_it = f'rollouts_pod_template_hash="{world.rollout("web").current_hash}"'
    asked = f"({counted % of_it} or vector(0)) / {counted % ''}"
    found = evaluate(asked, world.now.timestamp(), world.tsdb.select)
    assert isinstance(found, Vector)
    return found.samples[0].value


def verified(world: World) -> bool | None:
    return world.rollout("web").weights_verified


@pytest.mark.prompt_only("asserts the seconds in which the router alone is late")
def test_the_step_waits_until_the_router_has_the_weight(lagging: Callable[[float], World]) -> None:
    world = lagging(20)
    assert world.canary("deploy", "v1.1.0", "--no-wait").code == ExitCode.OK
    world.advance(10)
    live = world.rollout("web")
    assert (live.step_index, verified(world)) == (0, False)
    assert "routed 10 %, not verified" in world.canary("get").out
    assert "weight not verified by the router" in world.canary("status").out
    world.advance(15)
    assert (world.rollout("web").step_index, verified(world)) == (1, True)


def test_why_names_the_router_once_it_takes_long(lagging: Callable[[float], World]) -> None:
    world = lagging(600)
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(120)
    ran = world.canary("why")
    assert "weight of 10 % was set, but the traffic router does not show it yet" in ran.out


def test_an_abort_is_done_when_the_router_has_taken_the_traffic_back(lagging: Callable[[float], World]) -> None:
    world = lagging(8)
    assert world.canary("deploy", "v1.1.0", "--until", "weight=10").code == ExitCode.OK
    began = world.now
    assert world.canary("abort").code == ExitCode.OK
    assert verified(world) is True
    assert (world.now - began).total_seconds() >= 8


@pytest.mark.prompt_only("asserts the seconds in which the router alone is late")
def test_the_requests_go_where_the_router_has_them_and_not_where_they_were_asked_for(
    lagging: Callable[[float], World],
) -> None:
    world = lagging(20)
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(15)
    assert (world.rollout("web").weights_verified, served(world)) == (False, 0)
    world.advance(10)
    assert served(world) == pytest.approx(0.1, abs=0.01)
    assert world.canary("abort", "--no-wait").code == ExitCode.OK
    world.advance(15)
    status = world.rollout("web").raw["status"]["canary"]["weights"]
    assert (status["canary"]["weight"], status["verified"]) == (0, False)
    assert served(world) == pytest.approx(0.1, abs=0.01)
    world.advance(10)
    assert (verified(world), served(world)) == (True, 0)


@pytest.mark.prompt_only("asserts the seconds in which the router alone is late")
def test_a_router_that_is_no_longer_late_has_the_newest_weight(lagging: Callable[[float], World]) -> None:
    world = lagging(600)
    world.canary("deploy", "v1.1.0", "--no-wait")
    world.advance(10)
    assert served(world) == 0
    world.sandbox.lag.seconds = 0
    world.advance(5)
    assert served(world) == pytest.approx(0.1, abs=0.01)


def test_a_release_goes_through(lagging: Callable[[float], World]) -> None:
    assert lagging(3).canary("deploy", "v1.1.0").code == ExitCode.OK


def test_the_rule_is_a_time_and_stands_alone() -> None:
    assert parse_fault("router=20s") == RouterLag(20)
    for text in ("router", "router=soon", "GET router=2s"):
        with pytest.raises(UsageError):
            parse_fault(text)
