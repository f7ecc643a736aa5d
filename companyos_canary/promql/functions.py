"""Functions over instant vectors and scalars.

Upstream: Prometheus 2.42 promql/functions.go, and promql/quantile.go for histogram_quantile."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import cast

from companyos_canary.promql.floats import DATES, NUMBERS, rounded
from companyos_canary.promql.labels import label_join, label_replace
from companyos_canary.promql.values import (
    NAME,
    Key,
    Matcher,
    Sample,
    Scalar,
    Text,
    Value,
    Vector,
    divide,
    key,
    largest,
    smallest,
    without_name,
)

_BOUND = re.compile(r"[+-]?(?:inf(?:inity)?|nan|\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)", re.I)


def histogram_quantile(quantile: float, samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """One sample for each label set without `le`. Elements without a valid `le` are skipped."""
    groups: dict[Key, tuple[dict[str, str], list[tuple[float, float]]]] = {}
    for sample in samples:
        bound = _bound(sample.labels.get("le", ""))
        if bound is None:
            continue
        rest = {n: v for n, v in sample.labels.items() if n != "le"}
        groups.setdefault(key(rest), (rest, []))[1].append((bound, sample.value))
    return tuple(Sample(without_name(labels), _quantile(quantile, buckets)) for labels, buckets in groups.values())


def _bound(text: str) -> float | None:
    return float(text) if _BOUND.fullmatch(text) else None


def _quantile(quantile: float, buckets: list[tuple[float, float]]) -> float:
    if math.isnan(quantile):
        return math.nan
    if not 0 <= quantile <= 1:
        return math.copysign(math.inf, quantile)
    merged = _cumulative(buckets)
    if merged[-1][0] != math.inf or len(merged) < 2 or merged[-1][1] == 0:
        return math.nan
    bounds, counts = [b for b, _ in merged], [c for _, c in merged]
    rank = quantile * counts[-1]
    at = _first_reaching(rank, counts)
    if at == len(counts) - 1:
        return bounds[-2]
    if at == 0 and bounds[0] <= 0:
        return bounds[0]
    low, below = (bounds[at - 1], counts[at - 1]) if at else (0.0, 0.0)
    return low + (bounds[at] - low) * divide(rank - below, counts[at] - below)


def _cumulative(buckets: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Sort buckets by bound, add up those with equal bounds, and never let counts decrease."""
    merged: list[tuple[float, float]] = []
    for bound, count in sorted(buckets, key=lambda b: b[0]):
        if merged and merged[-1][0] == bound:
            merged[-1] = (bound, merged[-1][1] + count)
        else:
            merged.append((bound, count))
    most = merged[0][1]
    for i, (bound, count) in enumerate(merged):
        if count > most:
            most = count
        elif count < most:
            merged[i] = (bound, most)
    return merged


def _first_reaching(rank: float, counts: list[float]) -> int:
    """The first bucket whose count reaches the rank, or the last bucket. Searched by halves as
    upstream does, because NaN among the counts makes the answer depend on the way of searching."""
    low, high = 0, len(counts) - 1
    while low < high:
        middle = (low + high) // 2
        if counts[middle] >= rank:
            high = middle
        else:
            low = middle + 1
    return low


Arguments = Sequence[Value]


def each(vector: Vector, function: Callable[[float], float]) -> Vector:
    """Apply the function to every value. Metric names are dropped: the result is another metric."""
    return Vector(tuple(Sample(without_name(s.labels), function(s.value)) for s in vector.samples))


def absent(vector: Vector, matchers: Sequence[Matcher]) -> Vector:
    """1 for an empty vector, with the labels that the selector names once, by `=`."""
    if vector.samples:
        return Vector(())
    labels: dict[str, str] = {}
    named: set[str] = set()
    for matcher in matchers:
        if matcher.name == NAME:
            continue
        labels.pop(matcher.name, None)
        if matcher.op == "=" and matcher.name not in named:
            named.add(matcher.name)
            labels[matcher.name] = matcher.value
    return Vector((Sample({n: v for n, v in labels.items() if v}, 1.0),))


def _clamp(args: Arguments) -> Vector:
    vector, low, high = _vector(args, 0), _scalar(args, 1), _scalar(args, 2)
    if high < low:
        return Vector(())
    return each(vector, lambda v: largest(low, smallest(high, v)))


def _clamp_min(args: Arguments) -> Vector:
    low = _scalar(args, 1)
    return each(_vector(args, 0), lambda v: largest(low, v))


def _clamp_max(args: Arguments) -> Vector:
    high = _scalar(args, 1)
    return each(_vector(args, 0), lambda v: smallest(high, v))


def _scalar_of(args: Arguments) -> Scalar:
    samples = _vector(args, 0).samples
    return Scalar(samples[0].value if len(samples) == 1 else float("nan"))


def _vector(args: Arguments, index: int) -> Vector:
    return cast(Vector, args[index])  # the parser has already checked the types of arguments


def _scalar(args: Arguments, index: int) -> float:
    return cast(Scalar, args[index]).value


def _round(args: Arguments) -> Vector:
    to = _scalar(args, 1) if len(args) > 1 else 1.0
    return each(_vector(args, 0), lambda v: rounded(v, to))


def _sorted(args: Arguments, sign: int) -> Vector:
    def place(sample: Sample) -> tuple[bool, float]:
        missing = math.isnan(sample.value)
        return missing, 0.0 if missing else sign * sample.value

    return Vector(tuple(sorted(_vector(args, 0).samples, key=place)))


def _text(args: Arguments, index: int) -> str:
    return cast(Text, args[index]).value


def _label_replace(args: Arguments) -> Vector:
    return label_replace(_vector(args, 0), _text(args, 1), _text(args, 2), _text(args, 3), _text(args, 4))


def _label_join(args: Arguments) -> Vector:
    sources = [_text(args, index) for index in range(3, len(args))]
    return label_join(_vector(args, 0), _text(args, 1), _text(args, 2), sources)


def _of_each(function: Callable[[float], float]) -> Callable[[Arguments], Value]:
    return lambda args: each(_vector(args, 0), function)


FUNCTIONS: dict[str, Callable[[Arguments], Value]] = {
    **{name: _of_each(function) for name, function in (NUMBERS | DATES).items()},
    "clamp": _clamp,
    "clamp_min": _clamp_min,
    "clamp_max": _clamp_max,
    "histogram_quantile": lambda a: Vector(histogram_quantile(_scalar(a, 0), _vector(a, 1).samples)),
    "label_join": _label_join,
    "label_replace": _label_replace,
    "pi": lambda _: Scalar(math.pi),
    "round": _round,
    "scalar": _scalar_of,
    "sort": lambda args: _sorted(args, 1),
    "sort_desc": lambda args: _sorted(args, -1),
    "vector": lambda args: Vector((Sample({}, _scalar(args, 0)),)),
}
