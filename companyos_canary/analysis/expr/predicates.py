"""The functions that ask something of every element of a list."""

from collections.abc import Callable, Sequence
from typing import Any

from companyos_canary.analysis.expr.budget import Budget
from companyos_canary.analysis.expr.errors import ConditionError
from companyos_canary.analysis.expr.operators import arithmetic, truth
from companyos_canary.analysis.expr.types import List

Predicate = Callable[[Any, int, Any], Any]
"""(element, index, accumulator) -> what the predicate says."""


def over(
    name: str,
    items: list[Any],
    predicate: Predicate | None,
    initial: Sequence[Any],
    budget: Budget,
) -> Any:
    """`all`, `any`, `filter`, ... of `items`. On an empty list `all` and `none` are true."""
    ask = predicate or _each(budget)
    if name == "reduce":
        return _reduced(items, ask, initial)
    if name == "sum":
        total: Any = 0
        for index, item in enumerate(items):
            total = arithmetic("+", ask(item, index, None), total, budget)
        return total
    if name == "map":
        budget.grow(len(items))
        return List(ask(item, index, None) for index, item in enumerate(items))
    if name in ("findLast", "findLastIndex"):
        backwards = ((i, items[i]) for i in range(len(items) - 1, -1, -1))
        return _found(name, backwards, ask)
    if name in ("find", "findIndex"):
        return _found(name, enumerate(items), ask)
    said = (truth(ask(item, index, None)) for index, item in enumerate(items))
    if name in ("all", "any", "none"):
        return not any(said) if name == "none" else (all if name == "all" else any)(said)
    if name == "filter":
        budget.grow(len(items))
        return List(item for item, kept in zip(items, said, strict=True) if kept)
    count = sum(said)
    return count == 1 if name == "one" else count


def _each(budget: Budget) -> Predicate:
    """The element itself, where no predicate counts the steps."""

    def item_of(item: Any, _index: int, _acc: Any) -> Any:
        budget.step()
        return item

    return item_of


def _found(name: str, numbered: Any, ask: Predicate) -> Any:
    for index, item in numbered:
        if truth(ask(item, index, None)):
            return index if name.endswith("Index") else item
    return None


def _reduced(items: list[Any], ask: Predicate, initial: Sequence[Any]) -> Any:
    start = 0 if initial else 1
    if not initial and not items:
        raise ConditionError("reduce of empty array with no initial value")
    acc = initial[0] if initial else items[0]
    for index in range(start, len(items)):
        acc = ask(items[index], index, acc)
    return acc
