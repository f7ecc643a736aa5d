"""The aggregations over an instant vector.

Upstream: Prometheus 2.42 promql/engine.go; compared with promtool.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from companyos_canary.promql.floats import as_label, is_label_name, quantile
from companyos_canary.promql.ranges import infinite_stays
from companyos_canary.promql.values import NAME, Key, Labels, PromqlError, Sample, Scalar, Text, Value, Vector, key

_LONGEST = 2.0**63

Grouping = Callable[[Labels], dict[str, str]]


def by(names: Sequence[str]) -> Grouping:
    return lambda labels: {n: labels[n] for n in names if n in labels}


def without(names: Sequence[str]) -> Grouping:
    dropped = {*names, NAME}
    return lambda labels: {n: v for n, v in labels.items() if n not in dropped}


def aggregate(op: str, vector: Vector, grouping: Grouping, parameter: Value | None = None) -> Vector:
    """The elements of each group, in order of appearance. `parameter`: the scalar of quantile, topk
    and bottomk, the label of count_values. Raises KeyError for an unknown `op`, PromqlError for a
    parameter that cannot be one."""
    if isinstance(parameter, Text):
        return _count_values(vector, grouping, parameter.value)
    if op in _RANKED:
        assert isinstance(parameter, Scalar)
        return _ranked(vector, grouping, parameter.value, largest=op == "topk")
    reduce = partial(quantile, parameter.value) if isinstance(parameter, Scalar) else _REDUCTIONS[op]
    groups = _groups(vector.samples, grouping)
    return Vector(tuple(Sample(labels, reduce([s.value for s in group])) for labels, group in groups))


def _groups(samples: Iterable[Sample], grouping: Grouping) -> Iterable[tuple[Labels, list[Sample]]]:
    groups: dict[Key, tuple[Labels, list[Sample]]] = {}
    for sample in samples:
        labels = grouping(sample.labels)
        groups.setdefault(key(labels), (labels, []))[1].append(sample)
    return groups.values()


def _count_values(vector: Vector, grouping: Grouping, label: str) -> Vector:
    """How many elements of a group have the same value, which is written into the label; a grouping
    `by` names that label, too."""
    if not is_label_name(label):
        raise PromqlError("execution", f'invalid label name "{label}"')
    samples = [Sample({**s.labels, label: as_label(s.value)}, s.value) for s in vector.samples]
    return Vector(tuple(Sample(labels, float(len(group))) for labels, group in _groups(samples, grouping)))


def _ranked(vector: Vector, grouping: Grouping, count: float, *, largest: bool) -> Vector:
    """The elements with the largest or smallest values of each group, the foremost first; NaN is
    the last of all, and of equal values the first ones stay."""
    if math.isnan(count) or not -_LONGEST <= count < _LONGEST:
        raise PromqlError("execution", f"Scalar value {as_label(count)} overflows int64")
    found: list[Sample] = []
    for _, group in _groups(vector.samples, grouping):
        sign = -1 if largest else 1
        group.sort(key=lambda s: (math.isnan(s.value), 0.0 if math.isnan(s.value) else sign * s.value))
        found += group[: max(int(count), 0)]
    return Vector(tuple(found))


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


def _variance(values: Sequence[float]) -> float:
    """Welford's, as upstream: a lone value has 0 even if it is not finite."""
    mean, squares = values[0], 0.0
    for count, value in enumerate(values[1:], start=2):
        delta = value - mean
        mean += delta / count
        squares += delta * (value - mean)
    return squares / len(values)


_RANKED = ("topk", "bottomk")
_REDUCTIONS: dict[str, Callable[[Sequence[float]], float]] = {
    "sum": _sum,
    "avg": _avg,
    "min": _min,
    "max": _max,
    "count": lambda values: float(len(values)),
    "group": lambda _: 1.0,
    "stddev": lambda values: math.sqrt(_variance(values)),
    "stdvar": _variance,
}
AGGREGATIONS = frozenset({*_REDUCTIONS, *_RANKED, "quantile", "count_values"})
