"""`canary watch` in a real pseudo-terminal: what a person sees, and what stays."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pyte
import pytest

from tests.e2e.conftest import CANARY, PATIENCE, Shell


class Terminal:
    """A program in a pseudo-terminal, and the screen it has drawn so far."""

    def __init__(self, shell: Shell, *arguments: str, columns: int = 80, lines: int = 24) -> None:
        self.screen = pyte.HistoryScreen(columns, lines)
        self._stream = pyte.Stream(self.screen)
        self.raw = ""
        self.child = pexpect.spawn(
            CANARY[0], [*CANARY[1:], *arguments], cwd=str(shell.folder),
            dimensions=(lines, columns),
            env={"TERM": "xterm-256color", **shell.environment}, encoding="utf-8", timeout=PATIENCE,
        )  # fmt: skip

    def until(self, seen: Callable[[str], bool]) -> str:
        """Reads until the screen shows it; the screen."""
        while not seen(self.text):
            self._feed(self.child.read_nonblocking(65536, PATIENCE))
        return self.text

    def end(self) -> int:
        """Reads to the end; the exit code."""
        while True:
            try:
                self._feed(self.child.read_nonblocking(65536, PATIENCE))
            except pexpect.EOF:
                break
        self.child.close()
        assert self.child.exitstatus is not None
        return self.child.exitstatus

    def _feed(self, text: str) -> None:
        self.raw += text
        self._stream.feed(text)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)


@pytest.fixture(scope="module")
def waiting(shell: Shell) -> Iterator[Shell]:
    """A version waits for a person at 50 %."""
    ran = shell.run("deploy", "v1.5.0", "--until", "paused", "-q")
    assert ran.returncode == 0, ran
    yield shell
    assert shell.run("undo", "-q").returncode == 0


def waits(text: str) -> bool:
    return "waits for a person" in text


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
    assert "stop:  canary abort" in terminal.text
    assert "Traceback" not in terminal.raw


def test_no_line_is_wider_than_the_terminal(waiting: Shell) -> None:
    terminal = Terminal(waiting, "watch", columns=60)
    text = terminal.until(waits)
    assert "step 2/2" in text
    terminal.child.sendintr()
    assert terminal.end() == 130
    top = [line.strip() for line in text.splitlines() if "Paused" in line]
    assert len(top) == 1, "the head is on one line"


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
