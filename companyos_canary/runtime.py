"""What a verb gets from the world: streams, terminal facts, clock, and the adapters' factories.

Built once per run; a test builds its own with buffers, a clock that it owns and the sandbox
behind `connect`. Nothing below this layer asks the operating system for any of it.
Plain classes, because `canary --help` loads them, and is answered before msgspec would be loaded.
"""

import io
import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from companyos_canary import adapters
from companyos_canary.errors import CanaryError, ExitCode, Interrupted, harmless, words

if TYPE_CHECKING:
    from companyos_canary.cluster.client import Cluster
    from companyos_canary.cluster.feed import Feed
    from companyos_canary.config import Resolved, Settings
    from companyos_canary.delivery.message import Parcel
    from companyos_canary.keyboard import Keyboard
    from companyos_canary.model.http import Response
    from companyos_canary.prometheus.client import Prometheus
    from companyos_canary.view.lines import Facts


_LINES = "\n\t"
_OURS = "\n\t\x1b"
_NARROWEST = 20  # columns
_ASCII_LOCALES, _COERCED = ("C", "POSIX"), ("C.UTF-8", "C.UTF8", "UTF-8")
_LIGHT = ("7", *(str(n) for n in range(9, 16)))  # colours of a terminal's sixteen


class ReaderGone(Exception):
    """No one reads stdout any more. Not an OSError: click would end those with a code of its
    own."""


def _here() -> Path:
    """The folder that this runs in, also where it is gone: then there is no file in it."""
    try:
        return Path.cwd()
    except OSError:
        return Path(os.environ.get("PWD") or "/")


class Clock:
    """`now` is aware, in the zone that people read; `sleep` takes seconds."""

    def __init__(self, now: Callable[[], datetime], sleep: Callable[[float], None]) -> None:
        self.now, self.sleep = now, sleep


class Runtime:
    """The world of one run. `attended` is true when a person can answer: both ends of
    the conversation are a terminal. `start` does work concurrently with the caller, `together` all of several
    works in parallel, until the last has ended."""

    def __init__(
        self,
        *,
        stdout: TextIO,
        stderr: TextIO,
        stdin: TextIO,
        environ: Mapping[str, str],
        cwd: Path,
        clock: Clock,
        size: Callable[[], tuple[int, int]] = lambda: (80, 24),
        connect: Callable[["Resolved", Mapping[str, str], float], "Cluster"] = adapters.connect,
        feed: Callable[["Cluster", str], "Feed"] = adapters.feed,
        prometheus: Callable[["Cluster", "Settings | None", str], "Prometheus"] = adapters.prometheus,
        keyboard: Callable[[TextIO, Callable[[], None]], "Keyboard"] = adapters.keyboard,
        start: Callable[[Callable[[], None]], None] = adapters.in_thread,
        together: Callable[[Sequence[Callable[[], None]]], None] = adapters.in_threads,
        host: Callable[[], str] = adapters.host,
        carry_out: Callable[["Parcel", float], "Response"] = adapters.carry_out,
    ) -> None:
        self.stdout, self.stderr, self.stdin = stdout, stderr, stdin
        self.environ, self.cwd, self.clock, self.size = environ, cwd, clock, size
        self.connect, self.feed, self.prometheus, self.keyboard = connect, feed, prometheus, keyboard
        self.start, self.together, self.host, self.carry_out = start, together, host, carry_out
        self.no_color = False
        self.said = 0  # how often something was written on stderr
        self._silenced = False
        self._seq = 0

    @classmethod
    def real(cls) -> "Runtime":
        return cls(
            stdout=sys.stdout,
            stderr=sys.stderr,
            stdin=sys.stdin or io.StringIO(),
            environ=os.environ,
            cwd=_here(),
            clock=Clock(now=lambda: datetime.now(UTC).astimezone(), sleep=time.sleep),
            size=adapters.terminal_size,
        )

    @property
    def out_is_terminal(self) -> bool:
        return self.stdout.isatty() and self.environ.get("TERM") != "dumb"

    @property
    def attended(self) -> bool:
        return self.out_is_terminal and self.stdin.isatty()

    @property
    def program(self) -> str:
        """What to type in this folder to run this program again."""
        return adapters.program(self.environ, self.cwd, sys.argv[0], sys.executable)

    @property
    def user(self) -> str:
        """Who runs this: the CI's actor where there is one, else the login name."""
        for name in ("CANARY_USER", "GITHUB_ACTOR", "GITLAB_USER_LOGIN"):
            if self.environ.get(name):
                return self.environ[name]
        import getpass

        try:
            return getpass.getuser()
        except (KeyError, OSError):
            return ""

    @property
    def facts(self) -> "Facts":
        """What the view may use on stdout now: a terminal may be resized."""
        from companyos_canary.view.lines import Facts

        width, height = self.size()
        encoding = (getattr(self.stdout, "encoding", None) or "ascii").lower()
        terminal = self.out_is_terminal
        return Facts(
            width=width if terminal else 120,
            height=height,
            unicode="utf" in encoding and not (terminal and self._ascii),
            colour=terminal and not self.environ.get("NO_COLOR") and not self.no_color,
            terminal=terminal,
            light=self._light,
        )

    @property
    def _ascii(self) -> bool:
        """Whether a terminal shows no more than ASCII: the Linux console's fonts lack most of our signs, and for the
        locale C Python itself writes UTF-8 (PEP 538 sets LC_CTYPE, PEP 540 the encoding)."""
        given = {name: self.environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")}
        if given["LC_CTYPE"].upper() in _COERCED and given["LANG"] in _ASCII_LOCALES:
            given["LC_CTYPE"] = ""
        locale = next(filter(None, given.values()), "")
        return self.environ.get("TERM") == "linux" or locale in _ASCII_LOCALES

    @property
    def _light(self) -> bool:
        """CANARY_THEME says so, else the terminal: COLORFGBG is `15;0` or `0;default;15`, and its
        last number the background."""
        theme = self.environ.get("CANARY_THEME", "")
        background = self.environ.get("COLORFGBG", "").rpartition(";")[2]
        return theme == "light" or (not theme and background in _LIGHT)

    def draw(self, rows: Iterable[str]) -> None:
        """What `ink` has made, on a terminal, at once: the colours are in it, and nothing else that moves anything."""
        self.stdout.write("".join(f"{row}\n" for row in rows))
        self.stdout.flush()

    def say(self, line: str, *, ours: str = "") -> None:
        """One line of result, on stdout, at once."""
        self.write(line + "\n", ours=ours)
        self.stdout.flush()

    def write(self, text: str, *, ours: str = "") -> None:
        """Text of result, on stdout: nothing of the cluster's gets out that cannot be seen, or that GitHub's runner
        takes for a command. On a terminal colours are ours, and elsewhere what has the characters `ours`."""
        if not ours:
            text = self.harmless(text)
        self.stdout.write(harmless(text, keep=_OURS if self.out_is_terminal else _LINES + ours))

    def tell(self, line: str) -> None:
        """One line of result for people: a sentence is broken between words where the terminal is
        narrower; what has another form (YAML, a diff, a request) may be copied, and stays."""
        sentence = line[:1].isalpha() and not line.partition(" ")[0].isupper()
        self.say(self._folded(line) if sentence and self.out_is_terminal else line)

    def harmless(self, line: str) -> str:
        """Lines with words of the cluster's or the user's: no command to GitHub's runner, which reads both streams."""
        if self.environ.get("GITHUB_ACTIONS") != "true":
            return line
        from companyos_canary.view.ci.forges import harmless_line

        return harmless_line(line)

    def say_error(self, line: str) -> None:
        """One line for people, on stderr; folded as a sentence on a terminal."""
        line = harmless(self.harmless(line), keep=_LINES)
        self.said += 1
        try:
            self.stderr.write((self._folded(line) if self.stderr.isatty() else line) + "\n")
            self.stderr.flush()
        except OSError:  # no one can be told; what was done and the exit code stay
            _to_nowhere(self.stderr)

    def _folded(self, text: str) -> str:
        return "\n".join(
            textwrap.fill(
                line,
                max(_NARROWEST, self.size()[0]),
                subsequent_indent="  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
            for line in text.split("\n")
        )

    def ask(self, question: str) -> bool:
        """A question that only `y` or `yes` answers with yes; never without a terminal."""
        if not self.attended:
            return False
        self.stderr.write(f"{question} [y/N] ")
        self.stderr.flush()
        return self.stdin.readline().strip().lower() in ("y", "yes")

    def fail(self, error: CanaryError, *, as_json: bool, command: str) -> ExitCode:
        """Tells an error: one sentence and its hint on stderr; for machines an envelope on stdout
        too, as one more line where lines are written."""
        label = "" if isinstance(error, Interrupted) else "error: "
        self.say_error(f"{label}{words(error.message)}")
        if error.hint:
            self.say_error(f"hint: {words(error.hint)}")
        if as_json:
            try:
                self.say(self._for_machines(error, command))
            except OSError:  # the reader is gone, or the disk is full
                self.silence()
        return error.exit_code

    def _for_machines(self, error: CanaryError, command: str) -> str:
        from companyos_canary.view.machine import Failure, envelope, error_entry, event_line

        errors = (error_entry(error),)
        if command != "watch" and not self._seq:
            return envelope(command, error.exit_code, errors=errors)
        return event_line("error", Failure(int(error.exit_code), errors), at=self.clock.now(), seq=self._next())

    def say_event(self, event: str, data: object, at: datetime | None = None) -> None:
        """One object of JSON Lines, numbered from 1."""
        from companyos_canary.view.machine import event_line

        self.say(event_line(event, data, at=at or self.clock.now(), seq=self._next()))

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def flush(self) -> None:
        if not self._silenced:
            self.stdout.flush()

    def silence(self) -> None:
        """The reader of stdout is gone: nothing more is written there, also not at exit."""
        self._silenced = True
        _to_nowhere(self.stdout)


def _to_nowhere(stream: TextIO) -> None:
    """What is still to be written there, at the end of the process at the latest, is not."""
    if stream in (sys.stdout, sys.stderr) and not isinstance(stream, io.StringIO):
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, stream.fileno())
        os.close(devnull)
