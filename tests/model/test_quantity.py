"""Durations as Go writes them."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.model.quantity import format_duration, parse_duration

MONTH = timedelta(days=30)


@given(st.timedeltas(-MONTH, MONTH))
def test_a_duration_that_was_written_is_read_again(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration
