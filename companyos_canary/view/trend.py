"""Measurements of a whole canary in one line: the limit is marked, those beyond it told apart."""

import math
from collections.abc import Sequence

from companyos_canary.argo.limits import Limit
from companyos_canary.view.chart import merged, resampled
from companyos_canary.view.format import sparkline
from companyos_canary.view.lines import Part
from companyos_canary.view.theme import Role, Symbols

_MARK = 2  # columns: a line, and the height of the limit


def trend(values: Sequence[float | None], limit: Limit | None, room: int, symbols: Symbols) -> list[Part]:
    """`▂▃▂▂▇█┊▄`: as many marks as there are measurements, the worst of neighbours where they are
    more than there is room for; behind the line stands the limit, on the same scale."""
    shown = thinned(values, room - _MARK if limit else room, limit)
    if not any(v is not None and not math.isnan(v) for v in shown):
        return [symbols.gap * len(shown)]
    marks = sparkline([*shown, limit.value] if limit else shown, limit, symbols)
    roles: list[Role] = ["failure" if limit and limit.broken_by(v) else "" for v in shown]
    parts = merged(list(zip(marks, roles, strict=False)))
    return [*parts, (symbols.limit + marks[-1], "hint")] if limit else parts


def thinned(values: Sequence[float | None], most: int, limit: Limit | None) -> Sequence[float | None]:
    """At most so many, each the worst of its neighbours: one bad measurement is never lost."""
    return values if len(values) <= most else resampled(values, most, limit)
