"""Conditions about an object of Kubernetes (`rollout.status.phase == 'Degraded'`): those of triggers of notifications.

Upstream: argoproj/notifications-engine pkg/triggers; the object is a map there, so that a missing field is nil.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from companyos_canary.analysis.expr import tree
from companyos_canary.analysis.expr.checker import Checker
from companyos_canary.analysis.expr.environment import printed
from companyos_canary.analysis.expr.language import Evaluator
from companyos_canary.analysis.expr.operators import truth
from companyos_canary.analysis.expr.parser import parse
from companyos_canary.analysis.expr.tree import ConditionError
from companyos_canary.analysis.expr.types import UNKNOWN, type_of


class _OfObjects(Evaluator):
    """With the objects as variables, whose fields are members."""

    def __init__(self, objects: Mapping[str, Any], now: datetime) -> None:
        super().__init__(None, now)
        self._variables = dict(objects)

    def _member(self, node: tree.Member) -> Any:
        base = self.value(node.node)
        if isinstance(base, Mapping):
            return base.get(self.value(node.key))
        if base is None and not node.optional:
            raise ConditionError(f"cannot fetch {printed(self.value(node.key))} from {type_of(base)}")
        return super()._member(node)


def holds_for(text: str, objects: Mapping[str, Any], now: datetime) -> bool:
    """Whether the condition holds; `objects` are its variables. Raises ConditionError for what is not understood, for
    another variable, and where the engine would report an error."""
    parsed = parse(text)
    kind = Checker(dict.fromkeys(objects, UNKNOWN), frozenset()).visit(parsed)
    if kind not in ("bool", UNKNOWN):
        raise ConditionError(f"expected bool, but got {kind}")
    try:
        found = _OfObjects(objects, now).value(parsed)
    except (RecursionError, MemoryError, OverflowError) as error:
        raise ConditionError(f"the condition cannot be evaluated: {error}") from None
    return truth(found)
