"""Conditions: read, check against a type of result, evaluate.

`compile(text).evaluate(result, now)` says whether a condition holds for one result, or raises
ConditionError with the words of Argo Rollouts. Nothing else comes out of it: evaluation is bounded
in steps, memory and depth and touches nothing outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from companyos_canary.analysis.expr.checker import Checker
from companyos_canary.analysis.expr.environment import SIGNATURES
from companyos_canary.analysis.expr.evaluator import Evaluator
from companyos_canary.analysis.expr.parser import parse
from companyos_canary.analysis.expr.tree import ConditionError, Node
from companyos_canary.analysis.expr.types import List, type_of

__all__ = ["Condition", "ConditionError", "Result", "compile", "evaluate_time"]

Result = float | Sequence[float]
"""What Prometheus answered: a scalar, or the samples of a vector or matrix in their order."""

_CALLS = frozenset(SIGNATURES)
_TIME_CALLS = frozenset(("isNaN", "isInf"))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that can be read; whether it fits a result is known once the result's type is."""

    text: str
    tree: Node

    def check(self, *, scalar: bool) -> None:
        """Raises ConditionError if the condition cannot work for a scalar, or for a list."""
        kind = _checked(self.tree, "float64" if scalar else "[]float64")
        if kind not in ("bool", "unknown"):
            raise _no_bool(kind)

    def evaluate(self, result: Result, now: datetime = _EPOCH) -> bool:
        """Whether the condition holds; `now` is what `now()` gives."""
        value = _typed(result)
        _checked(self.tree, type_of(value))
        found = _guarded(Evaluator(value, now), self.tree)
        if not isinstance(found, bool):
            raise _no_bool(type_of(found))
        return found


@lru_cache(maxsize=256)
def compile(text: str) -> Condition:  # noqa: A001 - the word of the language itself
    """Reads a condition; ConditionError if it is none or uses what is not supported."""
    return Condition(text, parse(text))


def evaluate_time(text: str, now: datetime) -> datetime:
    """The time that an expression gives, for example `now() - duration("5m")`: the form of a
    rangeQuery's start and end. ConditionError if it gives none."""
    tree = parse(text)
    Checker({}, _TIME_CALLS).visit(tree)
    found = _guarded(Evaluator(None, now), tree)
    if not isinstance(found, datetime):
        raise ConditionError(f"expected time.Time, but got {type_of(found)}")
    return found


def _checked(tree: Node, kind: str) -> str:
    return Checker({"result": kind}, _CALLS).visit(tree)


def _typed(result: Result) -> Any:
    if isinstance(result, Sequence):
        return List((float(r) for r in result), "[]float64")
    return float(result)


def _guarded(evaluator: Evaluator, tree: Node) -> Any:
    try:
        return evaluator.value(tree)
    except (RecursionError, MemoryError, OverflowError) as error:
        raise ConditionError(f"the condition cannot be evaluated: {error}") from None


def _no_bool(kind: str) -> ConditionError:
    return ConditionError(f"expected bool, but got {kind}")
