"""A world with a healthy first version in it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.world import CONFIG, World


@pytest.fixture
def empty(tmp_path: Path) -> World:
    """A cluster with nothing in it, and a canary.yaml."""
    return World(tmp_path)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """companyos-api v1.0.0 is Healthy."""
    return installed(tmp_path, CONFIG)


@pytest.fixture
def world_of(tmp_path: Path) -> Callable[[str], World]:
    """As `world`, for another canary.yaml."""
    return lambda config: installed(tmp_path, config)


def installed(folder: Path, config: str) -> World:
    made = World(folder, config)
    ran = made.canary("apply", "v1.0.0", "-q")
    assert ran.code == 0, ran
    made.advance(10)
    made.requests.clear()
    return made
