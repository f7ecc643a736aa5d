"""Measurements of a whole canary in one line: the limit is marked, those beyond it told apart."""

import math
from collections.abc import Sequence
from itertools import pairwise

from companyos_canary.argo.limits import Limit
from companyos_canary.view.format import sparkline
from companyos_canary.view.lines import Part
from companyos_canary.view.theme import Role, Symbols

_MARK = 2  # columns: a line, and the height of the limit


def trend(
    values: Sequence[float | None], limit: Limit | None, room: int, symbols: Symbols
) -> list[Part]:
    """`▂▃▂▂▇█┊▄`: as many marks as there are measurements, the worst of neighbours where they are
    more than there is room for; behind the line stands the limit, on the same scale."""
    shown = thinned(values, limit, room - _MARK if limit else room)
    if not any(v is not None and not math.isnan(v) for v in shown):
        return [symbols.gap * len(shown)]
    marks = sparkline([*shown, limit.value] if limit else shown, limit, symbols)
    parts: list[Part] = []
    for value, mark in zip(shown, marks, strict=False):
        role: Role = "failure" if is_beyond(value, limit) else ""
        last = parts[-1] if parts else ""
        if parts and (last[1] if isinstance(last, tuple) else "") == role:
            before = last[0] if isinstance(last, tuple) else last
            parts[-1] = (before + mark, role) if role else before + mark
        else:
            parts.append((mark, role) if role else mark)
    return [*parts, (symbols.limit + marks[-1], "hint")] if limit else parts


def thinned(values: Sequence[float | None], limit: Limit | None, most: int) -> list[float | None]:
    """At most so many values, each the worst of its neighbours: one bad measurement is never lost.
    Without a limit the largest counts."""
    count = len(values)
    if count <= most:
        return list(values)
    edges = [n * count // most for n in range(most + 1)] if most > 0 else []
    return [_worst(values[a:b], limit) for a, b in pairwise(edges)]


def is_beyond(value: float | None, limit: Limit | None) -> bool:
    """Whether there is a number, and it is not a good one."""
    if value is None or limit is None or math.isnan(value):
        return False
    return not limit.holds(value)


def _worst(values: Sequence[float | None], limit: Limit | None) -> float | None:
    known = [v for v in values if v is not None and not math.isnan(v)]
    if not known:
        return None
    return min(known) if limit and limit.operator.startswith(">") else max(known)
