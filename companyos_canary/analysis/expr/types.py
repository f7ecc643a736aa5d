"""The types of a condition by their Go names, and which of them fit together.

Upstream: expr-lang/expr checker/nature. A type is its name: `float64`, `[]float64`, `unknown` for
what is only known when it is evaluated, `nil`.
"""

from datetime import datetime, timedelta
from typing import Any, Final

UNKNOWN: Final = "unknown"
NIL: Final = "nil"
BOOL: Final = "bool"
INT: Final = "int"
INT64: Final = "int64"
FLOAT: Final = "float64"
STRING: Final = "string"
TIME: Final = "time.Time"
DURATION: Final = "time.Duration"
ANY_LIST: Final = "[]interface {}"

INTEGERS = frozenset((INT, INT64))
NUMBERS = frozenset((INT, INT64, FLOAT))

TIMED = {
    ("-", TIME, TIME): DURATION,
    ("-", TIME, DURATION): TIME,
    ("-", DURATION, DURATION): DURATION,
    ("+", TIME, DURATION): TIME,
    ("+", DURATION, TIME): TIME,
    ("+", DURATION, DURATION): DURATION,
}
"""Sums and differences of times and durations: operator and operands to the type they give."""


class List(list[Any]):
    """A list that knows its Go type, for messages."""

    def __init__(self, items: Any, type_: str = ANY_LIST) -> None:
        super().__init__(items)
        self.type = type_


def is_list(type_: str) -> bool:
    return type_.startswith("[]")


def element(type_: str) -> str:
    """The type of a list's elements."""
    inner = type_[2:]
    return UNKNOWN if inner in ("", "interface {}") else inner


def list_of(type_: str) -> str:
    return ANY_LIST if type_ in (UNKNOWN, NIL) else f"[]{type_}"


def comparable(left: str, right: str) -> bool:
    """Whether `==` may stand between the two."""
    if {UNKNOWN, NIL} & {left, right} or left == right:
        return True
    return {left, right} <= NUMBERS or (is_list(left) and is_list(right))


def maybe(left: str, right: str, *fitting: frozenset[str] | str) -> bool:
    """Whether they may fit although at least one is unknown."""
    allowed = frozenset().union(*(f if isinstance(f, frozenset) else {f} for f in fitting))
    if left == UNKNOWN:
        return right == UNKNOWN or right in allowed
    return right == UNKNOWN and left in allowed


def promoted(left: str, right: str) -> str:
    """The type of a sum of two numbers."""
    return FLOAT if FLOAT in (left, right) else INT


def type_of(value: Any) -> str:
    """The Go type of a value, as %T prints it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, List):
        return value.type
    for python, go in ((int, INT), (float, FLOAT), (str, STRING), (datetime, TIME)):
        if isinstance(value, python):
            return go
    return DURATION if isinstance(value, timedelta) else UNKNOWN


def shown(type_: str) -> str:
    """A type as messages name it."""
    return UNKNOWN if type_ == NIL else type_
