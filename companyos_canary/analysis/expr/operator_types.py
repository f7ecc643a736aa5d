"""The types that an operator takes and gives.

Upstream: expr-lang/expr 1.17 checker.go `binaryNode`.
"""

from companyos_canary.analysis.expr.errors import ConditionError
from companyos_canary.analysis.expr.types import (
    BOOL,
    DURATION,
    FLOAT,
    INT,
    INTEGERS,
    NIL,
    NUMBERS,
    STRING,
    TIME,
    TIMED,
    UNKNOWN,
    comparable,
    element,
    is_list,
    list_of,
    maybe,
    promoted,
    shown,
)

_WORDS = frozenset(("contains", "startsWith", "endsWith"))
_LOGIC = frozenset(("or", "||", "and", "&&"))
_ORDER = frozenset(("<", ">", "<=", ">="))


def operation_type(operator: str, left: str, right: str) -> str:
    """The type of `left operator right`; ConditionError where the two do not fit."""
    found = _operation_type(operator, left, right)
    if found is None:
        raise ConditionError(
            f"invalid operation: {operator} (mismatched types {shown(left)} and {shown(right)})"
        )
    return found


def _operation_type(operator: str, left: str, right: str) -> str | None:
    both = {left, right}
    if operator in ("==", "!="):
        return BOOL if comparable(left, right) else None
    if operator in _LOGIC:
        return BOOL if both == {BOOL} or maybe(left, right, BOOL) else None
    if operator in _ORDER:
        fits = both <= NUMBERS or both in ({STRING}, {TIME}, {DURATION})
        return BOOL if fits or maybe(left, right, NUMBERS, STRING, TIME, DURATION) else None
    if operator in _WORDS:
        return BOOL if both == {STRING} or maybe(left, right, STRING) else None
    if operator == "in":
        return _in_type(left, right)
    if operator == "..":
        return list_of(INT) if both <= INTEGERS or maybe(left, right, INTEGERS) else None
    if operator == "??":
        return _coalesced(left, right)
    return _arithmetic_type(operator, left, right)


def _arithmetic_type(operator: str, left: str, right: str) -> str | None:
    both = {left, right}
    if operator == "%":
        return INT if both <= INTEGERS or maybe(left, right, INTEGERS) else None
    if operator in ("/", "**", "^"):
        return FLOAT if both <= NUMBERS or maybe(left, right, NUMBERS) else None
    if both <= NUMBERS:
        return promoted(left, right)
    if operator == "+" and both == {STRING}:
        return STRING
    if (operator, left, right) in TIMED:
        return TIMED[operator, left, right]
    if operator == "*" and DURATION in both and both - {DURATION} <= NUMBERS:
        return DURATION
    texts: tuple[str, ...] = {"+": (STRING, TIME, DURATION), "-": (TIME, DURATION)}.get(
        operator, (DURATION,)
    )
    return UNKNOWN if maybe(left, right, NUMBERS, *texts) else None


def _in_type(left: str, right: str) -> str | None:
    if is_list(right):
        if not comparable(left, element(right)):
            raise ConditionError(
                f"cannot use {shown(left)} as type {shown(element(right))} in array"
            )
        return BOOL
    fits = right == UNKNOWN or (left == UNKNOWN and right == STRING)
    return BOOL if fits else None


def _coalesced(left: str, right: str) -> str:
    if NIL in (left, right):
        return right if left == NIL else left
    return left if left == right else UNKNOWN
