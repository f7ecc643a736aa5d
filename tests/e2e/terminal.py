"""A real pseudo-terminal with a program of ours in it, and a screen that shows what it draws."""

import time
from collections.abc import Callable

import pexpect
import pyte

from tests.e2e.conftest import CANARY, PATIENCE, Shell

QUIET = 0.05  # seconds: the frame is whole


class Terminal:
    """A program in a pseudo-terminal, and the screen it has drawn so far."""

    def __init__(self, shell: Shell, *arguments: str, columns: int = 80, lines: int = 24) -> None:
        self._shell, self._arguments = shell, arguments
        self.screen = pyte.HistoryScreen(columns, lines)
        self._stream = pyte.Stream(self.screen)
        self.raw = ""
        self.child = pexpect.spawn(
            CANARY[0],
            [*CANARY[1:], *arguments],
            cwd=str(shell.folder),
            dimensions=(lines, columns),
            env={"TERM": "xterm-256color", **shell.environment},
            encoding="utf-8",
            timeout=PATIENCE,
        )

    def until(self, seen: Callable[[str], bool]) -> str:
        """Reads until the screen shows it in a whole frame; the screen."""
        end = time.monotonic() + PATIENCE
        while not (seen(self.text) and self._is_quiet()):
            assert time.monotonic() < end, self.text
            self.until_more()
        return self.text

    def _is_quiet(self) -> bool:
        try:
            self._feed(self.child.read_nonblocking(65536, QUIET))
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return True
        return False

    def press(self, keys: str) -> None:
        self.child.send(keys)

    def confirm(self, key: str, question: str) -> None:
        """Presses a key, and `y` until the question is answered: one that comes too early, before
        anyone can have read it, is none."""
        self.press(key)
        self.until(lambda text: question in text)
        while question in self.text:
            self.press("y")
            self._is_quiet()

    def resize(self, columns: int, lines: int) -> None:
        self.screen.resize(lines, columns)
        self.child.setwinsize(lines, columns)

    def until_more(self) -> None:
        """Reads what is there next."""
        self._feed(self.child.read_nonblocking(65536, PATIENCE))

    def end(self) -> int:
        """Reads to the end; the exit code."""
        while True:
            try:
                self.until_more()
            except pexpect.EOF:
                break
        self.child.close()
        assert self.child.exitstatus is not None
        lines = self.raw.replace("\r\n", "\n")  # the terminal adds the returns
        self._shell.check(self._arguments, self.child.exitstatus, lines, "", terminal=True)
        return self.child.exitstatus

    def _feed(self, text: str) -> None:
        self.raw += text
        self._stream.feed(text)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)
