"""Conditions about an object of Kubernetes (`rollout.status.phase == 'Degraded'`): those of triggers of notifications.

Upstream: argoproj/notifications-engine pkg/triggers; the object is a map there, so that a missing field is nil. And
argo-rollouts utils/record: `time.Now()` and `time.Parse(text)` are two functions more.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from companyos_canary.analysis.expr import tree
from companyos_canary.analysis.expr.checker import Checker
from companyos_canary.analysis.expr.environment import printed
from companyos_canary.analysis.expr.language import Evaluator
from companyos_canary.analysis.expr.operators import truth
from companyos_canary.analysis.expr.parser import parse
from companyos_canary.analysis.expr.tree import ConditionError
from companyos_canary.analysis.expr.types import BOOL, DURATION, TIME, UNKNOWN, type_of
from companyos_canary.model.quantity import parse_time

_ARGUMENTS = {"Now": 0, "Parse": 1}
_COMPARED = dict.fromkeys(("After", "Before", "Equal"), (TIME, BOOL))
_OF_TIMES = {"Sub": (TIME, DURATION), "Add": (DURATION, TIME), **_COMPARED}
"""The methods of a time that take something: its type, and that of the result."""


class _TypesOfObjects(Checker):
    """Of fields nothing is known before they are read, so that anything may be called on one."""

    def _method(self, callee: tree.Member, arguments: tuple[tree.Node, ...]) -> str:
        name = _name_of(callee)
        if _is_of_time(callee):
            if len(arguments) != _ARGUMENTS.get(name):
                raise ConditionError(f"`time.{name}` with {len(arguments)} arguments is not supported here")
            for argument in arguments:
                self.visit(argument)
            return TIME
        if self.visit(callee.node) == TIME and name in _OF_TIMES:
            wanted, found = _OF_TIMES[name]
            given = [self.visit(a) for a in arguments]
            if len(given) != 1 or given[0] not in (wanted, UNKNOWN):
                raise ConditionError(f"cannot use {', '.join(given) or 'nothing'} as the argument of {name}")
            return found
        return super()._method(callee, arguments)


class _OfObjects(Evaluator):
    """With the objects as variables, whose fields are members."""

    def __init__(self, objects: Mapping[str, Any], now: datetime) -> None:
        super().__init__(None, now)
        self._variables = {**objects, "time": {}}

    def _call(self, callee: tree.Name | tree.Member, arguments: list[Any]) -> Any:
        if isinstance(callee, tree.Name):
            return super()._call(callee, arguments)
        name = _name_of(callee)
        if _is_of_time(callee):
            return self._now if name == "Now" else _parsed(arguments[0])
        if name in _OF_TIMES and isinstance(base := self.value(callee.node), datetime):
            return _of_time(name, base, arguments[0])
        return super()._call(callee, arguments)

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
    kind = _TypesOfObjects(dict.fromkeys((*objects, "time"), UNKNOWN), frozenset()).visit(parsed)
    if kind not in ("bool", UNKNOWN):
        raise ConditionError(f"expected bool, but got {kind}")
    try:
        found = _OfObjects(objects, now).value(parsed)
    except (RecursionError, MemoryError, OverflowError) as error:
        raise ConditionError(f"the condition cannot be evaluated: {error}") from None
    return truth(found)


def _is_of_time(callee: tree.Member) -> bool:
    return callee.node == tree.Name("time")


def _name_of(callee: tree.Member) -> str:
    return str(callee.key.value) if isinstance(callee.key, tree.Literal) else ""


def _parsed(text: Any) -> datetime:
    found = parse_time(text) if isinstance(text, str) else None
    if found is None:
        raise ConditionError(f"{printed(text)} is not a time")
    return found


def _of_time(name: str, time: datetime, other: Any) -> Any:
    if name == "Add" and isinstance(other, timedelta):
        return time + other
    if name == "Add" or not isinstance(other, datetime):
        raise ConditionError(f"cannot use {type_of(other)} as the argument of {name}")
    match name:
        case "Sub":
            return time - other
        case "After":
            return time > other
        case "Before":
            return time < other
    return time == other
