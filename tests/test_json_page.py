"""Every command of docs/json.md, in its order, against the sandbox; with its output where the page
shows one."""

import re
import shlex
from pathlib import Path

from tests.commands.conftest import paused_world
from tests.docs import ROOT
from tests.world import MANUAL

_BLOCK = re.compile(r"^```console(?: exit=(\d+))?\n(.*?)^```", re.S | re.M)


def commands() -> list[tuple[str, str, int]]:
    """Command lines, what they print as the page shows it, and their exit codes."""
    return [
        (line, shown, int(code or 0))
        for code, body in _BLOCK.findall((ROOT / "docs" / "json.md").read_text())
        for line, _, shown in (part.partition("\n") for part in body.split("$ canary ")[1:])
    ]


def test_every_command_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    world = paused_world(tmp_path, MANUAL)
    assert len(commands()) > 10
    for line, shown, code in commands():
        ran = world.canary(*shlex.split(line))
        assert ran.code == code, f"canary {line}\n{ran.out}{ran.err}"
        assert shown in ("", ran.out + ran.err), f"canary {line}"
