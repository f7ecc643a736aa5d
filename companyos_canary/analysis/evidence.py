"""When chance is an unlikely explanation for what was observed."""

import math
import re
from collections.abc import Sequence

REQUESTS = "companyos_http_requests_total"
BUCKETS = "companyos_http_request_duration_seconds_bucket"
DECISIONS = "companyos_opa_decisions_total"
"""The series that the guide's services have."""

LABEL = "evidence"
OBSERVED = "0 observed"
"""The label of a row of numbers that one query answers, and its value for what people see."""
MARK = f'"{LABEL}", "{OBSERVED}"'
_WINDOW = r"\[(\w+)\]"
_SHARE = r" - 0\.5 - (\d+(?:\.\d+)?) \* "
_UNLIKELY = r"result\[1\] >= (\d+(?:\.\d+)?)"
_NEEDED = r"result\[3\] >= (\d+(?:\.\d+)?)"

CONFIDENT = 2.8
"""So many standard errors, one-sided, are not chance. One look in 390 reaches them by chance alone;
a step judges several and forgives one, and the guide's thresholds must be crossed as well."""

_CELLS, _ERRORS = 10, 20  # with fewer the estimate is itself mostly chance


def threshold(burst: float = 1.0) -> float:
    """The z from which something is not chance. Errors that come `burst` at a time spread sqrt(burst)
    times as far."""
    return round(CONFIDENT * math.sqrt(burst), 2)


def is_row(query: str) -> bool:
    """Whether a query answers such a row, so that its first number is the value."""
    return MARK in query


def window(query: str) -> str:
    """The range that a query counts over, as it is written; empty if it has none."""
    found = re.search(_WINDOW, query)
    return found[1] if found else ""


def allowed_share(query: str) -> float | None:
    """The share of bad requests that a row is judged against; None if it compares with stable."""
    found = re.search(_SHARE, query)
    return float(found[1]) if found else None


def burst(failure_condition: str) -> float:
    """How many errors come at a time, as a failureCondition has it."""
    found = re.search(_UNLIKELY, failure_condition)
    return max(1.0, round((float(found[1]) / CONFIDENT) ** 2, 2)) if found else 1.0


def clumps(cells: Sequence[tuple[float, float]]) -> float | None:
    """How many errors come at a time, from errors and requests of many times and pods: chi-square over its degrees
    of freedom, which is 1 for errors that are independent, and 1 as well where it could be chance (three standard
    errors). None for fewer than ten cells or twenty errors. What makes the error share differ between pods or over
    time, as one bad node does, counts like clumps: it misleads a rule in the same way."""
    served = [(bad, n) for bad, n in cells if n > 0]
    errors, requests = sum(bad for bad, _ in served), sum(n for _, n in served)
    if len(served) < _CELLS or errors < _ERRORS or errors >= requests:
        return None
    share = errors / requests
    free = len(served) - 1
    found = sum((bad - share * n) ** 2 / (share * (1 - share) * n) for bad, n in served) / free
    chance = math.sqrt(2 * free + sum(1 / (share * n) for _, n in served)) / free
    return found if found > 1 + 3 * chance else 1.0


def numbers(value: str) -> tuple[float, ...]:
    """The numbers of a measurement's value; none where it is not a row."""
    try:
        return tuple(map(float, value.strip("[]").split(",")))
    except ValueError:
        return ()


def requests_needed(success_condition: str) -> float | None:
    """The requests of the canary without which a row has no verdict; None for another condition."""
    found = re.search(_NEEDED, success_condition)
    return float(found[1]) if found else None


def too_few(success_condition: str, query: str, value: str) -> str:
    """`52 of 100 requests in 5m`, of the canary or of the stable version, whichever has fewer; empty if
    there were enough, or where the value of the measurement is no row."""
    needed, found, span = requests_needed(success_condition), numbers(value), window(query)
    if needed is None or not span or len(found) < 4:
        return ""
    fewest, whose = min((found[i], side) for i, side in ((3, ""), (5, "stable ")) if i < len(found))
    return f"{fewest:.0f} of {needed:.0f} {whose}requests in {span}" if fewest < needed else ""
