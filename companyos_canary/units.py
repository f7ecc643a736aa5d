"""Spans, measured numbers and their limits as people read them."""

import math
from datetime import timedelta

from companyos_canary.argo.limits import Limit, Unit


def duration(span: timedelta) -> str:
    """Two units at most, the smaller one padded: `48s`, `3m12s`, `2h05m`, `3d04h`."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02}s"
    if seconds < 86400:
        return f"{seconds // 3600}h{seconds % 3600 // 60:02}m"
    return f"{seconds // 86400}d{seconds % 86400 // 3600:02}h"


def value_text(value: float | None, unit: Unit, *, limit: Limit | None = None) -> str:
    """A measured value: `11.2 %`, `184 ms`, `1.02 x`, `no data`; one digit more where it would
    otherwise look like its limit."""
    if value is None or math.isnan(value):
        return "no data"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = _measured(value, unit, 0)
    if limit is not None and value != limit.value and text == _measured(limit.value, unit, 0):
        return _measured(value, unit, 1)
    return text


def _measured(value: float, unit: Unit, more: int) -> str:
    match unit:
        case "percent":
            return f"{value * 100:.{1 + more}f} %"
        case "seconds":
            return f"{value:.{2 + more}f} s" if abs(value) >= 1 else f"{value * 1000:.{more}f} ms"
        case "milliseconds":
            return f"{value:.{more}f} ms"
        case "times":
            return f"{value:.{2 + more}f} x"
        case "number":
            return f"{value:,.{more}f}" if abs(value) >= 1000 else f"{value:.{3 + more}g}"


def limit_text(limit: Limit | None, unit: Unit) -> str:
    """The limit as it is written by people: `< 5 %`, `> 99 %`, `< 300 ms`; empty without one."""
    return f"{limit.operator} {bound_text(limit, unit)}" if limit else ""


def bound_text(limit: Limit, unit: Unit) -> str:
    """The limit's number alone: `5 %`, `300 ms`, `1.2 x`."""
    number = limit.value
    match unit:
        case "percent":
            return f"{number * 100:.6g} %"
        case "seconds":
            return f"{number:g} s" if abs(number) >= 1 else f"{number * 1000:g} ms"
        case "milliseconds":
            return f"{number:g} ms"
        case "times":
            return f"{number:g} x"
        case "number":
            return f"{number:,g}"
