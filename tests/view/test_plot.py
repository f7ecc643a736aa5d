"""Charts of both versions over time, and the panel that has them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.argo.metric_rows import rows_of
from companyos_canary.argo.picture import look
from companyos_canary.argo.timeline import Points
from companyos_canary.model.place import Place
from companyos_canary.model.snapshot import Course
from companyos_canary.view.chart import GUTTER, TimeAxis, axis, plot
from companyos_canary.view.lines import ASCII, UNICODE, Facts, Line, plain_text, width
from companyos_canary.view.panels import Desk, panel_lines
from tests.builders import NOW, run, snapshot
from tests.view.scenes import ALL, first_run, rolled_back, screen

ROW = next(r for r in rows_of((first_run(),)) if r.name == "error-rate")
START = NOW - timedelta(minutes=3)


def points(*values: float | None) -> Points:
    """Evenly over three minutes."""
    step = timedelta(minutes=3) / max(1, len(values) - 1)
    return tuple((START + step * n, v) for n, v in enumerate(values))


def drawn(canary: Points, stable: Points = (), columns: int = 20, height: int = 4) -> list[Line]:
    return plot(canary, stable, ROW, TimeAxis(START, NOW, columns), height=height, symbols=UNICODE)


def roles(lines: list[Line], mark: str) -> set[str]:
    return {p[1] for line in lines for p in line[1:] if isinstance(p, tuple) and mark in p[0]}


def test_the_limit_is_a_line_with_its_value_at_the_edge() -> None:
    (row,) = [line for line in drawn(points(0.01, 0.01)) if "╌" in plain_text(line)]
    assert plain_text(row) == "      5 % " + "╌" * 20


def test_a_line_beyond_the_limit_is_red_there_and_only_there() -> None:
    lines = drawn(points(0.01, 0.01, 0.01, 0.12))
    marks = [(c, part[1]) for line in lines for part in line[1:] if isinstance(part, tuple) for c in part[0] if c > "⠀"]
    assert {role for c, role in marks if "⠀" < c <= "⣿"} == {"hint", "failure"}
    good = drawn(points(0.01, 0.01, 0.01, 0.04))
    assert not any(isinstance(p, tuple) and p[1] == "failure" for line in good for p in line)


def test_stable_is_another_line_that_needs_no_colour() -> None:
    both = drawn((), points(0.03, 0.03), height=1)
    own = drawn(points(0.03, 0.03), height=1)
    assert plain_text(both[0]) != plain_text(own[0]), "it is dotted"
    assert len(plain_text(both[0]).replace("╌", "").split()[-1]) > 0


def test_a_value_that_is_missing_breaks_the_line() -> None:
    whole, broken = drawn(points(0.03, 0.03, 0.03)), drawn(points(0.03, None, 0.03))
    count = [sum(c > "⠀" for line in lines for c in plain_text(line)) for lines in (whole, broken)]
    assert count[0] > count[1] >= 1


def test_the_axis_says_when_each_weight_began_and_what_is_now() -> None:
    weights = ((START, 10), (START + timedelta(minutes=1, seconds=30), 25))
    rule, told = (plain_text(line)[GUTTER:] for line in axis(TimeAxis(START, NOW, 40, weights), NOW, UNICODE))
    assert [n for n, c in enumerate(rule) if c == "┴"] == [0, 20]
    assert told.startswith("10 %")
    assert told[20:24] == "25 %"
    assert told.endswith("12:04:33")


numbers = st.lists(st.none() | st.floats(), max_size=30)


@given(numbers, numbers, st.integers(1, 120), st.integers(1, 9), st.booleans())
def test_a_chart_is_as_wide_and_as_high_as_it_may_be(
    canary: list[float | None], stable: list[float | None], columns: int, height: int, unicode: bool
) -> None:
    time, symbols = TimeAxis(START, NOW, columns, ((START, 10),)), UNICODE if unicode else ASCII
    lines = plot(points(*canary), points(*stable), ROW, time, height=height, symbols=symbols)
    assert [width(line) for line in lines] == [GUTTER + columns] * height
    if not unicode:
        assert all(plain_text(line).isascii() for line in lines)


@pytest.mark.parametrize("name", ALL)
def test_the_panel_is_never_higher_or_wider_than_its_room(name: str) -> None:
    for columns, room in ((30, 3), (37, 30), (80, 15), (87, 50)):
        picture = look(ALL[name](), NOW, Place())
        lines = panel_lines(picture, Facts(columns, 60), Desk(panel="metrics"), room)
        assert len(lines) <= room
        assert all(width(line) <= columns for line in lines)


def test_before_the_first_measurement_the_panel_says_when_it_will_be() -> None:
    begun = snapshot(runs=[run([], started_at=NOW - timedelta(seconds=3))])
    text = screen(begun, NOW, Facts(), desk=Desk(panel="metrics")).plain
    assert "first measurement at 12:05:30" in text
    later = snapshot(runs=[first_run(), run([], started_at=NOW - timedelta(seconds=3))])
    text = screen(later, NOW, Facts(), desk=Desk(panel="metrics")).plain
    assert "⠒⠒⠒ canary   ╌╌╌ limit" in text
    assert "╌╌╌" in text


def test_both_versions_stand_in_the_panel_with_the_weights_on_its_axis() -> None:
    stable = (Course("error-rate", points(0.01, 0.01, 0.011)),)
    text = screen(rolled_back(), NOW, Facts(200, 60), place=Place(), desk=Desk(panel="metrics", stable=stable)).plain
    assert "⠒⠒⠒ canary   ⠒ ⠒ stable   ╌╌╌ limit" in text
    alone = screen(rolled_back(), NOW, Facts(200, 60), place=Place(), desk=Desk(panel="metrics")).plain
    assert "⠒⠒⠒ canary   ╌╌╌ limit" in alone
    assert any("10 %" in line and "25 %" in line and "12:04:" in line for line in text.split("\n"))
    assert any("⠀" < c <= "⣿" for c in text)
