"""Evaluates PromQL over given series: one moment, or a range of moments."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import promql_parser as tree

from companyos_canary.promql import operators, ranges
from companyos_canary.promql.aggregations import AGGREGATIONS, aggregate, by, without
from companyos_canary.promql.functions import FUNCTIONS, absent, each
from companyos_canary.promql.parse import matchers, parse, seconds
from companyos_canary.promql.values import (
    SETS,
    STALE,
    Labels,
    Matcher,
    Matrix,
    PromqlError,
    Sample,
    Scalar,
    Select,
    Series,
    Text,
    Value,
    Vector,
    key,
    without_name,
)

LOOKBACK = 300_000


def evaluate(text: str, at: float, select: Select) -> Value:
    """Return the answer at a moment (Unix seconds): a Scalar or a Vector; for a lone range selector
    a Matrix, for a string literal a Text. Raises PromqlError."""
    return _value(round(at * 1000), select, parse(text))


def evaluate_range(text: str, start: float, end: float, step: float, select: Select) -> Matrix:
    """Return the answers from start to end, every `step` seconds (> 0), as one series for each
    label set. Raises PromqlError."""
    expression = parse(text)
    found: dict[frozenset[tuple[str, str]], tuple[Labels, list[tuple[float, float]]]] = {}
    first, last, width = round(start * 1000), round(end * 1000), max(round(step * 1000), 1)
    for at in range(first, last + 1, width):
        value = _value(at, select, expression)
        if isinstance(value, Matrix | Text):
            kind = "range vector" if isinstance(value, Matrix) else "string"
            raise PromqlError(
                "bad_data", f'invalid expression type "{kind}" for range query, must be Scalar or instant Vector'
            )
        samples = value.samples if isinstance(value, Vector) else (Sample({}, value.value),)
        for sample in samples:
            entry = found.setdefault(key(sample.labels), (sample.labels, []))
            entry[1].append((at / 1000, sample.value))
    return Matrix(tuple(Series(labels, samples) for labels, samples in found.values()))


def _value(at: int, select: Select, expression: tree.Expr) -> Value:
    try:
        return _Evaluation(at, select).value(expression)
    except (OverflowError, ValueError) as error:  # longer than a timedelta can hold
        raise PromqlError("bad_data", "parse error: duration out of range") from error


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """One expression at one moment, in milliseconds."""

    at: int
    select: Select

    def value(self, node: tree.Expr) -> Value:
        match node:
            case tree.NumberLiteral():
                return Scalar(node.val)
            case tree.StringLiteral():
                return Text(node.val)
            case tree.ParenExpr():
                return self.value(node.expr)
            case tree.VectorSelector():
                return self.instant(node)
            case tree.MatrixSelector():
                return self.matrix(node)
            case tree.UnaryExpr():
                return self.negated(node)
            case tree.AggregateExpr():
                return self.aggregated(node)
            case tree.BinaryExpr():
                return self.combined(node)
            case tree.Call():
                return self.called(node)
        name = "subqueries are" if isinstance(node, tree.SubqueryExpr) else f"`{node}` is"
        raise PromqlError("bad_data", f"{name} not supported")

    def vector(self, node: tree.Expr) -> Vector:
        value = self.value(node)
        if not isinstance(value, Vector):
            raise PromqlError("bad_data", f"expected an instant vector, got `{node}`")
        return value

    def instant(self, node: tree.VectorSelector) -> Vector:
        end = self._end(node)
        found = []
        for labels, points in self._windows(matchers(node), end - LOOKBACK, end):
            if points and points[-1][1] is not STALE:
                found.append(Sample(labels, points[-1][1]))
        return Vector(tuple(found))

    def windows(self, node: tree.MatrixSelector) -> Iterator[tuple[Labels, ranges.Window]]:
        """The series that have a sample in the range, without staleness markers."""
        selector = node.vector_selector
        end = self._end(selector)
        start = end - round(seconds(node.range) * 1000)
        for labels, points in self._windows(matchers(selector), start, end):
            real = [p for p in points if p[1] is not STALE]
            if real:
                yield labels, ranges.Window(start, end, real)

    def matrix(self, node: tree.MatrixSelector) -> Matrix:
        return Matrix(
            tuple(
                Series(labels, tuple((at / 1000, value) for at, value in window.points))
                for labels, window in self.windows(node)
            )
        )

    def negated(self, node: tree.UnaryExpr) -> Value:
        value = self.value(node.expr)
        if isinstance(value, Scalar):
            return Scalar(-value.value)
        return _distinct(each(self.vector(node.expr), lambda v: -v))

    def aggregated(self, node: tree.AggregateExpr) -> Vector:
        op = str(node.op)
        if op not in AGGREGATIONS:
            raise PromqlError("bad_data", f"the aggregation `{op}` is not supported")
        modifier = node.modifier
        if modifier is None:
            grouping = by(())
        elif modifier.type == tree.AggModifierType.By:
            grouping = by(modifier.labels)
        else:
            grouping = without(modifier.labels)
        return aggregate(op, self.vector(node.expr), grouping)

    def combined(self, node: tree.BinaryExpr) -> Value:
        op, to_bool = str(node.op), bool(node.modifier and node.modifier.return_bool)
        matching = _matching(node.modifier)
        left, right = self.value(node.lhs), self.value(node.rhs)
        if isinstance(left, Vector) and isinstance(right, Vector):
            if op in SETS:
                return _distinct(operators.sets(op, left, right, matching))
            return _distinct(operators.vectors(op, left, right, matching, to_bool=to_bool))
        if matching.on or matching.labels:
            raise PromqlError("bad_data", "parse error: vector matching only allowed between instant vectors")
        if isinstance(left, Vector) and isinstance(right, Scalar):
            return _distinct(operators.with_scalar(op, left, right, swapped=False, to_bool=to_bool))
        if isinstance(left, Scalar) and isinstance(right, Vector):
            return _distinct(operators.with_scalar(op, right, left, swapped=True, to_bool=to_bool))
        if isinstance(left, Scalar) and isinstance(right, Scalar):
            return operators.scalars(op, left, right)
        raise PromqlError("bad_data", f"`{op}` needs scalars or instant vectors")

    def called(self, node: tree.Call) -> Value:
        name = node.func.name
        if name == "time":
            return Scalar(self.at / 1000)
        if name in ranges.FUNCTIONS:
            return self._ranged(name, _bare(node.args[0]))
        if name == "absent":
            argument = _bare(node.args[0])
            named = matchers(argument) if isinstance(argument, tree.VectorSelector) else ()
            return absent(self.vector(argument), named)
        if name in FUNCTIONS:
            value = FUNCTIONS[name]([self.value(argument) for argument in node.args])
            return _distinct(value) if isinstance(value, Vector) else value
        raise PromqlError("bad_data", f"the function `{name}` is not supported")

    def _ranged(self, name: str, argument: tree.Expr) -> Vector:
        if not isinstance(argument, tree.MatrixSelector):
            raise PromqlError("bad_data", f"`{name}` over a subquery is not supported")
        function, found = ranges.FUNCTIONS[name], []
        for labels, window in self.windows(argument):
            value = function(window)
            if value is not None:
                kept = labels if name in ranges.KEEPS_NAME else without_name(labels)
                found.append(Sample(kept, value))
        return _distinct(Vector(tuple(found)))

    def _end(self, selector: tree.VectorSelector) -> int:
        if selector.at is not None:
            raise PromqlError("bad_data", "the `@` modifier is not supported")
        return self.at - round(seconds(selector.offset) * 1000)

    def _windows(
        self, wanted: Sequence[Matcher], start: int, end: int
    ) -> Iterator[tuple[Labels, list[tuple[int, float]]]]:
        found = self.select(wanted, start / 1000, end / 1000)
        for series in sorted(found, key=lambda s: sorted(s.labels.items())):
            points = [(round(at * 1000), value) for at, value in series.samples]
            yield series.labels, [p for p in points if start <= p[0] <= end]


def _matching(modifier: tree.BinModifier | None) -> operators.Matching:
    if modifier is None:
        return operators.Matching()
    if modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None:
        raise PromqlError("bad_data", "the `fill` modifiers are not supported")
    many: Literal["", "left", "right"] = ""
    if modifier.card == tree.VectorMatchCardinality.ManyToOne:
        many = "left"
    elif modifier.card == tree.VectorMatchCardinality.OneToMany:
        many = "right"
    matching = modifier.matching
    return operators.Matching(
        on=matching is not None and matching.type == tree.LabelModifierType.Include,
        labels=tuple(matching.labels) if matching else (),
        many=many,
        include=tuple(modifier.group_labels or ()),
    )


def _bare(node: tree.Expr) -> tree.Expr:
    while isinstance(node, tree.ParenExpr):
        node = node.expr
    return node


def _distinct(vector: Vector) -> Vector:
    """Return the vector. Raises PromqlError if two of its elements have the same labels."""
    if len({key(s.labels) for s in vector.samples}) < len(vector.samples):
        raise PromqlError("execution", "vector cannot contain metrics with the same labelset")
    return vector
