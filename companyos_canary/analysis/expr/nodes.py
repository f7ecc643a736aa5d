"""The tree of a condition. NamedTuples are made faster than dataclasses when a view starts."""

from typing import NamedTuple, TypeAlias


class Literal(NamedTuple):
    """nil (None), a bool, an int (64 bits), a float or a string."""

    value: bool | int | float | str | None


class Name(NamedTuple):
    name: str


class Pointer(NamedTuple):
    """`#`, `#index` or `#acc` within a predicate."""

    name: str


class Unary(NamedTuple):
    operator: str
    node: "Node"


class Binary(NamedTuple):
    operator: str
    left: "Node"
    right: "Node"


class Member(NamedTuple):
    """`node[key]`, or `node.name` where the key is a text."""

    node: "Node"
    key: "Node"
    optional: bool = False


class Chain(NamedTuple):
    """The reach of a `?.`: nil when its base is nil."""

    node: "Node"


class Slice(NamedTuple):
    node: "Node"
    start: "Node | None"
    end: "Node | None"


class Call(NamedTuple):
    """A function of the environment, or a method where the callee is a Member."""

    callee: Name | Member
    arguments: "tuple[Node, ...]"


class Builtin(NamedTuple):
    """A function of the language; one that takes a predicate has it as its second argument."""

    name: str
    arguments: "tuple[Node, ...]"


class Let(NamedTuple):
    name: str
    value: "Node"
    body: "Node"


class Conditional(NamedTuple):
    condition: "Node"
    then: "Node"
    otherwise: "Node"


class Array(NamedTuple):
    nodes: "tuple[Node, ...]"


class Sequence(NamedTuple):
    nodes: "tuple[Node, ...]"


Node: TypeAlias = (
    Literal | Name | Pointer | Unary | Binary | Member | Chain | Slice | Call | Builtin | Let
    | Conditional | Array | Sequence
)  # fmt: skip
