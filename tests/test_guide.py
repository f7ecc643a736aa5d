"""Every command of docs/guide.md, in its order, against the sandbox."""

import re
import shlex
from pathlib import Path

import pytest

from tests.docs import ROOT
from tests.world import World

GUIDE = ROOT / "docs" / "guide.md"
_BLOCK = re.compile(r"^```console(?: exit=(\d+))?\n(.*?)^```", re.S | re.M)


def commands() -> list[tuple[str, int]]:
    """Command lines with the exit code that the page states (0 unless it says another)."""
    found = []
    for code, body in _BLOCK.findall(GUIDE.read_text()):
        for line in body.splitlines():
            assert line.startswith("$ canary "), f"not a command of ours: {line}"
            found.append((line.removeprefix("$ canary "), int(code or 0)))
    return found


@pytest.mark.slow
def test_every_command_of_the_guide_does_what_the_page_says(tmp_path: Path) -> None:
    world = World(tmp_path, config="")
    for line, expected in commands():
        ran = world.canary(*shlex.split(line))
        assert ran.code == expected, f"canary {line}\n{ran.out}{ran.err}"
        world.advance(5)
