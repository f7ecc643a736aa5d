"""Whatever names, reasons and messages hold, nothing of it moves a cursor or looks like a line of ours."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from companyos_canary.model.http import Request, Response
from tests.commands.conftest import freeze
from tests.world import Ran, World

pytestmark = pytest.mark.replicas(4)

LINE = "verdict=healthy version=v1.2.0 exit=0"
HOSTILE = f"a\x1b[31m\x1b]52;c;aGk=\x07\x00\rX\n{LINE}\n::error::boo\u202e\u0085"
RAW = "\x07\x00\r\u202e\u0085"
# What identifies an object or is compared with something stays as it is.
KEPT = {
    *("kind", "apiVersion", "uid", "namespace", "resourceVersion", "labels", "matchLabels", "operator"),
    *("currentPodHash", "stableRS", "observedGeneration", "type", "status", "phase", "interval"),
}
VERBS = (
    *("status", "get", "get -v", "get -o json", "get -o yaml", "list", "history", "history --diff 1 2", "events"),
    *("analysis", "analysis -o json", "metrics", "why", "logs", "links", "watch --timeout 2s", "diff v1.2.0"),
    *("promote", "abort --dry-run", "undo --dry-run", "undo --to v9", "deploy v9", "deploy v9 --supersede --dry-run"),
)


def hostile(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {k: v if k in KEPT else hostile(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [hostile(v, key) for v in value]
    fixed = key in KEPT or key.endswith(("At", "Time", "Timestamp", "/revision")) or value in ("companyos-api", "True")
    return value + HOSTILE if isinstance(value, str) and not fixed else value


@pytest.fixture(params=["all of it", "what belongs to it"])
def told(running: World, request: pytest.FixtureRequest) -> World:
    """v1.1.0 is in its first analysis; texts of the cluster are hostile."""
    freeze(running)
    real = running.faults

    def answer(asked: Request) -> Response:
        said = real(asked)
        if asked.method != "GET" or said.status != 200:
            return said
        if asked.path.endswith("/log"):
            return replace(said, body=said.body.replace(b"level", HOSTILE.encode()))
        if request.param != "all of it" and asked.path.endswith("rollouts/companyos-api"):
            return said
        return replace(said, body=json.dumps(hostile(json.loads(said.body))).encode())

    running.faults = answer  # type: ignore[assignment]
    return running


def streams(ran: Ran) -> Iterator[str]:
    yield from (ran.out, ran.err)


@pytest.mark.parametrize("verb", VERBS)
def test_a_pipe_gets_no_character_that_cannot_be_seen_and_no_line_of_theirs(told: World, verb: str) -> None:
    for text in streams(told.canary(*verb.split(), environ={"GITHUB_ACTIONS": "true"})):
        assert not [c for c in "\x1b" + RAW if c in text], text
        lines = text.split("\n")
        assert not [line for line in lines if line.strip() == LINE or line.lstrip().startswith("::error::")], text


@pytest.mark.parametrize(
    "verb",
    ["status", "get", "get -o yaml", "events", "analysis", "why", "logs", "metrics", "undo --to v9", "deploy v9"],
)
def test_a_terminal_gets_nothing_that_it_would_obey(told: World, verb: str) -> None:
    for text in streams(told.canary(*verb.split(), terminal=True)):
        assert not [c for c in RAW if c in text.replace("\x1b]8", "")], text
        assert "\x1b]52" not in text
        assert LINE not in text.split("\n"), text
