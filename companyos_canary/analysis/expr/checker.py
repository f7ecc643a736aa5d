"""Type checks of a condition before it is evaluated; faults are in expr-lang's words.

Upstream: expr-lang/expr 1.17 checker/checker.go, and the environment of Argo Rollouts in
utils/evaluate/evaluate.go.
"""

from collections.abc import Mapping

from companyos_canary.analysis.expr import environment, functions, tree
from companyos_canary.analysis.expr.tree import BUILTINS, PREDICATES, UNSUPPORTED, Budget, ConditionError
from companyos_canary.analysis.expr.types import (
    BOOL,
    INT,
    INTEGERS,
    METHODS,
    NIL,
    NUMBERS,
    STRING,
    UNKNOWN,
    element,
    is_list,
    list_of,
    operation_type,
    shown,
    type_of,
)

_DEEPEST = 100


class Checker:
    """Finds the type of a tree. `names` maps each variable to its type, `calls` holds the names of
    the functions of the environment."""

    def __init__(self, names: Mapping[str, str], calls: frozenset[str]) -> None:
        self._names = names
        self._calls = calls
        self._variables: dict[str, str] = {}
        self._pointers: list[dict[str, str]] = []
        self._depth = 0
        self._budget = Budget()  # a chained comparison has its middle operand in the tree twice

    def visit(self, node: tree.Node) -> str:
        """Return the type of a tree. Raises ConditionError for the first fault in it."""
        self._budget.step()
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ConditionError("the condition is nested too deeply")
        found = self._visit(node)
        self._depth -= 1
        return found

    def _visit(self, node: tree.Node) -> str:  # noqa: C901, PLR0912 - a case for each kind of node
        match node:
            case tree.Literal(value):
                return NIL if value is None else type_of(value)
            case tree.Name(name):
                return self._name(name)
            case tree.Pointer(name):
                return self._pointer(name)
            case tree.Unary(operator, inner):
                return _unary(operator, self.visit(inner))
            case tree.Binary(operator, left, right):
                return operation_type(operator, self.visit(left), self.visit(right))
            case tree.Chain(inner):
                return self.visit(inner)
            case tree.Member(base, key):
                return self._member(self.visit(base), key)
            case tree.Slice():
                return self._slice(node)
            case tree.Call(callee, arguments):
                return self._call(callee, arguments)
            case tree.Builtin(name, arguments):
                return self._builtin(name, arguments)
            case tree.Let():
                return self._let(node)
            case tree.Conditional():
                return self._conditional(node)
            case tree.Array(items):
                types = {self.visit(n) for n in items}
                return list_of(types.pop()) if len(types) == 1 else list_of(UNKNOWN)
            case tree.Sequence(items):
                return [self.visit(n) for n in items][-1]
        raise ConditionError(f"{type(node).__name__} is not supported here")

    def _name(self, name: str) -> str:
        if name in self._variables:
            return self._variables[name]
        if name in self._names:
            return self._names[name]
        if name in BUILTINS or name in UNSUPPORTED or name in self._calls:
            raise ConditionError(f"the function {name} as a value is not supported here")
        raise ConditionError(f"unknown name {name}")

    def _pointer(self, name: str) -> str:
        scope = self._pointers[-1]
        if name not in scope:
            raise ConditionError(f"unknown pointer #{name}")
        return scope[name]

    def _member(self, base: str, key: tree.Node) -> str:
        kind = self.visit(key)
        if base == UNKNOWN:
            return UNKNOWN
        if isinstance(key, tree.Literal) and isinstance(key.value, str):
            if base == NIL:
                raise ConditionError(f"type nil has no field {key.value}")
            if not is_list(base):
                raise ConditionError(f"type {base} has no field {key.value}")
        if not is_list(base):
            raise ConditionError(f"type {shown(base)}[{shown(kind)}] is undefined")
        if kind not in INTEGERS and kind != UNKNOWN:
            raise ConditionError(f"array elements can only be selected using an integer (got {shown(kind)})")
        return element(base)

    def _slice(self, node: tree.Slice) -> str:
        base = self.visit(node.node)
        if base == UNKNOWN:
            return UNKNOWN
        if base != STRING and not is_list(base):
            raise ConditionError(f"cannot slice {shown(base)}")
        for bound in (node.start, node.end):
            kind = INT if bound is None else self.visit(bound)
            if kind not in INTEGERS and kind != UNKNOWN:
                raise ConditionError(f"non-integer slice index {shown(kind)}")
        return base

    def _call(self, callee: tree.Name | tree.Member, arguments: tuple[tree.Node, ...]) -> str:
        if isinstance(callee, tree.Member):
            return self._method(callee, arguments)
        name = callee.name
        if name in self._calls and name not in self._variables:
            return environment.call_type(name, [self.visit(a) for a in arguments])
        kind = self._name(name)
        if kind == UNKNOWN:
            return UNKNOWN
        raise ConditionError(f"{shown(kind)} is not callable")

    def _method(self, callee: tree.Member, arguments: tuple[tree.Node, ...]) -> str:
        base = self.visit(callee.node)
        name = callee.key.value if isinstance(callee.key, tree.Literal) else ""
        known = METHODS.get(base, {})
        if base in METHODS and name not in known:
            raise ConditionError(f"the method {name} of {base} is not supported here")
        if base not in METHODS:
            raise ConditionError(f"type {shown(base)} has no method {name}")
        if arguments:
            raise ConditionError(f"too many arguments to call {name}")
        return known[str(name)][0]

    def _builtin(self, name: str, arguments: tuple[tree.Node, ...]) -> str:
        if name not in PREDICATES:
            return functions.builtin_type(name, [self.visit(a) for a in arguments])
        collection = self.visit(arguments[0])
        if not is_list(collection) and collection != UNKNOWN:
            raise ConditionError(f"builtin {name} takes only array (got {shown(collection)})")
        items = UNKNOWN if collection == UNKNOWN else element(collection)
        found = BOOL
        if len(arguments) > 1:
            extra = {"map": {"index": INT}, "reduce": {"index": INT, "acc": UNKNOWN}}
            self._pointers.append({"": items, **extra.get(name, {})})
            found = self.visit(arguments[1])
            self._pointers.pop()
        for further in arguments[2:]:
            self.visit(further)
        return functions.predicate_type(name, collection, found, with_predicate=len(arguments) > 1)

    def _let(self, node: tree.Let) -> str:
        name = node.name
        if name in self._names or name in self._calls:
            raise ConditionError(f"cannot redeclare {name}")
        if name in BUILTINS or name in UNSUPPORTED:
            raise ConditionError(f"cannot redeclare builtin {name}")
        if name in self._variables:
            raise ConditionError(f"cannot redeclare variable {name}")
        self._variables[name] = self.visit(node.value)
        found = self.visit(node.body)
        del self._variables[name]
        return found

    def _conditional(self, node: tree.Conditional) -> str:
        condition = self.visit(node.condition)
        if condition not in (BOOL, UNKNOWN):
            raise ConditionError(f"non-bool expression (type {shown(condition)}) used as condition")
        then, otherwise = self.visit(node.then), self.visit(node.otherwise)
        if then == NIL:
            return otherwise
        return then if otherwise in (NIL, then) else UNKNOWN


def _unary(operator: str, inner: str) -> str:
    if operator in ("!", "not"):
        if inner in (BOOL, UNKNOWN):
            return BOOL
    elif inner in NUMBERS or inner == UNKNOWN:
        return inner
    raise ConditionError(f"invalid operation: {operator} (mismatched type {shown(inner)})")
