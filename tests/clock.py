"""A clock that only moves when a test says so, and controllers that are late by it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from companyos_canary.sandbox.behaviour import PROMPT, Delay, Pace

START = datetime(2026, 11, 23, 12, 0, 0, 300_000, tzinfo=UTC)


class Clock:
    """Call it for the time. It starts within a second, as real clocks do."""

    def __init__(self, start: datetime = START) -> None:
        self.moment = start

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, seconds: float) -> datetime:
        return self.to(self.moment + timedelta(seconds=seconds))

    def to(self, moment: datetime) -> datetime:
        """Never goes back."""
        self.moment = max(self.moment, moment)
        return self.moment


def always(delay: timedelta) -> Delay:
    return lambda: delay


def late(delay: Delay) -> Pace:
    """Everyone is as late as that."""
    return Pace(delay, delay, delay)


PACES: dict[str, Callable[[], Pace]] = {
    "prompt": lambda: PROMPT,
    "1s": lambda: late(always(timedelta(seconds=1))),
    "3s": lambda: late(always(timedelta(seconds=3))),
}
"""How late everyone may be in a test of a verb."""
