"""Limits as views draw them, and the numbers next to them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.analysis.expr.language import compile as compiled
from companyos_canary.argo.limits import Limit, limit_of, measured_number


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


def test_the_number_of_a_value_may_be_nan():
    assert math.isnan(measured_number("[NaN]"))
