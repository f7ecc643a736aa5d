"""The line of all measurements: the limit is marked, and nothing bad is lost."""

import math

from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.argo.limits import Limit
from companyos_canary.view.lines import ASCII, UNICODE, plain_text, width
from companyos_canary.view.metric_table import thinned, trend

BELOW = Limit("<", 0.05)
numbers = st.lists(st.none() | st.floats(), min_size=1, max_size=200)
limits = st.none() | st.builds(Limit, st.sampled_from(["<", "<=", ">", ">="]), st.floats(-9, 9))


def test_a_full_block_is_the_limit_whatever_the_metric() -> None:
    assert plain_text(trend([0.01, 0.02, 0.05], BELOW, 20, UNICODE)) == "▂▄█"
    assert plain_text(trend([0.01, 0.1], BELOW, 20, UNICODE)) == "▂█"
    assert plain_text(trend([0.99, 0.999, 1.0], Limit(">", 0.99), 20, UNICODE)) == "█▂▁"
    assert plain_text(trend([0.01, 0.1], BELOW, 20, ASCII)) == ".#"


@given(numbers, limits)
def test_a_full_block_is_where_the_limit_is_broken(values: list[float | None], limit: Limit | None) -> None:
    if limit is not None and any(v is not None and not math.isnan(v) for v in values):
        marks = plain_text(trend(values, limit, len(values), UNICODE)).ljust(len(values))
        assert [m == "█" for m in marks] == [limit.broken_by(v) for v in values]


def test_what_is_beyond_the_limit_has_another_role() -> None:
    assert trend([0.01, 0.09, 0.1, None, 0.02], BELOW, 20, UNICODE) == [("▂", ""), ("██", "failure"), ("·▄", "")]


def test_nothing_measured_draws_no_limit() -> None:
    assert trend([None, math.nan], BELOW, 20, UNICODE) == ["··"]
    assert trend([], BELOW, 20, UNICODE) == [""]


@given(numbers, limits, st.integers(3, 60))
def test_a_trend_is_never_wider_than_its_room(values: list[float | None], limit: Limit | None, room: int) -> None:
    assert width(trend(values, limit, room, UNICODE)) <= room


@given(numbers, limits, st.integers(1, 60))
def test_the_worst_value_survives(values: list[float | None], limit: Limit | None, most: int) -> None:
    kept = thinned(values, most, limit)
    assert len(kept) == min(len(values), most)
    if limit:
        assert any(map(limit.broken_by, kept)) == any(map(limit.broken_by, values))
