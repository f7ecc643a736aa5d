"""Each controller that the sandbox plays: the same cause, and a next command that runs as it is written."""

import shlex
from pathlib import Path

import pytest

from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.behaviour import RELEASES, Release
from tests.diagnosis.strategies import NAME, NAMESPACE, deployed, installed
from tests.world import World

# Scenario, values of Prometheus, version, seconds, and what is right to say then.
PLAYED = (
    ("scenarios-bluegreen/bad-image", (), "bad1", 60, "image-pull"),
    ("scenarios-bluegreen/pause-promote", (), "v2", 60, "waiting-for-a-person"),
    ("scenarios-bluegreen/pre-promotion-failed", (0.99, 0.5), "v2", 60, "analysis-failed"),
    ("scenarios-bluegreen/post-promotion-failed", (0.99, 0.5), "v2", 60, "analysis-failed"),
    ("scenarios-bluegreen/pre-promotion-inconclusive", (0.7,), "v2", 60, "inconclusive"),
    ("scenarios-nginx/analysis-failed", (0.99, 0.5), "v2", 60, "analysis-failed"),
    ("scenarios-nginx/ingress-missing", (), "v2", 90, "spec-invalid"),
    ("scenarios-nginx/pause-promote", (), "v2", 60, "waiting-for-a-person"),
    ("scenarios-experiments/experiment-failed", (0.99, 0.5), "v2", 12, "analysis-failed"),
    ("scenarios-experiments/experiment-bad-image", (), "bad1", 60, "progress-deadline"),
    ("scenarios-experiments/experiment-inconclusive", (0.7,), "v2", 2, "inconclusive"),
    ("scenarios/workload-ref", (), "crash1", 60, "crash-loop"),
    ("scenarios/analysis-failed", (0.99, 0.5), "v2", 60, "analysis-failed"),
    ("scenarios/background-analysis-failed", (0.99, 0.99, 0.5), "v2", 60, "analysis-failed"),
    ("scenarios/bad-image-deadline-abort", (), "bad1", 60, "progress-deadline"),
    ("scenarios/bad-image-progress-deadline", (), "bad1", 60, "image-pull"),
)


@pytest.mark.parametrize(
    ("release", "folder", "values", "version", "seconds", "cause"),
    [(release, *played) for played in PLAYED for release in RELEASES],
    ids=[f"{played[0].partition('/')[2]}-{release.name}" for played in PLAYED for release in RELEASES],
)
def test_every_release_has_the_same_cause_and_its_next_command_runs(
    release: Release, folder: str, values: tuple[float, ...], version: str, seconds: float, cause: str
) -> None:
    world = deployed(installed(folder, *values, release=release), version, seconds)
    found = why(world, NAME, "-n", NAMESPACE)
    assert found["cause"] == cause, found
    assert ran(world, found["next"]) in (ExitCode.OK, ExitCode.TIMEOUT), found


@pytest.mark.parametrize(("version", "cause"), [("bad1", "image-pull"), ("crash1", "crash-loop")])
def test_a_first_version_that_does_not_start_is_not_sent_back_to_one_before_it(
    tmp_path: Path, version: str, cause: str
) -> None:
    world = World(tmp_path)
    world.canary("apply", version, "--no-wait")
    world.advance(60)
    found = why(world)
    assert found["cause"] == cause
    assert found["next"].startswith("kubectl ") or ran(world, found["next"]) == ExitCode.OK, found


def why(world: World, *names: str) -> dict[str, str]:
    found: dict[str, str] = world.canary("why", *names, "-o", "json").json["data"]
    return found


def ran(world: World, command: str) -> int:
    """The exit code of a command line of ours."""
    _, verb, *rest = shlex.split(command)
    waits = ("watch", "promote", "abort", "undo", "retry", "resume")
    return world.canary(verb, *rest, *(["--timeout", "5s"] if verb in waits else [])).code
