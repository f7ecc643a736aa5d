"""Each fault of the sandbox, and what a verb makes of it."""

from datetime import timedelta
from pathlib import Path

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.faults.effects import Fault, parse_fault
from tests.world import CONFIG, MANUAL, World

PAUSED = (("apply", "v1.0.0", "-q"), ("deploy", "v1.1.0", "--until", "paused", "-q"))


@pytest.fixture
def paused(tmp_path: Path) -> World:
    """v1.1.0 waits for a person at 10 %."""
    world = World(tmp_path, MANUAL)
    for arguments in PAUSED:
        assert world.canary(*arguments).code == 0
    return world


def break_(world: World, *rules: str) -> None:
    for rule in rules:
        fault = parse_fault(rule)
        assert isinstance(fault, Fault)
        world.faults.add(fault)


@pytest.mark.parametrize(
    ("rule", "code", "said"),
    [
        ("drop", ExitCode.FAILED, "reset"),
        ("cut=20", ExitCode.FAILED, "reset"),
        ("silence", ExitCode.FAILED, "did not answer in time"),
        ("500", ExitCode.FAILED, "the sandbox was told to fail"),
        ("503", ExitCode.FAILED, "currently unable to handle"),
        ("410", ExitCode.FAILED, "too old"),
        ("429=2", ExitCode.FAILED, "too many requests"),
        ("html", ExitCode.FAILED, "not a Kubernetes object"),
        ("html=502", ExitCode.FAILED, "answered 502"),
        ("truncate=60", ExitCode.FAILED, "not a Kubernetes object"),
        ("401", ExitCode.DENIED, "credentials"),
        ("403", ExitCode.DENIED, "get"),
    ],
)
def test_a_read_that_fails_says_why(paused: World, rule: str, code: ExitCode, said: str) -> None:
    break_(paused, f"GET {rule}")
    ran = paused.canary("status")
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_latency_only_takes_time(paused: World) -> None:
    before = paused.now
    break_(paused, "GET /rollouts/ slow=3s x1")
    assert paused.canary("status").code == ExitCode.UNFINISHED
    assert (paused.now - before).total_seconds() >= 3


@pytest.mark.parametrize("verb", ["promote", "abort"])
def test_a_short_storm_of_conflicts_is_outlasted(paused: World, verb: str) -> None:
    break_(paused, "PATCH storm x3")
    assert paused.canary(verb).code == 0


def test_a_long_storm_is_said(paused: World) -> None:
    break_(paused, "PATCH storm")
    ran = paused.canary("promote")
    assert ran.code == ExitCode.FAILED
    assert "something else keeps writing" in ran.err


def test_a_race_does_not_matter_where_nothing_that_counts_was_written(paused: World) -> None:
    break_(paused, "PATCH race")
    assert paused.canary("promote").code == 0


def test_a_promote_that_is_lost_is_never_called_done(paused: World) -> None:
    break_(paused, "PATCH /status lose")
    ran = paused.canary("promote")
    assert ran.code == ExitCode.UNOBSERVED
    assert "accepted, but the controller has not acted on it" in ran.out


def test_a_frozen_controller_is_noticed(paused: World) -> None:
    paused.sandbox.freeze()
    assert paused.canary("promote").code == ExitCode.UNOBSERVED
    paused.sandbox.thaw()
    assert paused.canary("watch", "--until", "step=2").code == 0


def test_a_controller_that_was_frozen_for_a_while_catches_up(tmp_path: Path) -> None:
    world = World(tmp_path, CONFIG)
    assert world.canary("apply", "v1.0.0", "-q").code == 0
    assert world.canary("deploy", "v1.1.0", "--no-wait").code == 0
    world.advance(2)
    end = world.now + timedelta(seconds=20)
    world.sandbox.freeze(end)
    before = world.rollout()
    world.advance(19)
    assert world.rollout() == before
    assert world.canary("watch").code == 0
    assert world.now > end
