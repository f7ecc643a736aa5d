"""When chance is an unlikely explanation for what was observed."""

import math
import re

LABEL = "evidence"
OBSERVED = "0 observed"
"""The label of a row of numbers that one query answers, and its value for what people see."""
_WINDOW = re.compile(r"\[(\w+)\]")
_NEEDED = re.compile(r"result\[3\] >= (\d+(?:\.\d+)?)")

CONFIDENT = 2.8
"""So many standard errors, one-sided, are not chance. One look in 390 reaches them by chance alone;
a step judges several and forgives one, and the guide's thresholds must be crossed as well."""


def threshold(burst: float = 1.0) -> float:
    """The z from which something is not chance. Errors that come `burst` at a time spread sqrt(burst)
    times as far."""
    return round(CONFIDENT * math.sqrt(burst), 2)


def is_row(query: str) -> bool:
    """Whether a query answers such a row, so that its first number is the value."""
    return f'"{LABEL}", "{OBSERVED}"' in query


def requests_needed(success_condition: str) -> float | None:
    """The requests of the canary without which a row has no verdict; None for another condition."""
    found = _NEEDED.search(success_condition)
    return float(found[1]) if found else None


def too_few(success_condition: str, query: str, value: str) -> str:
    """`52 of 100 requests in 5m`, of the canary or of the stable version, whichever has fewer; empty where
    there were enough, or where the value of the measurement is no row."""
    needed, numbers, window = requests_needed(success_condition), value.strip("[]").split(","), _WINDOW.search(query)
    if needed is None or window is None or len(numbers) < 4:
        return ""
    try:
        fewest, whose = min((float(numbers[i]), side) for i, side in ((3, ""), (5, "stable ")) if i < len(numbers))
    except ValueError:  # not a row of numbers
        return ""
    return f"{fewest:.0f} of {needed:.0f} {whose}requests in {window[1]}" if fewest < needed else ""
