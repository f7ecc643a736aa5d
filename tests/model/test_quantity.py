"""Durations as Go writes them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.model.quantity import format_duration, parse_duration

MONTH = timedelta(days=30)


@given(st.timedeltas(-MONTH, MONTH))
def test_a_duration_that_was_written_is_read_again(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h30m", 5400), ("300ms", 0.3), ("1.5s", 1.5), ("0", 0), ("-2s", -2), (".5m", 30), ("+1s", 1)],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("soon", 'time: invalid duration "soon"'),
        ("-", 'time: invalid duration "-"'),
        (".s", 'time: invalid duration ".s"'),
        ("5", 'time: missing unit in duration "5"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        ("1s2", 'time: missing unit in duration "1s2"'),
        (" 2m", 'time: invalid duration " 2m"'),
        ("²h", 'time: invalid duration "²h"'),
        ("9999999h", 'time: invalid duration "9999999h"'),
    ],
)
def test_a_text_that_is_no_duration(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="time: ") as error:
        parse_duration(text)
    assert str(error.value) == message
