"""Which number of what was measured a condition compares, and with what. Read from its tree, nothing is judged."""

from collections.abc import Iterator
from typing import Literal as OneOf

from msgspec import Struct

from companyos_canary.analysis.expr.tree import (
    Binary,
    Builtin,
    Call,
    Chain,
    Conditional,
    Literal,
    Member,
    Name,
    Node,
    Pointer,
    Unary,
)

_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_INVERTED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_OF_EACH = frozenset(("all", "any", "none", "one"))
Reading = OneOf["first", "last", "worst", "best", "max", "min", "mean", "median", "sum"]
"""Which number of a longer list a condition compares with its limit."""
_OF_THE_VALUE: dict[str, Reading] = {
    "first": "first",
    "last": "last",
    "max": "max",
    "min": "min",
    "mean": "mean",
    "median": "median",
    "sum": "sum",
    "abs": "first",
    "float": "first",
}


class Comparison(Struct, frozen=True):
    """A good value is `operator bound`. What is compared is found by `reading`, or is the number at a `place`
    other than the first."""

    operator: str
    bound: float
    reading: Reading = "first"
    place: int = 0


def comparison(condition: Node, *, good: bool) -> Comparison | None:
    """The single one of a condition that is `good` (or not) when it holds; None if there is none, or if there are
    several."""
    found = list(_comparisons(condition, good, "first"))
    found = [c for c in found if not c.place] or found
    return found[0] if len({(c.operator, c.bound, c.place) for c in found}) == 1 else None


def _comparisons(node: Node, good: bool, of_each: Reading) -> Iterator[Comparison]:
    """The limits in a condition that is `good` (or not) when it holds. `of_each`: which element `#` stands for."""
    match node:
        case Unary("!" | "not", inner):
            yield from _comparisons(inner, not good, of_each)
        case Binary("&&" | "and" | "||" | "or", left, right):
            yield from _comparisons(left, good, of_each)
            yield from _comparisons(right, good, of_each)
        case Conditional(_, then, otherwise):
            yield from _comparisons(then, good, of_each)
            yield from _comparisons(otherwise, good, of_each)
        case Builtin(name, (_, predicate)) if name in _OF_EACH:
            which: Reading = "worst" if (name in ("all", "none")) == good else "best"
            yield from _comparisons(predicate, good != (name == "none"), which)
        case Binary(operator, left, right) if operator in _FLIPPED:
            for sign, value, bound in ((operator, left, right), (_FLIPPED[operator], right, left)):
                number, read = _constant(bound), _reading(value, of_each)
                if number is not None and read is not None:
                    yield Comparison(sign if good else _INVERTED[sign], number, *read)


def _reading(node: Node, of_each: Reading) -> tuple[Reading, int] | None:
    """Which number of what was measured a tree is, and its place; None if it is none of them."""
    match node:
        case Name("result"):
            return "first", 0
        case Pointer(""):
            return of_each, 0
        case Member(Name("result"), Literal(int() as place)) if place > 0:
            return "first", place
        case Member(inner, index):
            return _reading(inner, of_each) if index in (Literal(0), None) else None
        case Chain(inner) | Binary("??", inner, _):
            return _reading(inner, of_each)
        case Builtin(name, (inner,)) if name in _OF_THE_VALUE:
            whole = inner == Name("result")
            return (_OF_THE_VALUE[name], 0) if whole else _reading(inner, of_each)
        case Call(Name("asFloat" | "default"), (inner, *_)):
            return _reading(inner, of_each)
    return None


def _constant(node: Node) -> float | None:
    match node:
        case Literal(bool()):
            return None
        case Literal(int() | float() as value):
            return float(value)
        case Unary("-", inner):
            number = _constant(inner)
            return None if number is None else -number
    return None
