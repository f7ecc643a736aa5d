"""Keys of a terminal as they are pressed, read beside the screen; the terminal is put back after.

A thread waits for keys and for a new size of the terminal, and wakes who draws.
"""

import os
import queue
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


class Keyboard(Protocol):
    """`with keyboard(wake): keyboard.pressed()`, again and again: the keys since the last time."""

    def __enter__(self) -> "Keyboard": ...

    def __exit__(self, *_: object) -> None: ...

    def pressed(self) -> Iterator[str]: ...


class TerminalKeyboard:
    """One character a key, Ctrl-C stays what it is. What an arrow or a function key sends is
    dropped. `wake` is called on another thread, also where the terminal was resized."""

    def __init__(self, stdin: TextIO, wake: Callable[[], None]) -> None:
        self._in = stdin.fileno()
        self._wake = wake
        self._typed: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __enter__(self) -> "TerminalKeyboard":
        self._before = termios.tcgetattr(self._in)
        tty.setcbreak(self._in)
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
        self._say(_CURSOR)
        os.kill(os.getpid(), signal.SIGSTOP)
        tty.setcbreak(self._in)
        self._say(_NO_CURSOR)
        self._typed.put(REDRAW)

    def _say(self, control: bytes) -> None:
        """The terminal itself, whatever stdout is; it may only be readable."""
        with suppress(OSError):
            os.write(self._in, control)

    def _listen(self) -> None:
        """Until the pipe or the terminal is closed."""
        while True:
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
                for key in _keys_in(typed.decode("utf-8", "replace")):
                    self._typed.put(key)
            self._wake()


def _keys_in(typed: str) -> list[str]:
    """Esc alone is a key; with more behind it, it is one of those that are dropped."""
    return [typed] if typed == "\x1b" else list(typed.partition("\x1b")[0])


def _nothing(_: int, __: FrameType | None) -> None:
    """The number of the signal is in the pipe already."""
