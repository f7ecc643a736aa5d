"""The counters of a canary and of the stable version under drawn traffic, as Prometheus has them."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from companyos_canary.analysis.chance import binomial, clumped, poisson, spread
from companyos_canary.promql import Matcher, Series

BOUNDS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.2", "0.3", "0.5", "1", "2")
HEALTHY = (0.02, 0.08, 0.3, 0.58, 0.8, 0.98, 0.995, 0.999, 1.0, 1.0)
REQUESTS = "companyos_http_requests_total"
BUCKETS = "companyos_http_request_duration_seconds_bucket"
DECISIONS = "companyos_opa_decisions_total"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Shares of 1: requests that fail, `clumps` at a time, and decisions that are not made; and the
    shares of the requests that are faster than each boundary."""

    errors: float = 0.01
    undecided: float = 0.0001
    faster: tuple[float, ...] = HEALTHY
    clumps: int = 1


@dataclass(frozen=True, slots=True)
class Load:
    """`rate` in requests a second, scraped every `scrape` seconds; `bounds` of the histogram."""

    rate: float
    stable: Behaviour = Behaviour()
    canary: Behaviour = Behaviour()
    bounds: tuple[str, ...] = BOUNDS
    scrape: float = 15.0


class Counters:
    """Drawn from `random` scrape by scrape, as far as `until` is called. `weight` says which share of
    the requests the canary has at a time, in seconds since it was first ready; before that, it has
    no series."""

    def __init__(self, load: Load, random: Random, weight: Callable[[float], float], before: float) -> None:
        self._load = load
        self._random = random
        self._weight = weight
        self._at = -before - random.random() * load.scrape
        self._sides = (_Side("false", load, load.stable), _Side("true", load, load.canary))

    def until(self, moment: float) -> None:
        """Scrapes up to and including that moment."""
        scrape = self._load.scrape
        while self._at + scrape <= moment:
            start, self._at = self._at, self._at + scrape
            share = self._weight(self._at)
            stable, canary = self._sides
            stable.serve(self._random, self._load.rate * (1 - share) * scrape, self._at)
            if self._at >= 0:
                own = min(self._at - max(start, 0.0), scrape) if start < 0 else scrape
                canary.serve(self._random, self._load.rate * share * own, self._at)

    def select(self, matchers: Sequence[Matcher], start: float, end: float) -> list[Series]:
        """The series that all matchers accept: the evaluator's `Select`."""
        return [found for side in self._sides for found in side.select(matchers, start, end)]


class _Side:
    def __init__(self, canary: str, load: Load, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._times: list[float] = []
        own = {"canary": canary, "rollouts_pod_template_hash": canary}
        names: list[Mapping[str, str]] = [{"__name__": REQUESTS, "status": s, **own} for s in ("200", "500")]
        names += [{"__name__": DECISIONS, "result": r, **own} for r in ("success", "error")]
        names += [{"__name__": BUCKETS, "le": le, **own} for le in (*load.bounds, "+Inf")]
        self._series = [(labels, [0.0]) for labels in names]
        self._found: dict[int, tuple[Sequence[Matcher], list[tuple[Mapping[str, str], list[float]]]]] = {}
        shares = [b - a for a, b in zip((0.0, *behaviour.faster), (*behaviour.faster, 1.0), strict=True)]
        self._shares = shares

    def serve(self, random: Random, expected: float, at: float) -> None:
        """One scrape at that time, after so many expected requests."""
        how = self._behaviour
        if not self._times:
            self._times.append(at - 1e-3 if expected else at)
        count = poisson(random, expected)
        failed = clumped(random, count, how.errors, how.clumps)
        undecided = binomial(random, count, how.undecided)
        added = [count - failed, failed, count - undecided, undecided]
        total = 0
        for here in spread(random, count, self._shares):
            total += here
            added.append(total)
        self._times.append(at)
        for (_, values), more in zip(self._series, added, strict=True):
            values.append(values[-1] + more)

    def select(self, matchers: Sequence[Matcher], start: float, end: float) -> list[Series]:
        known = self._found.get(id(matchers))  # kept, so that no others get its identity
        if known is None:
            known = matchers, [s for s in self._series if all(m.accepts(s[0]) for m in matchers)]
            self._found[id(matchers)] = known
        first, last = bisect_left(self._times, start), bisect_right(self._times, end)
        times = self._times[first:last]
        return (
            [Series(labels, tuple(zip(times, values[first:last], strict=True))) for labels, values in known[1]]
            if times
            else []
        )
