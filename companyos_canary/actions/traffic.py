"""What a service's traffic is like today, as its Prometheus has counted it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from companyos_canary.analysis.evidence import BUCKETS, DECISIONS, REQUESTS, clumps
from companyos_canary.errors import CanaryError, NotFound
from companyos_canary.prometheus.client import Prometheus

_RATE, _SHARES = "5m", "1h"
_HOUR, _CELL = timedelta(hours=1), timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests a second over five minutes; over an hour the shares of 1 that failed and of decisions that were not
    made, and those that were faster than each of `bounds` (seconds, as text; none without a histogram). Errors came
    `burst` at a time; None where there were too few to tell."""

    rate: float
    errors: float
    undecided: float = 0.0
    bounds: tuple[str, ...] = ()
    faster: tuple[float, ...] = ()
    burst: float | None = None


def traffic(prometheus: Prometheus, rollout: str, scope: str) -> Traffic:
    """NotFound where nothing counts requests within the scope; the errors of Prometheus as they are."""

    def one(query: str) -> float | None:
        found = prometheus.query(query)
        return found[0].value if len(found) == 1 and math.isfinite(found[0].value) else None

    now = prometheus.query(f"sum(rate({REQUESTS}{{{scope}}}[{_RATE}]))")
    rate = now[0].value if len(now) == 1 and math.isfinite(now[0].value) else None
    if not rate:
        raise NotFound(
            f"Prometheus has counted no requests of `{rollout}` in the last {_RATE}",
            hint="check `analysis.scope`, or give them: canary plan --rps 20 --errors 1%",
        )
    total = f"sum(increase({REQUESTS}{{{scope}}}[{_SHARES}]))"
    failed = one(f'sum(increase({REQUESTS}{{status=~"5..",{scope}}}[{_SHARES}])) / {total}')
    decided = one(
        f'sum(increase({DECISIONS}{{result="success",{scope}}}[{_SHARES}]))'
        f" / sum(increase({DECISIONS}{{{scope}}}[{_SHARES}]))"
    )
    bounds, faster = _latencies(prometheus, scope)
    burst = clumps(_cells(prometheus, scope, now[0].at)) if failed else None
    return Traffic(rate, failed or 0.0, 0.0 if decided is None else max(0.0, 1 - decided), bounds, faster, burst)


def _cells(prometheus: Prometheus, scope: str, end: datetime) -> Sequence[tuple[float, float]]:
    """Errors and requests of each stable pod in each five minutes of the last hour: raw counters, subtracted, since
    `increase` would stretch them. A pod that was restarted in between has none. Empty where Prometheus cannot say."""

    def counted(more: str) -> Mapping[tuple[str, datetime], float]:
        query = f'sum by (pod) ({REQUESTS}{{canary!="true",{more}{scope}}})'
        found = prometheus.query_range(query, end - _HOUR, end, _CELL)
        return {(series.labels.get("pod", ""), at): value for series in found for at, value in series.points}

    try:
        failed, requests = counted('status=~"5..",'), counted("")
    except CanaryError:
        return ()
    cells = []
    for (pod, at), total in requests.items():
        before = requests.get((pod, at - _CELL))
        if before is not None:
            errors = failed.get((pod, at), 0.0) - failed.get((pod, at - _CELL), 0.0)
            if 0 <= errors <= total - before:
                cells.append((errors, total - before))
    return cells


def bounds(prometheus: Prometheus, matchers: str) -> tuple[str, ...]:
    """The boundaries of the latency histogram, as text, in their order; raises the errors of Prometheus."""
    found = (s.labels.get("le") for s in prometheus.query(f"group by (le) ({BUCKETS}{{{matchers}}})"))
    return tuple(sorted((le for le in found if le and _is_number(le) and float(le) < math.inf), key=float))


def _latencies(prometheus: Prometheus, scope: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    found = prometheus.query(f"sum by (le) (increase({BUCKETS}{{{scope}}}[{_SHARES}]))")
    counts = sorted((float(s.labels["le"]), s.labels["le"], s.value) for s in found if _is_number(s.labels.get("le")))
    if not counts or counts[-1][0] != math.inf or not counts[-1][2] > 0:
        return (), ()
    total, shares = counts[-1][2], list[float]()
    for _, _, value in counts[:-1]:
        shares.append(min(1.0, max(value / total, shares[-1] if shares else 0.0)))
    return tuple(text for _, text, _ in counts[:-1]), tuple(shares)


def _is_number(text: str | None) -> bool:
    try:
        float(text or "")
    except ValueError:
        return False
    return True
