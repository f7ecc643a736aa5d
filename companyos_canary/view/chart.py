"""Values over time as bars against a limit. Pure; where the values come from does not matter."""

import math
import sys
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from companyos_canary.argo.limits import Limit, Unit
from companyos_canary.view.format import bound_text, clock, shorten, value_text
from companyos_canary.view.lines import Line, Part, Symbols, Tone

GUTTER = 10  # columns for the scale; none where the chart would be narrower than it
NARROWEST = 2 * GUTTER


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
        low, high = self.ends
        span = high / 2 - low / 2  # halves: the whole may be too large
        share = (value / 2 - low / 2) / span if span > 0 else 0.5
        return min(self._room, max(1, round(share * self._room)))

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
