"""A screen that is drawn again and again in place, five times a second where it changes all the time."""

from collections.abc import Callable, Iterator
from typing import TextIO

from companyos_canary.view.lines import Facts

_A_FRAME, _LONGEST = 0.2, 10.0
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
_CLEAR, _BELOW = "\x1b[2J\x1b[H", "\r\x1b[J"
_EMPTY = "\r\x1b[2K"  # before a row is written: at the end of a full one it would take the last character away


class LiveScreen:
    """`with LiveScreen(out, clock) as live: live.update(rows, facts)`. `clock` counts seconds. There is a frame for
    each 0.2 s and one in reserve, so that what comes right after a frame, of which only the clock was new, is seen at
    once; what has no frame waits for the next update, `tick`, or the end. Only rows that are not there
    already are written, and the last one, where the cursor stays; but all of them where ten seconds have passed, as
    others may have written over them. The last frame stays in the scrollback, and the cursor is back whatever
    happens. Where the terminal has another size than before the screen is cleared."""

    def __init__(self, out: TextIO, clock: Callable[[], float]) -> None:
        self._out = out
        self._clock = clock
        self._waiting: tuple[tuple[str, ...], Facts] | None = None
        self._rows: tuple[str, ...] = ()
        self._frame: tuple[str, ...] = ()
        self._size: tuple[int, int] | None = None
        self._used_until = 0.0
        self._whole_at: float | None = None

    def __enter__(self) -> "LiveScreen":
        self._say(_HIDE)
        return self

    def __exit__(self, *_: object) -> None:
        """All of the last frame, also what is higher than the terminal."""
        try:
            if rows := self._waiting[0] if self._waiting else self._frame:
                self._say(self._over(rows) + "\n")
        finally:
            self._say(_SHOW)

    def update(self, rows: tuple[str, ...], facts: Facts) -> None:
        """Draws the frame now, or keeps it until that is allowed."""
        self._waiting = (rows, facts)
        self.tick()

    def tick(self) -> float | None:
        """Draws a frame that waits, if it is due; seconds until it is, None if none waits."""
        if self._waiting is None:
            return None
        due = self._used_until - _A_FRAME - self._clock()
        if due > 0:
            return due
        rows, facts = self._waiting
        self._waiting, self._frame = None, rows
        self._draw(rows[: facts.height], (facts.width, facts.height))
        return None

    def begin_anew(self) -> None:
        """On a clear screen: the terminal has folded or cut the frame before, or someone else has
        written, so no one knows where it is now."""
        self._rows = ()
        self._say(_CLEAR)

    def write_over(self) -> None:
        """The next frame as a whole: someone else has written where the cursor was."""
        self._whole_at = None

    def _draw(self, rows: tuple[str, ...], size: tuple[int, int]) -> None:
        if self._size not in (None, size):
            self.begin_anew()
        self._size, now = size, self._clock()
        if rows == self._rows and self._whole_at is not None:
            return
        whole = self._whole_at is None or now - self._whole_at >= _LONGEST
        self._used_until = max(self._used_until, now) + _A_FRAME
        self._whole_at = now if whole else self._whole_at
        self._say(self._over(rows) if whole else "".join(self._changed(rows)))

    def _over(self, rows: tuple[str, ...]) -> str:
        """All rows, from the first row of what is there; in any column `\n` goes down, and makes room where the screen
        ends."""
        above, self._rows = len(self._rows) - 1, rows
        return f"{_up(above)}{_BELOW}" * (above >= 0) + "\n".join(rows)

    def _changed(self, rows: tuple[str, ...]) -> Iterator[str]:
        """From the last row of what is there to the last row of what will be."""
        before, self._rows = self._rows, rows
        at, last = max(0, len(before) - 1), len(rows) - 1
        if at > last:
            yield _up(at - last - 1) + _BELOW
            at = last + 1
        for n, row in enumerate(rows):
            if n == last or before[n : n + 1] != (row,):
                yield (_up(at - n) if n < at else "\n" * (n - at)) + (_EMPTY if n < len(before) else "") + row
                at = n

    def _say(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def _up(rows: int) -> str:
    return f"\x1b[{rows}A" if rows > 0 else ""
