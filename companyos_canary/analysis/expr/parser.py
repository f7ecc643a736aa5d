"""Parses the tokens of a condition into a tree, with expr-lang's precedence.

Upstream: expr-lang/expr 1.17 parser/parser.go. Maps, byte strings, `matches` and `$env` are
refused, because no condition on a metric needs them.
"""

from companyos_canary.analysis.expr.lexer import Cursor, Token, number
from companyos_canary.analysis.expr.tree import (
    BUILTINS,
    PREDICATES,
    UNSUPPORTED,
    Array,
    Binary,
    Builtin,
    Call,
    Chain,
    Conditional,
    ConditionError,
    Let,
    Literal,
    Member,
    Name,
    Node,
    Pointer,
    Sequence,
    Slice,
    Unary,
)

_UNARY = {"not": 50, "!": 50, "-": 90, "+": 90}
_KEYWORDS = {"true": True, "false": False, "nil": None}

_BINARY = {
    "|": 0,
    "or": 10,
    "||": 10,
    "and": 15,
    "&&": 15,
    "==": 20,
    "!=": 20,
    "<": 20,
    ">": 20,
    ">=": 20,
    "<=": 20,
    "in": 20,
    "matches": 20,
    "contains": 20,
    "startsWith": 20,
    "endsWith": 20,
    "..": 25,
    "+": 30,
    "-": 30,
    "*": 60,
    "/": 60,
    "%": 60,
    "**": 100,
    "^": 100,
    "??": 500,
}
_COMPARISON = frozenset(("<", ">", "<=", ">="))
_NEGATED = frozenset(("contains", "matches", "startsWith", "endsWith", "in"))


def parse(text: str) -> Node:
    """Return the tree of a condition. Raises ConditionError, in the controller's words, if it is
    not valid."""
    parser = _Parser(text)
    node = parser.sequence()
    parser.expect("eof")
    return node


class _Parser(Cursor):
    _predicates = 0

    def sequence(self) -> Node:
        nodes = [self.expression(0)]
        while self.at("operator", ";"):
            self.next()
            if self.at("eof"):
                break
            nodes.append(self.expression(0))
        return nodes[0] if len(nodes) == 1 else Sequence(tuple(nodes))

    def expression(self, precedence: int) -> Node:
        self.enter()
        if precedence == 0 and self.at("operator", "let"):
            node = self._let()
        elif precedence == 0 and self.at("operator", "if"):
            node = self._if()
        else:
            node = self._binary(self.primary(), precedence)
            while precedence == 0 and self.at("operator", "?"):
                node = self._ternary(node)
        self.leave()
        return node

    def _binary(self, left: Node, precedence: int) -> Node:
        before = ""
        while self.at("operator"):
            negated = self._negation(precedence)
            if negated is None:
                break
            operator = self.current.text
            if _BINARY.get(operator, -1) < precedence:
                break
            if before == "??" and operator not in ("??", "|"):
                raise ConditionError(
                    f"Operator ({operator}) and coalesce expressions (??) cannot be mixed. Wrap either by parentheses."
                )
            self.next()
            if operator == "|":
                left = self.call(self.expect("identifier"), (left,))
            elif operator in _COMPARISON:
                left = self._comparison(left, operator)
            else:
                left = self._operation(operator, left)
            left = Unary("not", left) if negated else left
            before = operator
        return left

    def _negation(self, precedence: int) -> bool | None:
        """Consume the `not` of `not in`. Returns None if the `not` ends the expression."""
        if not self.at("operator", "not"):
            return False
        word = self.next()
        if not self.at("operator", *_NEGATED):
            raise ConditionError(f"unexpected token {self.current}")
        if _BINARY[self.current.text] >= precedence:
            return True
        self.back_to(word)
        return None

    def _operation(self, operator: str, left: Node) -> Node:
        if operator == "matches":
            raise ConditionError("`matches` is not supported here")
        precedence = _BINARY[operator]
        right_binds = operator in ("**", "^")
        return Binary(operator, left, self.expression(precedence + (0 if right_binds else 1)))

    def _comparison(self, left: Node, operator: str) -> Node:
        """`a < b < c` is `a < b && b < c`."""
        root: Node | None = None
        while True:
            right = self.expression(_BINARY[operator] + 1)
            pair = Binary(operator, left, right)
            root = pair if root is None else Binary("&&", root, pair)
            if not self.at("operator", *_COMPARISON):
                return root
            left, operator = right, self.next().text

    def _let(self) -> Node:
        self.next()
        name = self.expect("identifier").text
        self.expect("operator", "=")
        value = self.expression(0)
        self.expect("operator", ";")
        return Let(name, value, self.sequence())

    def _if(self) -> Node:
        self.next()
        condition = self.expression(0)
        then = self.block()
        self.expect("operator", "else")
        return Conditional(condition, then, self.expression(0) if self.at("operator", "if") else self.block())

    def _ternary(self, condition: Node) -> Node:
        self.next()
        if self.at("operator", ":"):
            self.next()
            return Conditional(condition, condition, self.expression(0))
        then = self.expression(0)
        self.expect("operator", ":")
        return Conditional(condition, then, self.expression(0))

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

    def call(self, word: Token, piped: tuple[Node, ...]) -> Node:
        """A call of `word`; `piped` is the first argument if the call follows a `|`, else empty."""
        name = word.text
        if name in UNSUPPORTED:
            raise ConditionError(f"`{name}` is not supported here")
        self.expect("bracket", "(")
        if name in PREDICATES:
            return Builtin(name, self._with_predicate(name, piped))
        arguments = piped + self._list(")")
        return Builtin(name, arguments) if name in BUILTINS else Call(Name(name), arguments)

    def _with_predicate(self, name: str, piped: tuple[Node, ...]) -> tuple[Node, ...]:
        least, most = PREDICATES[name]
        arguments = list(piped)
        while len(arguments) < most:
            if self.at("bracket", ")"):
                if len(arguments) < least:
                    raise ConditionError(f"expected at least {most - len(piped)} arguments")
                break
            if len(arguments) > len(piped):
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
        """`[key]` or `[start:end]`; its opening bracket is already read."""
        start = None if self.at("operator", ":") else self.expression(0)
        if not self.at("operator", ":"):
            self.expect("bracket", "]")
            return Member(node, start or Literal(None), optional)
        self.next()
        end = None if self.at("bracket", "]") else self.expression(0)
        self.expect("bracket", "]")
        return Slice(node, start, end)

    def _dotted(self, node: Node, *, optional: bool) -> Node:
        """`.name` or `.name(...)`; its dot is already read."""
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
