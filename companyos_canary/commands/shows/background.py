"""What is asked beside the screen, so that no slow answer ever holds up a frame."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from companyos_canary.model.snapshot import Snapshot

Found = TypeVar("Found")
Start = Callable[[Callable[[], None]], None]


class Repeated(Generic[Found]):
    """A question that is asked again, never twice at once, at most each `every`; `newest` is the
    last answer. `start` runs work beside the caller; `wake` is called when an answer is there."""

    def __init__(
        self,
        ask: Callable[[Snapshot], Found],
        *,
        every: timedelta,
        now: Callable[[], datetime],
        start: Start,
        wake: Callable[[], None],
    ) -> None:
        self._ask = ask
        self._every = every
        self._now = now
        self._start = start
        self._wake = wake
        self._asked_at: datetime | None = None
        self._running = False
        self.newest: Found | None = None

    def about(self, snapshot: Snapshot) -> Found | None:
        """The newest answer; asks anew where that is due."""
        now = self._now()
        due = self._asked_at is None or now - self._asked_at >= self._every
        if due and not self._running:
            self._asked_at, self._running = now, True
            self._start(lambda: self._run(snapshot))
        return self.newest

    def _run(self, snapshot: Snapshot) -> None:
        """A question that fails leaves the answer before: it is only ever asked beside."""
        with suppress(Exception):
            self.newest = self._ask(snapshot)
        self._running = False
        self._wake()
