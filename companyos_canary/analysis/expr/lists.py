"""The functions that take a list and no predicate: types, then values.

Upstream: expr-lang/expr 1.17 builtin/.
"""

from collections.abc import Sequence
from functools import cmp_to_key
from typing import Any

from companyos_canary.analysis.expr.budget import Budget
from companyos_canary.analysis.expr.errors import ConditionError
from companyos_canary.analysis.expr.operators import integer, ordered
from companyos_canary.analysis.expr.types import (
    ANY_LIST,
    INTEGERS,
    STRING,
    UNKNOWN,
    List,
    element,
    is_list,
    shown,
    type_of,
)

NAMES = frozenset(("get", "take", "sort", "reverse"))
_ARGUMENTS = {"get": (2, 2), "take": (2, 2), "sort": (1, 2), "reverse": (1, 1)}


def list_type(name: str, arguments: Sequence[str]) -> str:
    """The type that the function gives for arguments of these types."""
    least, most = _ARGUMENTS[name]
    if not least <= len(arguments) <= most:
        expected = f"{least} or {most}" if least < most else str(most)
        raise ConditionError(
            f"invalid number of arguments (expected {expected}, got {len(arguments)})"
        )
    given, second = arguments[0], arguments[1] if len(arguments) > 1 else ""
    if given != UNKNOWN and not is_list(given):
        does_not = "" if name != "get" else f"type {shown(given)} does not support indexing"
        take = "cannot take from" if name == "take" else f"cannot {name}"
        raise ConditionError(does_not or f"{take} {shown(given)}")
    if name in ("get", "take") and second not in INTEGERS and second != UNKNOWN:
        wrong = f"cannot take {shown(second)} elements"
        index = f"non-integer slice index {shown(second)}"
        raise ConditionError(wrong if name == "take" else index)
    if name == "sort" and second not in ("", STRING, UNKNOWN):
        raise ConditionError(f"cannot use {shown(second)} as argument (type string) to call sort ")
    if name == "get":
        return UNKNOWN if given == UNKNOWN else element(given)
    return given if name == "take" else ANY_LIST


def listed(name: str, arguments: Sequence[Any], budget: Budget) -> Any:
    """The value of the function."""
    items = arguments[0]
    if name == "get" and items is None:
        return None
    if not isinstance(items, list):
        raise ConditionError(f"cannot {name} {type_of(items)}")
    if name == "get":
        index = integer(arguments[1])
        index += len(items) if index < 0 else 0
        return items[index] if 0 <= index < len(items) else None
    budget.grow(len(items))
    if name == "take":
        count = integer(arguments[1])
        if count < 0:
            raise ConditionError("reflect.Value.Slice: slice index out of bounds")
        return List(items[:count], type_of(items))
    if name == "reverse":
        return List(reversed(items))
    return _sorted(items, arguments[1] if len(arguments) > 1 else "asc")


def _sorted(items: list[Any], order: Any) -> List:
    if order not in ("asc", "desc"):
        raise ConditionError(f"invalid order {order}, expected asc or desc")
    sign = "<" if order == "asc" else ">"

    def compared(left: Any, right: Any) -> int:
        return -1 if ordered(sign, left, right) else int(ordered(sign, right, left))

    return List(sorted(items, key=cmp_to_key(compared)))
