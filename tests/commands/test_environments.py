"""`-e ENVIRONMENT`: its context and its namespace, and saying so before anything is changed."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from companyos_canary.cluster.client import Cluster
from companyos_canary.config import Resolved
from companyos_canary.errors import ExitCode
from companyos_canary.sandbox.kinds import NAMESPACE
from tests.world import CONFIG, HandleTransport, World

BLOCKS = """\
environments:
  prod: {context: prod-eu, namespace: live, replicas: 4}
  stage: {context: stage-eu}
"""
SAID = "acting on companyos-api in live @ prod-eu (environment prod)"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """v1.0.0 is Healthy in the namespaces of the file and of the environment prod."""
    made = World(tmp_path, CONFIG + BLOCKS)
    made.store.create(NAMESPACE, {"metadata": {"name": "live"}})

    def connect(resolved: Resolved, environ: Mapping[str, str], timeout: float) -> Cluster:
        context = resolved.context or "the-current-one"
        return Cluster(HandleTransport(made), resolved.namespace or "default", context)

    made.connect = connect  # type: ignore[method-assign]
    for environment in ((), ("-e", "prod")):
        assert made.canary("apply", "v1.0.0", "-q", *environment).code == ExitCode.OK
    made.advance(10)
    made.requests.clear()
    return made


def test_a_change_says_first_where_it_acts(world: World) -> None:
    ran = world.canary("deploy", "v1.1.0", "-e", "prod")
    assert ran.code == ExitCode.OK, ran
    assert ran.err.splitlines()[0] == SAID
    assert "namespace=live context=prod-eu" in ran.out
    assert all("/namespaces/live/" in r.path for r in world.requests if r.method == "PATCH")
    assert world.rollout().image() == "companyos-api:v1.0.0"


@pytest.mark.parametrize(
    "arguments",
    [
        ("deploy", "v1.1.0", "--no-wait"),
        ("promote",),
        ("abort",),
        ("undo",),
        ("retry",),
        ("pause", "--no-wait"),
        ("resume",),
        ("restart", "--no-wait"),
        ("apply", "--no-wait"),
    ],
    ids=lambda a: a[0],
)
def test_every_changing_verb_says_it_also_where_it_is_refused(world: World, arguments: tuple[str, ...]) -> None:
    assert world.canary(*arguments, "-e", "prod").err.splitlines()[0] == SAID


def test_nothing_is_said_where_nothing_is_changed_or_nobody_named_an_environment(world: World) -> None:
    for arguments in (
        ("status", "-e", "prod"),
        ("get", "-e", "prod"),
        ("deploy", "v1.1.0", "-e", "prod", "--dry-run"),
        ("restart", "--no-wait", "-e", "prod", "-q"),
        ("restart", "--no-wait"),
    ):
        assert "acting on" not in world.canary(*arguments).err


def test_a_variable_names_it_too_and_json_stays_alone_on_stdout(world: World) -> None:
    ran = world.canary("restart", "--no-wait", "-o", "json", environ={"CANARY_ENV": "prod"})
    assert ran.err.splitlines()[0] == SAID
    data = ran.json["data"]
    assert (data["namespace"], data["context"]) == ("live", "prod-eu")


def test_a_block_without_a_namespace_has_that_of_the_file_and_flags_win(world: World) -> None:
    ran = world.canary("restart", "--no-wait", "-e", "stage")
    assert "in companyos @ stage-eu (environment stage)" in ran.err
    ran = world.canary("restart", "--no-wait", "-e", "prod", "-n", "companyos", "--context", "mine")
    assert "in companyos @ mine (environment prod)" in ran.err


def test_an_unknown_one_is_refused_before_anything_is_asked(world: World) -> None:
    ran = world.canary("abort", "-e", "prd")
    assert ran.code == ExitCode.USAGE
    assert "prod" in ran.err
    assert not world.requests


def test_a_broken_file_does_not_send_an_abort_to_another_cluster(world: World) -> None:
    (world.folder / "canary.yaml").write_text("steps: [")
    name = ("abort", "companyos-api", "-n", "live", "-e", "prod")
    assert world.canary(*name).code == ExitCode.USAGE
    assert not world.requests
    ran = world.canary(*name, "--context", "prod-eu")
    assert ran.code == ExitCode.REFUSED
    assert ran.err.splitlines()[0] == SAID
