"""The tree of a condition."""

from dataclasses import dataclass


class Node:
    """Any part of a condition."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """nil (None), a bool, an int (64 bits), a float or a string."""

    value: bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Name(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Pointer(Node):
    """`#`, `#index` or `#acc` within a predicate."""

    name: str


@dataclass(frozen=True, slots=True)
class Unary(Node):
    operator: str
    node: Node


@dataclass(frozen=True, slots=True)
class Binary(Node):
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Member(Node):
    """`node[key]`, or `node.name` where the key is a text."""

    node: Node
    key: Node
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Chain(Node):
    """The reach of a `?.`: nil when its base is nil."""

    node: Node


@dataclass(frozen=True, slots=True)
class Slice(Node):
    node: Node
    start: Node | None
    end: Node | None


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function of the environment, or a method where the callee is a Member."""

    callee: Name | Member
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Builtin(Node):
    """A function of the language; one that takes a predicate has it as its second argument."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Let(Node):
    name: str
    value: Node
    body: Node


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Array(Node):
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Sequence(Node):
    nodes: tuple[Node, ...]
