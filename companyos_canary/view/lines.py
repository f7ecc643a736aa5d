"""Lines of text with roles: what every part of a screen is made of before anything is coloured."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from companyos_canary.view.cells import columns_of, cut
from companyos_canary.view.theme import Role

Part = str | tuple[str, Role]
Line = tuple[Part, ...]


def words(part: Part) -> str:
    return part if isinstance(part, str) else part[0]


def width(line: Iterable[Part]) -> int:
    return sum(columns_of(words(p)) for p in line)


def plain(line: Iterable[Part]) -> str:
    """The line without roles and without trailing blanks."""
    return "".join(words(p) for p in line).rstrip()


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table. Where room is short the one with the lowest `keep` goes first."""

    heading: str
    cells: Sequence[Part]
    align: Literal["left", "right"] = "left"
    keep: int = 9

    @property
    def width(self) -> int:
        return max(len(self.heading), *(columns_of(words(c)) for c in self.cells), 0)

    @property
    def empty(self) -> bool:
        return not any(words(c).strip() for c in self.cells)


def table(columns: Sequence[Column], room: int, *, indent: int = 2, gap: int = 2) -> list[Line]:
    """Headings and rows, each at most `room` wide as long as there is a column to drop; columns
    with nothing in them are left out."""
    kept = [c for c in columns if not c.empty]
    while len(kept) > 1 and indent + sum(c.width + gap for c in kept) - gap > room:
        kept.remove(min(reversed(kept), key=lambda c: c.keep))
    if not kept:
        return []
    rows: list[list[Part]] = [[c.heading for c in kept]]
    rows += [[c.cells[n] for c in kept] for n in range(len(kept[0].cells))]
    return [_row(cells, kept, indent, gap) for cells in rows if any(words(c) for c in cells)]


def _row(cells: list[Part], columns: list[Column], indent: int, gap: int) -> Line:
    parts: list[Part] = [" " * indent]
    for n, (cell, column) in enumerate(zip(cells, columns, strict=True)):
        blank = " " * (column.width - columns_of(words(cell)))
        parts += [" " * (gap if columns[n - 1].heading else 1)] if n else []
        parts += [blank, cell] if column.align == "right" else [cell, blank]
    return tuple(parts)


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
