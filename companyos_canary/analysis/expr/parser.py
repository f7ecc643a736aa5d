"""Operators of a condition -> its tree, with expr-lang's precedence.

Upstream: expr-lang/expr 1.17 parser/parser.go. Maps, byte strings, `matches` and `$env` are
refused here: no condition on a metric needs them.
"""

from companyos_canary.analysis.expr.errors import ConditionError
from companyos_canary.analysis.expr.nodes import Binary, Conditional, Let, Node, Sequence, Unary
from companyos_canary.analysis.expr.primary import Primaries

_BINARY = {
    "|": 0, "or": 10, "||": 10, "and": 15, "&&": 15, "==": 20, "!=": 20, "<": 20, ">": 20,
    ">=": 20, "<=": 20, "in": 20, "matches": 20, "contains": 20, "startsWith": 20, "endsWith": 20,
    "..": 25, "+": 30, "-": 30, "*": 60, "/": 60, "%": 60, "**": 100, "^": 100, "??": 500,
}  # fmt: skip
_COMPARISON = frozenset(("<", ">", "<=", ">="))
_NEGATED = frozenset(("contains", "matches", "startsWith", "endsWith", "in"))


def parse(text: str) -> Node:
    """The tree of a condition; ConditionError with the controller's sentence if it is none."""
    parser = _Parser(text)
    node = parser.sequence()
    parser.expect("eof")
    return node


class _Parser(Primaries):
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
                    f"Operator ({operator}) and coalesce expressions (??) cannot be mixed. "
                    "Wrap either by parentheses."
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
        """Moves over the `not` of `not in`; None where a `not` ends the expression."""
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
        return Conditional(
            condition, then, self.expression(0) if self.at("operator", "if") else self.block()
        )

    def _ternary(self, condition: Node) -> Node:
        self.next()
        if self.at("operator", ":"):
            self.next()
            return Conditional(condition, condition, self.expression(0))
        then = self.expression(0)
        self.expect("operator", ":")
        return Conditional(condition, then, self.expression(0))
