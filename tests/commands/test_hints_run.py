"""Every command that is printed runs as it is, from where it was printed."""

import re
import shlex

import pytest

from companyos_canary.errors import ExitCode
from tests.commands.conftest import freeze
from tests.world import World

ABOUT_ONE = (
    r"`canary (?:abort|analysis|deploy|events|get|history|logs|metrics|pause|promote|resume|retry|status|undo"
    r"|watch|why)[^`]*`"
)
VERBS = (
    *("status", "resume", "retry", "restart", "logs", "promote --skip-step", "pause", "promote", "resume", "abort"),
    *("resume", "undo --dry-run", "retry", "metrics", "history", "undo --to v9"),
)


@pytest.fixture
def elsewhere(waiting: World) -> World:
    """A folder without canary.yaml."""
    (waiting.folder / "canary.yaml").unlink()
    return waiting


def printed(world: World, *verb: str) -> list[str]:
    ran = world.canary(*verb)
    return [c.strip("`") for c in re.findall(ABOUT_ONE, ran.out + ran.err)]


def test_they_name_the_rollout_where_no_file_does(elsewhere: World) -> None:
    target = ("companyos-api", "-n", "companyos", "--context", "sandbox")
    found = []
    for verb in VERBS:
        name, *rest = verb.split()
        found += printed(elsewhere, name, target[0], *rest, *target[1:])
    assert len(found) > 5
    for command in found:
        assert "companyos-api -n companyos" in command, command
        assert command.endswith("--context sandbox"), command
        more = ("--dry-run",) if "--skip-step" in command else ()
        ran = elsewhere.canary(*shlex.split(command)[1:], *more)
        assert ran.code not in (ExitCode.USAGE, ExitCode.NOT_FOUND), command


def test_they_name_the_environment_that_was_named(waiting: World) -> None:
    path = waiting.folder / "canary.yaml"
    path.write_text(path.read_text() + "environments:\n  prod: {replicas: 10}\n")
    freeze(waiting)
    (found,) = printed(waiting, "restart", "-e", "prod")
    assert found == "canary status -e prod"


def test_they_are_short_where_the_file_names_the_rollout(waiting: World) -> None:
    assert printed(waiting, "restart") == ["canary status"]
