"""The types of a condition by their Go names, and the result types of operators and methods.

Upstream: expr-lang/expr 1.17 checker/nature, checker.go `binaryNode`. A type is its name:
`float64`, `[]float64`, `nil`, or `unknown` if only evaluation can tell.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from companyos_canary.analysis.expr.tree import ConditionError

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
"""Sums and differences of times and durations: (operator, left, right) -> type of the result."""


class List(list[Any]):
    """A list that knows its Go type; messages need it."""

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
    """Whether `==` accepts the two."""
    if {UNKNOWN, NIL} & {left, right} or left == right:
        return True
    return {left, right} <= NUMBERS or (is_list(left) and is_list(right))


def may_fit(left: str, right: str, *fitting: frozenset[str] | str) -> bool:
    """Whether they may fit, with at least one unknown."""
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
    """A type as messages spell it."""
    return UNKNOWN if type_ == NIL else type_


_WORDS = frozenset(("contains", "startsWith", "endsWith"))
_LOGIC = frozenset(("or", "||", "and", "&&"))
_ORDER = frozenset(("<", ">", "<=", ">="))


def operation_type(operator: str, left: str, right: str) -> str:
    """Return the type of `left operator right`. Raises ConditionError if the two do not fit."""
    found = _operation_type(operator, left, right)
    if found is None:
        raise ConditionError(f"invalid operation: {operator} (mismatched types {shown(left)} and {shown(right)})")
    return found


def _operation_type(operator: str, left: str, right: str) -> str | None:
    both = {left, right}
    if operator in ("==", "!="):
        return BOOL if comparable(left, right) else None
    if operator in _LOGIC:
        return BOOL if both == {BOOL} or may_fit(left, right, BOOL) else None
    if operator in _ORDER:
        fits = both <= NUMBERS or both in ({STRING}, {TIME}, {DURATION})
        return BOOL if fits or may_fit(left, right, NUMBERS, STRING, TIME, DURATION) else None
    if operator in _WORDS:
        return BOOL if both == {STRING} or may_fit(left, right, STRING) else None
    if operator == "in":
        return _in_type(left, right)
    if operator == "..":
        return list_of(INT) if both <= INTEGERS or may_fit(left, right, INTEGERS) else None
    if operator == "??":
        return _coalesced(left, right)
    return _arithmetic_type(operator, left, right)


def _arithmetic_type(operator: str, left: str, right: str) -> str | None:
    both = {left, right}
    if operator == "%":
        return INT if both <= INTEGERS or may_fit(left, right, INTEGERS) else None
    if operator in ("/", "**", "^"):
        return FLOAT if both <= NUMBERS or may_fit(left, right, NUMBERS) else None
    if both <= NUMBERS:
        return promoted(left, right)
    if operator == "+" and both == {STRING}:
        return STRING
    if (operator, left, right) in TIMED:
        return TIMED[operator, left, right]
    if operator == "*" and DURATION in both and both - {DURATION} <= NUMBERS:
        return DURATION
    texts: tuple[str, ...] = {"+": (STRING, TIME, DURATION), "-": (TIME, DURATION)}.get(operator, (DURATION,))
    return UNKNOWN if may_fit(left, right, NUMBERS, *texts) else None


def _in_type(left: str, right: str) -> str | None:
    if is_list(right):
        if not comparable(left, element(right)):
            raise ConditionError(f"cannot use {shown(left)} as type {shown(element(right))} in array")
        return BOOL
    fits = right == UNKNOWN or (left == UNKNOWN and right == STRING)
    return BOOL if fits else None


def _coalesced(left: str, right: str) -> str:
    if NIL in (left, right):
        return right if left == NIL else left
    return left if left == right else UNKNOWN


METHODS: dict[str, dict[str, tuple[str, Callable[[Any], Any]]]] = {
    TIME: {
        "Year": (INT, lambda t: t.year),
        "Month": (INT, lambda t: t.month),
        "Day": (INT, lambda t: t.day),
        "Hour": (INT, lambda t: t.hour),
        "Minute": (INT, lambda t: t.minute),
        "Second": (INT, lambda t: t.second),
        "Weekday": (INT, lambda t: t.isoweekday() % 7),
        "Unix": (INT64, lambda t: int(t.timestamp())),
    },
    DURATION: {
        "Hours": (FLOAT, lambda d: d / timedelta(hours=1)),
        "Minutes": (FLOAT, lambda d: d / timedelta(minutes=1)),
        "Seconds": (FLOAT, lambda d: d.total_seconds()),
    },
}
"""By type and name: the type of the method's result, and its function."""


def method_of(value: Any, name: str) -> Callable[[Any], Any] | None:
    """The method of a time or duration; None for any other value."""
    kind = {datetime: TIME, timedelta: DURATION}.get(type(value), "")
    return METHODS.get(kind, {}).get(name, ("", None))[1]
