"""A healthy version stays healthy, however long it waits for a person under small windows."""

from pathlib import Path

import pytest

from companyos_canary.errors import ExitCode
from tests.world import CONFIG, World

WAITING = CONFIG.replace("{weight: 50, analysis: 6s}", "{weight: 50, pause: manual}")


@pytest.mark.slow
def test_nothing_aborts_a_good_canary_that_waits_for_minutes(tmp_path: Path) -> None:
    world = World(tmp_path, WAITING)
    assert world.canary("apply", "v1.0.0", "-q").code == ExitCode.OK
    assert world.canary("deploy", "v1.1.0", "--until", "paused", "-q").code == ExitCode.OK
    world.advance(150)
    live = world.rollout()
    assert not live.aborted, live.status_message
