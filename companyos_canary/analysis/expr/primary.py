"""Literals, names, calls, brackets: what stands between the operators of a condition."""

from companyos_canary.analysis.expr.cursor import Cursor
from companyos_canary.analysis.expr.errors import ConditionError
from companyos_canary.analysis.expr.lexer import Token
from companyos_canary.analysis.expr.literals import number
from companyos_canary.analysis.expr.names import BUILTINS, PREDICATES, UNSUPPORTED
from companyos_canary.analysis.expr.nodes import (
    Array,
    Builtin,
    Call,
    Chain,
    Literal,
    Member,
    Name,
    Node,
    Pointer,
    Slice,
    Unary,
)  # fmt: skip

_UNARY = {"not": 50, "!": 50, "-": 90, "+": 90}
_KEYWORDS = {"true": True, "false": False, "nil": None}


class Primaries(Cursor):
    """The parts of an expression; `expression` and `sequence` come from the parser."""

    _predicates = 0

    def expression(self, precedence: int) -> Node:
        raise NotImplementedError

    def sequence(self) -> Node:
        raise NotImplementedError

    def block(self) -> Node:
        """A sequence in braces."""
        self.expect("bracket", "{")
        node = self.sequence()
        self.expect("bracket", "}")
        return node

    def primary(self) -> Node:
        if self.at("operator", *_UNARY):
            operator = self.next().text
            return self._postfix(Unary(operator, self.expression(_UNARY[operator])))
        if self.at("bracket", "("):
            self.next()
            node = self.sequence()
            self.expect("bracket", ")")
            return self._postfix(node)
        if self._predicates and self.at("operator", "#", "."):
            named = self.current.text == "#" and self.next() is not None
            name = self.next().text if named and self.at("identifier") else ""
            return self._postfix(Pointer(name))
        return self._secondary()

    def _secondary(self) -> Node:
        if self.at("number"):
            return Literal(number(self.next().text))
        if self.at("string"):
            return self._postfix(Literal(self.next().text))
        if self.at("bracket", "["):
            self.next()
            return self._postfix(Array(self._list("]")))
        if self.at("bracket", "{"):
            raise ConditionError("maps are not supported here")
        if not self.at("identifier"):
            raise ConditionError(f"unexpected token {self.current}")
        word = self.next()
        if word.text in _KEYWORDS:
            return Literal(_KEYWORDS[word.text])
        if word.text.startswith("$"):
            raise ConditionError(f"`{word.text}` is not supported here")
        return self._postfix(self.call(word, ()) if self.at("bracket", "(") else Name(word.text))

    def call(self, word: Token, given: tuple[Node, ...]) -> Node:
        """A call of `word`; `given` is what a pipe hands over as its first argument."""
        name = word.text
        if name in UNSUPPORTED:
            raise ConditionError(f"`{name}` is not supported here")
        self.expect("bracket", "(")
        if name in PREDICATES:
            return Builtin(name, self._with_predicate(name, given))
        arguments = given + self._list(")")
        return Builtin(name, arguments) if name in BUILTINS else Call(Name(name), arguments)

    def _with_predicate(self, name: str, given: tuple[Node, ...]) -> tuple[Node, ...]:
        least, most = PREDICATES[name]
        arguments = list(given)
        while len(arguments) < most:
            if self.at("bracket", ")"):
                if len(arguments) < least:
                    raise ConditionError(f"expected at least {most - len(given)} arguments")
                break
            if len(arguments) > len(given):
                self.expect("operator", ",")
            arguments.append(self._predicate() if len(arguments) == 1 else self.expression(0))
        if self.at("operator", ","):
            self.next()
        self.expect("bracket", ")")
        return tuple(arguments)

    def _predicate(self) -> Node:
        self._predicates += 1
        node = self.block() if self.at("bracket", "{") else self.expression(0)
        if self.at("operator", ";"):
            raise ConditionError("wrap predicate with brackets { and }")
        self._predicates -= 1
        return node

    def _list(self, closing: str) -> tuple[Node, ...]:
        nodes: list[Node] = []
        while not self.at("bracket", closing):
            if nodes:
                self.expect("operator", ",")
                if self.at("bracket", closing):
                    break
            nodes.append(self.expression(0))
        self.expect("bracket", closing)
        return tuple(nodes)

    def _postfix(self, node: Node) -> Node:
        while self.at("operator", ".", "?.") or self.at("bracket", "["):
            sign = self.next().text
            if sign == "?." and self.at("bracket", "["):
                self.next()
                node = Chain(self._index(node, optional=True))
            elif sign == "[":
                node = self._index(node, optional=False)
            else:
                node = self._dotted(node, optional=sign == "?.")
        return node

    def _index(self, node: Node, *, optional: bool) -> Node:
        """`[key]` or `[start:end]`; its bracket is open already."""
        start = None if self.at("operator", ":") else self.expression(0)
        if not self.at("operator", ":"):
            self.expect("bracket", "]")
            return Member(node, start or Literal(None), optional)
        self.next()
        end = None if self.at("bracket", "]") else self.expression(0)
        self.expect("bracket", "]")
        return Slice(node, start, end)

    def _dotted(self, node: Node, *, optional: bool) -> Node:
        """`.name` or `.name(...)`; its dot is read already."""
        word = self.next()
        if word.kind != "identifier" and not (word.kind == "operator" and word.text.isidentifier()):
            raise ConditionError("expected name")
        chained = optional or isinstance(node, Chain)
        base = node.node if isinstance(node, Chain) else node
        member = Member(base, Literal(word.text), optional)
        found: Node = member
        if self.at("bracket", "("):
            self.next()
            found = Call(member, self._list(")"))
        return Chain(found) if chained else found
