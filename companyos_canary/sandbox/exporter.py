"""What one pod of the application counts and shows on its /metrics page."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from companyos_canary.sandbox.scenarios import Rates

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0)

#: The healthy distribution of latency: (seconds, share of requests that are faster), straight in
#: between. Its p95 is 0.183 s.
_LATENCY = (
    (0.0, 0.0), (0.005, 0.02), (0.01, 0.08), (0.025, 0.3), (0.05, 0.58), (0.1, 0.8), (0.2, 0.98),
    (0.3, 0.995), (0.5, 0.999), (1.0, 1.0),
)  # fmt: skip
_MEAN = sum((a + b) / 2 * (q - p) for (a, p), (b, q) in pairwise(_LATENCY))
_NOT_FOUND = 0.01
REQUESTS = "companyos_http_requests_total"
DURATION = "companyos_http_request_duration_seconds"
DECISIONS = "companyos_opa_decisions_total"

Exported = Iterator[tuple[str, dict[str, str], float]]


@dataclass(slots=True)
class Exporter:
    """The counters of one process; they start at 0. Fractions of a request are kept, so that the
    shares are exact in the long run, and never shown. Equal seeds count equally."""

    seed: str
    _requests: dict[str, float] = field(init=False)
    _buckets: list[float] = field(init=False)
    _seconds: float = 0.0
    _decisions: dict[str, float] = field(init=False)
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._requests = dict.fromkeys(("200", "404", "500"), 0.0)
        # Pods of one age would otherwise all have their rare error in the same second.
        self._decisions = {"success": 0.0, "error": self._random.random()}
        self._buckets = [0.0] * (len(BOUNDS) + 1)

    def serve(self, requests: float, rates: Rates) -> None:
        """Counts about so many requests (a jitter of 3 %), each with one policy decision."""
        count = requests * self._random.uniform(0.97, 1.03)
        errors, missing = count * rates.errors, count * _NOT_FOUND
        self._requests["500"] += errors
        self._requests["404"] += missing
        self._requests["200"] += count - errors - missing
        self._decisions["success"] += count * rates.opa
        self._decisions["error"] += count * (1 - rates.opa)
        for i, bound in enumerate((*BOUNDS, math.inf)):
            self._buckets[i] += count * _share_below(bound / rates.latency)
        self._seconds += count * _MEAN * rates.latency

    def exported(self) -> Exported:
        """(metric, labels, value) of every series."""
        for status, count in self._requests.items():
            yield REQUESTS, {"status": status}, math.floor(count)
        for bound, count in zip((*BOUNDS, math.inf), self._buckets, strict=True):
            yield f"{DURATION}_bucket", {"le": _written(bound)}, math.floor(count)
        yield f"{DURATION}_sum", {}, self._seconds
        yield f"{DURATION}_count", {}, math.floor(self._buckets[-1])
        for result, count in self._decisions.items():
            yield DECISIONS, {"result": result}, math.floor(count)


def _share_below(seconds: float) -> float:
    for (a, p), (b, q) in pairwise(_LATENCY):
        if seconds <= b:
            return p + (q - p) * (seconds - a) / (b - a)
    return 1.0


def _written(bound: float) -> str:
    return "+Inf" if math.isinf(bound) else f"{bound:g}"
