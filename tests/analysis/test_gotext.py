"""Numbers in Go's words, and arguments in a metric's text."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.analysis.arguments import ArgumentError, canonical_metric, resolve_metric
from companyos_canary.analysis.gotext import float_text, int_or_text, parse_float, parse_int, value_text


@given(st.floats(allow_nan=False))
def test_a_number_survives_its_text(number):
    text = float_text(number)
    assert "e" not in text
    assert parse_float(text) == number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (5.0, "5"),
        (-0.0, "-0"),
        (0.1, "0.1"),
        (1e21, "1" + "0" * 21),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (1e-7, "0.0000001"),
    ],
)
def test_a_number_is_printed_shortest_without_an_exponent(number, text):
    assert float_text(number) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2, "2"),
        (100000, "100000"),
        (1000000, "1e+06"),
        (1234567, "1.234567e+06"),
        (0.5, "0.5"),
        (0.00001, "1e-05"),
        (-1e6, "-1e+06"),
        (0, "0"),
        (True, "true"),
        ("1m", "1m"),
    ],
)
def test_a_field_is_printed_as_fmt_prints_it(value, text):
    assert value_text(value) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("abc", 'strconv.ParseFloat: parsing "abc": invalid syntax'),
        ("1e309", 'strconv.ParseFloat: parsing "1e309": value out of range'),
        ("1_0", 'strconv.ParseFloat: parsing "1_0": invalid syntax'),
        ("0x1", 'strconv.ParseFloat: parsing "0x1": invalid syntax'),
        ("٣", 'strconv.ParseFloat: parsing "٣": invalid syntax'),
    ],
)
def test_a_text_that_is_no_number(text, message):
    with pytest.raises(ValueError, match=r"strconv\.ParseFloat") as error:
        parse_float(text)
    assert str(error.value) == message


def test_integers_have_64_bits():
    assert parse_int("-9223372036854775808") == -(2**63)
    with pytest.raises(ValueError, match="value out of range"):
        parse_int("9223372036854775808")


@pytest.mark.parametrize(("value", "number"), [(3, 3), ("3", 3), ("two", 0), ("", 0), (None, 0), (2.0, 2), ("-1", -1)])
def test_a_text_that_is_no_number_counts_as_0(value, number):
    assert int_or_text(value) == number


def resolved(text, *args):
    metric = {"name": "m", "successCondition": text, "provider": {}}
    named = [{"name": name, "value": value} for name, value in args]
    return resolve_metric(metric, named)["successCondition"]


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=20))
def test_an_argument_stays_within_its_field(value):
    assert resolved("<{{args.x}}|{{ args.x }}>", ("x", value)) == f"<{value}|{value}>"


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("{{args.y}}", "{{args.y}}"),
        ("{{x}}", "{{x}}"),
        ("{{{args.x}}}", "{{{args.x}}"),
        ("a{{}}", "{{}}"),
        ("{{args.y}} {{args.z}}", "{{args.z}}"),
    ],
)
def test_an_argument_that_is_not_there_is_named(text, tag):
    with pytest.raises(ArgumentError) as error:
        resolved(text, ("x", "1"))
    assert str(error.value) == f"failed to resolve {tag}"


def test_an_argument_without_a_value_is_an_error_even_unused():
    with pytest.raises(ArgumentError, match='argument "x" was not supplied'):
        resolved("true", ("x", None))


def test_a_timeout_of_0_is_kept():
    prometheus = {"address": "http://p", "query": "", "timeout": 0, "insecure": False}
    written = canonical_metric({"name": "m", "provider": {"prometheus": prometheus}})
    assert written["provider"]["prometheus"] == {
        "address": "http://p",
        "authentication": {"sigv4": {}, "oauth2": {}, "basicAuth": {}},
        "timeout": 0,
    }
