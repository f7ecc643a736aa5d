"""The methods of times and durations that conditions may call."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from companyos_canary.analysis.expr.types import DURATION, FLOAT, INT, INT64, TIME

METHODS: dict[str, dict[str, tuple[str, Callable[[Any], Any]]]] = {
    TIME: {
        "Year": (INT, lambda t: t.year),
        "Month": (INT, lambda t: t.month),
        "Day": (INT, lambda t: t.day),
        "Hour": (INT, lambda t: t.hour),
        "Minute": (INT, lambda t: t.minute),
        "Second": (INT, lambda t: t.second),
        "Weekday": (INT, lambda t: t.isoweekday() % 7),
        "Unix": (INT64, lambda t: int(t.timestamp())),
    },
    DURATION: {
        "Hours": (FLOAT, lambda d: d / timedelta(hours=1)),
        "Minutes": (FLOAT, lambda d: d / timedelta(minutes=1)),
        "Seconds": (FLOAT, lambda d: d.total_seconds()),
    },
}
"""By type and name: what the method gives and how."""


def method_of(value: Any, name: str) -> Callable[[Any], Any] | None:
    """The method of a time or duration; None for any other value."""
    kind = {datetime: TIME, timedelta: DURATION}.get(type(value), "")
    return METHODS.get(kind, {}).get(name, ("", None))[1]
