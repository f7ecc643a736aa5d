"""Limits as views draw them, and the numbers next to them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.analysis.expr.language import compile as compiled
from companyos_canary.argo.limits import Limit, decided, limit_of, measured_number


@pytest.mark.parametrize(
    ("success", "failure", "limit"),
    [
        ("result[0] < 0.05", "", "< 0.05"),
        ("result >= 0.95", "", ">= 0.95"),
        ("len(result) == 1 && result[0] < 0.05", "len(result) == 1 && result[0] >= 0.05", "< 0.05"),
        ("len(result) == 0 || isNaN(result[0]) || result[0] < 0.3", "", "< 0.3"),
        ("len(result) == 1 && result[0] > 0.99", "len(result) == 1 && result[0] <= 0.99", "> 0.99"),
        ("", "len(result) > 0 && result[0] >= 0.05", "< 0.05"),
        ("true", "result[0] > 500", "<= 500"),
        ("0.05 > result[0]", "", "< 0.05"),
        ("!(result[0] >= 0.05)", "", "< 0.05"),
        ("isNaN(result[0]) ? true : result[0] < 1", "", "< 1"),
        ("all(result, # < 0.05)", "", "< 0.05"),
        ("none(result, # >= 0.05)", "", "< 0.05"),
        ("max(result) < 0.05", "", "< 0.05"),
        ("(first(result) ?? 0) < 1", "", "< 1"),
        ("asFloat(result[0]) > -1.5", "", "> -1.5"),
        ("result[0] < 1 && result[0] < 1", "", "< 1"),
    ],
)
def test_the_limit_is_read_from_the_conditions(success, failure, limit):
    assert str(limit_of(success, failure)) == limit


@pytest.mark.parametrize(
    "success",
    [
        "",
        "true",
        "len(result) > 0",
        "result[0] > 0 && result[0] < 1",
        "0 < result[0] < 1",
        "result[0] <",
        "result[0] < result[1]",
        "result[0] == 1",
        "isNaN(result[0])",
    ],
)
def test_a_condition_about_no_one_number_has_no_limit(success):
    assert limit_of(success, "") is None


@given(
    st.sampled_from(["<", "<=", ">", ">="]),
    st.floats(-1e6, 1e6).map(lambda v: round(v, 3)),
    st.floats(allow_infinity=False),
)
def test_a_value_within_its_limit_passes_and_only_that(operator, bound, value):
    text = f"result[0] {operator} {bound:.3f}"
    limit = limit_of(text, "")
    assert limit is not None
    assert limit.holds(value) == compiled(text).evaluate([value])


def test_nan_is_within_no_limit():
    assert not any(Limit(o, 1.0).holds(math.nan) for o in ("<", "<=", ">", ">="))


@pytest.mark.parametrize(
    ("value", "number"), [("[0.0123]", 0.0123), ("0.5", 0.5), ("[1,2]", 1.0), ("[+Inf]", math.inf), ("-Inf", -math.inf)]
)
def test_the_number_of_a_value(value, number):
    assert measured_number(value) == number


@pytest.mark.parametrize("value", ["", "[]", "[x]", "five", "[,1]"])
def test_a_value_without_a_number(value):
    assert measured_number(value) is None


@pytest.mark.parametrize(
    ("success", "failure", "number", "which"),
    [
        ("result[0] < 0.05", "", 0.01, "first"),
        ("result[1] < 0.05", "", 0.2, "second"),
        ("len(result) > 0 && all(result, # < 0.05)", "", 0.2, "largest"),
        ("all(result, # > 0.05)", "", 0.01, "smallest"),
        ("none(result, # >= 0.05)", "", 0.2, "largest"),
        ("any(result, # < 0.05)", "", 0.01, "smallest"),
        ("", "any(result, # >= 0.05)", 0.2, "largest"),
        ("", "all(result, # >= 0.05)", 0.01, "smallest"),
        ("max(result) < 0.05", "", 0.2, "largest"),
        ("min(result) > 0.05", "", 0.01, "smallest"),
        ("last(result) < 0.05", "", 0.03, "last"),
        ("mean(result) < 0.05", "", 0.08, "mean"),
        ("median(result) < 0.05", "", 0.03, "median"),
        ("sum(result) < 0.05", "", 0.24, "sum"),
        ("true", "", 0.01, "first"),
    ],
)
def test_of_several_values_the_one_that_the_condition_judges_is_told(success, failure, number, which):
    found = decided("[0.01,0.2,0.03]", success, failure)
    assert (found.number, found.count, found.which) == (pytest.approx(number), 3, which)


@given(st.lists(st.floats(-9, 9), min_size=2, max_size=6), st.sampled_from(["all", "any", "none"]), st.booleans())
def test_the_value_that_is_told_holds_as_the_condition_does(values, name, below):
    sign = "<" if below else ">"
    text = f"{name}(result, # {sign} 1.5)"
    limit, found = limit_of(text, ""), decided(f"[{','.join(map(repr, values))}]", text)
    assert limit is not None
    assert limit.holds(found.number) == compiled(text).evaluate(values)


@pytest.mark.parametrize(("value", "number"), [("0.2", 0.2), ("[0.2]", 0.2), ("[]", None), ("", None), ("[a,b]", None)])
def test_one_value_is_told_without_a_word(value, number):
    found = decided(value, "all(result, # < 0.05)")
    assert (found.number, found.which) == (number, "")


def test_a_value_that_is_no_number_is_the_worst_of_several():
    assert math.isnan(decided("[0.01,NaN]", "all(result, # < 0.05)").number)
    assert decided("[0.01,NaN]", "any(result, # < 0.05)").number == 0.01


def test_the_number_of_a_value_may_be_nan():
    assert math.isnan(measured_number("[NaN]"))
