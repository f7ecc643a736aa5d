"""Our evaluator and the real one, on the same series and expressions."""

import re
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from companyos_canary.promql.aggregations import AGGREGATIONS
from companyos_canary.promql.functions import FUNCTIONS
from companyos_canary.promql.ranges import FUNCTIONS as RANGE_FUNCTIONS
from tests.promql.promtool import Case, differences, needs_promtool
from tests.promql.strategies import ARITHMETIC, COMPARISONS, VECTOR, cases

NO_SHRINKING = [Phase.explicit, Phase.generate]
EASY = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


@needs_promtool
@settings(max_examples=6, phases=NO_SHRINKING, deadline=None, derandomize=True, suppress_health_check=EASY)
@given(st.lists(cases(), min_size=16, max_size=16))
def test_any_expression_has_the_answer_of_the_real_engine(batch: list[Case]) -> None:
    found = differences(batch)
    assert not found, "\n".join(found)


class Enough(Exception):
    """There is nothing left to look for."""


def test_the_expressions_speak_of_all_that_is_implemented() -> None:
    missing = {
        "and",
        "or",
        "unless",
        "bool",
        "on",
        "ignoring",
        "by",
        "without",
        "group_left",
        "group_right",
        "offset",
        "time",
        "absent",
        "absent_over_time",
        "quantile_over_time",
        "predict_linear",
        "timestamp",
        *ARITHMETIC,
        *COMPARISONS,
        *FUNCTIONS,
        *AGGREGATIONS,
        *RANGE_FUNCTIONS,
    }

    @settings(max_examples=3000, phases=NO_SHRINKING, deadline=None, derandomize=True, suppress_health_check=EASY)
    @given(VECTOR)
    def collect(text: str) -> None:
        missing.difference_update(re.findall(r"[a-z_0-9]+|[-+*/%=!<>]+", text))
        if not missing:
            raise Enough

    with suppress(Enough):
        collect()
    assert not missing


@pytest.mark.soak
@needs_promtool
@settings(max_examples=700, deadline=None, print_blob=True, suppress_health_check=EASY)
@given(st.lists(cases(), min_size=10, max_size=10))
def test_many_more_expressions_have_the_answer_of_the_real_engine(batch: list[Case]) -> None:
    found = differences(batch)
    assert not found, "\n".join(found)
