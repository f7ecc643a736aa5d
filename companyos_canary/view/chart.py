"""Values over time against a limit: as bars, and as lines in dots, those of the canary with the stable ones and where
each weight began. Pure; where the values come from does not matter."""

import math
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby

from msgspec import Struct

from companyos_canary.argo.limits import Limit, Unit
from companyos_canary.argo.metric_rows import MetricRow
from companyos_canary.argo.timeline import Points
from companyos_canary.view.format import bound_text, clock, share_between, shorten, value_text
from companyos_canary.view.lines import Line, Part, Symbols, Tone

GUTTER = 10  # columns for the scale; none where a chart of bars would be narrower than it
NARROWEST = 2 * GUTTER
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # of a braille cell, by column and from above
_BRAILLE = 0x2800


def bars_in(width: int) -> int:
    """How many bars a chart of that width has."""
    return max(0, width - GUTTER if width >= NARROWEST else width)


def chart(
    points: Sequence[float | None], limit: Limit | None, unit: Unit, *, width: int, height: int, symbols: Symbols
) -> list[Line]:
    """`height` lines, each at most `width` wide: bars in eighths of a line, those beyond the limit
    as failures, and the limit as a line where no bar covers it. None and NaN are gaps, +Inf is
    full height. Of more points than columns the worst ones are shown. Where no value is known
    `no data` is there."""
    values = resampled(points, bars_in(width), limit)
    if height < 1 or not values:
        return []
    if all(v is None for v in values):
        return [(("no data"[:width], "warning"),), *[()] * (height - 1)]
    scale = _Scale(values, limit, height)
    cells = [[_cell(v, row, scale, symbols) for v in values] for row in range(height)]
    labels = _labels(scale, unit)
    lines: list[Line] = []
    for row in reversed(range(height)):
        label: Part = ""
        if width >= NARROWEST:
            label = (f"{shorten(labels.get(row, ''), GUTTER - 1, symbols):>{GUTTER - 1}} ", "hint")
        lines.append((label, *merged_cells(cells[row])))
    return lines


def time_axis(start: datetime, end: datetime, now: datetime, *, width: int) -> Line:
    """The two ends of the time beneath a chart of that width."""
    left, right = clock(start, now).strip(), clock(end, now).strip()
    room = bars_in(width)
    blank = room - len(left) - len(right)
    text = f"{left}{' ' * blank}{right}" if blank > 0 else right[:room].rjust(room)
    return ((" " * (width - room if width > 0 else 0) + text, "hint"),)


def resampled(points: Sequence[float | None], columns: int, limit: Limit | None) -> list[float | None]:
    """One value a column. Of several the worst with regard to the limit: the lowest where the limit
    is a lower one, else the highest. Of few points each fills several columns."""
    known = [None if p is None or math.isnan(p) else p for p in points]
    if not known or columns < 1:
        return []
    count = len(known)
    if count <= columns:
        return [known[c * count // columns] for c in range(columns)]
    worst = min if limit and not limit.is_upper else max
    found: list[float | None] = []
    for c in range(columns):
        bucket = known[c * count // columns : (c + 1) * count // columns]
        found.append(worst((v for v in bucket if v is not None), default=None))
    return found


class _Scale:
    """Heights in eighths of a line. With an upper limit (or none) from 0, with a lower one from
    under it. `ends` are the values at the bottom and at the top; +Inf has a line of its own."""

    def __init__(self, values: Sequence[float | None], limit: Limit | None, height: int) -> None:
        finite = [v for v in values if v is not None and math.isfinite(v)]
        bounds = [*finite, *([limit.value] if limit else [])] or [0.0]
        low, high = min(bounds), max(bounds)
        under = 0.0 if limit is None or limit.is_upper else limit.value - (high / 4 - limit.value / 4)
        low = min(low, under)
        if low == high:
            low, high = (low - abs(low) / 2, high) if low else (0.0, 1.0)
        low, high = max(low, -sys.float_info.max), min(high, sys.float_info.max)
        self.ends = (low, high)
        self.limit = limit
        self.full = 8 * height
        self._room = self.full - 8 if math.inf in values and height > 1 else self.full
        self.limit_row = None if limit is None else self.row_of(limit.value)

    def eighths(self, value: float) -> int:
        """At least one, so that a known value is never a gap."""
        if math.isinf(value):
            return self.full if value > 0 else 1
        return min(self._room, max(1, round(share_between(value, *self.ends) * self._room)))

    def row_of(self, value: float) -> int:
        """Counted from below."""
        return (self.eighths(value) - 1) // 8


def _cell(value: float | None, row: int, scale: _Scale, symbols: Symbols) -> tuple[str, Tone]:
    filled = 0 if value is None else scale.eighths(value) - 8 * row
    if filled > 0 and value is not None:
        bad = scale.limit is not None and scale.limit.broken_by(value)
        return symbols.levels[min(filled, 8) - 1], "failure" if bad else ""
    if row == scale.limit_row:
        return symbols.bar_open, "warning"
    return (symbols.gap, "hint") if value is None and row == 0 else (" ", "")


def _labels(scale: _Scale, unit: Unit) -> dict[int, str]:
    """The texts of the scale by row; the limit goes before the ends."""
    low, high = scale.ends
    labels = {0: value_text(low, unit), scale.row_of(high): value_text(high, unit)}
    if scale.full // 8 - 1 not in labels:
        labels[scale.full // 8 - 1] = value_text(math.inf, unit)
    if scale.limit and scale.limit_row is not None:
        labels[scale.limit_row] = bound_text(scale.limit, unit)
    return labels


def merged_cells(cells: Sequence[tuple[str, Tone]]) -> list[Part]:
    """Neighbours of one role as one part."""
    parts = groupby(cells, key=lambda c: c[1])
    return [("".join(mark for mark, _ in of_one), role) for role, of_one in parts]


class TimeAxis(Struct, frozen=True):
    """What a chart reaches over, its width in columns, and when each weight began."""

    start: datetime
    end: datetime
    columns: int
    weights: tuple[tuple[datetime, float], ...] = ()

    def share(self, at: datetime) -> float:
        """0.0 at the start and 1.0 at the end."""
        whole = (self.end - self.start).total_seconds()
        return (at - self.start).total_seconds() / whole if whole > 0 else 1.0

    def column(self, at: datetime) -> int:
        return min(self.columns - 1, max(0, int(self.share(at) * self.columns)))

    @property
    def borders(self) -> dict[int, float]:
        """Weights by the column in which they began."""
        return {self.column(at): weight for at, weight in self.weights if self.start <= at <= self.end}


def plot(
    canary: Points, stable: Points, row: MetricRow, time: TimeAxis, *, height: int, symbols: Symbols
) -> list[Line]:
    """`height` lines: a line for the canary, red beyond the limit, a dotted one for stable, the limit across, and a
    thin upright where a weight began."""
    limit, unit = row.limit, row.unit
    low, high = _ends([v for _, v in (*canary, *stable) if v is not None and math.isfinite(v)], limit)
    levels = height * (4 if symbols.dots else 1)
    canvas = _Canvas(time, low, high, levels, symbols.dots)
    own = canvas.cells(canvas.line(canary))
    other = canvas.cells(d for d in canvas.line(stable) if d[0] % 4 < 2 or not symbols.dots)
    limit_row = None if limit is None else canvas.level(limit.value) * height // levels
    labels = {height - 1: value_text(low, unit), 0: value_text(high, unit)}
    if limit and limit_row is not None:
        labels[limit_row] = bound_text(limit, unit)
    broken = canvas.cells(_beyond(canary, limit, canvas))
    lines: list[Line] = []
    for line in range(height):
        cells: list[tuple[str, Tone]] = []
        for column in range(time.columns):
            mine, theirs = own.get((line, column), 0), other.get((line, column), 0)
            if mine:
                cells.append((_mark(mine | theirs, symbols, "*"), "failure" if (line, column) in broken else "hint"))
            elif theirs:
                cells.append((_mark(theirs, symbols, "."), ""))
            elif line == limit_row:
                cells.append((symbols.across, "warning"))
            else:
                cells.append((symbols.limit, "off") if column in time.borders else (" ", ""))
        edge: Tone = "warning" if line == limit_row else "hint"
        lines.append(((f"{labels.get(line, '')[: GUTTER - 1]:>{GUTTER - 1}} ", edge), *merged_cells(cells)))
    return lines


def _mark(bits: int, symbols: Symbols, plain: str) -> str:
    return chr(_BRAILLE + bits) if symbols.dots else plain


def _beyond(points: Points, limit: Limit | None, canvas: "_Canvas") -> set[tuple[int, int]]:
    """The dots of a line that are beyond the limit, and every point that breaks it however little."""
    if limit is None:
        return set()
    at, upper = canvas.level(limit.value), limit.is_upper
    found = {d for d in canvas.line(points) if (d[1] < at if upper else d[1] > at)}
    return found.union(*(canvas.line((point,)) for point in points if limit.broken_by(point[1])))


def axis(time: TimeAxis, now: datetime, symbols: Symbols) -> list[Line]:
    """The time under the charts, with the weights where they began."""
    rule = "".join(symbols.border if c in time.borders else symbols.bar_open for c in range(time.columns))
    left, right = clock(time.start, now).strip(), clock(time.end, now).strip()
    told = [" "] * time.columns
    borders = [(c, f"{w} %") for c, w in time.borders.items()]
    for at, text in [*borders, (time.columns - len(right), right), (0, left)]:
        place = max(0, min(at, time.columns - len(text)))
        around = told[max(0, place - 1) : place + len(text) + 1]
        if all(c == " " for c in around):
            told[place : place + len(text)] = text
    return [((" " * GUTTER + rule, "hint"),), ((" " * GUTTER + "".join(told), "hint"),)]


def _ends(known: Sequence[float], limit: Limit | None) -> tuple[float, float]:
    bounds = [*known, *([limit.value] if limit else [])] or [0.0, 1.0]
    low, high = min(bounds), max(bounds)
    under = 0.0 if limit is None or limit.is_upper else limit.value - (high - limit.value) / 4
    low = min(low, under)
    return (low, high) if high > low else (low - 1.0, low + 1.0)


class _Canvas(Struct, frozen=True):
    """Dots of a chart: `levels` in height, in braille four to a line and two to a column of the terminal."""

    time: TimeAxis
    low: float
    high: float
    levels: int
    braille: bool

    def level(self, value: float) -> int:
        """Counted from above; what is outside is at the edge."""
        if math.isinf(value):
            return 0 if value > 0 else self.levels - 1
        share = share_between(value, self.low, self.high)
        return self.levels - 1 - min(self.levels - 1, max(0, round(share * (self.levels - 1))))

    def line(self, points: Points) -> set[tuple[int, int]]:
        """Columns and levels of a line through the points; it is broken where there is no number."""
        wide = self.time.columns * (2 if self.braille else 1)
        found: set[tuple[int, int]] = set()
        before: tuple[int, int] | None = None
        for at, value in points:
            if value is None or math.isnan(value) or not self.time.start <= at <= self.time.end:
                before = None
                continue
            here = min(wide - 1, int(self.time.share(at) * wide)), self.level(value)
            found.update(_between(before or here, here))
            before = here
        return found

    def cells(self, dots: Iterable[tuple[int, int]]) -> dict[tuple[int, int], int]:
        """By line and column of the terminal, the dots that are set there."""
        wide, high = (2, 4) if self.braille else (1, 1)
        found: dict[tuple[int, int], int] = {}
        for x, y in dots:
            cell = y // high, x // wide
            found[cell] = found.get(cell, 0) | _DOTS[x % wide][y % high]
        return found


def _between(start: tuple[int, int], end: tuple[int, int]) -> Iterable[tuple[int, int]]:
    steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    for n in range(steps + 1):
        share = n / steps
        yield round(start[0] + (end[0] - start[0]) * share), round(start[1] + (end[1] - start[1]) * share)
