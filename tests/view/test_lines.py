import pytest

from companyos_canary.view.lines import Column, joined, plain_text, table, wrapped

COLUMNS = [
    Column("", [("+", "success"), ("x", "failure")], keep=8),
    Column("METRIC", ["error-rate", "p95"]),
    Column("VALUE", ["1.0 %", "184 ms"], align="right"),
    Column("NOTHING", ["", " "]),
    Column("TREND", ["....", "...."], keep=3),
]


def drawn(room: int) -> list[str]:
    return [plain_text(line) for line in table(COLUMNS, room)]


def test_columns_line_up_and_empty_ones_are_left_out() -> None:
    assert drawn(80) == [
        "    METRIC       VALUE  TREND",
        "  + error-rate   1.0 %  ....",
        "  x p95         184 ms  ....",
    ]


def test_the_least_important_column_goes_first() -> None:
    assert "TREND" in drawn(30)[0]
    assert drawn(25)[0].split() == ["METRIC", "VALUE"]
    assert len(drawn(3)[0].split()) == 1


def test_nothing_is_drawn_of_nothing() -> None:
    assert table([Column("A", [""])], 80) == []


@pytest.mark.parametrize(("room", "text"), [(20, "one - two - three"), (15, "one - three"), (4, "three")])
def test_pieces_are_left_out_by_their_number(room: int, text: str) -> None:
    assert joined([(2, "one"), (1, "two"), (0, ""), (9, "three")], room, " - ") == text


def test_long_text_is_broken_at_blanks_and_cut_at_last() -> None:
    assert wrapped("one two three four", 9) == ["one two", "three", "four"]
    assert wrapped("one two three four", 9, most=2) == ["one two", "three fo…"]
    assert wrapped("incomprehensibilities", 9, more="~") == ["incompre~"]
    assert wrapped("", 9) == []
