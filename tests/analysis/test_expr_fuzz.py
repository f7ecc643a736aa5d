"""Whatever is in a template: an answer or a ConditionError, soon."""

import math
import time
from contextlib import suppress
from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from companyos_canary.analysis.expr.language import compile as compiled
from companyos_canary.analysis.expr.language import evaluate_time
from companyos_canary.analysis.expr.tree import ConditionError
from companyos_canary.argo.limits import limit_of

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
NUMBERS = st.floats() | st.sampled_from([0.0, 1.0, 0.05])
RESULTS = NUMBERS | st.lists(NUMBERS, max_size=4)

VOCABULARY = (
    "result # #acc #index . .. ( ) [ ] { } , ; : ? ?. ?? || && | ! not in < > <= >= == != + - * / %"
    " ** ^ = let if else x y true false nil 0 1 2.5 1e308 0x1f 9223372036854775807 'a' \"b\" `c`"
    " len all any one none map filter find first last sum mean median min max count reduce abs int"
    " float now duration asInt asFloat isNaN isInf isNil default contains startsWith matches $env"
    " groupBy sort get take reverse 0..9 1..99999 // /* */ Year() \\ é \x00"
)
WORDS = st.sampled_from(VOCABULARY.split(" "))
SOUP = st.lists(WORDS, max_size=25).map(" ".join) | st.text(max_size=60)

LEAVES = st.sampled_from(
    [
        "result",
        "result[0]",
        "first(result)",
        "1",
        "0",
        "2.5",
        "true",
        "nil",
        "'a'",
        "[1, 'b']",
        "now()",
        "duration('1s')",
        "0..3",
        "isNaN(result)",
        "default(1, 2)",
        "result[-1]",
    ]
)

OPERATORS = "+ - * / % ** == != < <= && or ?? in .. contains"
SIGNS = st.sampled_from(OPERATORS.split())

ONE_ARGUMENT = st.sampled_from(["len", "max", "mean", "int", "asFloat", "abs", "sort", "reverse"])


def grown(inner):
    pair = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(inner, SIGNS, inner).map(lambda t: f"({' '.join(t)})"),
        inner.map(lambda e: f"!({e})"),
        inner.map(lambda e: f"-({e})"),
        st.tuples(st.sampled_from(["all", "filter", "map", "sum", "find", "count"]), inner, inner).map(
            lambda t: f"{t[0]}({t[1]}, {t[2]} == #)"
        ),
        st.tuples(ONE_ARGUMENT, inner).map(lambda t: f"{t[0]}({t[1]})"),
        pair.map(lambda t: f"({t[0]})[{t[1]}]"),
        pair.map(lambda t: f"({t[0]})[{t[1]}:]"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} ? {t[1]} : {t[2]})"),
        pair.map(lambda t: f"(let v = {t[0]}; {t[1]} == v)"),
    )


EXPRESSIONS = st.recursive(LEAVES, grown, max_leaves=12)
MANY = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


def tried(text, result):
    """What comes of a condition: a bool or the reason why there is none."""
    started = time.perf_counter()
    try:
        found = compiled(text).evaluate(result, NOW)
    except ConditionError as error:
        found = str(error)
        assert found
    assert time.perf_counter() - started < 5
    return found


@MANY
@given(SOUP, RESULTS)
def test_any_text_gives_an_answer_or_a_reason(text, result):
    assert isinstance(tried(text, result), bool | str)
    limit_of(text, text)


@MANY
@given(EXPRESSIONS, RESULTS)
def test_any_expression_gives_an_answer_or_a_reason(text, result):
    assert isinstance(tried(text, result), bool | str)


@MANY
@given(SOUP | EXPRESSIONS)
def test_any_text_gives_a_time_or_a_reason(text):
    with suppress(ConditionError):
        assert isinstance(evaluate_time(text, NOW), datetime)


@given(NUMBERS, NUMBERS.filter(math.isfinite))
def test_a_comparison_is_that_of_the_numbers(number, bound):
    for operator, holds in (("<", number < bound), (">=", number >= bound)):
        text = f"result[0] {operator} ({bound:.30f})"
        assert compiled(text).evaluate([number], NOW) == holds or bound != float(f"{bound:.30f}")


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.randoms())
def test_and_binds_tighter_than_or(values, random):
    signs = [random.choice(["&&", "||", "and", "or"]) for _ in values[1:]]
    words = [str(values[0]).lower()]
    for sign, value in zip(signs, values[1:], strict=True):
        words += [sign, str(value).lower()]
    python = " ".join(words).replace("&&", "and").replace("||", "or")
    python = python.replace("true", "True").replace("false", "False")
    assert compiled(" ".join(words)).evaluate(0.0, NOW) == eval(python)
