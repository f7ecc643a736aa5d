"""The functions of the language, those of lists and those with a predicate: types, then values.

Upstream: expr-lang/expr 1.17 builtin/.
"""

import math
from collections.abc import Callable, Sequence
from functools import cmp_to_key
from typing import Any

from companyos_canary.analysis.expr.operators import arithmetic, integer, is_number, ordered, truth
from companyos_canary.analysis.expr.tree import Budget, ConditionError
from companyos_canary.analysis.expr.types import (
    ANY_LIST,
    BOOL,
    DURATION,
    FLOAT,
    INT,
    INTEGERS,
    NUMBERS,
    STRING,
    TIME,
    UNKNOWN,
    List,
    element,
    is_list,
    list_of,
    shown,
    type_of,
)
from companyos_canary.analysis.gotext import parse_float, parse_int
from companyos_canary.model.quantity import parse_duration

_LIST_FUNCTIONS = frozenset(("get", "take", "sort", "reverse"))
_LIST_ARGUMENTS = {"get": (2, 2), "take": (2, 2), "sort": (1, 2), "reverse": (1, 1)}
_ROUNDED = ("ceil", "floor", "round")
_AGGREGATES = ("max", "min", "mean", "median")


def builtin_type(name: str, arguments: Sequence[str]) -> str:
    """Return the result type of a function of the language for arguments of these types."""
    if name in _AGGREGATES:
        return _aggregate_type(name, arguments)
    if name in _LIST_FUNCTIONS:
        return _list_type(name, arguments)
    expected = 0 if name == "now" else 1
    if len(arguments) != expected:
        if name == "duration":
            much = "too many" if len(arguments) > expected else "not enough"
            raise ConditionError(f"{much} arguments to call duration")
        raise ConditionError(f"invalid number of arguments (expected {expected}, got {len(arguments)})")
    if name == "now":
        return TIME
    given = arguments[0]
    if name in ("first", "last"):
        if given != UNKNOWN and not is_list(given):
            raise ConditionError(f"cannot get {name} element from {shown(given)}")
        return UNKNOWN if given == UNKNOWN else element(given)
    fits, found = _BUILTIN_TYPES[name]
    if given != UNKNOWN and not fits(given):
        if name == "duration":
            raise ConditionError(f"cannot use {shown(given)} as argument (type string) to call duration ")
        raise ConditionError(f"invalid argument for {name} (type {shown(given)})")
    return found or given


def _aggregate_type(name: str, arguments: Sequence[str]) -> str:
    if not arguments:
        raise ConditionError(f"not enough arguments to call {name}")
    for argument in arguments:
        if argument == UNKNOWN or is_list(argument):
            return UNKNOWN
        if argument not in NUMBERS:
            raise ConditionError(f"invalid argument for {name} (type {shown(argument)})")
    return arguments[0]


def predicate_type(name: str, collection: str, predicate: str, *, with_predicate: bool) -> str:
    """Return the result type of a function over a list, given the type of its predicate."""
    if name == "map":
        return list_of(predicate)
    if name == "reduce":
        return predicate
    if name == "sum":
        return predicate if with_predicate else _element(collection)
    if predicate not in (BOOL, UNKNOWN):
        raise ConditionError(f"predicate should return boolean (got {shown(predicate)})")
    if name == "filter":
        return list_of(_element(collection))
    if name in ("find", "findLast"):
        return _element(collection)
    return INT if name in ("count", "findIndex", "findLastIndex") else BOOL


def _element(collection: str) -> str:
    return UNKNOWN if collection == UNKNOWN else element(collection)


def builtin_value(name: str, arguments: Sequence[Any], budget: Budget) -> Any:
    """Call a function of the language that takes no predicate (`now` is handled elsewhere)."""
    if name in _AGGREGATES:
        return _aggregate(name, arguments, budget)
    if name in _LIST_FUNCTIONS:
        return _list_value(name, arguments, budget)
    value = arguments[0]
    if name in ("first", "last"):
        has = isinstance(value, list) and value
        return value[0 if name == "first" else -1] if has else None
    if name == "len":
        if not isinstance(value, list | str):
            raise ConditionError(f"invalid argument for len (type {type_of(value)})")
        return len(value)
    if isinstance(value, str) and name in ("int", "float", "duration"):
        return _read(name, value)
    if not is_number(value):
        verb = f"invalid operation: {name}({type_of(value)})"
        wrong = f"invalid argument for {name} (type {type_of(value)})"
        raise ConditionError(verb if name in ("int", "float", "duration") else wrong)
    if name in _ROUNDED:
        return _rounded(name, float(value))
    if name == "int":
        return integer(value)
    return abs(value) if name == "abs" else float(value)


def _read(name: str, text: str) -> Any:
    try:
        if name == "duration":
            return parse_duration(text)
        return parse_int(text, "Atoi") if name == "int" else parse_float(text)
    except ValueError as error:
        wrong = f"invalid operation: {name}({text})"
        raise ConditionError(str(error) if name == "duration" else wrong) from None


def _rounded(name: str, value: float) -> float:
    if not math.isfinite(value):
        return value
    if name == "round":  # halves round away from zero, as in Go
        return math.copysign(float(math.floor(abs(value) + 0.5)), value)
    return float(math.ceil(value) if name == "ceil" else math.floor(value))


def _aggregate(name: str, arguments: Sequence[Any], budget: Budget) -> Any:
    numbers = list(_numbers(name, arguments, budget))
    if name in ("max", "min"):
        return _extreme("<" if name == "max" else ">", numbers)
    if not numbers:
        return 0.0
    values = [float(n) for n in numbers]
    if name == "mean":
        return sum(values) / len(values)
    values.sort(key=lambda v: (not math.isnan(v), v))  # Go's Float64s puts NaN first
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def _extreme(replaces: str, numbers: Sequence[Any]) -> Any:
    found: Any = None
    for value in numbers:
        if found is None or ordered(replaces, found, value):
            found = value
    return found


def _numbers(name: str, values: Sequence[Any], budget: Budget) -> list[Any]:
    found: list[Any] = []
    for value in values:
        budget.step()
        if isinstance(value, list):
            found += _numbers(name, value, budget)
        elif is_number(value):
            found.append(value)
        else:
            raise ConditionError(f"invalid argument for {name} (type {type_of(value)})")
    return found


def _is_number_type(type_: str) -> bool:
    return type_ in NUMBERS


_BUILTIN_TYPES: dict[str, tuple[Callable[[str], bool], str]] = {
    "len": (lambda t: is_list(t) or t == STRING, INT),
    "abs": (_is_number_type, ""),
    "ceil": (_is_number_type, FLOAT),
    "floor": (_is_number_type, FLOAT),
    "round": (_is_number_type, FLOAT),
    "int": (lambda t: t in NUMBERS or t == STRING, INT),
    "float": (lambda t: t in NUMBERS or t == STRING, FLOAT),
    "duration": (lambda t: t == STRING, DURATION),
}


def _list_type(name: str, arguments: Sequence[str]) -> str:
    """Return the result type of a list function for arguments of these types."""
    least, most = _LIST_ARGUMENTS[name]
    if not least <= len(arguments) <= most:
        expected = f"{least} or {most}" if least < most else str(most)
        raise ConditionError(f"invalid number of arguments (expected {expected}, got {len(arguments)})")
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


def _list_value(name: str, arguments: Sequence[Any], budget: Budget) -> Any:
    """Call a list function."""
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


Predicate = Callable[[Any, int, Any], Any]
"""(element, index, accumulator) -> the value of the predicate."""


def predicate_value(
    name: str, items: list[Any], predicate: Predicate | None, initial: Sequence[Any], budget: Budget
) -> Any:
    """Call `all`, `any`, `filter`, ... on `items`. For an empty list, `all` and `none` are true."""
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
    """Return the element itself; count a step for it, as a predicate would."""

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
