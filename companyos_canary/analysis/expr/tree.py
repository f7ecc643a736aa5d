"""The tree of a condition, its error, and the budget of one evaluation."""

from typing import TypeAlias

from msgspec import Struct


class ConditionError(Exception):
    """A condition cannot be parsed, does not fit its result or fails during evaluation. The text is
    the controller's where it was recorded; what is not emulated is described as such."""


class OutOfRangeError(ConditionError):
    """An index that its list or text does not have."""


_STEPS = 200_000
_MEMORY = 1_000_000


class Budget:
    """Counts steps and elements. Raises ConditionError once they are used up."""

    def __init__(self) -> None:
        self._steps = 0
        self._memory = 0

    def step(self, count: int = 1) -> None:
        self._steps += count
        if self._steps > _STEPS:
            raise ConditionError("the condition takes too many steps")

    def grow(self, size: int) -> None:
        """Limit and message are upstream's: vm.go `memGrow`."""
        self._memory += size
        if self._memory > _MEMORY:
            raise ConditionError("memory budget exceeded")


PREDICATES: dict[str, tuple[int, int]] = {
    "all": (2, 2),
    "none": (2, 2),
    "any": (2, 2),
    "one": (2, 2),
    "filter": (2, 2),
    "map": (2, 2),
    "count": (1, 2),
    "sum": (1, 2),
    "find": (2, 2),
    "findIndex": (2, 2),
    "findLast": (2, 2),
    "findLastIndex": (2, 2),
    "reduce": (2, 3),
}
"""Functions over a list with a predicate: (fewest, most) arguments."""

BUILTINS = frozenset(
    (
        *PREDICATES,
        "len",
        "abs",
        "ceil",
        "floor",
        "round",
        "int",
        "float",
        "max",
        "min",
        "mean",
        "median",
        "first",
        "last",
        "now",
        "duration",
        "get",
        "take",
        "sort",
        "reverse",
    )
)

UNSUPPORTED = frozenset(
    (
        "groupBy",
        "sortBy",
        "type",
        "string",
        "trim",
        "trimPrefix",
        "trimSuffix",
        "upper",
        "lower",
        "split",
        "splitAfter",
        "replace",
        "repeat",
        "join",
        "indexOf",
        "lastIndexOf",
        "hasPrefix",
        "hasSuffix",
        "toJSON",
        "fromJSON",
        "toBase64",
        "fromBase64",
        "date",
        "timezone",
        "keys",
        "values",
        "toPairs",
        "fromPairs",
        "uniq",
        "concat",
        "flatten",
        "bitand",
        "bitor",
        "bitxor",
        "bitnand",
        "bitnot",
        "bitshl",
        "bitshr",
        "bitushr",
    )
)
"""Functions of expr-lang that no condition on a metric needs."""


class Literal(Struct, frozen=True):
    """nil (None), a bool, an int (64 bits), a float or a string."""

    value: bool | int | float | str | None


class Name(Struct, frozen=True):
    name: str


class Pointer(Struct, frozen=True):
    """`#`, `#index` or `#acc` within a predicate."""

    name: str


class Unary(Struct, frozen=True):
    operator: str
    node: "Node"


class Binary(Struct, frozen=True):
    operator: str
    left: "Node"
    right: "Node"


class Member(Struct, frozen=True):
    """`node[key]`, or `node.name`, where the key is a string."""

    node: "Node"
    key: "Node"
    optional: bool = False


class Chain(Struct, frozen=True):
    """The expression that a `?.` guards: nil if the base is nil."""

    node: "Node"


class Slice(Struct, frozen=True):
    node: "Node"
    start: "Node | None"
    end: "Node | None"


class Call(Struct, frozen=True):
    """A function of the environment, or a method if the callee is a Member."""

    callee: Name | Member
    arguments: "tuple[Node, ...]"


class Builtin(Struct, frozen=True):
    """A function of the language; a predicate is always the second argument."""

    name: str
    arguments: "tuple[Node, ...]"


class Let(Struct, frozen=True):
    name: str
    value: "Node"
    body: "Node"


class Conditional(Struct, frozen=True):
    condition: "Node"
    then: "Node"
    otherwise: "Node"


class Array(Struct, frozen=True):
    nodes: "tuple[Node, ...]"


class Sequence(Struct, frozen=True):
    nodes: "tuple[Node, ...]"


Node: TypeAlias = (
    Literal
    | Name
    | Pointer
    | Unary
    | Binary
    | Member
    | Chain
    | Slice
    | Call
    | Builtin
    | Let
    | Conditional
    | Array
    | Sequence
)
