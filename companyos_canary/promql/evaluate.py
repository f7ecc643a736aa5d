"""Evaluates PromQL over given series: one moment, or a range of moments."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Literal

import promql_parser as tree
from msgspec import Struct, field
from msgspec.structs import replace

from companyos_canary.promql import operators, ranges
from companyos_canary.promql.aggregations import AGGREGATIONS, aggregate, by, without
from companyos_canary.promql.floats import DATES
from companyos_canary.promql.functions import FUNCTIONS, absent, each
from companyos_canary.promql.parse import matchers, named, parse, seconds
from companyos_canary.promql.parse import moment as named_moment
from companyos_canary.promql.values import (
    NAME,
    SETS,
    STALE,
    Key,
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
#: Of a subquery that names none: Prometheus' default evaluation interval.
DEFAULT_STEP = 60_000
MOST_MOMENTS = 11_000


def evaluate(text: str, at: float, select: Select, known: dict[str, Value] | None = None) -> Value:
    """Return the answer at a moment (Unix seconds): a Scalar or a Vector; for a lone range selector
    a Matrix, for a string literal a Text. `known` keeps what was computed, for other queries about the
    same series at the same moment. Raises PromqlError."""
    moment = round(at * 1000)
    evaluation = _Evaluation(moment, moment, moment, select, known={} if known is None else known)
    return _value(evaluation, parse(text))


def evaluate_range(text: str, start: float, end: float, step: float, select: Select) -> Matrix:
    """Return the answers from start to end, every `step` seconds (> 0), as one series for each
    label set. Raises PromqlError."""
    expression = parse(text)
    found: dict[frozenset[tuple[str, str]], tuple[Labels, list[tuple[float, float]]]] = {}
    first, last, width = round(start * 1000), round(end * 1000), max(round(step * 1000), 1)
    for at in range(first, last + 1, width):
        value = _value(_Evaluation(at, first, last, select), expression)
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


def _value(evaluation: "_Evaluation", expression: tree.Expr) -> Value:
    try:
        return evaluation.value(expression)
    except (OverflowError, ValueError) as error:  # longer than a timedelta can hold
        raise PromqlError("bad_data", "parse error: duration out of range") from error


class _Evaluation(Struct, frozen=True):
    """One expression at one moment. `first` and `last` are those of the whole query, for `@`; all
    times are in milliseconds. `within`: at how many moments subqueries have it evaluated.
    What is in it several times is computed once."""

    at: int
    first: int
    last: int
    select: Select
    within: int = 1
    known: dict[str, Value] = field(default_factory=dict)

    def value(self, node: tree.Expr) -> Value:
        match node:
            case tree.NumberLiteral():
                return Scalar(node.val)
            case tree.StringLiteral():
                return Text(node.val)
            case tree.ParenExpr():
                return self.value(node.expr)
        text = _text(node)
        if text not in self.known:
            self.known[text] = self._value(node)
        return self.known[text]

    def _value(self, node: tree.Expr) -> Value:
        match node:
            case tree.VectorSelector():
                return self.instant(node)
            case tree.MatrixSelector() | tree.SubqueryExpr():
                return self.matrix(node)
            case tree.UnaryExpr():
                return self.negated(node)
            case tree.AggregateExpr():
                return self.aggregated(node)
            case tree.BinaryExpr():
                return self.combined(node)
            case tree.Call():
                return self.called(node)
        raise PromqlError("bad_data", f"`{node}` is not supported")

    def vector(self, node: tree.Expr) -> Vector:
        value = self.value(node)
        if not isinstance(value, Vector):
            raise PromqlError("bad_data", f"expected an instant vector, got `{node}`")
        return value

    def instant(self, node: tree.VectorSelector) -> Vector:
        return Vector(tuple(Sample(labels, value) for labels, _, value in self._newest(node)))

    def _newest(self, node: tree.VectorSelector) -> Iterator[tuple[Labels, int, float]]:
        end = self._end(node.at, node.offset)
        for series in self._selected(matchers(node), end - LOOKBACK, end):
            for moment, value in reversed(series.samples):
                at = round(moment * 1000)
                if at <= end:
                    if at >= end - LOOKBACK and value is not STALE:
                        yield series.labels, at, value
                    break

    def windows(self, node: tree.Expr) -> Iterator[tuple[Labels, ranges.Window]]:
        """The series that have a sample in the range, without staleness markers."""
        if isinstance(node, tree.SubqueryExpr):
            yield from self._subquery(node)
            return
        if not isinstance(node, tree.MatrixSelector):
            raise PromqlError("bad_data", f"expected a range vector, got `{node}`")
        selector = node.vector_selector
        end = self._end(selector.at, selector.offset)
        start = end - round(seconds(node.range) * 1000)
        for series in self._selected(matchers(selector), start, end):
            points = [(round(at * 1000), value) for at, value in series.samples if value is not STALE]
            if points and not (start <= points[0][0] and points[-1][0] <= end):
                points = [point for point in points if start <= point[0] <= end]
            if points:
                yield series.labels, ranges.Window(start, end, points)

    def _subquery(self, node: tree.SubqueryExpr) -> Iterator[tuple[Labels, ranges.Window]]:
        """What an instant query answers at every multiple of the step in the range."""
        end = self._end(node.at, node.offset)
        start = end - round(seconds(node.range) * 1000)
        step = round(seconds(node.step) * 1000) or DEFAULT_STEP
        moments = range(-(-start // step) * step, end + 1, step)
        within = self.within * max(len(moments), 1)
        if within > MOST_MOMENTS:
            raise PromqlError("execution", f"subqueries at more than {MOST_MOMENTS} moments are not supported")
        found: dict[Key, tuple[Labels, list[tuple[int, float]]]] = {}
        for at in moments:
            for sample in replace(self, at=at, within=within, known={}).vector(node.expr).samples:
                found.setdefault(key(sample.labels), (sample.labels, []))[1].append((at, sample.value))
        for labels, points in found.values():
            yield labels, ranges.Window(start, end, points)

    def matrix(self, node: tree.Expr) -> Matrix:
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
        modifier, parameter = node.modifier, self.value(node.param) if node.param is not None else None
        if modifier is None or modifier.type == tree.AggModifierType.By:
            names = modifier.labels if modifier else []
            grouping = by([*names, parameter.value] if isinstance(parameter, Text) else names)
        else:
            grouping = without(modifier.labels)
        return aggregate(op, self.vector(node.expr), grouping, parameter)

    def combined(self, node: tree.BinaryExpr) -> Value:
        op, to_bool, matching = _operation(node)
        left, right = self.value(node.lhs), self.value(node.rhs)
        if isinstance(left, Vector) and isinstance(right, Vector):
            if op in SETS:
                return _distinct(operators.sets(op, left, right, matching))
            found = operators.vectors(op, left, right, matching, to_bool=to_bool)
            return _distinct(found) if matching.many else found  # else its labels are what was matched, each once
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
        arguments = [_bare(argument) for argument in node.args]
        if name == "time":
            return Scalar(self.at / 1000)
        if name == "absent":
            return absent(self.vector(arguments[0]), named(arguments[0]))
        if name == "absent_over_time":
            return self._absent_over_time(arguments[0])
        if name == "timestamp":
            return self._timestamps(arguments[0])
        if (function := self._range_function(name, arguments)) is not None:
            return self._ranged(function, arguments, keeps_name=name in ranges.KEEPS_NAME)
        if name not in FUNCTIONS:
            raise PromqlError("bad_data", f"the function `{name}` is not supported")
        values = [self.value(argument) for argument in arguments]
        if name in DATES and not values:
            values = [Vector((Sample({}, self.at / 1000),))]
        value = FUNCTIONS[name](values)
        return _distinct(value) if isinstance(value, Vector) else value

    def _range_function(self, name: str, arguments: Sequence[tree.Expr]) -> ranges.RangeFunction | None:
        if name == "quantile_over_time":
            wanted = self._scalar(arguments[0])
            return lambda window: ranges.quantile_over_time(window, wanted)
        if name == "predict_linear":
            ahead = self._scalar(arguments[1])
            return lambda window: ranges.predicted(window, ahead, self.at)
        return ranges.FUNCTIONS.get(name)

    def _ranged(self, function: ranges.RangeFunction, arguments: Sequence[tree.Expr], *, keeps_name: bool) -> Vector:
        found, names = [], set()
        (argument,) = (a for a in arguments if isinstance(a, tree.MatrixSelector | tree.SubqueryExpr))
        for labels, window in self.windows(argument):
            value = function(window)
            if value is not None:
                found.append(Sample(labels if keeps_name else without_name(labels), value))
                names.add(labels.get(NAME))
        vector = Vector(tuple(found))
        return vector if len(names) < 2 else _distinct(vector)  # of one name, they differ in other labels

    def _absent_over_time(self, argument: tree.Expr) -> Vector:
        found = (Sample(labels, window.points[-1][1]) for labels, window in self.windows(argument))
        return absent(Vector(tuple(found)), named(argument))

    def _timestamps(self, argument: tree.Expr) -> Vector:
        """Of a selector the moments of its samples, of anything else the present one."""
        if isinstance(argument, tree.VectorSelector):
            found = [Sample(without_name(labels), at / 1000) for labels, at, _ in self._newest(argument)]
            return _distinct(Vector(tuple(found)))
        return _distinct(each(self.vector(argument), lambda _: self.at / 1000))

    def _scalar(self, node: tree.Expr) -> float:
        value = self.value(node)
        if not isinstance(value, Scalar):
            raise PromqlError("bad_data", f"expected a scalar, got `{node}`")
        return value.value

    def _end(self, at: tree.AtModifier | None, offset: timedelta | None) -> int:
        moment = self.at if at is None else named_moment(at, self.first, self.last)
        return moment - round(seconds(offset) * 1000)

    def _selected(self, wanted: Sequence[Matcher], start: int, end: int) -> Iterable[Series]:
        return self.select(wanted, start / 1000, end / 1000)


@lru_cache(maxsize=4096)
def _text(node: tree.Expr) -> str:
    return str(node)


@lru_cache(maxsize=4096)
def _operation(node: tree.BinaryExpr) -> tuple[str, bool, operators.Matching]:
    return str(node.op), bool(node.modifier and node.modifier.return_bool), _matching(node.modifier)


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
    if len(vector.samples) > 1 and len({frozenset(s.labels.items()) for s in vector.samples}) < len(vector.samples):
        raise PromqlError("execution", "vector cannot contain metrics with the same labelset")
    return vector
