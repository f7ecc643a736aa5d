"""What two other ways to look at a release would be worth: `make looks`.

    python -m tests.looks [RELEASES] [SEED]

prints, at 20 requests/s and 1 % errors over the looks of the default canary.yaml: for each way to judge all requests
together the share of equal versions that it calls worse, and of versions with twice the errors; then what becomes of a
good version that starts cold, and of worse ones, without and with `analysis.warmup: 1m`. docs/decisions/looks.md says
what follows from it.
"""

import math
import sys
from collections.abc import Callable, Sequence
from random import Random

from companyos_canary.analysis.chance import binomial, poisson
from companyos_canary.analysis.sequential import Asked, Counts, log_evidence, trials
from companyos_canary.trials import Behaviour, Load, PlayedStep, release
from tests import verdicts

RATE, ERRORS = 20.0, 0.01
LOOKS = tuple(
    (w, s) for w, first, other in ((0.1, 60, 20), (0.25, 60, 20), (0.5, 90, 30)) for s in (first, *[other] * 3)
)
"""Of the default canary.yaml: the canary's share of the requests, and the seconds since the look before."""


def drawn(random: Random, times: float) -> tuple[Counts, ...]:
    """The requests between the looks at a version with `times` the errors."""
    found = []
    for weight, seconds in LOOKS:
        own, stable = (poisson(random, RATE * seconds * share) for share in (weight, 1 - weight))
        found.append(Counts(binomial(random, own, ERRORS * times), own, binomial(random, stable, ERRORS), stable))
    return tuple(found)


def any_time(counts: Sequence[Counts], alpha: float) -> bool:
    """The e-process, asked after each look."""
    asked = Asked(1.5, compares=True)
    told = trials(counts, asked)
    return any(log_evidence(told[: n + 1], 1.0) >= math.log(1 / alpha) for n in range(len(told)))


def planned(counts: Sequence[Counts], alpha: float) -> bool:
    """The exact group-sequential test: of the bad requests so far so many are the canary's that all looks until now
    have no more than their part of alpha, which is spent by ln(1 + (e - 1) t) of the information t."""
    parts = [w * (1 - w) * s for w, s in LOOKS]
    alive, hits, spent = [1.0], 0, 0.0
    for n, c in enumerate(counts):
        alive = _with(alive, round(c.bad + c.stable_bad), c.requests / (c.requests + c.stable))
        hits += round(c.bad)
        may = alpha * math.log1p((math.e - 1) * sum(parts[: n + 1]) / sum(parts))
        boundary, tail = len(alive), 0.0
        while boundary and spent + tail + alive[boundary - 1] <= may:
            boundary -= 1
            tail += alive[boundary]
        if hits >= boundary:
            return True
        spent, alive = spent + tail, alive[:boundary]
    return False


def _with(alive: Sequence[float], bad: int, share: float) -> list[float]:
    """How likely each number of the canary's bad requests is after `bad` more."""
    more = [math.comb(bad, k) * share**k * (1 - share) ** (bad - k) for k in range(bad + 1)]
    found = [0.0] * (len(alive) + bad)
    for a, p in enumerate(alive):
        for k, q in enumerate(more):
            found[a + k] += p * q
    return found


def called_worse(way: Callable[[Sequence[Counts], float], bool], alpha: float, times: float, releases: int) -> float:
    return sum(way(drawn(Random(f"looks {times:g} {n}"), times), alpha) for n in range(releases)) / releases


def outcomes(
    steps: Sequence[PlayedStep], releases: int, seed: int, *, rate: float = RATE, times: float = 1.0, cold: float = 1.0
) -> tuple[float, float, float]:
    """The shares that are rolled back and held, and the seconds until one is promoted; `cold` times the errors in the
    canary's first minute."""
    load = Load(rate, Behaviour(ERRORS), Behaviour(ERRORS * times), cold=Behaviour(ERRORS * times * cold))
    found = [release(steps, load, f"{seed} first minute {n}") for n in range(releases)]
    kinds = [one.kind for one in found]
    took = [one.seconds for one in found if one.kind == "promoted"]
    share = (kinds.count("rolled-back") / releases, kinds.count("held") / releases)
    return (*share, sum(took) / len(took) if took else math.nan)


def main(releases: int, seed: int) -> None:
    print(f"# way alpha% worse%_of_equal worse%_of_twice_the_errors; {releases * 10} releases each", flush=True)
    for name, way in (("any-time", any_time), ("planned", planned)):
        for alpha in (0.01, 0.05):
            equal, twice = (called_worse(way, alpha, times, releases * 10) for times in (1.0, 2.0))
            print(f"{name} {100 * alpha:g} {100 * equal:.1f} {100 * twice:.1f}", flush=True)
    print(f"# warmup rps errors_x first_minute_x rolled_back% held% seconds; {releases} releases each, seed {seed}")
    for name, more in (("none", ""), ("1m", ", warmup: 1m")):
        steps = verdicts.steps("evidence", more)
        for rate, times, cold in ((20, 1, 1), (20, 1, 3), (20, 1, 10), (20, 2, 1), (20, 3, 1), (10, 1, 1)):
            rolled_back, held, took = outcomes(steps, releases, seed, rate=rate, times=times, cold=cold)
            told = f"{100 * rolled_back:.1f} {100 * held:.1f} {took:.0f}"
            print(f"{name} {rate} {times} {cold} {told}", flush=True)


if __name__ == "__main__":
    main(*(int(text) for text in (*sys.argv[1:], *("200", "1")[len(sys.argv) - 1 :])))
