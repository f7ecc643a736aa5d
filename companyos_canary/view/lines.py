"""Lines of text with roles: what every part of a screen is made of before anything is coloured."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from companyos_canary.view.cells import columns_of, cut
from companyos_canary.view.theme import Role

Part = str | tuple[str, Role]
Line = tuple[Part, ...]
Cell = Part | list[Part]


def words(part: Part) -> str:
    return part if isinstance(part, str) else part[0]


def width(line: Iterable[Part]) -> int:
    return sum(columns_of(words(p)) for p in line)


def parts(cell: Cell) -> Sequence[Part]:
    return cell if isinstance(cell, list) else (cell,)


def plain(line: Iterable[Part]) -> str:
    """The line without roles and without trailing blanks."""
    return "".join(words(p) for p in line).rstrip()


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table. Where room is short the one with the lowest `keep` goes first.
    `least`: how wide it is at least, so that it stays where it is while its values change."""

    heading: str
    cells: Sequence[Cell]
    align: Literal["left", "right"] = "left"
    keep: int = 9
    least: int = 0

    @property
    def width(self) -> int:
        return max(len(self.heading), self.least, *(width(parts(c)) for c in self.cells))

    @property
    def empty(self) -> bool:
        return not any(plain(parts(c)).strip() for c in self.cells)


def table(columns: Sequence[Column], room: int, *, indent: int = 2, gap: int = 2) -> list[Line]:
    """Headings and rows, each at most `room` wide as long as there is a column to drop; columns
    with nothing in them are left out."""
    kept = fitting(columns, room, indent=indent, gap=gap)
    if not kept:
        return []
    rows: list[list[Cell]] = [[c.heading for c in kept]]
    rows += [[c.cells[n] for c in kept] for n in range(len(kept[0].cells))]
    return [_row(cells, kept, indent, gap) for cells in rows if any(plain(parts(c)) for c in cells)]


def fitting(columns: Sequence[Column], room: int, *, indent: int = 2, gap: int = 2) -> list[Column]:
    """The columns that a table of that width has."""
    kept = [c for c in columns if not c.empty]
    while len(kept) > 1 and table_width(kept, indent=indent, gap=gap) > room:
        kept.remove(min(reversed(kept), key=lambda c: c.keep))
    return kept


def table_width(columns: Sequence[Column], *, indent: int = 2, gap: int = 2) -> int:
    gaps = sum(gap if c.heading else 1 for c in columns[:-1])
    return indent + sum(c.width for c in columns) + gaps


def _row(cells: list[Cell], columns: list[Column], indent: int, gap: int) -> Line:
    row: list[Part] = [" " * indent]
    for n, (cell, column) in enumerate(zip(cells, columns, strict=True)):
        blank = " " * (column.width - width(parts(cell)))
        row += [" " * (gap if columns[n - 1].heading else 1)] if n else []
        row += [blank, *parts(cell)] if column.align == "right" else [*parts(cell), blank]
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
