"""Functions over instant vectors and scalars."""

from collections.abc import Callable, Sequence
from typing import cast

from companyos_canary.promql.arithmetic import largest, smallest
from companyos_canary.promql.histogram import histogram_quantile
from companyos_canary.promql.matcher import Matcher
from companyos_canary.promql.values import NAME, Sample, Scalar, Value, Vector, without_name

Arguments = Sequence[Value]


def each(vector: Vector, function: Callable[[float], float]) -> Vector:
    """The function of every value; metric names go, because the result is another metric."""
    return Vector(tuple(Sample(without_name(s.labels), function(s.value)) for s in vector.samples))


def absent(vector: Vector, matchers: Sequence[Matcher]) -> Vector:
    """1 for an empty vector, with the labels that the selector's `=` matchers name once."""
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
    return cast(Vector, args[index])  # the parser has checked the types of arguments


def _scalar(args: Arguments, index: int) -> float:
    return cast(Scalar, args[index]).value


FUNCTIONS: dict[str, Callable[[Arguments], Value]] = {
    "clamp": _clamp,
    "clamp_min": _clamp_min,
    "clamp_max": _clamp_max,
    "histogram_quantile": lambda a: Vector(
        histogram_quantile(_scalar(a, 0), _vector(a, 1).samples)
    ),
    "scalar": _scalar_of,
    "vector": lambda args: Vector((Sample({}, _scalar(args, 0)),)),
}
