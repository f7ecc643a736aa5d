"""Charts: whole pictures, and what holds for any values."""

import math
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from companyos_canary.argo.limits import Limit, Unit
from companyos_canary.view.chart import bars_in, chart, resampled, time_axis
from companyos_canary.view.lines import ASCII, UNICODE, Line, Symbols, part_text, plain_text, width
from tests.builders import NOW

WAVE = [0.01 + 0.01 * math.sin(n / 5) for n in range(100)]
PICTURES: dict[str, tuple[list[float | None], Limit | None, Unit]] = {
    "a peak": ([*WAVE[:60], 0.08, 0.12, 0.11, 0.06, None, *WAVE], Limit("<", 0.05), "percent"),
    "good, with a gap": ([0.01, 0.02, math.nan, 0.012], Limit("<", 0.05), "percent"),
    "a lower limit": ([1, 0.999, 0.998, 0.97, 1, None, 1], Limit(">", 0.99), "percent"),
    "an infinity": ([0.18, 0.2, math.inf, 0.19], Limit("<", 0.3), "seconds"),
    "no limit": ([3, 1, 2], None, "number"),
    "all zero": ([0, 0], None, "number"),
    "always at its limit": ([1.0, 1.0], Limit(">", 1.0), "percent"),
    "nothing": ([None, math.nan], Limit("<", 1.2), "times"),
}
VALUES = st.lists(st.none() | st.floats(), max_size=60)
LIMITS = st.none() | st.builds(
    Limit, st.sampled_from(["<", "<=", ">", ">="]), st.floats(allow_nan=False, allow_infinity=False)
)


def drawn(name: str, columns: int, height: int, symbols: Symbols) -> list[Line]:
    points, limit, unit = PICTURES[name]
    return chart(points, limit, unit, width=columns, height=height, symbols=symbols)


@pytest.mark.parametrize(
    ("name", "columns", "height", "symbols"),
    [("80", 80, 6, UNICODE), ("40", 40, 4, UNICODE), ("40-ascii", 40, 4, ASCII), ("12", 12, 2, UNICODE)],
)
def test_whole_charts(
    name: str, columns: int, height: int, symbols: Symbols, same_as_file: Callable[[str, str], None]
) -> None:
    axis = time_axis(NOW - timedelta(hours=1), NOW, NOW, width=columns)
    parts = [
        "\n".join([f"{title}:", *map(plain_text, drawn(title, columns, height, symbols)), plain_text(axis)])
        for title in PICTURES
    ]
    same_as_file(f"chart-{name}", "\n\n".join(parts))


def test_only_bars_beyond_the_limit_are_failures() -> None:
    bottom = drawn("a peak", 173, 6, UNICODE)[-1]
    failing = [part_text(p) for p in bottom if not isinstance(p, str) and p[1] == "failure"]
    assert failing == ["████"]


@example([-1.2e308], None, 1, 1, UNICODE)
@given(VALUES, LIMITS, st.integers(-1, 100), st.integers(-1, 12), st.sampled_from([UNICODE, ASCII]))
@example([5e-324], None, 30, 3, UNICODE)
@example([1.7e308, -1.7e308], Limit("<", 1e300), 30, 3, UNICODE)
def test_a_chart_is_never_wider_or_higher_than_asked(
    points: list[float | None], limit: Limit | None, columns: int, height: int, symbols: Symbols
) -> None:
    for unit in ("percent", "seconds", "number"):
        lines = chart(points, limit, unit, width=columns, height=height, symbols=symbols)  # type: ignore[arg-type]
        assert len(lines) in (0, height)
        assert all(width(line) <= columns for line in lines)
        assert symbols is UNICODE or all(plain_text(line).isascii() for line in lines)
    axis = time_axis(NOW - timedelta(hours=1), NOW, NOW, width=columns)
    assert width(axis) <= max(0, columns)


@given(st.lists(st.none() | st.floats(), min_size=1), LIMITS, st.integers(1, 30))
def test_the_worst_value_survives(points: list[float | None], limit: Limit | None, columns: int) -> None:
    found = resampled(points, columns, limit)
    assert len(found) == columns
    known = [p for p in points if p is not None and not math.isnan(p)]
    worst = min if limit and limit.operator.startswith(">") else max
    assert worst((v for v in found if v is not None), default=None) == worst(known, default=None)


@example([0.0], Limit(">", -1.4e308))
@given(VALUES, LIMITS)
def test_a_value_is_never_a_gap(points: list[float | None], limit: Limit | None) -> None:
    bars = resampled(points, bars_in(80), limit)
    lines = chart(points, limit, "number", width=80, height=3, symbols=UNICODE)
    if all(v is None for v in bars):
        return
    bottom = "".join(part_text(p) for p in lines[-1])[-len(bars) :]
    assert [mark in UNICODE.levels for mark in bottom] == [v is not None for v in bars]
