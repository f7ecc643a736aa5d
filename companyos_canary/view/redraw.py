"""A screen that is drawn again and again in place, at most five times a second."""

from collections.abc import Callable
from types import TracebackType

from rich.console import Console, RenderableType
from rich.control import Control
from rich.live import Live as RichLive

_SHORTEST = 0.2


class LiveScreen:
    """`with Live(console, clock) as live: live.update(frame)`. `clock` counts seconds. What comes
    sooner than 0.2 s after a frame waits for the next update, `tick`, or the end; one that is there
    already is not drawn again. The last frame stays in the scrollback, and the cursor is back
    whatever happens. Where the console has another size than before the screen is cleared."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._live = RichLive(
            console=console,
            auto_refresh=False,
            transient=False,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._clock = clock
        self._drawn_at: float | None = None
        self._waiting: RenderableType | None = None
        self._console = console
        self._size = (console.width, console.height)
        self._drawn: RenderableType | None = None

    def __enter__(self) -> "LiveScreen":
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._waiting is not None:
                self._draw(self._waiting)
        finally:
            self._live.__exit__(kind, error, traceback)

    def update(self, frame: RenderableType) -> None:
        """Draws the frame now, or keeps it until that is allowed."""
        self._waiting = frame
        self.tick()

    def tick(self) -> float | None:
        """Draws a frame that waits, if it is due; seconds until it is, None if none waits."""
        if self._waiting is None:
            return None
        due = 0.0 if self._drawn_at is None else self._drawn_at + _SHORTEST - self._clock()
        if due > 0:
            return due
        self._draw(self._waiting)
        return None

    def _draw(self, frame: RenderableType) -> None:
        self._waiting = None
        size = (self._console.width, self._console.height)
        if size != self._size:
            self._size = size
            self.begin_anew()
        if frame != self._drawn:
            self._drawn, self._drawn_at = frame, self._clock()
            self._live.update(frame, refresh=True)

    def begin_anew(self) -> None:
        """On a clear screen: the terminal has folded or cut the frame before, or someone else has
        written, so no one knows where it is now."""
        self._drawn = None
        self._console.control(Control.clear(), Control.home())
        self._live._live_render._shape = None  # rich would go up by the old height
