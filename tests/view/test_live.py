import io
import re
from collections.abc import Sequence

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companyos_canary.view.lines import Facts
from companyos_canary.view.redraw import LiveScreen

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
FACTS = Facts(80, 24)


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Terminal:
    """What is written, and the screen that it makes."""

    def __init__(self, width: int = 80, height: int = 24) -> None:
        self.screen = pyte.Screen(width, height)
        self._stream = pyte.Stream(self.screen)
        self.out = io.StringIO()
        self._fed = 0

    @property
    def rows(self) -> list[str]:
        text = self.out.getvalue()
        self._stream.feed(text[self._fed :].replace("\n", "\r\n"))
        self._fed = len(text)
        return [row.rstrip() for row in self.screen.display]


def frames(text: str) -> list[int]:
    """The frames in the order in which they were drawn, a repeated one once."""
    drawn = [int(n) for n in re.findall(r"frame (\d+)", text)]
    return [n for i, n in enumerate(drawn) if drawn[i - 1 : i] != [n]]


def test_five_frames_a_second_and_one_in_reserve_and_the_last_one_stays() -> None:
    out, clock = io.StringIO(), Clock()
    with LiveScreen(out, clock) as live:
        for n in range(16):
            live.update((f"frame {n}",), FACTS)
            clock.seconds += 1 / 16
        assert frames(out.getvalue()) == [0, 1, 4, 7, 10, 13]
    assert frames(out.getvalue()) == [0, 1, 4, 7, 10, 13, 15]
    assert "frame 15\n" in out.getvalue()[-40:]


def test_what_comes_right_after_a_frame_is_seen_at_once_each_second() -> None:
    out, clock = io.StringIO(), Clock()
    with LiveScreen(out, clock) as live:
        for second in range(5):
            live.update((f"the clock says {second}",), FACTS)
            clock.seconds += 0.01
            live.update((f"a change in second {second}",), FACTS)
            assert f"a change in second {second}" in out.getvalue()
            clock.seconds += 0.99


def test_a_frame_that_waits_is_drawn_by_a_tick() -> None:
    out, clock = io.StringIO(), Clock()
    with LiveScreen(out, clock) as live:
        for word in ("one", "two", "three"):
            live.update((word,), FACTS)
        assert "two" in out.getvalue()
        assert "three" not in out.getvalue()
        assert live.tick() == pytest.approx(0.2)
        clock.seconds += 0.2
        assert live.tick() is None
        assert "three" in out.getvalue()
        assert live.tick() is None


def test_the_cursor_is_back_after_an_exception() -> None:
    out = io.StringIO()

    def draw() -> None:
        with LiveScreen(out, Clock()) as live:
            live.update(("one",), FACTS)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw()
    assert HIDE in out.getvalue()
    assert out.getvalue().rfind(SHOW) > out.getvalue().rfind(HIDE)


def test_the_cursor_is_back_when_the_last_frame_cannot_be_drawn() -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            if "two" in text:
                raise ValueError("cannot be drawn")
            return super().write(text)

    out = Broken()

    def draw() -> None:
        with LiveScreen(out, Clock()) as live:
            live.update(("one",), FACTS)
            live.update(("two",), FACTS)

    with pytest.raises(ValueError, match="cannot be drawn"):
        draw()
    assert out.getvalue().rfind(SHOW) > out.getvalue().rfind(HIDE)


def test_frames_of_other_heights_leave_nothing_behind() -> None:
    """Seen through a terminal: only the last frame is there, below what was there before."""
    terminal, clock = Terminal(), Clock()
    terminal.out.write("$ canary watch\n")
    with LiveScreen(terminal.out, clock) as live:
        for lines in (3, 20, 1, 7, 0, 2):
            live.update(tuple(f"{lines}: line {n}" for n in range(lines)), FACTS)
            clock.seconds += 1
    terminal.out.write("the end\n")
    assert terminal.rows[:4] == ["$ canary watch", "2: line 0", "2: line 1", "the end"]
    assert not any(terminal.rows[4:])
    assert not terminal.screen.cursor.hidden


ROWS = st.lists(st.sampled_from(["", "a", "bb", "\x1b[31mred\x1b[0m", "x" * 20]), max_size=9)


@given(begun=st.integers(0, 8), drawn=st.lists(ROWS, min_size=1, max_size=6))
def test_the_terminal_shows_the_newest_frame_whatever_was_there_before(begun: int, drawn: list[list[str]]) -> None:
    terminal, clock, facts = Terminal(20, 8), Clock(), Facts(20, 8)
    terminal.out.write("$\n" * begun)
    with LiveScreen(terminal.out, clock) as live:
        for place, rows in enumerate(drawn):
            live.update(tuple(rows), facts)
            clock.seconds += 1
            shown = [re.sub(r"\x1b\[\d+m", "", row) for row in rows[:8]]
            below = min(begun, 8 - max(1, *(min(8, len(r)) for r in drawn[: place + 1])))
            assert [r for r in terminal.rows if r not in ("$", "")] == [r for r in shown if r]
            assert terminal.rows.count("$") >= below
    assert [r for r in terminal.rows if r not in ("$", "")] == [r for r in map(bare, drawn[-1][-7:]) if r]


def bare(row: str) -> str:
    return re.sub(r"\x1b\[\d+m", "", row)


def written(text: str) -> set[str]:
    return set(re.findall(r"line \d+ \w+", text))


def test_only_the_rows_that_are_not_there_yet_are_written_and_the_last_one() -> None:
    out, clock = io.StringIO(), Clock()
    with LiveScreen(out, clock) as live:
        live.update(tuple(f"line {n} old" for n in range(20)), FACTS)
        clock.seconds += 1
        before = len(out.getvalue())
        live.update(tuple(f"line {n} {'new' if n in (3, 7) else 'old'}" for n in range(20)), FACTS)
        assert written(out.getvalue()[before:]) == {"line 3 new", "line 7 new", "line 19 old"}
        assert len(out.getvalue()[before:]) < 80


def test_what_others_have_written_is_written_over() -> None:
    """A program that gives credentials may say something on the terminal; so does a note of our own."""
    terminal, clock = Terminal(), Clock()
    with LiveScreen(terminal.out, clock) as live:
        live.update(tuple(f"{n}" for n in range(24)), FACTS)
        clock.seconds += 1
        terminal.out.write("a note\n")
        live.write_over()
        live.update(tuple(f"{n}" for n in range(24)), FACTS)
        assert terminal.rows == [f"{n}" for n in range(24)]
        clock.seconds += 1
        terminal.out.write("a note\n")
        for age in range(12):
            clock.seconds += 1
            live.update((f"{age}s", *(f"{n}" for n in range(1, 24))), FACTS)
        assert terminal.rows == ["11s", *(f"{n}" for n in range(1, 24))]


def test_a_narrower_terminal_leaves_nothing_of_the_wider_screen() -> None:
    """A terminal folds what was drawn wider than it is now: only a clear screen is safe."""
    terminal, clock = Terminal(), Clock()
    with LiveScreen(terminal.out, clock) as live:
        live.update(("wide " * 15,) * 5, FACTS)
        clock.seconds += 1
        assert terminal.rows
        terminal.screen.resize(24, 40)
        live.update(("narrow",), Facts(40, 24))
    assert [row for row in terminal.rows if row] == ["narrow"]


def same(live: LiveScreen, clock: Clock, rows: Sequence[str]) -> None:
    for _ in range(30):
        clock.seconds += 1
        live.update(tuple(rows), FACTS)


def test_a_frame_that_is_there_already_costs_nothing() -> None:
    out, clock = io.StringIO(), Clock()
    with LiveScreen(out, clock) as live:
        live.update(("the same",), FACTS)
        drawn = out.getvalue()
        same(live, clock, ["the same"])
        assert out.getvalue() == drawn
        live.begin_anew()
        live.update(("the same",), FACTS)
        assert out.getvalue().count("the same") == 2


def test_a_lower_terminal_is_begun_anew() -> None:
    out, clock = io.StringIO(), Clock()
    with LiveScreen(out, clock) as live:
        live.update(("high",), FACTS)
        live.update(("high, and changed",), FACTS)
        live.update(("low",), Facts(80, 10))
        assert "\x1b[2J" not in out.getvalue()
        clock.seconds += 1
        live.tick()
        assert "\x1b[2J" in out.getvalue()


def test_what_is_higher_than_the_terminal_is_cut_until_it_stays() -> None:
    terminal, rows = Terminal(80, 5), tuple(f"row {n}" for n in range(9))
    with LiveScreen(terminal.out, Clock()) as live:
        live.update(rows, Facts(80, 5))
        assert terminal.rows == [f"row {n}" for n in range(5)]
    assert [f"row {n}" for n in range(9) if terminal.out.getvalue().count(f"row {n}")] == list(rows)
    assert terminal.rows == ["row 5", "row 6", "row 7", "row 8", ""]
