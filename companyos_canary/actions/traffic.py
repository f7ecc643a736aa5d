"""What a service's traffic is like today, as its Prometheus has counted it; and whether the metrics of a Rollout count
the requests of its own pods alone."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from companyos_canary.analysis.evidence import BUCKETS, DECISIONS, REQUESTS, clumps
from companyos_canary.argo.picture import Picture
from companyos_canary.diagnosis.doubts import POD_OF_A_ROLLOUT, others
from companyos_canary.errors import CanaryError, NotFound
from companyos_canary.prometheus.client import Prometheus, Sample
from companyos_canary.render.evidence import at_least, boundaries
from companyos_canary.render.questions import Questions

_RATE, _SHARES = "5m", "1h"
_HOUR, _CELL = timedelta(hours=1), timedelta(minutes=5)


class Traffic(Struct, frozen=True):
    """Requests a second over five minutes; over an hour the shares of 1 that failed and of decisions that were not
    made, and those that were faster than each of `bounds` (seconds, as text; none without a histogram). Errors came
    `burst` at a time; None where there were too few to tell. A pod is scraped every `scrape` seconds;
    None if that is not known."""

    rate: float
    errors: float
    undecided: float = 0.0
    bounds: tuple[str, ...] = ()
    faster: tuple[float, ...] = ()
    burst: float | None = None
    scrape: float | None = None


def traffic(prometheus: Prometheus, rollout: str, scope: str) -> Traffic:
    """NotFound where nothing counts requests within the scope; the errors of Prometheus as they are."""

    def number(found: Sequence[Sample]) -> float | None:
        return found[0].value if len(found) == 1 and math.isfinite(found[0].value) else None

    def one(query: str) -> float | None:
        return number(prometheus.query(query))

    now = prometheus.query(f"sum(rate({REQUESTS}{{{scope}}}[{_RATE}]))")
    rate = number(now)
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
    undecided = 0.0 if decided is None else max(0.0, 1 - decided)
    scrapes = {window: one(f"max(count_over_time({REQUESTS}{{{scope}}}[{window}s]))") for window in (60, 600)}
    scrape = next((round(window / count, 1) for window, count in scrapes.items() if count and count > 1), None)
    return Traffic(rate, failed or 0.0, undecided, bounds, faster, burst, scrape)


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


_HASH = "rollouts_pod_template_hash"
_MOST = 3


class Crowd(Struct, frozen=True):
    """The other services that answer, as `name` or `namespace/name`; or the `problem` for which no one knows."""

    others: tuple[str, ...] = ()
    problem: str = ""


def crowd(prometheus: Prometheus, selector: str, rollout: str, namespace: str) -> Crowd:
    """Who answers `selector`, the metric and matchers that canary and stable have in common. By the names of pods;
    where series have none, by `app`. A series with neither says nothing."""
    try:
        found = prometheus.query(f"group by (namespace, pod, app) ({selector})")
    except CanaryError as error:
        return Crowd(problem=error.message)
    return Crowd(tuple(sorted(others((s.labels for s in found), rollout, namespace, frozenset()))))


class CountedSeries(Struct, frozen=True):
    """What the series of a Rollout's pods carry next to `namespace` and `pod`: whether the hash of the pod template;
    whether a service with a longer name answers `pod=~"NAME-.*"`, too; the boundaries of the histogram."""

    hashed: bool
    shared: bool
    bounds: tuple[str, ...]


def series(prometheus: Prometheus, rollout: str, namespace: str) -> CountedSeries | None:
    """None if Prometheus has none of this Rollout yet. Raises the errors of Prometheus."""
    found = prometheus.query(
        f'group by (namespace, pod, {_HASH}) ({REQUESTS}{{namespace="{namespace}",pod=~"{rollout}-.*"}})'
    )
    names = [(pod[1], s) for s in found if (pod := re.fullmatch(POD_OF_A_ROLLOUT, s.labels.get("pod", "")))]
    own = [s for name, s in names if name == rollout]
    if not own:
        return None
    return CountedSeries(
        hashed=all(s.labels.get(_HASH) for s in own),
        shared=any(name != rollout for name, _ in names),
        bounds=bounds(prometheus, f'namespace="{namespace}",pod=~"{rollout}-.*"'),
    )


def between_buckets(prometheus: Prometheus, asked: Questions) -> tuple[str, ...]:
    """What is said of a limit of the p95 that is no boundary of the histogram; raises the errors of Prometheus."""
    p95 = next((q for q in asked.metrics if q.name == "latency-p95" and q.limit), None)
    if p95 is None or p95.limit is None or (p95.row and at_least(p95.limit.value) not in p95.query):
        return ()
    known = bounds(prometheus, asked.everybody.partition("{")[2].removesuffix("}"))
    return tuple(warned.message for warned in boundaries(p95.limit.value, known))


def crowd_sentence(found: Crowd, rollout: str, namespace: str) -> str:
    """What is wrong, and the line to write; empty if nothing is."""
    if found.problem:
        return f"whether the metrics count the requests of `{rollout}` alone could not be checked: {found.problem}"
    if not found.others:
        return ""
    names = ", ".join(f"`{o}`" for o in found.others[:_MOST])
    more = f" and {len(found.others) - _MOST} more" if len(found.others) > _MOST else ""
    return f"the metrics of `{rollout}` also count the requests of {names}{more}: {remedy(rollout, namespace)}"


def share_sentence(found: Picture, everybody: str) -> str:
    """Where Prometheus counts another share than the one that is asked for, and what to do; empty elsewhere.
    `everybody` is the selector that canary and stable have in common."""
    rollout, live = found.snapshot.rollout, found.live
    if live is None or live.share is None or not found.measures_another_share:
        return ""
    said = (
        f"Prometheus counts {100 * live.share:.0f} % of the requests at the canary, and {found.progress.percent:g} % "
        f"are asked for: "
    )
    if f'pod=~"{rollout.name}-' in everybody:
        return f"{said}the metrics count its own pods alone, so connections that stay open may decide who is asked"
    return f"{said}the metrics may count other pods, too; {remedy(rollout.name, rollout.namespace)}"


def remedy(rollout: str, namespace: str) -> str:
    return f"write into canary.yaml: {crowd_line(rollout, namespace)}"


def crowd_line(rollout: str, namespace: str) -> str:
    """The line of canary.yaml that counts the pods of one Rollout."""
    return f"analysis: {{scope: '{exact(rollout, namespace)}'}}"


def exact(rollout: str, namespace: str) -> str:
    """Pods have the name of the Rollout, a hash, and five characters."""
    return f'namespace="{namespace}",pod=~"{rollout}-[^-]+-[^-]+"'
