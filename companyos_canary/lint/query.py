"""What a PromQL query can answer, whatever the data are: read off its tree.

`answer` never promises too little: what it says an answer cannot be, it cannot be (unless a clock or
a counter runs backwards). What it does not understand can be anything.
"""

import math
from collections.abc import Callable, Iterator
from typing import Literal

import promql_parser as tree
from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.promql.parse import matchers, seconds
from companyos_canary.promql.values import COMPARISONS, Matcher, PromqlError

_Kind = Literal["scalar", "vector", "matrix", "text"]
_Unit = Literal["", "s", "ms"]


class Possible(Struct, frozen=True):
    """`empty`: there may be no element. `nan` and `infinite`: an element may be NaN, or an infinity that comes of a
    division. `many`: there may be several elements. Every other value is in [low, high], and is not 0 if
    `nonzero`. `unit` is that of the value, `buckets` that of the bounds of a histogram's buckets."""

    kind: _Kind = "vector"
    empty: bool = True
    nan: bool = False
    infinite: bool = False
    many: bool = True
    low: float = -math.inf
    high: float = math.inf
    nonzero: bool = False
    unit: _Unit = ""
    buckets: _Unit = ""

    @property
    def may_be_zero(self) -> bool:
        return not self.nonzero and self.low <= 0 <= self.high


_ANYTHING = Possible(nan=True, infinite=True)


def answer(node: tree.Expr) -> Possible:  # noqa: C901 - a case for each kind of node
    """What a query can answer."""
    match node:
        case tree.NumberLiteral():
            return _scalar(node.val, node.val)
        case tree.StringLiteral():
            return Possible("text", empty=False, many=False)
        case tree.ParenExpr():
            return answer(node.expr)
        case tree.VectorSelector():
            return _selected(node)
        case tree.MatrixSelector():
            return replace(_selected(node.vector_selector), kind="matrix")
        case tree.SubqueryExpr():
            return replace(answer(node.expr), kind="matrix")
        case tree.UnaryExpr():
            inner = answer(node.expr)
            return replace(inner, low=-inner.high, high=-inner.low)
        case tree.AggregateExpr():
            return _aggregated(node)
        case tree.Call():
            return _called(node)
        case tree.BinaryExpr():
            return _combined(node)
    return _ANYTHING


def nodes(node: tree.Expr) -> Iterator[tree.Expr]:
    """A tree and everything below it."""
    yield node
    match node:
        case tree.ParenExpr() | tree.UnaryExpr() | tree.SubqueryExpr():
            below = [node.expr]
        case tree.MatrixSelector():
            below = [node.vector_selector]
        case tree.AggregateExpr():
            below = [node.expr, *filter(None, (node.param,))]
        case tree.Call():
            below = list(node.args)
        case tree.BinaryExpr():
            below = [node.lhs, node.rhs]
        case _:
            below = []
    for inner in below:
        yield from nodes(inner)


def selectors(node: tree.Expr) -> Iterator[tuple[Matcher, ...]]:
    """The matchers of each selector, the name of its metric as one on `__name__`."""
    for inner in nodes(node):
        if isinstance(inner, tree.VectorSelector):
            try:
                yield matchers(inner)
            except PromqlError:  # `or` between matchers
                yield ()


def windows(node: tree.Expr) -> Iterator[float]:
    """The range of each range selector, in seconds."""
    return (seconds(n.range) for n in nodes(node) if isinstance(n, tree.MatrixSelector))


def counts_a_part(node: tree.Expr) -> bool:
    """Whether it is the share of some of the requests of all (or a multiple of that): `errors / all`, where the
    numerator selects less than the denominator. The series of that part need not exist while all is well."""
    for inner in nodes(node):
        if isinstance(inner, tree.BinaryExpr) and str(inner.op) == "/":
            _, part = _factored(inner.lhs)
            if _narrower(part, inner.rhs):
                return not any(isinstance(n, tree.BinaryExpr) and str(n.op) == "or" for n in nodes(part))  # a default
    return False


def without_part(node: tree.Expr) -> float:
    """The value of the query if there is nothing in the part that it counts; NaN if that is not known."""
    match node:
        case tree.NumberLiteral():
            return node.val
        case tree.ParenExpr():
            return without_part(node.expr)
        case tree.BinaryExpr() if str(node.op) == "/" and _narrower(_factored(node.lhs)[1], node.rhs):
            return 0.0
        case tree.BinaryExpr() if str(node.op) in _INTERVALS:
            return _INTERVALS[str(node.op)](without_part(node.lhs), without_part(node.rhs))
    return math.nan


def _scalar(low: float, high: float) -> Possible:
    return Possible("scalar", empty=False, nan=math.isnan(low), many=False, low=low, high=high)


_ENDINGS = ("_bucket", "_sum", "_count", "_total")


def _base(name: str) -> str:
    return next((name.removesuffix(e) for e in _ENDINGS if name.endswith(e)), name)


def _unit_of(name: str) -> _Unit:
    base = _base(name)
    if base.endswith(("_milliseconds", "_millis", "_ms")):
        return "ms"
    return "s" if base.endswith(("_seconds", "_secs")) else ""


def _selected(node: tree.VectorSelector) -> Possible:
    name = node.name or ""
    low = 0.0 if name.endswith(_ENDINGS) else -math.inf
    unit, buckets = _unit_of(name), name.endswith("_bucket")
    timed = not buckets and not name.endswith(("_count", "_total"))
    return Possible(low=low, unit=unit if timed else "", buckets=unit if buckets else "")


def _aggregated(node: tree.AggregateExpr) -> Possible:
    inner, operator = answer(node.expr), str(node.op)
    found = replace(inner, kind="vector", many=_splits(node.modifier))
    if operator == "sum":
        return replace(found, low=0 if inner.low >= 0 else -math.inf, high=0 if inner.high <= 0 else math.inf)
    if operator in ("min", "max", "avg", "quantile"):
        return replace(found, nonzero=inner.nonzero and operator in ("min", "max"))
    if operator in ("topk", "bottomk"):
        return replace(inner, many=True)
    if operator in ("count", "group"):
        return Possible(low=1, empty=inner.empty, many=found.many)
    if operator in ("stddev", "stdvar"):
        return replace(found, low=0, high=math.inf, nonzero=False)
    return _ANYTHING


def _splits(modifier: tree.AggModifier | None) -> bool:
    """Whether the aggregation can leave several elements; those of a histogram count as one."""
    if modifier is None:
        return False
    return modifier.type != tree.AggModifierType.By or bool(set(modifier.labels) - {"le"})


_RATES = frozenset(("rate", "irate", "increase", "resets", "changes"))
_DIFFERENCES = frozenset(("delta", "idelta", "deriv", "predict_linear", "holt_winters", "double_exponential_smoothing"))
_SAME = frozenset(
    (
        *("avg_over_time", "min_over_time", "max_over_time", "last_over_time", "quantile_over_time"),
        *("sort", "sort_desc", "sort_by_label", "sort_by_label_desc"),
    )
)
_POSITIVE = frozenset(("stddev_over_time", "stdvar_over_time", "histogram_count", "histogram_stddev", "sqrt", "exp"))


def _called(node: tree.Call) -> Possible:
    name = node.func.name
    given = [answer(argument) for argument in node.args]
    if name == "time":
        return _scalar(0, math.inf)
    if name == "vector" and given:
        return replace(given[0], kind="vector")
    if name == "scalar" and given:
        inner = given[0]
        return replace(inner, kind="scalar", empty=False, many=False, nan=inner.nan or inner.empty or inner.many)
    if name in ("absent", "absent_over_time"):
        return Possible(low=1, high=1, many=False)
    if name in ("clamp", "clamp_min", "clamp_max"):
        return _clamped(name, given)
    inner = next((g for g in given if g.kind in ("vector", "matrix")), _ANYTHING)
    return _of_one(name, replace(inner, kind="vector"))


def _of_one(name: str, inner: Possible) -> Possible:
    """A function of one vector or range."""
    if name in _RATES:
        return replace(inner, low=0, high=math.inf, nonzero=False, nan=False, infinite=False)
    if name in _DIFFERENCES:
        return replace(inner, low=-math.inf, high=math.inf, nonzero=False)
    if name in ("label_replace", "label_join"):
        return replace(inner, many=True)  # with labels of their own two of them are two elements
    if name in _SAME:
        return inner
    if name == "sum_over_time":
        low, high = (0 if inner.low >= 0 else -math.inf), (0 if inner.high <= 0 else math.inf)
        return replace(inner, low=low, high=high)
    if name in ("count_over_time", "present_over_time"):
        return Possible(low=1, empty=inner.empty, many=inner.many)
    if name == "histogram_quantile":
        timed = bool(inner.buckets)  # no request takes no time
        low = 0.0 if timed else -math.inf
        return replace(inner, nan=True, infinite=False, low=low, nonzero=timed, unit=inner.buckets, buckets="")
    if name == "abs":
        return replace(inner, low=0, high=max(abs(inner.low), abs(inner.high)))
    if name in _POSITIVE:
        return replace(inner, low=0, high=math.inf, nonzero=False, nan=True)
    return replace(_ANYTHING, empty=inner.empty, many=inner.many)


def _clamped(name: str, given: list[Possible]) -> Possible:
    inner, *bounds = given
    low, high = inner.low, inner.high
    if name != "clamp_max" and bounds:
        low, high = max(low, bounds[0].low), max(high, bounds[0].low)
    if name != "clamp_min" and bounds:
        low, high = min(low, bounds[-1].high), min(high, bounds[-1].high)
    return replace(inner, low=low, high=high, nonzero=low > 0 or high < 0)


def _combined(node: tree.BinaryExpr) -> Possible:
    left, right, operator = answer(node.lhs), answer(node.rhs), str(node.op)
    if operator == "or":
        return replace(_either(left, right), empty=left.empty and right.empty, many=left.many or right.many)
    if operator in ("and", "unless"):
        enough = operator == "and" and right.low > 0  # `x / y and on() requests >= 100`
        return replace(left, empty=True, nan=left.nan and not enough)
    both: _Kind = "scalar" if left.kind == right.kind == "scalar" else "vector"
    matched = "scalar" not in (left.kind, right.kind)
    found = Possible(
        both,
        empty=left.empty or right.empty,
        nan=left.nan or right.nan,
        infinite=left.infinite or right.infinite,
        many=left.many and right.many if matched else left.many or right.many,
    )
    if operator in COMPARISONS:
        if both == "scalar" or (node.modifier and node.modifier.return_bool):
            return replace(found, low=0, high=1, nan=False, infinite=False)
        return _filtered(operator, left, right, found)
    if operator == "/":
        return _divided(node, left, right, found)
    if operator in _INTERVALS:
        low, high = _interval(_INTERVALS[operator], left, right)
        unit, buckets = _scaled(operator, left, right)
        return replace(found, low=low, high=high, unit=unit, buckets=buckets)
    return replace(found, nan=True, infinite=True)


def _either(left: Possible, right: Possible) -> Possible:
    return Possible(
        left.kind,
        nan=left.nan or right.nan,
        infinite=left.infinite or right.infinite,
        low=min(left.low, right.low),
        high=max(left.high, right.high),
        nonzero=left.nonzero and right.nonzero,
        unit=left.unit if left.unit == right.unit or _is_constant(right) else "",
        buckets=left.buckets if left.buckets == right.buckets or _is_constant(right) else "",
    )


def _is_constant(possible: Possible) -> bool:
    """Like `vector(0)`, which stands for a missing value in the unit of the others."""
    return possible.low == possible.high


def _filtered(operator: str, left: Possible, right: Possible, found: Possible) -> Possible:
    """A comparison leaves out the elements for which it does not hold."""
    if left.kind == "scalar":  # 5 < vector: the vector is left
        flipped = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(operator, operator)
        return _filtered(flipped, right, left, found)
    kept = replace(left, empty=True, kind="vector", many=found.many)
    if operator == "!=":
        return replace(kept, nonzero=left.nonzero or right.low == right.high == 0)
    kept = replace(kept, nan=False)
    low, high = left.low, left.high
    if operator in (">", ">=", "=="):
        low = max(low, right.low)
    if operator in ("<", "<=", "=="):
        high = min(high, right.high)
    strict = (operator == ">" and right.low >= 0) or (operator == "<" and right.high <= 0)
    return replace(kept, low=low, high=high, nonzero=left.nonzero or strict or low > 0 or high < 0)


def _divided(node: tree.BinaryExpr, left: Possible, right: Possible, found: Possible) -> Possible:
    by_zero = right.may_be_zero
    factor, counted = _factored(node.lhs)
    part = _narrower(counted, node.rhs)
    found = replace(
        found,
        nan=found.nan or (by_zero and left.may_be_zero) or (left.infinite and right.infinite),
        infinite=left.infinite or (by_zero and not part),
    )
    unit, buckets = _scaled("/", left, right)
    found = replace(found, unit=unit, buckets=buckets)
    if part:
        return replace(found, low=min(0.0, factor), high=max(0.0, factor))
    if right.low == right.high != 0:
        low, high = _interval(lambda a, b: a / b, left, right)
        return replace(found, low=low, high=high)
    return replace(found, low=0 if left.low >= 0 and right.low >= 0 else -math.inf)


_INTERVALS: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: 0.0 if 0 in (a, b) else a * b,
}


def _interval(operation: Callable[[float, float], float], left: Possible, right: Possible) -> tuple[float, float]:
    ends = [operation(a, b) for a in (left.low, left.high) for b in (right.low, right.high)]
    if any(math.isnan(end) for end in ends):
        return -math.inf, math.inf
    return min(ends), max(ends)


def _scaled(operator: str, left: Possible, right: Possible) -> tuple[_Unit, _Unit]:
    """The unit behind `left operator right`, and that of its buckets."""
    if operator in ("+", "-"):
        return (left.unit or right.unit), (left.buckets or right.buckets)
    factor = right.low if right.low == right.high else left.low if left.low == left.high else math.nan
    timed = left if left.unit else right
    if operator == "/" and right.unit:
        return "", ""
    if {left.kind, right.kind} == {"vector", "scalar"} and timed.unit and factor != 1:
        change: dict[tuple[str, _Unit, float], _Unit] = {("*", "s", 1000.0): "ms", ("/", "ms", 1000.0): "s"}
        return change.get((operator, timed.unit, factor), ""), ""
    return timed.unit, ""


def _factored(node: tree.Expr) -> tuple[float, tree.Expr]:
    """`100 * x` as 100 and x."""
    match node:
        case tree.ParenExpr():
            return _factored(node.expr)
        case tree.BinaryExpr() if str(node.op) == "*":
            for factor, rest in ((node.lhs, node.rhs), (node.rhs, node.lhs)):
                if isinstance(factor, tree.NumberLiteral):
                    inner, counted = _factored(rest)
                    return factor.val * inner, counted
    return 1.0, node


def _narrower(left: tree.Expr, right: tree.Expr) -> bool:
    """Whether `left` counts a part of what `right` counts: the same expression, but for matchers that select less."""
    part, all_ = _form(left), _form(right)
    if part is None or all_ is None:
        return False
    return part[0] == all_[0] and set(all_[1]) < set(part[1])


def _form(node: tree.Expr) -> tuple[str, tuple[Matcher, ...]] | None:
    """A sum of rates of counters: its text without the matchers, and the matchers."""
    match node:
        case tree.ParenExpr():
            return _form(node.expr)
        case tree.BinaryExpr() if str(node.op) == "or":  # errors or vector(0)
            rest = answer(node.rhs)
            return _form(node.lhs) if rest.low == rest.high == 0 else None
        case tree.BinaryExpr() if str(node.op) in (">", "!="):  # requests > 0
            return _form(node.lhs) if answer(node.rhs).kind == "scalar" else None
        case tree.Call() if node.func.name == "clamp_min":
            return _form(node.args[0])
        case tree.AggregateExpr() if str(node.op) == "sum":
            inner = _form(node.expr)
            modifier = node.modifier
            by = (str(modifier.type), tuple(sorted(modifier.labels))) if modifier else ()
            return inner and (f"sum{by}{inner[0]}", inner[1])
        case tree.Call() if node.func.name in _COUNTED and isinstance(node.args[0], tree.MatrixSelector):
            return _counted(node.func.name, node.args[0])
    return None


_COUNTED = ("rate", "irate", "increase")


def _counted(function: str, node: tree.MatrixSelector) -> tuple[str, tuple[Matcher, ...]] | None:
    selector = node.vector_selector
    try:
        found = matchers(selector)
    except PromqlError:
        return None
    name = selector.name or ""
    if name.endswith("_bucket") and any(m.name == "le" for m in found):
        # a bucket counts a part of what `_count` counts
        found = tuple(m if m.name != "__name__" else Matcher(m.name, "=", f"{_base(name)}_count") for m in found)
    return f"{function}[{seconds(node.range)}]{selector.offset}", found
