"""Keys of a terminal as they are pressed, read while the screen is shown; the terminal is put back after.

A thread waits for keys and for a new size of the terminal, and wakes who draws.
"""

import codecs
import os
import queue
import re
import select
import signal
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import FrameType
from typing import Protocol, TextIO

REDRAW = "\x0c"  # Ctrl-L
_CURSOR, _NO_CURSOR = b"\x1b[?25h", b"\x1b[?25l"
_MARK_PASTES, _NO_MARKS = b"\x1b[?2004h", b"\x1b[?2004l"
_PASTE = "\x1b[200~"
# A paste, or what one key sends: CSI (`\x1b[1;5A`), SS3 (`\x1bOP`), or Alt with a character.
_MORE = re.compile(r"\x1b\[200~.*?\x1b\[201~|\x1b\[(?!200~)[0-?]*[ -/]*[@-~]|\x1bO.|\x1b[^\[O\x1b]", re.S)
_SOON = 0.05  # seconds in which the rest of a key comes


class Keyboard(Protocol):
    """`with keyboard(wake): keyboard.pressed()`, again and again: the keys since the last time."""

    def __enter__(self) -> "Keyboard": ...

    def __exit__(self, *_: object) -> None: ...

    def pressed(self) -> Iterator[str]: ...


class Keys:
    """Keys out of what a terminal sends, wherever that is cut: arrows and function keys send more
    than one character, a paste is between two marks; both are no keys of ours."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._open = ""

    def of(self, typed: bytes) -> list[str]:
        """The keys that are whole now."""
        text = _MORE.sub("", self._open + self._decoder.decode(typed))
        whole, escape, begun = text.partition("\x1b")
        self._open = escape + begun
        return list(whole)

    def rest(self) -> list[str]:
        """Nothing more comes for now: Esc alone is a key, the beginning of anything else none."""
        alone, self._open = self._open == "\x1b", "" if not self.pasting else self._open
        return ["\x1b"] if alone else []

    @property
    def waits(self) -> bool:
        """Whether something has begun that may be more than Esc."""
        return bool(self._open)

    @property
    def pasting(self) -> bool:
        return self._open.startswith(_PASTE)


class TerminalKeyboard:
    """One character a key, Ctrl-C stays what it is. `wake` is called on another thread, also where
    the terminal was resized."""

    def __init__(self, stdin: TextIO, wake: Callable[[], None]) -> None:
        self._in = stdin.fileno()
        self._wake = wake
        self._typed: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __enter__(self) -> "TerminalKeyboard":
        self._before = termios.tcgetattr(self._in)
        self._take()
        self._ear, self._mouth = os.pipe()
        os.set_blocking(self._mouth, False)
        self._old_wakeup = signal.set_wakeup_fd(self._mouth, warn_on_full_buffer=False)
        self._old = {
            signal.SIGWINCH: signal.signal(signal.SIGWINCH, _nothing),
            signal.SIGTSTP: signal.signal(signal.SIGTSTP, self._stop),
        }
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_wakeup)
        os.close(self._mouth)
        self._thread.join(1.0)
        os.close(self._ear)
        self._say(_NO_MARKS)
        # What was typed meanwhile was meant for the screen, not for the shell.
        with suppress(termios.error):
            termios.tcsetattr(self._in, termios.TCSAFLUSH, self._before)

    def pressed(self) -> Iterator[str]:
        with suppress(queue.Empty):
            while True:
                yield self._typed.get_nowait()

    def _stop(self, _: int, __: FrameType | None) -> None:
        """Ctrl-Z: the shell gets its terminal with a cursor, and after `fg` we take it again."""
        termios.tcsetattr(self._in, termios.TCSADRAIN, self._before)
        self._say(_NO_MARKS + _CURSOR)
        os.kill(os.getpid(), signal.SIGSTOP)
        self._take()
        self._say(_NO_CURSOR)
        self._typed.put(REDRAW)

    def _take(self) -> None:
        tty.setcbreak(self._in)
        self._say(_MARK_PASTES)

    def _say(self, control: bytes) -> None:
        """The terminal itself, whatever stdout is; it may only be readable."""
        with suppress(OSError):
            os.write(self._in, control)

    def _listen(self) -> None:
        """Until the pipe or the terminal is closed."""
        keys = Keys()
        while True:
            soon = _SOON if keys.waits else None
            ready, _, _ = select.select([self._in, self._ear], [], [], soon)
            if not ready:
                self._put(keys.rest())
                if keys.pasting:
                    ready, _, _ = select.select([self._in, self._ear], [], [])
            if self._ear in ready and not os.read(self._ear, 64):
                return
            if self._in in ready:
                try:
                    typed = os.read(self._in, 64)
                except OSError:
                    return
                if not typed:
                    return
                self._put(keys.of(typed))
            else:
                self._wake()

    def _put(self, keys: list[str]) -> None:
        for key in keys:
            self._typed.put(key)
        if keys:
            self._wake()


def _nothing(_: int, __: FrameType | None) -> None:
    """The number of the signal is in the pipe already."""
