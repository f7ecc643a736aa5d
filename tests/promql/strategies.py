"""Series and expressions for the comparison with the real engine."""

import math

from hypothesis import strategies as st

from companyos_canary.promql import STALE
from companyos_canary.promql.floats import DATES, NUMBERS
from tests.promql.promtool import Case

# Whole numbers: the order in which an engine adds must not show in a comparison.
GAUGES = st.one_of(st.integers(-20, 20).map(float), st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 0.5, 1e9]))
GAPS = st.sampled_from([None, None, STALE])
LABELS = ['{x="1",y="a"}', '{x="1",y="b"}', '{x="2",y="a"}', '{x="2"}', "{}", '{y="b"}']
BOUNDS = ["0.1", "0.25", "0.5", "1", "2.5", "+Inf"]
SELECTORS = [
    "a",
    "b",
    'a{x="1"}',
    'a{x!="1"}',
    'b{y=~"a|b"}',
    'b{y!~"a"}',
    'a{y=""}',
    'a{y=~".*"}',
    'a{x=~".+",y!="a",}',
    '{__name__="b"}',
    "c",
    "missing",
    'missing{x="1",y=~"a",z="3"}',
]
RANGE_FUNCTIONS = [
    "rate",
    "increase",
    "irate",
    "delta",
    "sum_over_time",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "count_over_time",
    "last_over_time",
    "present_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "absent_over_time",
    "idelta",
    "changes",
    "resets",
    "deriv",
]
CONTINUOUS = [n for n in RANGE_FUNCTIONS if n.endswith("_over_time") and "std" not in n] + ["delta", "idelta"]
RANGES = ["1s", "2s", "3500ms", "5s", "10s", "1m", "10m"]
OFFSETS = ["", "", "", " offset 1s", " offset 2500ms", " offset -1s", " @ 3", " @ start()", " @ end() offset 1s"]
SUBQUERIES = ["[5s:1s]", "[7s:2s]", "[10s:3s] offset 1s", "[1m:15s]", "[25ms:7ms]"]
SCALARS = ["0", "0.5", "0.9", "1", "-1", "2", "NaN"]
GROUPS = ["", "by (x)", "by (x, y)", "without (x)", "by ()", "without ()", "by (missing)"]
MATCHING = ["", "", "on() ", "on(x) ", "ignoring(y) ", "on(x, y) "]
GROUPED = ["on(x) group_left() ", "on(x) group_left(y) ", "ignoring(y) group_right() "]
NUMERIC = [sorted({*NUMBERS, "timestamp", "sort"})[n::4] for n in range(4)]
ARITHMETIC = ["+", "-", "*", "/", "%"]
COMPARISONS = ["==", "!=", ">", "<", ">=", "<="]


@st.composite
def cases(draw: st.DrawFn, expressions: int = 4) -> Case:
    """Some gauges (`a`, `b`), counters (`c`) and a histogram (`h_bucket`), and what is asked."""
    length = draw(st.integers(2, 12))
    series = []
    for name in ("a", "b", "c"):
        for labels in draw(st.lists(st.sampled_from(LABELS), max_size=3, unique=True)):
            values = _counter if name == "c" else _gauge
            series.append((name + labels, draw(values(length))))
    series += draw(_histogram(length))
    interval = draw(st.sampled_from([500, 1000, 15000]))
    return Case(
        interval=interval,
        series=tuple(series),
        expressions=tuple(draw(st.lists(VECTOR, min_size=expressions, max_size=expressions))),
        at=draw(st.integers(0, length + 2)) * interval + draw(st.sampled_from([0, 0, 1, 250])),
    )


def _gauge(length: int) -> st.SearchStrategy[tuple[float | None, ...]]:
    point = st.one_of(GAUGES, GAUGES, GAUGES, GAPS)
    return st.lists(point, min_size=length, max_size=length).map(tuple)


@st.composite
def _counter(draw: st.DrawFn, length: int) -> tuple[float | None, ...]:
    values: list[float | None] = []
    total = draw(st.integers(0, 30))
    for step in draw(st.lists(st.integers(-2, 9), min_size=length, max_size=length)):
        total = 0 if step == -2 else total + max(step, 0)
        values.append(None if step == -1 else float(total))
    return tuple(values)


@st.composite
def _histogram(draw: st.DrawFn, length: int) -> list[tuple[str, tuple[float | None, ...]]]:
    """Buckets of one histogram or two, with bounds left out and counts that may fall."""
    series = []
    for x in draw(st.sampled_from([(), ("1",), ("1", "2")])):
        for le in BOUNDS:
            if draw(st.integers(0, 6)):
                series.append((f'h_bucket{{x="{x}",le="{le}"}}', draw(_counter(length))))
    return series


@st.composite
def _ranged(draw: st.DrawFn) -> str:
    selector = draw(st.sampled_from([*SELECTORS, "h_bucket"]))
    window, offset = draw(st.sampled_from(RANGES)), draw(st.sampled_from(OFFSETS))
    return draw(_over(f"{selector}[{window}]{offset}"))


@st.composite
def _over(draw: st.DrawFn, ranged: str) -> str:
    scalar = draw(st.sampled_from(SCALARS))
    functions = [f"{name}({ranged})" for name in RANGE_FUNCTIONS]
    return draw(
        st.sampled_from([*functions, f"quantile_over_time({scalar}, {ranged})", f"predict_linear({ranged}, {scalar})"])
    )


def _steady(ranged: str) -> st.SearchStrategy[str]:
    """What does not depend on the last digit of values that were computed."""
    return st.sampled_from([f"{name}({ranged})" for name in CONTINUOUS])


@st.composite
def _labelled(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    target, source = draw(st.sampled_from(["x", "y", "z"])), draw(st.sampled_from(["x", "y", "missing"]))
    replacement = draw(st.sampled_from(["$1", "n-${1}", "$1x", "$$$2", "", "$", "${name}", "$0!"]))
    pattern = draw(st.sampled_from(["(.*)", "(a)|(b)", "(?P<name>[0-9])", "", "a"]))
    vector = draw(inner)
    if draw(st.booleans()):
        return f'label_join({vector}, "{target}", "-", "{source}", "y")'
    return f'label_replace({vector}, "{target}", "{replacement}", "{source}", "{pattern}")'


LEAF = st.one_of(
    st.tuples(st.sampled_from(SELECTORS), st.sampled_from(OFFSETS)).map("".join),
    _ranged(),
    # around another `@` such a subquery of Prometheus may find nothing
    st.sampled_from(["a[4s:1s] @ 6", "c[4s:1s] @ end()", "rate(c[2s])[3s:1s] @ 5 offset 1s"]).flatmap(_steady),
    st.sampled_from(["vector(1)", "vector(time())", 'absent(a{x="1"})', "absent(a)", "h_bucket"]),
)
NUMBER = st.sampled_from(["0", "1", "2", "0.5", "-3", "Inf", "-Inf", "NaN", "time()", "scalar(a)", "scalar(b)", "1e3"])


def _deeper(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from([*ARITHMETIC, *COMPARISONS, *(f"{c} bool" for c in COMPARISONS)])
    matching = st.sampled_from(MATCHING + GROUPED)
    return st.one_of(
        st.builds(
            lambda op, group, v: f"{op} {group} ({v})",
            st.sampled_from(["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"]),
            st.sampled_from(GROUPS),
            inner,
        ),
        st.builds(
            lambda q, group, v: f"quantile {group} ({q}, {v})", st.sampled_from(SCALARS), st.sampled_from(GROUPS), inner
        ),
        st.builds(
            # which of equal values stays is not told, so only their sum is compared
            lambda op, k, group, v: f"sum ({op} {group} ({k}, {v}))",
            st.sampled_from(["topk", "bottomk"]),
            st.sampled_from(["0", "1", "2", "3", "-1", "NaN", "1.5"]),
            st.sampled_from(GROUPS),
            inner,
        ),
        st.builds(
            lambda label, group, v: f'count_values {group} ("{label}", {v})',
            st.sampled_from(["v", "x"]),
            st.sampled_from(GROUPS),
            inner,
        ),
        # in parts, so that each of these functions is drawn about as often as any other
        *(st.builds(lambda f, v: f"{f}({v})", st.sampled_from(part), inner) for part in NUMERIC),
        st.builds(lambda v: f"sort_desc({v})", inner),
        # of what is no moment Go's calendar says anything at all
        st.builds(lambda f, v: f"{f}(timestamp({v}) * 1e6)", st.sampled_from(sorted(DATES)), inner),
        st.builds(lambda f: f"vector(pi()) + {f}()", st.sampled_from(sorted(DATES))),
        st.builds(lambda v, n: f"round({v}, {n})", inner, NUMBER),
        st.builds(lambda v: f"round({v})", inner),
        st.tuples(inner, st.sampled_from(SUBQUERIES)).map(lambda t: f"({t[0]}){t[1]}").flatmap(_steady),
        _labelled(inner),
        st.builds(lambda a, op, m, b: f"({a}) {op} {m}({b})", inner, operators, matching, inner),
        st.builds(
            lambda a, op, m, b: f"({a}) {op} {m}({b})",
            inner,
            st.sampled_from(["and", "or", "unless"]),
            st.sampled_from(MATCHING),
            inner,
        ),
        st.builds(lambda a, op, n: f"({a}) {op} {n}", inner, operators, NUMBER),
        st.builds(lambda n, op, a: f"{n} {op} ({a})", NUMBER, operators, inner),
        st.builds(lambda a: f"-({a})", inner),
        st.builds(lambda a: f"absent({a})", inner),
        st.builds(lambda a, n: f"clamp_min({a}, {n})", inner, NUMBER),
        st.builds(lambda a, n: f"clamp_max({a}, {n})", inner, NUMBER),
        st.builds(lambda a, n, m: f"clamp({a}, {n}, {m})", inner, NUMBER, NUMBER),
        st.builds(lambda a: f"vector(scalar({a}))", inner),
        st.builds(
            lambda q, v: f"histogram_quantile({q}, {v})",
            st.sampled_from([*SCALARS, "0.95"]),
            st.one_of(
                inner,
                st.sampled_from(RANGES).map(lambda r: f"sum by (le) (rate(h_bucket[{r}]))"),
                st.sampled_from(RANGES).map(lambda r: f"rate(h_bucket[{r}])"),
                st.just("h_bucket"),
            ),
        ),
    )


VECTOR = st.recursive(LEAF, _deeper, max_leaves=4)
