"""The sandbox's metrics API and a real Prometheus server, on the same series over HTTP."""

import json
import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from companyos_canary.model.http import Request
from companyos_canary.sandbox.prometheus import PrometheusApi
from companyos_canary.sandbox.tsdb import Tsdb
from tests.promql.promtool import close, label_pairs
from tests.promql.server import ask, needs_prometheus, running
from tests.promql.situations import QUERIES, expressions
from tests.promql.strategies import BOUNDS, VECTOR

START = datetime(2026, 5, 4, 12, tzinfo=UTC).timestamp()
INTERVAL, SCRAPES = 15, 40
END = START + INTERVAL * (SCRAPES - 1)
pytestmark = [needs_prometheus, pytest.mark.slow]

EXPRESSIONS = [
    "a",
    'a{x="1"}',
    'a{x!="1"}',
    'b{y=~"a|b"}',
    'b{y!~"a"}',
    'a{y=""}',
    "a offset 1m",
    "rate(c[1m])",
    "rate(c[20s])",
    "increase(c[2m])",
    "irate(c[1m])",
    "irate(c[1m] offset 1m)",
    "delta(a[1m])",
    *(f"{f}_over_time(a[1m])" for f in ("sum", "avg", "min", "max", "count", "last", "present")),
    *(f"{op} {group} (a)" for op in ("sum", "avg", "min", "max", "count") for group in ("", "by (x)", "without (x)")),
    "clamp(a, -1, 2)",
    "clamp(a, 2, -1)",
    "clamp_min(a, 0)",
    "clamp_max(a, 0)",
    "absent(a)",
    'absent(nothing{x="1",y=~"a"})',
    "scalar(nothing)",
    'scalar(a{x="1",y="a"})',
    "time()",
    "vector(time())",
    "time() - a",
    "-a",
    "a + b",
    "a / on(x, y) b",
    'a - ignoring(y) b{y="a"}',
    "a > 1",
    "a > bool 1",
    "1 < bool 2",
    "a == bool b",
    "a != b",
    "a and b",
    "a or b",
    "a unless b",
    'a unless b{x="2"}',
    'a unless on(x) b{x="2",y="a"}',
    "a and ignoring(y) b",
    'a * on(x) group_left() b{y="a"}',
    "histogram_quantile(0.95, sum by (le) (rate(h_bucket[1m])))",
    "histogram_quantile(0.5, rate(h_bucket[2m]))",
    "a % 2",
    "a ^ 2",
    "2 ^ a",
    "sum(a) / count(a)",
    *(f"{f}_over_time(a[1m])" for f in ("stddev", "stdvar", "absent")),
    *(f"{f}(c[1m])" for f in ("changes", "resets", "idelta", "deriv")),
    *(f"{op} by (x) (a)" for op in ("stddev", "stdvar", "group")),
    "quantile by (x) (0.9, a)",
    "quantile_over_time(0.9, a[1m])",
    "predict_linear(c[2m], 300)",
    "max_over_time(rate(c[1m])[5m:30s])",
    "max_over_time(sum(rate(c[1m]))[5m:])",
    "sum(topk(2, c))",
    "a @ end()",
    "a @ start() - a",
    'label_replace(a, "z", "$1-x", "y", "(.*)")',
    'label_join(a, "z", "-", "x", "y")',
    "round(a / 3, 0.1)",
    "abs(a) + ceil(a) + floor(a)",
    "hour(timestamp(a))",
    'absent_over_time(nothing{x="1"}[5m])',
]


def samples() -> dict[str, list[tuple[float, float]]]:
    """Gauges, counters that restart, histograms; with gaps, and series that begin and end."""
    dice = random.Random(20260504)
    found = {}
    for name in ("a", "b", "c"):
        for labels in ('{x="1",y="a"}', '{x="1",y="b"}', '{x="2",y="a"}', '{x="2"}'):
            first, last = dice.choice([0, 0, 12]), dice.choice([SCRAPES, SCRAPES, 25])
            counter = name == "c"
            found[name + labels] = list(_walk(dice, first, last, counter=counter))
    for x in ("1", "2"):
        counts = [0] * len(BOUNDS)
        for scrape in range(SCRAPES):
            for _ in range(dice.randint(0, 9)):
                reached = dice.randrange(len(BOUNDS))
                counts = [n + (i >= reached) for i, n in enumerate(counts)]
            for bound, count in zip(BOUNDS, counts, strict=True):
                name = f'h_bucket{{x="{x}",le="{bound}"}}'
                found.setdefault(name, []).append((START + scrape * INTERVAL, float(count)))
    return found


def _walk(dice: random.Random, first: int, last: int, *, counter: bool) -> Iterator[tuple[float, float]]:
    value = 0
    for scrape in range(first, last):
        value += dice.randint(0 if counter else -3, 4)
        if counter and dice.random() < 0.05:
            value = 0
        if dice.random() < 0.9:
            special = not counter and dice.random() < 0.05
            at = START + scrape * INTERVAL
            yield at, dice.choice([math.nan, math.inf, -math.inf]) if special else float(value)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("prometheus"), samples()) as address:
        yield address


@pytest.fixture(scope="module")
def ours() -> PrometheusApi:
    tsdb = Tsdb()
    for name, points in samples().items():
        metric, _, rest = name.partition("{")
        labels = {"__name__": metric, **label_pairs(rest)}
        for at, value in points:
            tsdb.append(labels, at, value)
    return PrometheusApi(tsdb, lambda: datetime.fromtimestamp(END, UTC))


def difference(ours: PrometheusApi, real: str, path: str, form: dict[str, str]) -> str:
    """Empty if both answer the same, apart from the order and from the words of errors."""
    answer = ours.handle(Request("GET", path, tuple(form.items()), {}))
    got, want = (answer.status, json.loads(answer.body)), ask(real, path, form)
    if got[0] == want[0] and (got[0] != 200 or _same(got[1]["data"], want[1]["data"])):
        return ""
    return f"{form}\n  prometheus {want}\n  ours {got}"


def _same(got: Any, want: Any) -> bool:
    if got["resultType"] != want["resultType"]:
        return False
    if got["resultType"] in ("scalar", "string"):
        return _same_point(got["result"], want["result"])
    series = [{json.dumps(s["metric"], sort_keys=True): s for s in side["result"]} for side in (got, want)]
    return series[0].keys() == series[1].keys() and all(_close(s, series[1][metric]) for metric, s in series[0].items())


def _close(got: Any, want: Any) -> bool:
    one, other = (s.get("values") or [s["value"]] for s in (got, want))
    return len(one) == len(other) and all(map(_same_point, one, other))


def _same_point(got: Any, want: Any) -> bool:
    return got[0] == want[0] and close(float(got[1]), float(want[1]))


def at(moment: float) -> str:
    return f"{moment:.3f}"


def test_expressions_have_the_answers_of_a_real_server(ours: PrometheusApi, real: str) -> None:
    asked = ask(real, "/api/v1/query", {"query": "count({__name__!=''})", "time": at(END)})
    assert int(asked[1]["data"]["result"][0]["value"][1]) > 20
    canary = [text for form in QUERIES for text in expressions(form).values()]
    found = []
    for text in [*EXPRESSIONS, *canary]:
        for moment in (START + 200, END + 3.25):
            form = {"query": text, "time": at(moment)}
            found.append(difference(ours, real, "/api/v1/query", form))
        form = {"query": text, "start": at(START - 20), "end": at(END + 400), "step": "35"}
        found.append(difference(ours, real, "/api/v1/query_range", form))
    assert not any(found), "\n".join(filter(None, found))


@pytest.mark.soak
@settings(max_examples=5000, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
@given(text=VECTOR, moment=st.floats(START - 60, END + 400))
def test_any_expression_has_the_answer_of_a_real_server(
    ours: PrometheusApi, real: str, text: str, moment: float
) -> None:
    form = {"query": text, "time": at(moment)}
    assert not (found := difference(ours, real, "/api/v1/query", form)), found
    form = {"query": text, "start": at(moment), "end": at(moment + 300), "step": "17"}
    assert not (found := difference(ours, real, "/api/v1/query_range", form)), found
