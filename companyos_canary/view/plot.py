"""Lines over time in dots: the canary's values and the stable ones, the limit, and where each weight began. Pure."""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from companyos_canary.argo.durations import Points
from companyos_canary.argo.limits import Limit
from companyos_canary.argo.metric_rows import MetricRow
from companyos_canary.view.chart import merged_cells
from companyos_canary.view.format import bound_text, clock, value_text
from companyos_canary.view.lines import Line, Symbols, Tone

PLOT_GUTTER = 10  # columns for the scale
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # of a braille cell, by column and from above
_BRAILLE = 0x2800


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
        lines.append(((f"{labels.get(line, '')[: PLOT_GUTTER - 1]:>{PLOT_GUTTER - 1}} ", edge), *merged_cells(cells)))
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
    return [((" " * PLOT_GUTTER + rule, "hint"),), ((" " * PLOT_GUTTER + "".join(told), "hint"),)]


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
        span = self.high / 2 - self.low / 2  # halves: the whole may be too large
        share = (value / 2 - self.low / 2) / span if span > 0 else 0.5
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
