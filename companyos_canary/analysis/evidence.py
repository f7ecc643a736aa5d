"""When chance is an unlikely explanation for what was observed."""

import math
import re

LABEL = "evidence"
OBSERVED = "0 observed"
"""The label of a row of numbers that one query answers, and its value for what people see."""
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
