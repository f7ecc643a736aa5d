"""Values as people read them: times, durations, numbers, versions, and key=value pairs."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from companyos_canary.argo.limits import Limit, number_text
from companyos_canary.argo.pods import is_far
from companyos_canary.model.outcome import FailedMetric
from companyos_canary.units import bound_text, duration, limit_text, said_text, value_text
from companyos_canary.view.lines import Symbols, cut

if TYPE_CHECKING:
    from companyos_canary.argo.picture import Picture

__all__ = [
    "about",
    "bound_text",
    "clock",
    "duration",
    "failure",
    "is_far",
    "keyed",
    "left",
    "limit_text",
    "quoted",
    "said_text",
    "share_between",
    "shorten",
    "sparkline",
    "value_text",
    "weight_text",
]


def about(span: timedelta) -> str:
    """A span that is only foreseen: `40s`, `4m`, `1h20m`."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return f"{seconds}s"
    minutes = round(seconds / 60)
    return f"{minutes}m" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"


def left(picture: "Picture") -> str:
    """Time until the step is over: `48s left`, or `due now` once it has passed, or `overdue by 27s`; empty where that
    is not known."""
    progress = picture.progress
    if progress.remaining is None:
        return ""
    if progress.overdue:
        return f"overdue by {duration(progress.overdue)}"
    return f"{duration(progress.remaining)} left" if progress.remaining >= timedelta(seconds=1) else "due now"


def clock(moment: datetime | None, now: datetime) -> str:
    """Eight characters in the time zone of `now`: `12:04:31`, or `02 Mar` and the hour before."""
    if moment is None:
        return " " * 8
    local = moment.astimezone(now.tzinfo)
    if abs(now - moment) < timedelta(hours=20):
        return local.strftime("%H:%M:%S")
    return local.strftime("%d %b").rjust(8)


def sparkline(values: Sequence[float | None], limit: Limit | None, symbols: Symbols) -> str:
    """One mark a measurement. With an upper limit the scale goes from 0 to it (or to the largest
    value), with a lower one from it upwards; None and NaN are a gap, +Inf the top."""
    known = [v for v in values if v is not None and math.isfinite(v)]
    if not known:
        return symbols.gap * len(values)
    bounds = [*known, *([limit.value] if limit else [])]
    low, high = min(bounds), max(bounds)
    if limit is not None and limit.is_upper:
        low = min(0.0, low)
    return "".join(_mark(v, low, high, symbols) for v in values)


def _mark(value: float | None, low: float, high: float, symbols: Symbols) -> str:
    if value is None or math.isnan(value):
        return symbols.gap
    top = len(symbols.levels) - 1
    if math.isinf(value):
        return symbols.levels[top if value > 0 else 0]
    return symbols.levels[min(top, max(0, round(share_between(value, low, high) * top)))]


def share_between(value: float, low: float, high: float) -> float:
    """Where a value is between two others: 0.0 at the low one, 1.0 at the high one, 0.5 where they are the same."""
    span = high / 2 - low / 2  # halves: the difference of two large numbers may be too large itself
    return (value / 2 - low / 2) / span if span > 0 else 0.5


def weight_text(weight: float, share: int | None) -> str:
    """`10 %`; `10 % (50 % of the pods)` where few pods cannot have that share."""
    return f"{weight} % ({share} % of the pods)" if is_far(weight, share) else f"{weight} %"


def shorten(text: str, width: int, symbols: Symbols) -> str:
    """One line of at most `width` columns, with a mark where something was cut off."""
    return cut(" ".join(text.split()), width, symbols.more)


def keyed(words: str, /, **values: str) -> str:
    """Words, then `key=value` for every value that is not empty."""
    return " ".join([words, *(f"{k}={quoted(v)}" for k, v in values.items() if v)])


def quoted(value: str) -> str:
    """As it is, or as a JSON string where it has blanks, quotes or control characters."""
    if value.isprintable() and not any(c in value for c in ' "='):
        return value
    import json  # noqa: PLC0415 - most values are a word

    told = " ".join(value.split())
    return json.dumps(told, ensure_ascii=not told.isprintable())


def failure(failed: tuple[FailedMetric, ...]) -> dict[str, str]:
    """The metric that ended it, as keys: `metric`, `value`, `limit`."""
    if not failed:
        return {}
    worst = failed[0]
    limit = "" if worst.limit is None else f"{worst.limit:g}"
    return {"metric": worst.metric, "value": number_text(worst.value) or "no-data", "limit": limit}
