"""Answers that are known by hand, and everything that is refused; needs no other program."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companyos_canary.promql import (
    STALE,
    Matcher,
    Matrix,
    PromqlError,
    Scalar,
    Series,
    Text,
    Vector,
    evaluate,
    evaluate_range,
    parse,
    selector,
)
from tests.promql.promtool import select_from


def series(name: str, values: Sequence[float], **labels: str) -> Series:
    """One sample a second from second 0 on."""
    return Series({"__name__": name, **labels}, [(float(i), v) for i, v in enumerate(values)])


COUNTER = [float(10 * i) for i in range(31)]
WORLD = select_from(
    [
        series("c", COUNTER, pod="a", status="200"),
        series("c", [v / 10 for v in COUNTER], pod="a", status="500"),
        series("c", COUNTER, pod="b", status="200", canary="true"),
        series("g", [1.0, 2.0, 3.0, STALE], x="1"),
        series("g", [5.0] * 31, x="2", y="z"),
        series("r", [8.0, 9.0, 1.0, 3.0]),
        series("h_bucket", [80.0] * 31, le="0.1"),
        series("h_bucket", [98.0] * 31, le="0.2"),
        series("h_bucket", [100.0] * 31, le="+Inf"),
    ]
)


def vector(text: str, at: float = 30.0) -> dict[tuple[tuple[str, str], ...], float]:
    value = evaluate(text, at, WORLD)
    assert isinstance(value, Vector)
    return {tuple(sorted(s.labels.items())): s.value for s in value.samples}


def scalar(text: str, at: float = 30.0) -> float:
    value = evaluate(text, at, WORLD)
    assert isinstance(value, Scalar)
    return value.value


def one(text: str, at: float = 30.0) -> float:
    (value,) = vector(text, at).values()
    return value


def refusal(text: str) -> PromqlError:
    with pytest.raises(PromqlError) as caught:
        evaluate(text, 30.0, WORLD)
    return caught.value


def test_a_rate_is_stretched_over_the_whole_window() -> None:
    assert one('rate(c{pod="a",status="200"}[10s])') == 10.0
    assert one('increase(c{pod="a",status="200"}[10s])', 30.5) == 100.0
    assert one('increase(c{pod="b"}[1m])') == 300.0  # a counter was not below zero before


def test_a_reset_counter_goes_on_from_what_it_had() -> None:
    assert one("increase(r[3s])", 3.0) == pytest.approx(4.0)
    assert one("delta(r[3s])", 3.0) == pytest.approx(-5.0)
    assert one("irate(r[3s])", 2.0) == 1.0


def test_one_sample_has_no_rate() -> None:
    assert vector("rate(c[10s])", 0.0) == {}


def test_an_instant_selector_looks_back_five_minutes_and_no_further() -> None:
    assert len(vector("c", 330.0)) == 3
    assert vector("c", 330.001) == {}
    assert vector("c", -1.0) == {}


def test_a_stale_series_is_gone_at_once_but_stays_in_ranges() -> None:
    assert vector('g{x="1"}', 2.5) == {(("__name__", "g"), ("x", "1")): 3.0}
    assert vector('g{x="1"}', 3.0) == {}
    assert one('count_over_time(g{x="1"}[10s])', 5.0) == 3.0


def test_an_offset_looks_into_the_past() -> None:
    assert one('g{x="1"} offset 28s') == 3.0
    assert one('sum(rate(c{pod="b"}[5s] offset 10s))') == 10.0


def test_matchers_take_an_absent_label_for_an_empty_one() -> None:
    assert len(vector('c{canary!="true"}')) == 2
    assert len(vector('c{canary=""}')) == 2
    assert len(vector('c{canary=~".*",status=~"5..|2.."}')) == 3
    assert vector('c{status=~"5"}') == {}  # regular expressions match the whole value


def test_the_quantile_of_a_histogram_lies_within_its_bucket() -> None:
    assert one("histogram_quantile(0.95, h_bucket)") == pytest.approx(0.1 + 0.1 * 15 / 18)
    assert one("histogram_quantile(0.99, h_bucket)") == 0.2
    assert math.isnan(one('histogram_quantile(0.5, h_bucket{le!="+Inf"})'))
    assert math.isnan(one("histogram_quantile(0.5, h_bucket * 0)"))
    assert one("histogram_quantile(2, h_bucket)") == math.inf
    assert vector("histogram_quantile(0.5, g)") == {}


def test_aggregations_group_by_and_without() -> None:
    assert vector("sum by (status) (c)") == {(("status", "200"),): 600.0, (("status", "500"),): 30}
    assert vector("count without (status, canary) (c)") == {(("pod", "a"),): 2, (("pod", "b"),): 1}
    assert (one("avg(c)"), one("min(c)"), one("max(c)")) == (210.0, 30.0, 300.0)
    assert vector("sum(missing)") == {}


def test_a_missing_numerator_can_be_zero() -> None:
    assert one('(sum(rate(c{status="404"}[5s])) or vector(0)) / sum(rate(c[5s]))') == 0.0


def test_a_guard_empties_the_whole_answer() -> None:
    assert one("vector(7) and on() (sum(c) >= 630)") == 7.0
    assert vector("vector(7) and on() (sum(c) >= 631)") == {}
    assert vector("vector(7) unless on() sum(c)") == {}


def test_dividing_by_zero_is_an_answer() -> None:
    assert math.isnan(scalar("0/0"))
    assert (scalar("1/0"), scalar("-1/0"), scalar("1/-0")) == (math.inf, -math.inf, -math.inf)
    assert math.isnan(scalar("1 % 0"))
    assert scalar("0^-1") == math.inf
    assert scalar("10^400") == math.inf
    assert math.isnan(scalar("(-8)^0.5"))
    assert scalar("2^3^2") == 512.0
    assert scalar("-2^2") == -4.0


def test_comparisons_filter_or_answer_with_bool() -> None:
    assert list(vector("c > 30").values()) == [300.0, 300.0]
    assert list(vector("100 > c").values()) == [30.0]
    assert sorted(vector("c > bool 30").values()) == [0.0, 1.0, 1.0]
    assert scalar("1 > bool 2") == 0.0


def test_many_elements_may_share_one_partner_if_asked() -> None:
    joined = vector('c * on() group_left(y) g{x="2"}')
    assert len(joined) == 3
    assert all(("y", "z") in labels for labels in joined)


def test_scalars_vectors_and_time_turn_into_each_other() -> None:
    assert scalar("time()", 12.5) == 12.5
    assert vector("vector(time())", 12.5) == {(): 12.5}
    assert scalar('scalar(g{x="2"})') == 5.0
    assert math.isnan(scalar("scalar(c)"))
    assert math.isnan(scalar("scalar(missing)"))


def test_absent_names_the_labels_that_were_asked_for() -> None:
    assert vector('absent(missing{a="1",b=~"2",c!="3"})') == {(("a", "1"),): 1.0}
    assert vector("absent(c)") == {}


def test_values_can_be_clamped() -> None:
    assert one('clamp_min(g{x="2"}, 7)') == 7.0
    assert one('clamp_max(g{x="2"}, 3)') == 3.0
    assert one('clamp(g{x="2"}, 1, 4)') == 4.0
    assert vector("clamp(g, 4, 1)") == {}
    assert math.isnan(one("clamp_min(vector(NaN), 1)"))


def test_values_can_be_rounded() -> None:
    assert [one(f"round(vector({v}))") for v in ("2.5", "-2.5", "0.4")] == [3.0, -2.0, 0.0]
    assert one("round(vector(0.07), 0.05)") == pytest.approx(0.05)
    assert (one("ceil(vector(1.2))"), one("floor(vector(-1.2))")) == (2.0, -2.0)
    assert (one("abs(vector(-3))"), one("sgn(vector(-3))"), one("sqrt(vector(16))")) == (3.0, -1.0, 4.0)
    assert (one("ln(vector(0))"), one("exp(vector(1000))")) == (-math.inf, math.inf)
    assert math.isnan(one("sqrt(vector(-1))"))


def test_a_counter_can_be_asked_about_its_course() -> None:
    assert (one("changes(r[10s])", 3.0), one("resets(r[10s])", 3.0), one("idelta(r[10s])", 3.0)) == (3.0, 1.0, 2.0)
    assert one('deriv(c{pod="b"}[10s])') == pytest.approx(10.0)
    assert one('predict_linear(c{pod="b"}[10s], 60)') == pytest.approx(900.0)
    assert one('predict_linear(c{pod="b"}[10s] offset 5s, 60)') == pytest.approx(900.0)
    assert one("stddev_over_time(r[10s])", 3.0) == pytest.approx(3.344771)
    assert one("quantile_over_time(0.5, r[10s])", 3.0) == 5.5


def test_groups_can_be_described_by_more_than_their_sum() -> None:
    assert one("stddev(c)") == pytest.approx(127.279221)
    assert one("stdvar(c)") == pytest.approx(16200.0)
    assert (one("quantile(0.5, c)"), one("quantile(0.25, c)")) == (300.0, 165.0)
    assert vector("group by (pod) (c)") == {(("pod", "a"),): 1.0, (("pod", "b"),): 1.0}
    assert vector('count_values("of", c)') == {(("of", "300"),): 2.0, (("of", "30"),): 1.0}
    assert vector("bottomk(1, c)") == {(("__name__", "c"), ("pod", "a"), ("status", "500")): 30.0}
    assert list(vector("topk(2, c)").values()) == [300.0, 300.0]
    assert list(vector("topk by (pod) (1, c)").values()) == [300.0, 300.0]
    assert list(vector("sort(c)").values()) == [30.0, 300.0, 300.0]
    assert list(vector("sort_desc(c)").values()) == [300.0, 300.0, 30.0]


@pytest.mark.parametrize(
    ("number", "text"), [("1e20", "1" + "0" * 20), ("1e-7", "0.0000001"), ("12.50", "12.5"), ("-1/0", "-Inf")]
)
def test_a_value_becomes_a_label_without_an_exponent(number: str, text: str) -> None:
    assert vector(f'count_values("v", vector({number}))') == {(("v", text),): 1.0}


@pytest.mark.parametrize(
    ("replacement", "label"),
    [
        ("$1", "00"),
        ("${1}x", "00x"),
        ("$1x", ""),
        ("$$", "$"),
        ("$", "$"),
        ("$2-", "-"),
        ("${tail}", "00"),
        ("$01", "00"),
    ],
)
def test_a_label_can_be_made_from_another(replacement: str, label: str) -> None:
    found = vector(f'label_replace(c{{pod="b"}}, "kind", "{replacement}", "status", "2(?P<tail>.*)")')
    assert found == {
        tuple(
            sorted(
                {
                    "__name__": "c",
                    "canary": "true",
                    "pod": "b",
                    "status": "200",
                    **({"kind": label} if label else {}),
                }.items()
            )
        ): 300.0
    }


def test_a_label_that_does_not_match_stays_and_labels_can_be_joined() -> None:
    assert vector('sum by (pod) (label_replace(c{pod="b"}, "pod", "x", "status", "20"))') == {(("pod", "b"),): 300.0}
    joined = 'label_join(c{pod="b"}, "pod", "/", "pod", "missing", "status")'
    assert vector(f"sum by (pod) ({joined})") == {(("pod", "b//200"),): 300.0}


def test_a_subquery_asks_at_every_multiple_of_its_step() -> None:
    assert one('max_over_time(rate(c{pod="b"}[5s])[10s:1s])') == 10.0
    assert one('count_over_time(c{pod="b"}[10s:3s])', 29.0) == 3.0  # at 21, 24 and 27
    assert one('min_over_time(c{pod="b"}[10s:3s] offset 10s)', 29.0) == 90.0
    assert one('count_over_time(g{x="2"}[5m:])', 330.0) == 5.0  # at every minute
    assert one('last_over_time(c{pod="b"}[3s:2s])', 29.0) == 280.0
    found = evaluate('c{pod="b"}[4s:2s]', 29.0, WORLD)
    assert isinstance(found, Matrix)
    assert list(found.series[0].samples) == [(26.0, 260.0), (28.0, 280.0)]


def test_a_query_can_name_its_own_moment() -> None:
    assert one('c{pod="b"} @ 7') == 70.0
    assert one('c{pod="b"} @ 7 offset 2s') == 50.0
    assert one('sum(rate(c{pod="b"}[5s] @ 10))') == 10.0
    assert one('max_over_time(c{pod="b"}[4s:1s] @ 10)') == 100.0
    assert one('g{y="z", other!="c @ -5"} @ 3') == 5.0
    (only,) = evaluate_range('c{pod="b"} @ end() - c{pod="b"} @ start()', 5.0, 20.0, 5.0, WORLD).series
    assert [value for _, value in only.samples] == [150.0] * 4
    (only,) = evaluate_range('max_over_time(c{pod="b"}[2s:1s] @ end())', 5.0, 20.0, 5.0, WORLD).series
    assert [value for _, value in only.samples] == [200.0] * 4


def test_moments_have_dates() -> None:
    at = 1_709_208_000.0  # a Thursday, the 29th of February 2024, at noon
    dates = ("year", "month", "day_of_month", "day_of_year", "day_of_week", "days_in_month", "hour", "minute")
    assert [one(f"{name}()", at) for name in dates] == [2024, 2, 29, 60, 4, 29, 12, 0]
    assert one("hour(vector(7200))", at) == 2.0
    assert math.isnan(one("hour(vector(1e300))", at))


def test_a_sample_says_when_it_was_taken() -> None:
    assert one('timestamp(g{x="1"})', 2.7) == 2.0
    assert one('timestamp(g{x="1"} offset 1s)', 2.7) == 1.0
    assert one('timestamp(-g{x="1"})', 2.7) == 2.7


def test_a_range_without_samples_is_absent() -> None:
    assert vector('absent_over_time(missing{a="1",b=~"2"}[5m])') == {(("a", "1"),): 1.0}
    assert vector("absent_over_time(missing[5m:1m])") == {(): 1.0}
    assert vector("absent_over_time(c[5m])") == {}


def test_a_lone_range_and_a_lone_string_have_answers_too() -> None:
    found = evaluate('g{x="1"}[1m]', 10.0, WORLD)
    assert isinstance(found, Matrix)
    assert list(found.series[0].samples) == [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]
    assert evaluate('"x"', 0.0, WORLD) == Text("x")


def test_a_range_of_moments_is_the_same_as_each_moment() -> None:
    found = evaluate_range('sum(rate(c{pod="b"}[5s])) > 9', 0.0, 30.0, 2.5, WORLD)
    (only,) = found.series
    expected = []
    for i in range(13):
        at = i * 2.5
        expected += [(at, v) for v in vector('sum(rate(c{pod="b"}[5s])) > 9', at).values()]
    assert list(only.samples) == expected
    assert len(expected) == 11  # before 5 s half of the window is empty


def test_a_range_of_ranges_is_refused() -> None:
    with pytest.raises(PromqlError, match='invalid expression type "range vector"'):
        evaluate_range("c[5m]", 0.0, 10.0, 1.0, WORLD)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("limitk(2, c)", "`limitk`"),
        ("mad_over_time(c[5m])", "`mad_over_time`"),
        ("histogram_count(c)", "`histogram_count`"),
        ("c @ -5", "a negative time after `@`"),
        ("label_replace(c, 'a', '$1', 'b', '[[:alpha:]]')", "`[[:alpha:]]`"),
        ('c{a="b" or a="c"}', "`or` between label matchers"),
        ("c + fill(0) c", "`fill`"),
        ('c{a=~"[[:alpha:]]"}', "`[[:alpha:]]`"),
        ('c{a=~"\\\\pL"}', "`\\pL`"),
        ("c + on() 1", "vector matching only allowed between instant vectors"),
        ("nosuch(c)", "nosuch"),
        ("", "no expression"),
        ("c +", "parse error"),
        ("1 == 2", "BOOL"),
        ("(" * 101 + "1" + ")" * 101, "nests"),
        ("1" + "+1" * 301, "operators"),
        ("c" * 20_000, "characters"),
    ],
)
def test_what_is_not_supported_is_refused_by_its_name(text: str, named: str) -> None:
    error = refusal(text)
    assert error.kind == "bad_data"
    assert named in error.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c + on(pod) c", "found duplicate series for the match group"),
        ('c * on() g{x="2"}', "multiple matches for labels: many-to-one matching must be explicit"),
        ("c * on(pod) group_left(status) d", "grouping labels must ensure unique matches"),
        ('-{__name__=~"c|d",status="200"}', "same labelset"),
        ('rate({__name__=~"c|d",pod="a",status="200"}[5s])', "same labelset"),
        ('label_replace(c, "status", "", "pod", ".*")', "same labelset"),
        ('label_replace(c, "a-b", "", "pod", ".*")', "invalid destination label name"),
        ('label_join(c, "a-b", ",", "pod")', "invalid destination label name"),
        ('label_join(c, "a", ",", "p-d")', "invalid source label name"),
        ('count_values("a-b", c)', 'invalid label name "a-b"'),
        ("topk(NaN, c)", "overflows int64"),
        ("max_over_time(c[1y:1s])", "subqueries"),
        ("max_over_time(max_over_time(c[1h:1s])[1h:1s])", "subqueries"),
    ],
)
def test_vectors_that_do_not_match_cannot_be_combined(text: str, message: str) -> None:
    select = select_from(
        [
            series("c", COUNTER, pod="a", status="200"),
            series("c", COUNTER, pod="a", status="500"),
            series("d", COUNTER, pod="a", status="200"),
            series("g", COUNTER, x="2"),
        ]
    )
    with pytest.raises(PromqlError, match=message) as caught:
        evaluate(text, 30.0, select)
    assert caught.value.kind == "execution"


def test_a_selector_alone_gives_its_matchers() -> None:
    assert selector('up{job!="a"}') == (Matcher("__name__", "=", "up"), Matcher("job", "!=", "a"))
    for text in ("up + 1", "up[5m]", "up offset 5m", "rate(up[5m])"):
        with pytest.raises(PromqlError):
            selector(text)


TOKENS = st.sampled_from(
    [
        "c",
        "g",
        "(",
        ")",
        "[5s]",
        "{",
        "}",
        "sum",
        "rate",
        " by (x) ",
        "+",
        "-",
        "/",
        "1",
        "0.5",
        ",",
        " and ",
        " or ",
        " on() ",
        "==",
        " bool ",
        '"x"',
        "offset 1s",
        "NaN",
        "time()",
        ">",
        "@ 1",
    ]
)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=40), st.lists(TOKENS, max_size=12).map("".join)))
def test_no_text_raises_anything_but_a_promql_error(text: str) -> None:
    try:
        parse(text)
        evaluate(text, 30.0, WORLD)
    except PromqlError as error:
        assert_says_something(error)


def assert_says_something(error: PromqlError) -> None:
    assert error.message
    assert error.kind in ("bad_data", "execution")


@pytest.mark.parametrize("text", ["A[3000000y]", "A[6000000y]", "rate(A[3000000y])", "A offset 3000000y"])
def test_a_span_that_nothing_can_hold_is_out_of_range(text: str) -> None:
    assert refusal(text).message == "parse error: duration out of range"
