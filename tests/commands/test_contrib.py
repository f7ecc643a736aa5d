"""contrib/: what other programs start is a command line of ours."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from companyos_canary import cli
from tests.world import World

K9S = Path(__file__).parents[2] / "contrib" / "k9s.yaml"
PLUGINS: dict[str, Any] = yaml.load(K9S.read_text(), yaml.CSafeLoader)["plugins"]
VALUES = {"$NAME": "companyos-api", "$NAMESPACE": "companyos", "$CONTEXT": "sandbox"}
CHANGES = {"promote", "abort", "undo"}


def arguments(plugin: dict[str, Any]) -> list[str]:
    """The arguments of `canary` as k9s, or the shell that it starts, gives them."""
    args = [VALUES.get(a, a) for a in plugin["args"]]
    if plugin["command"] == "canary":
        return args
    assert (plugin["command"], args[0], args[2]) == ("sh", "-c", "canary")
    text = args[1].partition(";")[0].partition("|")[0]
    given = {f"${n}": value for n, value in enumerate(args[3:], 1)}
    return [given.get(word, word) for word in shlex.split(text)][1:]


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_of_k9s_runs_a_command_that_exists(world: World, name: str) -> None:
    given = arguments(PLUGINS[name])
    assert given[0] in cli.VERBS
    assert world.canary(*given).code != 2


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_that_changes_something_is_confirmed(name: str) -> None:
    changes = arguments(PLUGINS[name])[0] in CHANGES
    assert bool(PLUGINS[name].get("confirm")) is changes


def test_each_key_is_used_once() -> None:
    keys = [p["shortCut"] for p in PLUGINS.values()]
    assert len(keys) == len(set(keys))
