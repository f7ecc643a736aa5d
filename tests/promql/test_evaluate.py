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
        ("topk(2, c)", "`topk`"),
        ("quantile(0.9, c)", "`quantile`"),
        ("label_replace(c, 'a', '$1', 'b', '(.*)')", "`label_replace`"),
        ("stddev_over_time(c[5m])", "`stddev_over_time`"),
        ("max_over_time(c[5m:1m])", "subquer"),
        ("c[5m:1m]", "subqueries"),
        ("c @ 5", "`@`"),
        ("c @ end()", "`@`"),
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
