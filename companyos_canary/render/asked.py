"""A query taken apart as text: what it says of the canary, of stable, and of the requests.

Text and not a tree: queries are anybody's, in words that only their own Prometheus may know.
"""

import re
from dataclasses import dataclass
from datetime import timedelta

from companyos_canary.model.quantity import format_duration, parse_duration

_TEXT = r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\''
_SELECTOR = re.compile(rf'\{{(?:[^{{}}"\']|{_TEXT})*\}}')
_MATCHER = re.compile(rf"(\w+)\s*(=~|!~|!=|=)\s*({_TEXT})\s*(,?)")
_GUARD = re.compile(
    rf"(sum\s*\(\s*increase\s*\(\s*([\w:]+)({_SELECTOR.pattern})\s*\[(\w+)\]\s*\)\s*\))"
    r"\s*>=\s*(\d+(?:\.\d+)?)"
)
_HASH = "rollouts_pod_template_hash"
_LONGEST = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Guard:
    """The part of a safe query that asks for enough requests of the canary."""

    count: str
    needed: float
    metric: str
    matchers: str
    window: str


def compares(query: str) -> bool:
    """Whether the query itself sets the canary against other pods."""
    return _kinds(query) == {True, False}


def of_stable(query: str) -> str:
    """The same asked about the stable pods; empty where the query does not speak of the canary
    alone. The canary's own hash is left out."""
    if _kinds(query) != {True}:
        return ""
    return _SELECTOR.sub(lambda s: _without(s[0], 'canary!="true"'), query)


def guard(query: str) -> Guard | None:
    """The guard about the canary, where there is one."""
    for count, metric, matchers, window, needed in _GUARD.findall(query):
        if _kinds(matchers) == {True}:
            return Guard(count, float(needed), metric, matchers, window)
    return None


def share(found: Guard) -> str:
    """The canary's part of all requests, over the guard's window and at most a minute."""
    try:
        window = format_duration(min(parse_duration(found.window), _LONGEST))
    except ValueError:  # `1d`, which Go's durations do not know
        window = format_duration(_LONGEST)
    everybody = _without(found.matchers, "")
    return f"sum(rate({found.metric}{found.matchers}[{window}])) / sum(rate({found.metric}{everybody}[{window}]))"


def _kinds(query: str) -> set[bool]:
    """For each matcher on the label `canary`: whether it selects the canary."""
    return {
        operator in ("=", "=~") and value[1:-1] == "true"
        for selector in _SELECTOR.findall(query)
        for label, operator, value, _ in _MATCHER.findall(selector)
        if label == "canary"
    }


def _without(selector: str, instead: str) -> str:
    """A canary's selector with `instead` in the place of its matcher, and without the hash."""
    if not _kinds(selector):
        return selector

    def kept(matcher: re.Match[str]) -> str:
        if matcher[1] == "canary":
            return instead + matcher[4] if instead else ""
        return "" if matcher[1] == _HASH else matcher[0]

    return _MATCHER.sub(kept, selector)
