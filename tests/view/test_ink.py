"""What reaches the terminal."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict
from rich.cells import cell_len
from rich.color import ColorSystem
from rich.style import Style
from rich.text import Text

from companyos_canary.view.ink import ink
from companyos_canary.view.lines import ON_LIGHT, STYLES, UNICODE, Facts, Line, Tone, columns_of

PARTS = st.one_of(st.text(), st.tuples(st.text(), st.sampled_from(sorted(STYLES))))


def test_words_of_the_cluster_move_no_cursor_and_set_no_title() -> None:
    (row,) = ink([("event \x1b]0;owned\x07 \x1b[2J\x9b1m", ("\x1b[31m", "warning"))], Facts())
    assert "\x1b" not in row.replace("\x1b[33m", "").replace("\x1b[0m", "")
    assert "\x9b" not in row
    assert "event  ]0;owned" in row


@given(st.lists(PARTS).map(tuple), st.integers(2, 60), st.booleans())
def test_a_row_is_never_wider_than_the_terminal_and_ends_without_a_colour(line: Line, width: int, colour: bool) -> None:
    (row,) = ink([line], Facts(width, colour=colour))
    assert "\n" not in row
    assert cell_len(Text.from_ansi(row).plain) <= width
    assert row.count("\x1b") == 2 * row.count("\x1b[0m")
    assert colour or "\x1b" not in row


def test_no_library_is_loaded_to_count_what_we_draw_ourselves() -> None:
    signs = "".join(value for value in asdict(UNICODE).values() if isinstance(value, str))
    use = f"from companyos_canary.view.lines import columns_of; columns_of({signs!r})"
    code = f"import sys; {use}; sys.exit('rich' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@given(st.text(st.characters(exclude_categories=["C"])))
def test_columns_are_counted_as_a_terminal_does(text: str) -> None:
    assert columns_of(text) == cell_len(text)


@pytest.mark.parametrize("block", [range(0x20, 0x7F), range(0xA0, 0x3000), range(0x1F300, 0x1F700)])
def test_every_sign_has_its_columns(block: range) -> None:
    assert [hex(n) for n in block if columns_of(chr(n)) != cell_len(chr(n))] == []


NAMED = {
    "success": "green",
    "warning": "yellow",
    "failure": "red",
    "hint": "cyan",
    "off": "bright_black",
    "doing": "bold bright_white on blue",
    "asking": "black on yellow",
    "bad": "bold bright_white on red",
    "done": "black on green",
    "gone": "bold bright_white on bright_black",
}


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("role", NAMED)
def test_a_role_is_one_of_the_sixteen_colours_of_the_terminal(role: Tone, light: bool) -> None:
    name = {"warning": "magenta", "hint": "blue"}.get(role, NAMED[role]) if light else NAMED[role]
    (row,) = ink([(("x", role), "y")], Facts(light=light))
    assert row == Style.parse(name).render("x", color_system=ColorSystem.STANDARD) + "y"
    assert (ON_LIGHT if light else STYLES).keys() == {"", *NAMED}
