"""What is said while a controller is late, or away."""

from datetime import timedelta
from pathlib import Path

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.behaviour import Pace
from tests.clock import always
from tests.commands.conftest import freeze
from tests.world import World


@pytest.mark.prompt_only("asserts the seconds at which it is looked at")
def test_an_analysis_that_is_overdue_says_since_when_nothing_is_measured(running: World) -> None:
    running.advance(3)
    freeze(running)
    ran = running.canary("watch", "--heartbeat", "10s", "--timeout", "60s")
    (first, *_, last) = [line for line in ran.out.splitlines() if " still analysing " in line]
    assert "overdue" not in first
    assert "overdue=" in last
    assert "measured=12:00:1" in last
    assert 'hint="is the Rollouts controller running?"' in last
    assert " left=" not in last
    assert "analysing, overdue by " in running.canary("get").out


def test_an_analysis_that_just_ends_is_due(running: World) -> None:
    freeze(running)
    running.advance(8)
    assert "overdue" not in running.canary("get").out


@pytest.mark.parametrize("before", ["aborted", "in its steps"])
def test_a_deploy_tells_nothing_of_the_attempt_before(tmp_path: Path, before: str) -> None:
    """The controller sees a new version a second late, as a real one does."""
    world = World(tmp_path, pace=Pace(rollouts=always(timedelta(seconds=1))))
    world.canary("apply", "v1.0.0", "-q")
    world.advance(10)
    world.canary("deploy", "v1.2.0", "--no-wait")
    world.advance(4)
    if before == "aborted":
        world.canary("abort")
    ran = world.canary("deploy", "v1.1.0", "--supersede")
    assert ran.code == ExitCode.OK, ran
    lines = [line.split(" ", 2)[2] for line in ran.out.splitlines()[:-1]]
    assert lines[0].startswith("deploy companyos-api version=v1.1.0"), lines
    assert "revision=3" in lines[0], lines
    assert not [line for line in lines if "aborting" in line or "v1.2.0" in line], lines
    assert lines[1].startswith("step 1/3 weight=10"), lines
