"""What all requests of a release say together: worse, not worse, or that no one can tell yet.

It may be read as often as a person likes: the share of releases of an equal version that are ever called
`worse` stays below ALPHA, however long they run and however often someone looks (Ville 1939).

In an interval the canary had a part o : 1 of the requests. If a request of the canary is r times as likely
to be bad, each bad request is the canary's with theta(r) = r o / (r o + 1), whatever the rate of bad requests
does over time (Lindon & Malek 2022, arXiv 2011.03567). Against a limit p the odds are p / (1 - p) in place
of o, and what is compared are a bad and a good request of the canary. So one formula does for both.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Literal

from msgspec import Struct

SequentialVerdict = Literal["worse", "not-worse", "open"]

ALPHA = 0.01
"""How often a release may be called wrongly, over all of its metrics."""
CONFIDENCE = 0.95
"""That of the interval, which also holds however often it is read."""
_ALTERNATIVES = tuple(1.25 * (12 / 1.25) ** (j / 15) for j in range(16))
_ANY = tuple(0.05 * j for j in range(-160, 161))  # logarithms of r
_ANY_RATIOS = tuple(map(math.exp, _ANY))
_PRIOR = tuple(-u * u / 8 for u in _ANY)  # a normal one, of standard deviation 2
_ALL_PRIOR = sum(map(math.exp, _PRIOR))
_END = 40.0  # a logarithm of r beyond all that can be counted
_HALVINGS = 40  # of what is between two of them: to ten digits
_FARTHEST = 200.0  # times as much data as there is now: what needs more is not told


class Counts(Struct, frozen=True):
    """Bad requests of the canary in an interval, of so many, and the same of the stable pods."""

    bad: float = 0.0
    requests: float = 0.0
    stable_bad: float = 0.0
    stable: float = 0.0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.bad + other.bad,
            self.requests + other.requests,
            self.stable_bad + other.stable_bad,
            self.stable + other.stable,
        )


class Asked(Struct, frozen=True):
    """What is asked of the counts. A canary is worse from `limit` on: a share of its requests, or, where it
    `compares`, so many times the share of the stable version. Bad requests come `burst` at a time. One of
    `metrics` that share ALPHA."""

    limit: float
    compares: bool
    burst: float = 1.0
    metrics: int = 1


class Found(Struct, frozen=True):
    """The verdict, and what it rests on: all that was counted; the ratio or share with its interval (None
    without data); and about how many requests of the canary a verdict still takes (None if it cannot be
    told)."""

    verdict: SequentialVerdict
    counts: Counts
    compares: bool
    limit: float
    estimate: float | None
    low: float | None
    high: float | None
    needed: float | None


class _Trial(Struct, frozen=True):
    """Of `all` bad requests `hits` were the canary's, at odds of `odds` to 1 if r is 1."""

    hits: float
    all: float
    odds: float


def log_likelihood(trials: Iterable[_Trial], log_ratio: float) -> float:
    """Of r, but for a constant. It is concave in log r."""
    ratio, log1p = math.exp(log_ratio), math.log1p
    likelihood = 0.0
    for trial in trials:
        likelihood += trial.hits * log_ratio - trial.all * log1p(ratio * trial.odds)
    return likelihood


def _log_likelihoods(trials: Sequence[_Trial], log_ratios: Sequence[float]) -> list[float]:
    """The same of several at once: a screen asks some hundred times for each measurement."""
    log1p, found = math.log1p, [0.0] * len(log_ratios)
    ratios = _ANY_RATIOS if log_ratios is _ANY else [math.exp(u) for u in log_ratios]
    for trial in trials:
        hits, every, odds = trial.hits, trial.all, trial.odds
        found = [x + hits * u - every * log1p(r * odds) for x, u, r in zip(found, log_ratios, ratios, strict=True)]
    return found


def trials(intervals: Iterable[Counts], asked: Asked) -> tuple[_Trial, ...]:
    """An interval in which a side had no requests says nothing; those of equal odds are one."""
    found: dict[float, _Trial] = {}
    for each in _trials(intervals, asked):
        same = found.get(each.odds, _Trial(0.0, 0.0, each.odds))
        found[each.odds] = _Trial(same.hits + each.hits, same.all + each.all, each.odds)
    return tuple(found.values())


def _trials(intervals: Iterable[Counts], asked: Asked) -> Iterator[_Trial]:
    for c in intervals:
        if asked.compares:
            if c.requests > 0 and c.stable > 0:
                yield _Trial(c.bad / asked.burst, (c.bad + c.stable_bad) / asked.burst, c.requests / c.stable)
        elif c.requests > 0 and 0 < asked.limit < 1:
            yield _Trial(c.bad / asked.burst, c.requests / asked.burst, asked.limit / (1 - asked.limit))


def log_evidence(found: Sequence[_Trial], than: float, *, below: bool = False) -> float:
    """The logarithm of the e-value against "r is at most `than`"; with `below` against "at least"."""
    *others, least = _likelihoods_for(found, than, below=below)
    return _log_mean(others) - least


def _likelihoods_for(found: Sequence[_Trial], than: float, *, below: bool) -> list[float]:
    """The logarithms of the likelihoods of each alternative, and of `than` itself. So many times the counts have so
    many times as much."""
    ratios = [*(than / a if below else than * a for a in _ALTERNATIVES), than]
    return _log_likelihoods(found, list(map(math.log, ratios)))


def _log_mean(logs: Sequence[float]) -> float:
    most = max(logs)
    return most + math.log(sum(math.exp(x - most) for x in logs) / len(logs))


@lru_cache(maxsize=64)
def judge(intervals: tuple[Counts, ...], asked: Asked, *, crossed: bool | None = None) -> Found:
    """The verdict on disjoint intervals. Against a limit the canary is `worse` once it is surely beyond it.
    Where it compares, it is `worse` once it is surely worse than stable and the ratio is beyond the limit;
    `crossed` says whether that is so where the counts do not tell. It is `not-worse` once it is surely
    better than the limit."""
    found = trials(intervals, asked)
    total = sum(intervals, Counts())
    estimate = _estimate(total, asked.compares)
    than = asked.limit if asked.compares else 1.0
    enough = math.log(asked.metrics / ALPHA)
    beyond = _is_beyond(total, estimate, asked.limit) if crossed is None else crossed
    may_be_worse = beyond or not asked.compares
    verdict: SequentialVerdict = "open"
    if found and may_be_worse and log_evidence(found, 1.0) >= enough:
        verdict = "worse"
    elif found and log_evidence(found, than, below=True) >= enough:
        verdict = "not-worse"
    low, high = _interval(found, asked) if found else (None, None)
    needed = _needed(found, total.requests, than, enough, beyond) if found and verdict == "open" else None
    return Found(verdict, total, asked.compares, asked.limit, estimate, low, high, needed)


def _is_beyond(total: Counts, estimate: float | None, limit: float) -> bool:
    """Where stable has had none, any bad request is more than so many times as many."""
    return total.bad > 0 and total.stable > 0 and not total.stable_bad if estimate is None else estimate >= limit


def _estimate(total: Counts, compares: bool) -> float | None:
    if total.requests <= 0:
        return None
    share = total.bad / total.requests
    if not compares:
        return share
    return share / (total.stable_bad / total.stable) if total.stable_bad > 0 and total.stable > 0 else None


def _interval(found: Sequence[_Trial], asked: Asked) -> tuple[float, float | None]:
    """The ratios, or shares, that the requests do not speak against; None if there is no upper end."""
    weighed = [x + p for x, p in zip(_log_likelihoods(found, _ANY), _PRIOR, strict=True)]
    most = max(weighed)
    mixed = most + math.log(sum([math.exp(x - most) for x in weighed]) / _ALL_PRIOR)
    least = mixed + math.log(1 - CONFIDENCE)
    top = _highest(found)
    low, high = _edge(found, least, top, -_END), _edge(found, least, top, _END)
    least_odds, most_odds = (math.exp(low) if low > -_END else 0.0), math.exp(high)
    if asked.compares:
        return least_odds, most_odds if high < _END else None
    o = asked.limit / (1 - asked.limit)
    return least_odds * o / (1 + least_odds * o), most_odds * o / (1 + most_odds * o)


def _highest(found: Sequence[_Trial]) -> float:
    """The logarithm of the likeliest ratio; an end where that is 0, or endless."""
    low, high = -_END, _END
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        ratio, slope = math.exp(middle), 0.0
        for trial in found:
            odds = ratio * trial.odds
            slope += trial.hits - trial.all * odds / (1 + odds)
        low, high = (middle, high) if slope > 0 else (low, middle)
    return (low + high) / 2


def _edge(found: Sequence[_Trial], least: float, top: float, end: float) -> float:
    """Where the likelihood falls below `least` between its top and an end; the end where it does not."""
    if log_likelihood(found, end) > least:
        return end
    inside, outside = top, end
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if log_likelihood(found, middle) > least else (inside, middle)
    return inside


def _needed(found: Sequence[_Trial], requests: float, than: float, enough: float, beyond: bool) -> float | None:
    """If it continues as it is: the evidence grows with the requests."""
    *others, least = _likelihoods_for(found, 1.0 if beyond else than, below=not beyond)

    def evidence(times: float) -> float:
        return _log_mean([times * x for x in others]) - times * least

    if evidence(_FARTHEST) < enough:
        return None
    low, high = 1.0, _FARTHEST
    while high / low > 1.01:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if evidence(middle) >= enough else (middle, high)
    return (high - 1) * requests
