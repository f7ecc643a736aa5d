import io
import re
from typing import Any

import pyte
import pytest
from rich.console import Console, RenderableType
from rich.text import Text

from companyos_canary.view.redraw import LiveScreen

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def terminal() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    options: dict[str, Any] = {"force_terminal": True, "width": 80, "height": 24, "_environ": {}}
    return Console(file=out, legacy_windows=False, **options), out


def frames(text: str) -> list[int]:
    """The frames in the order in which they were drawn, a repeated one once."""
    drawn = [int(n) for n in re.findall(r"frame (\d+)", text)]
    return [n for i, n in enumerate(drawn) if drawn[i - 1 : i] != [n]]


def test_five_frames_a_second_at_most_and_the_last_one_stays() -> None:
    console, out = terminal()
    clock = Clock()
    with LiveScreen(console, clock) as live:
        for n in range(16):
            live.update(Text(f"frame {n}"))
            clock.seconds += 1 / 16
        assert frames(out.getvalue()) == [0, 4, 8, 12]
    assert frames(out.getvalue()) == [0, 4, 8, 12, 15]
    assert "frame 15\n" in out.getvalue()[-40:]


def test_a_frame_that_waits_is_drawn_by_a_tick() -> None:
    console, out = terminal()
    clock = Clock()
    with LiveScreen(console, clock) as live:
        live.update(Text("one"))
        live.update(Text("two"))
        assert "two" not in out.getvalue()
        assert live.tick() == pytest.approx(0.2)
        clock.seconds += 0.2
        assert live.tick() is None
        assert "two" in out.getvalue()
        assert live.tick() is None


def draw(console: Console, *things: RenderableType | BaseException) -> None:
    with LiveScreen(console, Clock()) as live:
        for thing in things:
            if isinstance(thing, BaseException):
                raise thing
            live.update(thing)


def test_the_cursor_is_back_after_an_exception() -> None:
    console, out = terminal()
    with pytest.raises(KeyboardInterrupt):
        draw(console, Text("one"), KeyboardInterrupt())
    assert HIDE in out.getvalue()
    assert out.getvalue().rfind(SHOW) > out.getvalue().rfind(HIDE)


def test_the_cursor_is_back_when_the_last_frame_cannot_be_drawn() -> None:
    class Broken:
        def __rich__(self) -> str:
            raise ValueError("cannot be drawn")

    console, out = terminal()
    with pytest.raises(ValueError, match="cannot be drawn"):
        draw(console, Text("one"), Broken())
    assert out.getvalue().rfind(SHOW) > out.getvalue().rfind(HIDE)


def test_frames_of_other_heights_leave_nothing_behind() -> None:
    """Seen through a terminal: only the last frame is there, below what was there before."""
    console, out = terminal()
    clock = Clock()
    console.print("$ canary watch")
    with LiveScreen(console, clock) as live:
        for lines in (3, 20, 1, 7, 2):
            live.update(Text("\n".join(f"{lines}: line {n}" for n in range(lines))))
            clock.seconds += 1
    console.print("the end")
    seen = pyte.Screen(80, 24)
    pyte.Stream(seen).feed(out.getvalue().replace("\n", "\r\n"))
    rows = [row.rstrip() for row in seen.display]
    assert rows[:4] == ["$ canary watch", "2: line 0", "2: line 1", "the end"]
    assert not any(rows[4:])
    assert not seen.cursor.hidden


def test_a_narrower_terminal_leaves_nothing_of_the_wider_screen() -> None:
    """A terminal folds what was drawn wider than it is now: only a clear screen is safe."""
    console, out = terminal()
    clock = Clock()
    seen = pyte.Screen(80, 24)
    stream = pyte.Stream(seen)
    with LiveScreen(console, clock) as live:
        live.update(Text("\n".join("wide " * 15 for _ in range(5))))
        clock.seconds += 1
        seen.resize(24, 40)
        console.width = 40
        live.update(Text("narrow"))
    stream.feed(out.getvalue().replace("\n", "\r\n"))
    assert [row.rstrip() for row in seen.display if row.strip()] == ["narrow"]


def test_a_frame_that_is_there_already_costs_nothing() -> None:
    console, out = terminal()
    clock = Clock()
    with LiveScreen(console, clock) as live:
        live.update(Text("the same"))
        drawn = out.getvalue()
        for _ in range(5):
            clock.seconds += 1
            live.update(Text("the same"))
        assert out.getvalue() == drawn
        live.begin_anew()
        live.update(Text("the same"))
        assert out.getvalue().count("the same") == 2


def test_a_lower_terminal_is_begun_anew() -> None:
    console, out = terminal()
    with LiveScreen(console, Clock()) as live:
        live.update(Text("high"))
        console.height = 10
        live.update(Text("low"))
    assert "\x1b[2J" in out.getvalue()
