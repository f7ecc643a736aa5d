"""A release and an abort by key, from the first frame to the exit code."""

import re

import pytest

from tests.e2e.conftest import Shell
from tests.e2e.terminal import Terminal


def waits(text: str) -> bool:
    """All that is known is drawn, not only what the first request said."""
    return "waits for a person" in text and " stable " in text


@pytest.mark.slow
def test_a_release_by_key_and_an_abort_by_key(shell: Shell) -> None:
    terminal = Terminal(shell, "deploy", "v1.6.0")
    terminal.until(waits)
    terminal.confirm("p", "? promote v1.6.0")
    assert terminal.end() == 0
    assert "v1.6.0 is stable and has all traffic" in terminal.text
    terminal = Terminal(shell, "deploy", "v1.7.0")
    terminal.until(waits)
    terminal.confirm("a", "? abort v1.7.0")
    assert terminal.end() == 3
    assert "v1.7.0 was rolled back at 50 %" in terminal.text
    assert re.search("traffic (is back on|goes back to) v1.6.0", terminal.text)
    shell.begin("deploy", "v1.0.0", "--until", "paused", "-q")
    shell.begin("promote", "-q")
    shell.begin("watch", "-q")
