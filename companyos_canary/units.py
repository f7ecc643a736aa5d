"""Spans, measured numbers and their limits as people read them."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

from companyos_canary.argo.limits import Limit, Unit
from companyos_canary.model.quantity import parse_duration

_FEW = r"(\d+) of (\d+) (?:stable )?requests in (\w+)"


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
        return "infinite" if unit == "times" and value > 0 else "+Inf" if value > 0 else "-Inf"
    text = _written(value, unit, 0)
    if limit is not None and value != limit.value and text == _written(limit.value, unit, 0):
        return _written(value, unit, 1)
    return text


def said_text(name: str, value: float | None, unit: Unit, *, limit: Limit | None = None) -> str:
    """The same in a sentence: `infinite, as stable had none` where a metric compares errors with none."""
    why = ", as stable had none" if name == "error-ratio" and value == math.inf else ""
    return value_text(value, unit, limit=limit) + why


_FORMS: Mapping[Unit, tuple[float, int, str]] = {
    "percent": (100, 1, " %"),
    "seconds": (1, 2, " s"),
    "milliseconds": (1, 0, " ms"),
    "times": (1, 2, " x"),
    "number": (1, 3, ""),
}
"""By what the number is multiplied, its digits, and what follows it."""


def _written(value: float, unit: Unit, more: int | None) -> str:
    """With so many `more` digits than usual; None for all that a number has."""
    if unit == "seconds" and abs(value) < 1:
        value, unit = value * 1000, "milliseconds"
    factor, digits, tail = _FORMS[unit]
    number = value * factor
    if unit == "number":
        if more is None:
            return f"{number:,g}"
        return f"{number:,.{more}f}" if abs(number) >= 1000 else f"{number:.{digits + more}g}"
    return f"{number:g}{tail}" if more is None else f"{number:.{digits + more}f}{tail}"


def limit_text(limit: Limit | None, unit: Unit) -> str:
    """The limit as it is written by people: `< 5 %`, `> 99 %`, `< 300 ms`; empty without one."""
    return f"{limit.operator} {_written(limit.value, unit, None)}" if limit else ""


def bound_text(limit: Limit, unit: Unit) -> str:
    """The limit's number alone: `5 %`, `300 ms`, `1.2 x`."""
    return _written(limit.value, unit, None)


def too_few_sentence(found: Sequence[tuple[str, str]], judged: int) -> str:
    """`too few requests to judge (60 of 100): all 5 metrics; at this rate 100 take 8m20s`, once for all, with the
    fewest; empty if there were enough. Of each metric without a verdict `60 of 100 requests in 5m` (or empty), and its
    name; `judged` is how many metrics there are."""
    scarce = [(float(few.partition(" ")[0]), few, name) for few, name in found if few]
    if not scarce:
        return ""
    few = min(scarce)[1]
    every = len(scarce) == judged and judged > 1
    names = f"all {judged} metrics" if every else ", ".join(name for _, _, name in scarce)
    return f"too few requests to judge ({few.partition(' requests')[0]}): {names}{_at_this_rate(few)}"


def _at_this_rate(few: str) -> str:
    """Of `60 of 100 requests in 5m`: `; at this rate 100 take 8m20s`; empty if nothing came."""
    told = re.fullmatch(_FEW, few)
    if told is None or float(told[1]) <= 0:
        return ""
    try:
        takes = parse_duration(told[3]) * (float(told[2]) / float(told[1]))
    except (ValueError, OverflowError):
        return ""
    return f"; at this rate {told[2]} take {duration(takes)}"
