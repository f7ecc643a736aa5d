"""Our evaluator and the real one, on the same series and expressions."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.promql.promtool import Case, differences, needs_promtool
from tests.promql.strategies import cases

NO_SHRINKING = [Phase.explicit, Phase.generate]
EASY = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


@needs_promtool
@settings(
    max_examples=12,
    phases=NO_SHRINKING,
    deadline=None,
    derandomize=True,
    suppress_health_check=EASY,
)
@given(st.lists(cases(), min_size=8, max_size=8))
def test_any_expression_has_the_answer_of_the_real_engine(batch: list[Case]) -> None:
    found = differences(batch)
    assert not found, "\n".join(found)


@pytest.mark.soak
@needs_promtool
@settings(max_examples=1500, deadline=None, print_blob=True, suppress_health_check=EASY)
@given(st.lists(cases(), min_size=6, max_size=6))
def test_many_more_expressions_have_the_answer_of_the_real_engine(batch: list[Case]) -> None:
    found = differences(batch)
    assert not found, "\n".join(found)
