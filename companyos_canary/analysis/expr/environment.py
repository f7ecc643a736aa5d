"""The functions that Argo Rollouts adds to the language: types, then values.

Upstream: Argo Rollouts utils/evaluate/evaluate.go.
"""

import math
from collections.abc import Sequence
from typing import Any

from companyos_canary.analysis.expr.operators import integer, is_number
from companyos_canary.analysis.expr.tree import ConditionError
from companyos_canary.analysis.expr.types import BOOL, FLOAT, INT64, INTEGERS, NIL, UNKNOWN, type_of
from companyos_canary.analysis.gotext import float_text, parse_float, parse_int

SIGNATURES: dict[str, tuple[tuple[str, ...], str]] = {
    "asInt": ((UNKNOWN,), INT64),
    "asFloat": ((UNKNOWN,), FLOAT),
    "isNaN": ((FLOAT,), BOOL),
    "isInf": ((FLOAT,), BOOL),
    "isNil": ((UNKNOWN,), BOOL),
    "default": ((UNKNOWN, UNKNOWN), UNKNOWN),
}
"""Functions of the environment: (types of the arguments, type of the result)."""


def call_type(name: str, arguments: Sequence[str]) -> str:
    """Return the result type of a function of the environment for arguments of these types."""
    expected, result = SIGNATURES[name]
    if len(arguments) != len(expected):
        much = "too many" if len(arguments) > len(expected) else "not enough"
        raise ConditionError(f"{much} arguments to call {name}")
    for given, wanted in zip(arguments, expected, strict=True):
        if UNKNOWN in (wanted, given) or given == wanted or given in INTEGERS:
            continue
        if given == NIL:
            raise ConditionError(f"cannot use nil as argument (type {wanted}) to call {name}")
        raise ConditionError(f"cannot use {given} as argument (type {wanted}) to call {name} ")
    return result


def call_value(name: str, arguments: Sequence[Any], result: Any) -> Any:
    """Call a function of the environment. `isNil` and `default` look at the whole result, whatever
    argument they get (recorded: `cond-isnil-any-arg`, `cond-default-any-arg`)."""
    if name == "isNil":
        return result is None
    if name == "default":
        return arguments[1] if result is None else result
    value = arguments[0]
    if name in ("isNaN", "isInf"):
        if not is_number(value):
            raise ConditionError(f"reflect: Call using {type_of(value)} as type float64")
        return math.isnan(value) if name == "isNaN" else math.isinf(value)
    try:
        if isinstance(value, str):
            return parse_int(value) if name == "asInt" else parse_float(value)
    except ValueError as error:
        raise ConditionError(str(error)) from None
    if not is_number(value):
        raise ConditionError(f"{name}() not supported on {type_of(value)} {printed(value)}")
    return integer(value) if name == "asInt" else float(value)


def printed(value: Any, depth: int = 0) -> str:
    """A value as Go's %v prints it; long lists are shortened."""
    if isinstance(value, list):
        if depth > 3:
            return "[...]"
        most = 10 if depth else 100
        shown = " ".join(printed(v, depth + 1) for v in value[:most])
        return f"[{shown}{' ...' if len(value) > most else ''}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return float_text(value)
    return "<nil>" if value is None else str(value)
