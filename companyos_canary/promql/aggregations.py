"""The aggregations over an instant vector.

Upstream: Prometheus 2.42 promql/engine.go; compared with promtool.
"""

import math
from collections.abc import Callable, Sequence

from companyos_canary.promql.ranges import infinite_stays
from companyos_canary.promql.values import NAME, Key, Labels, Sample, Vector, key

Grouping = Callable[[Labels], dict[str, str]]


def by(names: Sequence[str]) -> Grouping:
    return lambda labels: {n: labels[n] for n in names if n in labels}


def without(names: Sequence[str]) -> Grouping:
    dropped = {*names, NAME}
    return lambda labels: {n: v for n, v in labels.items() if n not in dropped}


def aggregate(op: str, vector: Vector, grouping: Grouping) -> Vector:
    """One element for each group, in order of appearance. Raises KeyError for an unknown `op`."""
    reduce = AGGREGATIONS[op]
    groups: dict[Key, tuple[dict[str, str], list[float]]] = {}
    for sample in vector.samples:
        labels = grouping(sample.labels)
        groups.setdefault(key(labels), (labels, []))[1].append(sample.value)
    return Vector(tuple(Sample(labels, reduce(values)) for labels, values in groups.values()))


def _sum(values: Sequence[float]) -> float:
    total = values[0]
    for value in values[1:]:
        total += value
    return total


def _avg(values: Sequence[float]) -> float:
    mean = values[0]
    for count, value in enumerate(values[1:], start=2):
        if not infinite_stays(mean, value):
            mean += value / count - mean / count
    return mean


def _min(values: Sequence[float]) -> float:
    return min((v for v in values if not math.isnan(v)), default=math.nan)


def _max(values: Sequence[float]) -> float:
    return max((v for v in values if not math.isnan(v)), default=math.nan)


AGGREGATIONS: dict[str, Callable[[Sequence[float]], float]] = {
    "sum": _sum,
    "avg": _avg,
    "min": _min,
    "max": _max,
    "count": lambda values: float(len(values)),
}
