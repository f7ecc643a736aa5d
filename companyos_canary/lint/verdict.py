"""What the controller would make of an answer: the metric's conditions, run on values that matter."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal, cast

from companyos_canary.analysis.expr import tree
from companyos_canary.analysis.expr.language import Condition
from companyos_canary.analysis.expr.tree import ConditionError, Node
from companyos_canary.lint.metric import Metric
from companyos_canary.lint.query import Answer

Phase = Literal["Successful", "Failed", "Inconclusive", "Error"]
Result = float | Sequence[float]


def phase(metric: Metric, result: Result) -> Phase | None:
    """The phase of one measurement; None if a condition is not understood. (analysis.measurement has the same table
    for an answer of Prometheus.)"""
    success, failure = (metric.conditions.get(f) for f in ("successCondition", "failureCondition"))
    if (metric.success and not success) or (metric.failure and not failure):
        return None
    try:
        good = success.evaluate(result) if success else None
        bad = failure.evaluate(result) if failure else None
    except ConditionError as error:
        return None if "supported here" in str(error) else "Error"
    if bad or (good is False and failure is None):
        return "Failed"
    return "Inconclusive" if good is False else "Successful"


def holds(condition: Condition, result: Result) -> bool | None:
    """Whether a condition holds; None if it cannot be evaluated."""
    try:
        return condition.evaluate(result)
    except ConditionError:
        return None


def as_result(answer: Answer, value: float) -> Result:
    """One value as the conditions see it."""
    return value if answer.kind == "scalar" else [value]


def values(answer: Answer, conditions: Sequence[Condition]) -> list[float]:
    """Values that an answer can have, on both sides of every number in the conditions, without NaN and infinities."""
    numbers = sorted({float(n) for c in conditions for n in numbers_in(c.tree)} | {0.0, 1.0})
    found = set(numbers)
    for number in numbers:
        step = max(abs(number), 1.0) * 1e-6
        found |= {number - step, number + step}
    found |= {(a + b) / 2 for a, b in pairwise(numbers)}
    found |= {numbers[0] * 2 - 1000, numbers[-1] * 2 + 1000}
    found |= {end for end in (answer.low, answer.high) if math.isfinite(end)}
    inside = (v for v in found if answer.low <= v <= answer.high)
    return sorted(v for v in inside if v or not answer.nonzero)


def inner(node: Any) -> Iterator[Node]:
    """A tree and everything below it."""
    if isinstance(node, tuple):
        if hasattr(node, "_fields"):
            yield cast(Node, node)
        for part in node:
            yield from inner(part)


def numbers_in(node: Node) -> Iterator[float]:
    """The numbers of a condition, signs included, but for those that are an index."""
    match node:
        case tree.Literal(value) if isinstance(value, int | float) and not isinstance(value, bool):
            yield value
        case tree.Unary("-", tree.Literal(value)) if isinstance(value, int | float):
            yield -value
        case tree.Member(base, _):
            yield from numbers_in(base)
        case _:
            for part in node:
                for each in part if type(part) is tuple else (part,):
                    if hasattr(each, "_fields"):
                        yield from numbers_in(each)


def asks(node: Node) -> bool:
    """Whether a condition looks at the result."""
    looks = ("isNil", "default")
    return any(
        (isinstance(n, tree.Name) and n.name == "result") or (isinstance(n, tree.Call) and n.callee == tree.Name(look))
        for n in inner(node)
        for look in looks
    )


def only_counts(conditions: Sequence[Condition]) -> bool:
    """Whether conditions only ask how many elements there are, not what they are: `len(result) == 0`."""
    result = tree.Name("result")
    nodes = [n for c in conditions for n in inner(c.tree)]
    counted = sum(isinstance(n, tree.Builtin) and n.name == "len" and n.arguments == (result,) for n in nodes)
    return counted == sum(n == result for n in nodes)


def guards_emptiness(conditions: Sequence[Condition]) -> bool:
    """Whether a condition says what an empty answer means: by `len(result)`, or by a default (`??`)."""
    return any(
        (isinstance(n, tree.Builtin) and n.name == "len") or (isinstance(n, tree.Binary) and n.operator == "??")
        for c in conditions
        for n in inner(c.tree)
    )


def guards_nan(conditions: Sequence[Condition]) -> bool:
    """Whether a condition says what NaN means."""
    return any(isinstance(n, tree.Call) and n.callee == tree.Name("isNaN") for c in conditions for n in inner(c.tree))
