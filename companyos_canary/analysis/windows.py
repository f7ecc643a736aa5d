"""Counts of windows that overlap, as counts of intervals that do not.

A measurement counts the requests of the window before it, and the next one most of the same again. What was
counted up to a time t is what was counted up to t less a window, and the window's own: so the totals follow
one from another, and their differences are disjoint.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from companyos_canary.analysis.sequential import Counts


class Look(Struct, frozen=True):
    """One measurement, at a time in seconds, of the window before it. `part` is what it belongs to: within
    one, the weight stays."""

    at: float
    part: str
    counts: Counts


def disjoint(looks: Sequence[Look], window: float, began: float) -> tuple[Counts, ...]:
    """One interval for each part, and for each window's time in it. The canary has had no requests before
    `began`; the stable pods had, and what they had in the window before the first look counts, too."""
    if not looks:
        return ()
    start = min(began, looks[0].at)
    canary = _Total(start, window), _Total(start, window)
    stable = _Total(looks[0].at - window, window), _Total(looks[0].at - window, window)
    found: list[tuple[tuple[str, int], Counts]] = []
    first: dict[str, float] = {}
    for look in looks:
        since = first.setdefault(look.part, look.at)
        c = look.counts
        bad, requests = (t.at(look.at, v) for t, v in zip(canary, (c.bad, c.requests), strict=True))
        stable_bad, all_ = (t.at(look.at, v) for t, v in zip(stable, (c.stable_bad, c.stable), strict=True))
        found.append(((look.part, int((look.at - since) // window)), Counts(bad, requests, stable_bad, all_)))
    return tuple(_differences(found))


class _Total:
    """What was counted up to each look; in between it grows evenly."""

    def __init__(self, start: float, window: float) -> None:
        self._times, self._totals, self._window = [start], [0.0], window

    def at(self, moment: float, counted: float) -> float:
        """The total at that moment, of which the window before it has `counted`. It never falls."""
        total = max(self._before(moment - self._window) + counted, self._totals[-1])
        self._times.append(moment)
        self._totals.append(total)
        return total

    def _before(self, moment: float) -> float:
        i = bisect_right(self._times, moment)
        if i == 0:
            return 0.0
        if i == len(self._times):
            return self._totals[-1]
        (a, b), (low, high) = self._times[i - 1 : i + 1], self._totals[i - 1 : i + 1]
        return low + (high - low) * (moment - a) / (b - a)


def _differences(found: Sequence[tuple[tuple[str, int], Counts]]) -> Iterator[Counts]:
    """From the last look of one interval to the last of the next."""
    ends = [Counts(), *(now for (key, now), after in pairwise([*found, (None, Counts())]) if after[0] != key)]
    for before, now in pairwise(ends):
        yield Counts(
            now.bad - before.bad,
            now.requests - before.requests,
            now.stable_bad - before.stable_bad,
            now.stable - before.stable,
        )
