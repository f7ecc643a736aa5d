"""Conditions: parse, check against the type of a result, evaluate.

`compile(text).evaluate(result, now)` returns whether a condition holds for one result, or raises
ConditionError with the words of Argo Rollouts. Evaluation is limited in steps, memory and depth,
and has no side effects. Upstream: expr-lang/expr 1.17 vm/vm.go.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from msgspec import Struct

from companyos_canary.analysis.expr import environment, functions, tree
from companyos_canary.analysis.expr.checker import Checker
from companyos_canary.analysis.expr.environment import SIGNATURES
from companyos_canary.analysis.expr.operators import (
    arithmetic,
    contained,
    equal,
    integer,
    is_number,
    ordered,
    searched,
    span,
    truth,
    wrapped,
)
from companyos_canary.analysis.expr.parser import parse
from companyos_canary.analysis.expr.tree import PREDICATES, Budget, ConditionError, Node, OutOfRangeError
from companyos_canary.analysis.expr.types import List, method_of, type_of

Result = float | Sequence[float]
"""The answer of Prometheus: a scalar, or the values of a vector or matrix in their order."""

_CALLS = frozenset(SIGNATURES)
_TIME_CALLS = frozenset(("isNaN", "isInf"))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Condition(Struct, frozen=True):
    """A parsed condition. Whether it fits a result depends on the type of the result."""

    text: str
    tree: Node

    def check(self, *, scalar: bool) -> None:
        """Raises ConditionError if the condition does not fit a scalar (or else a list)."""
        kind = _checked(self.tree, "float64" if scalar else "[]float64")
        if kind not in ("bool", "unknown"):
            raise _not_bool(kind)

    def evaluate(self, result: Result, now: datetime = _EPOCH) -> bool:
        """Whether the condition holds; `now` is the value of `now()`."""
        value = _typed(result)
        _fits(self.text, type_of(value))
        found = _guarded(Evaluator(value, now), self.tree)
        if not isinstance(found, bool):
            raise _not_bool(type_of(found))
        return found


@lru_cache(maxsize=256)
def compile(text: str) -> Condition:  # noqa: A001 - the common word for it
    """Parse a condition. Raises ConditionError if it is invalid or uses something unsupported."""
    return Condition(text, parse(text))


@lru_cache(maxsize=512)
def _fits(text: str, kind: str) -> str:
    return _checked(compile(text).tree, kind)


def evaluate_time(text: str, now: datetime) -> datetime:
    """Evaluate an expression that yields a time, e.g. `now() - duration("5m")`: a rangeQuery's
    start and end have this form. Raises ConditionError if it yields something else."""
    tree = parse(text)
    Checker({}, _TIME_CALLS).visit(tree)
    found = _guarded(Evaluator(None, now), tree)
    if not isinstance(found, datetime):
        raise ConditionError(f"expected time.Time, but got {type_of(found)}")
    return found


def _checked(tree: Node, kind: str) -> str:
    return Checker({"result": kind}, _CALLS).visit(tree)


def _typed(result: Result) -> Any:
    if isinstance(result, Sequence):
        return List((float(r) for r in result), "[]float64")
    return float(result)


def _guarded(evaluator: "Evaluator", tree: Node) -> Any:
    try:
        return evaluator.value(tree)
    except (RecursionError, MemoryError, OverflowError) as error:
        raise ConditionError(f"the condition cannot be evaluated: {error}") from None


def _not_bool(kind: str) -> ConditionError:
    return ConditionError(f"expected bool, but got {kind}")


class _EndOfChain(Exception):
    """The base of a `?.` is nil."""


class Evaluator:
    """Evaluates one tree, once. `result` is a float, a List of floats or None."""

    def __init__(self, result: Any, now: datetime) -> None:
        self._result = result
        self._now = now
        self._variables: dict[str, Any] = {"result": result}
        self._pointers: list[dict[str, Any]] = []
        self._budget = Budget()

    def value(self, node: tree.Node) -> Any:  # noqa: C901, PLR0912 - a case for each kind of node
        """Return the value of a tree. Raises ConditionError if the controller reports one."""
        self._budget.step()
        match node:
            case tree.Literal(value):
                return value
            case tree.Name(name):
                return self._variables[name]
            case tree.Pointer(name):
                return self._pointers[-1][name]
            case tree.Unary(operator, inner):
                return self._unary(operator, self.value(inner))
            case tree.Binary():
                return self._binary(node)
            case tree.Member():
                return self._member(node)
            case tree.Chain(inner):
                return self._chain(inner)
            case tree.Slice():
                return self._slice(node)
            case tree.Call(callee, arguments):
                return self._call(callee, [self.value(a) for a in arguments])
            case tree.Builtin(name, arguments):
                return self._builtin(name, arguments)
            case tree.Let(name, value, body):
                return self._let(name, value, body)
            case tree.Conditional(condition, then, otherwise):
                return self.value(then if truth(self.value(condition)) else otherwise)
            case tree.Array(items):
                self._budget.grow(len(items))
                return List(self.value(n) for n in items)
            case tree.Sequence(items):
                return [self.value(n) for n in items][-1]
        raise ConditionError(f"{type(node).__name__} is not supported here")

    def _unary(self, operator: str, value: Any) -> Any:
        if operator in ("!", "not"):
            return not truth(value)
        if not is_number(value):
            raise ConditionError(f"invalid operation: {operator} {type_of(value)}")
        if operator == "+":
            return value
        return -value if isinstance(value, float) else wrapped(-value)

    def _binary(self, node: tree.Binary) -> Any:
        operator = node.operator
        left = self.value(node.left)
        if operator in ("and", "&&"):
            return truth(left) and truth(self.value(node.right))
        if operator in ("or", "||"):
            return truth(left) or truth(self.value(node.right))
        if operator == "??":
            return self.value(node.right) if left is None else left
        right = self.value(node.right)
        if operator in ("==", "!="):
            return equal(left, right, self._budget) == (operator == "==")
        if operator in ("<", ">", "<=", ">="):
            return ordered(operator, left, right)
        if operator == "in":
            return contained(left, right, self._budget)
        if operator == "..":
            return span(left, right, self._budget)
        if operator in ("contains", "startsWith", "endsWith"):
            return searched(operator, left, right, self._budget)
        return arithmetic(operator, left, right, self._budget)

    def _chain(self, node: tree.Node) -> Any:
        try:
            return self.value(node)
        except _EndOfChain:
            return None

    def _member(self, node: tree.Member) -> Any:
        base = self.value(node.node)
        if base is None and node.optional:
            raise _EndOfChain
        key = self.value(node.key)
        if not isinstance(base, list | str) or isinstance(key, str):
            raise ConditionError(f"cannot fetch {environment.printed(key)} from {type_of(base)}")
        index = integer(key)
        if index < 0:
            index += len(base)
        if not 0 <= index < len(base):
            raise OutOfRangeError(f"index out of range: {index} (array length is {len(base)})")
        return base[index]

    def _slice(self, node: tree.Slice) -> Any:
        base = self.value(node.node)
        if not isinstance(base, list | str):
            raise ConditionError(f"cannot slice {environment.printed(base)}")
        start = 0 if node.start is None else integer(self.value(node.start))
        end = len(base) if node.end is None else integer(self.value(node.end))
        start, end = (max(0, i + len(base)) if i < 0 else i for i in (start, end))
        part = base[min(start, end, len(base)) : end]
        self._budget.grow(len(part))
        return List(part, type_of(base)) if isinstance(base, list) else part

    def _call(self, callee: tree.Name | tree.Member, arguments: list[Any]) -> Any:
        if isinstance(callee, tree.Name):
            return environment.call_value(callee.name, arguments, self._result)
        base = self.value(callee.node)
        if base is None and callee.optional:
            raise _EndOfChain
        method = method_of(base, str(self.value(callee.key)))
        if method is None:
            raise ConditionError(f"{type_of(base)} is not callable")
        return method(base)

    def _builtin(self, name: str, arguments: tuple[tree.Node, ...]) -> Any:
        if name == "now":
            return self._now
        if name not in PREDICATES:
            values = [self.value(a) for a in arguments]
            return functions.builtin_value(name, values, self._budget)
        items = self.value(arguments[0])
        if not isinstance(items, list):
            raise ConditionError(f"invalid argument for {name} (type {type_of(items)})")
        initial = [self.value(a) for a in arguments[2:]]
        return functions.predicate_value(name, items, self._predicate(arguments), initial, self._budget)

    def _predicate(self, arguments: tuple[tree.Node, ...]) -> Callable[[Any, int, Any], Any] | None:
        if len(arguments) < 2:
            return None

        def predicate(item: Any, index: int, acc: Any) -> Any:
            self._pointers.append({"": item, "index": index, "acc": acc})
            found = self.value(arguments[1])
            self._pointers.pop()
            return found

        return predicate

    def _let(self, name: str, value: tree.Node, body: tree.Node) -> Any:
        self._variables[name] = self.value(value)
        found = self.value(body)
        del self._variables[name]
        return found
