"""`canary watch` in a real pseudo-terminal: what a person sees, presses, and what stays."""

import os
import signal
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Shell
from tests.e2e.proxy import Proxy
from tests.e2e.terminal import Terminal


@pytest.fixture(scope="module")
def waiting(shell: Shell) -> Iterator[Shell]:
    """A version waits for a person at 50 %."""
    shell.begin("deploy", "v1.5.0", "--until", "paused", "-q")
    yield shell
    shell.begin("undo", "-q")


def waits(text: str) -> bool:
    """All that is known is drawn, not only what the first request said."""
    return "waits for a person" in text and " stable " in text


def test_the_screen_then_ctrl_c(waiting: Shell) -> None:
    terminal = Terminal(waiting, "watch")
    text = terminal.until(waits)
    assert "v1.5.0" in text.splitlines()[0]
    assert terminal.screen.cursor.hidden
    terminal.child.sendintr()
    assert terminal.end() == 130
    assert not terminal.screen.cursor.hidden
    assert "waits for a person" in terminal.text, "the last frame stays"
    assert "no longer watching: v1.5.0 waits for a person" in terminal.text
    assert "stop:     canary abort" in terminal.text
    assert "Traceback" not in terminal.raw


def test_no_line_is_wider_than_the_terminal(waiting: Shell) -> None:
    terminal = Terminal(waiting, "watch", columns=60)
    text = terminal.until(waits)
    assert "WAITS FOR YOU  v1.0.0 → v1.5.0 at 50 %: promote or abort" in text.splitlines()[0]
    terminal.child.sendintr()
    assert terminal.end() == 130
    top = [line.strip() for line in text.splitlines() if "WAITS FOR YOU" in line]
    assert len(top) == 1, "the head is on one line"
    assert "q leave" in text.splitlines()[23], "the keys are the last line of the terminal"


def test_no_color_is_no_colour_but_still_a_screen(waiting: Shell, tmp_path: Path) -> None:
    plain = Shell(waiting.folder, waiting.kubeconfig, {"NO_COLOR": "1"})
    terminal = Terminal(plain, "watch")
    terminal.until(waits)
    terminal.child.sendintr()
    assert terminal.end() == 130
    assert "\x1b[3" not in terminal.raw
    assert "\x1b[?25l" in terminal.raw


def test_a_dumb_terminal_gets_lines(waiting: Shell) -> None:
    dumb = Shell(waiting.folder, waiting.kubeconfig, {"TERM": "dumb"})
    terminal = Terminal(dumb, "watch")
    assert terminal.end() == 8
    assert "\x1b" not in terminal.raw
    assert terminal.text.rstrip().endswith("exit=8")


def test_get_fits_and_keeps_the_cursor(waiting: Shell) -> None:
    terminal = Terminal(waiting, "get")
    assert terminal.end() == 0
    assert "\x1b[?25l" not in terminal.raw
    assert "\x1b[3" in terminal.raw


def test_another_size_is_drawn_at_once_and_leaves_nothing_behind(waiting: Shell) -> None:
    terminal = Terminal(waiting, "watch")
    terminal.until(waits)
    terminal.resize(40, 10)
    text = terminal.until(lambda t: "q leave" in t and "e events" not in t)
    assert text.count("companyos-api") == 1
    assert all(len(line) <= 40 for line in text.splitlines())
    terminal.resize(120, 40)
    text = terminal.until(lambda t: "l logs" in t)
    assert text.count("v1.0.0 → v1.5.0") == 1
    assert text.count("traffic  asked") == 1
    terminal.press("q")
    assert terminal.end() == 130


def test_a_key_asks_and_any_other_key_takes_it_back(waiting: Shell) -> None:
    terminal = Terminal(waiting, "watch")
    terminal.until(waits)
    terminal.press("a")
    terminal.until(lambda t: "? abort v1.5.0 at 50 %: all traffic back to v1.0.0?" in t)
    terminal.press("\x1b[A")  # an arrow is no key of ours
    terminal.press("n")
    terminal.until(lambda t: "not confirmed: nothing was sent" in t)
    terminal.press("?")
    terminal.until(lambda t: "retry: an aborted version again" in t)
    terminal.press("\x1b")
    terminal.until(lambda t: "traffic  asked" in t)
    terminal.press("q")
    assert terminal.end() == 130
    assert "no longer watching" in terminal.text
    assert waiting.inside("status", "-q").returncode == 8


def test_the_terminal_is_as_it_was_before(waiting: Shell) -> None:
    terminal = Terminal(waiting, "watch")
    before = termios.tcgetattr(terminal.child.child_fd)
    terminal.until(waits)
    assert not termios.tcgetattr(terminal.child.child_fd)[3] & termios.ECHO
    terminal.press("q")
    while termios.tcgetattr(terminal.child.child_fd) != before:
        terminal.until_more()
    assert terminal.end() == 130


def test_a_lost_connection_keeps_the_frame_and_comes_back_by_itself(waiting: Shell, tmp_path: Path) -> None:
    with Proxy(waiting.kubeconfig, tmp_path / "config") as proxy:
        behind = Shell(waiting.folder, tmp_path / "config")
        terminal = Terminal(behind, "watch")
        terminal.until(waits)
        proxy.cut()
        text = terminal.until(lambda t: "NO CONNECTION" in t)
        assert waits(text), "the last frame stays"
        terminal.press("a")
        terminal.until(lambda t: "no connection: this picture is out of date" in t)
        proxy.mend()
        terminal.until(lambda t: "NO CONNECTION" not in t)
        terminal.press("q")
        assert terminal.end() == 130


def test_ctrl_z_gives_the_terminal_back_and_fg_draws_again(waiting: Shell) -> None:
    terminal = Terminal(waiting, "watch")
    terminal.until(waits)
    terminal.press("\x1a")
    terminal.until(lambda _: not terminal.screen.cursor.hidden)
    assert termios.tcgetattr(terminal.child.child_fd)[3] & termios.ECHO
    terminal.screen.reset()
    os.kill(terminal.child.pid, signal.SIGCONT)
    text = terminal.until(waits)
    assert "WAITS FOR YOU  v1.0.0 → v1.5.0 at 50 %" in text.splitlines()[0]
    terminal.press("q")
    assert terminal.end() == 130


def test_what_is_pasted_changes_nothing(waiting: Shell) -> None:
    terminal = Terminal(waiting, "watch")
    terminal.until(waits)
    terminal.press("\x1b[200~pay today\x1b[201~")
    terminal.press("m")
    terminal.until(lambda t: "esc back" in t)
    assert "yes, do it" not in terminal.raw
    terminal.press("\x1b[B" * 50 + "q")
    assert terminal.end() == 130
    assert waiting.inside("status", "-q").returncode == 8
