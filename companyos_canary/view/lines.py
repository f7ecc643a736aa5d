"""Lines of a screen: parts in roles, columns of a terminal counted, tables; and the symbols of a theme."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Literal

from msgspec import Struct

Tone = Literal["", "success", "warning", "failure", "hint", "off", "doing", "asking", "bad", "done", "gone"]

# The numbers of SGR (ECMA-48): 31 is red, 33 yellow, 35 magenta, 1 bold, 44 a blue background, 90 a bright black.
# These fill a whole line: what continues, waits for a person, went wrong, is done, is out of date. 97 is bright white;
# the `white` of some light themes is a dark grey.
BANNERS: dict[Tone, str] = {
    "doing": "1;97;44",
    "asking": "30;43",
    "bad": "1;97;41",
    "done": "30;42",
    "gone": "1;97;100",
}
STYLES: dict[Tone, str] = {
    "": "",
    "success": "32",
    "warning": "33",
    "failure": "31",
    "hint": "36",
    "off": "90",
    **BANNERS,
}
# Yellow and cyan can hardly be read on white.
ON_LIGHT: dict[Tone, str] = {**STYLES, "warning": "35", "hint": "34"}


class Facts(Struct, frozen=True):
    """The stream a view is drawn for. `terminal` is false for a pipe or a file; `unicode` and
    `colour` are already decided (encoding, NO_COLOR, TERM=dumb, --no-color), so is `light`, the
    background."""

    width: int = 80
    height: int = 24
    unicode: bool = True
    colour: bool = True
    terminal: bool = True
    light: bool = False

    @property
    def symbols(self) -> "Symbols":
        return UNICODE if self.unicode else ASCII

    def style(self, role: Tone) -> str:
        """The numbers of SGR for a role; empty without colour, so that no escape is ever written."""
        return (ON_LIGHT if self.light else STYLES)[role] if self.colour else ""


class Symbols(Struct, frozen=True):
    ok: str
    failed: str
    running: str
    paused: str
    unknown: str
    waiting: str
    warning: str
    scaled_down: str
    replicaset: str
    pod: str
    arrow: str
    dot: str
    more: str
    bar_done: str
    bar_tip: str
    bar_open: str
    levels: str
    gap: str
    gauge: str
    across: str
    border: str
    dots: bool
    limit: str
    now: str


UNICODE = Symbols(
    ok="✔",
    failed="✖",
    running="◌",
    paused="‖",
    unknown="?",
    waiting="·",
    warning="!",
    scaled_down="•",
    replicaset="●",
    pod="□",
    arrow="→",
    dot="·",
    more="…",
    bar_done="━",
    bar_tip="╸",
    bar_open="─",
    levels="▁▂▃▄▅▆▇█",
    gap="·",
    gauge="█░▶",
    across="╌",
    border="┴",
    dots=True,
    limit="┊",
    now="≈",
)

ASCII = Symbols(
    ok="+",
    failed="x",
    running="o",
    paused="=",
    unknown="?",
    waiting="-",
    warning="!",
    scaled_down=".",
    replicaset="#",
    pod="-",
    arrow="->",
    dot="-",
    more="~",
    bar_done="=",
    bar_tip=">",
    bar_open=".",
    levels="_.,:-=*#",
    gap="?",
    gauge="#.>",
    across="-",
    border="|",
    dots=False,
    limit="|",
    now="~",
)

RUN_PHASES: dict[str, Tone] = {
    "Failed": "failure",
    "Error": "failure",
    "Inconclusive": "warning",
    "Successful": "success",
}
PHASES: dict[str, Tone] = {"Healthy": "success", "Progressing": "hint", "Paused": "warning", "Degraded": "failure"}


def role_symbol(symbols: Symbols, role: Tone, otherwise: str) -> str:
    """The symbol of what went well, badly, or without a verdict."""
    marks = {"success": symbols.ok, "failure": symbols.failed, "warning": symbols.unknown}
    return marks.get(role, otherwise)


def phase_symbol(symbols: Symbols, word: str) -> str:
    """The symbol of a phase; the plugin's meaning, one column wide everywhere."""
    marks = {
        "Healthy": symbols.ok,
        "Progressing": symbols.running,
        "Paused": symbols.paused,
        "Degraded": symbols.failed,
    }
    return marks.get(word, symbols.unknown)


def painted(text: str, style: str) -> str:
    """A text in a colour: the numbers of SGR, or nothing."""
    return f"\x1b[{style}m{text}\x1b[0m" if style and text else text


# Our symbols, bars and dots: nothing is loaded to count them.
_ONE_COLUMN = frozenset(
    {*map(chr, range(0x20, 0x7F)), *map(chr, range(0x2500, 0x25FD)), *map(chr, range(0x2800, 0x2900)), *"✔✖‖•·→…≈"}
)


def columns_of(text: str) -> int:
    """The columns that a text takes."""
    if text.isascii() or _ONE_COLUMN.issuperset(text):
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - only where it is more than counting

    return cell_len(text)


def cut(text: str, room: int, more: str) -> str:
    """At most `room` columns, with a mark where the end was cut off."""
    if columns_of(text) <= room:
        return text
    return _start(text, room - columns_of(more)) + more if room > 0 else ""


def cut_start(text: str, room: int, more: str) -> str:
    """At most `room` columns of the end, where that is what tells one name from another."""
    if columns_of(text) <= room:
        return text
    return more + _start(text[::-1], room - columns_of(more))[::-1] if room > 0 else ""


def filled(text: str, room: int) -> str:
    """With blanks behind it, `room` columns wide."""
    return text + " " * (room - columns_of(text))


def _start(text: str, room: int) -> str:
    used = 0
    for n, character in enumerate(text):
        used += columns_of(character)
        if used > room:
            return text[:n]
    return text


Part = str | tuple[str, Tone]
Line = tuple[Part, ...]
Cell = Part | list[Part]


def part_text(part: Part) -> str:
    return part if isinstance(part, str) else part[0]


def width(line: Iterable[Part]) -> int:
    return columns_of("".join([p if isinstance(p, str) else p[0] for p in line]))


def _parts(cell: Cell) -> Sequence[Part]:
    return cell if isinstance(cell, list) else (cell,)


def plain_text(line: Iterable[Part]) -> str:
    """The line without roles and without trailing blanks."""
    return "".join(p if isinstance(p, str) else p[0] for p in line).rstrip()


class Column(Struct, frozen=True, dict=True):
    """One column of a table. Where room is short the one with the lowest `keep` goes first.
    `least`: how wide it is at least, so that it stays where it is while its values change."""

    heading: str
    cells: Sequence[Cell]
    align: Literal["left", "right"] = "left"
    keep: int = 9
    least: int = 0

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """The columns that each cell takes."""
        return tuple(width(_parts(c)) for c in self.cells)

    @cached_property
    def width(self) -> int:
        return max(len(self.heading), self.least, *self.widths)

    @property
    def empty(self) -> bool:
        return not any(plain_text(_parts(c)).strip() for c in self.cells)


def table(columns: Sequence[Column], room: int, *, indent: int = 2, gap: int = 2) -> list[Line]:
    """Headings and rows, each at most `room` wide as long as there is a column to drop; columns
    with nothing in them are left out."""
    kept = fitting(columns, room, indent=indent, gap=gap)
    if not kept:
        return []
    rows: list[list[tuple[Cell, int]]] = [[(c.heading, len(c.heading)) for c in kept]]
    rows += [[(c.cells[n], c.widths[n]) for c in kept] for n in range(len(kept[0].cells))]
    return [_row(cells, kept, indent, gap) for cells in rows if any(used for _, used in cells)]


def fitting(columns: Sequence[Column], room: int, *, indent: int = 2, gap: int = 2) -> list[Column]:
    """The columns that a table of that width has."""
    kept = [c for c in columns if not c.empty]
    while len(kept) > 1 and table_width(kept, indent=indent, gap=gap) > room:
        kept.remove(min(reversed(kept), key=lambda c: c.keep))
    return kept


def table_width(columns: Sequence[Column], *, indent: int = 2, gap: int = 2) -> int:
    gaps = sum(gap if c.heading else 1 for c in columns[:-1])
    return indent + sum(c.width for c in columns) + gaps


def _row(cells: list[tuple[Cell, int]], columns: list[Column], indent: int, gap: int) -> Line:
    """`cells` have the columns next to them that they take."""
    row: list[Part] = [" " * indent]
    for n, ((cell, used), column) in enumerate(zip(cells, columns, strict=True)):
        blank = " " * (column.width - used)
        row += [" " * (gap if columns[n - 1].heading else 1)] if n else []
        row += [blank, *_parts(cell)] if column.align == "right" else [*_parts(cell), blank]
    return tuple(row)


def joined(pieces: Sequence[tuple[int, str]], room: int, separator: str) -> str:
    """Pieces in their order with a separator; where room is short those with the lowest number
    are left out first."""
    kept = [p for p in pieces if p[1]]
    while len(kept) > 1 and columns_of(separator.join(p[1] for p in kept)) > room:
        kept.remove(min(reversed(kept), key=lambda p: p[0]))
    return separator.join(p[1] for p in kept)


def wrapped(text: str, room: int, *, most: int = 3, more: str = "…") -> list[str]:
    """Text broken at blanks into at most `most` lines; what does not fit is cut off with a mark."""
    lines: list[str] = [""]
    for word in text.split():
        if lines[-1] and columns_of(lines[-1]) + 1 + columns_of(word) > room:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    if len(lines) > most:
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return [cut(line, room, more) for line in lines if line]
