"""The table of the metrics on a screen: values, limits, verdicts and the trend of each."""

import math
from collections.abc import Sequence
from datetime import timedelta

from companyos_canary.argo.limits import Limit
from companyos_canary.argo.metric_rows import MetricRow
from companyos_canary.argo.picture import Picture
from companyos_canary.model.snapshot import Live, LiveMetric, Missing
from companyos_canary.view import advice
from companyos_canary.view.chart import merged, resampled
from companyos_canary.view.format import duration, limit_text, shorten, sparkline, value_text
from companyos_canary.view.lines import (
    Cell,
    Column,
    Facts,
    Line,
    Part,
    Role,
    Symbols,
    cut,
    fitting,
    role_symbol,
    table,
    table_width,
)

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


_LONGEST_TREND, _SHORTEST_TREND = 60, 10
_ALL = 1000
_VALUE, _NAME, _WIDE = 8, 24, 60  # columns
_MISSING = {"too few requests": "few", "several series": "several"}
_OLD = timedelta(seconds=15)
ROLES: dict[str, Role] = {
    "ok": "success",
    "failing": "failure",
    "error": "failure",
    "no data": "warning",
    "no verdict": "warning",
    "waiting": "",
}


def metrics_lines(picture: Picture, facts: Facts, most: int = _ALL) -> list[Line]:
    """The `most` worst of them. None where nothing is judged any more: promoted, and also while
    that is restarted."""
    rows, rollout = picture.metrics, picture.snapshot.rollout
    promoted = rollout.is_fully_promoted and rollout.observed
    if not rows or promoted or picture.progress.activity == "healthy":
        return []
    if most == 0:
        return [_in_one_line(rows, facts)]
    hidden, rows = len(rows) - most, worst(rows, most)
    columns = _columns(rows, picture.live, facts)
    placeholder = Column("TREND", ["x"] * len(rows), keep=5, least=_SHORTEST_TREND)
    fitted = fitting([*columns, placeholder], facts.width)
    if placeholder in fitted:
        room = placeholder.width + facts.width - table_width(fitted)
        lines = [trend(r.history, r.limit, min(room, _LONGEST_TREND), facts.symbols) for r in rows]
        fitted[-1] = Column("TREND", [list(line) for line in lines])
    more: list[Line] = [(f"    and {hidden} more",)] if hidden > 0 else []
    below = [*_messages(rows, facts.width, facts.symbols), *_legend(picture, facts)]
    return [*table(fitted, facts.width), *more, *below]


def _in_one_line(rows: tuple[MetricRow, ...], facts: Facts) -> Line:
    """The worst metric, and how many there are: for a terminal without room for a table."""
    first, bad = worst(rows, 1)[0], [r for r in rows if ROLES[r.verdict] != "success"]
    if not bad:
        return ("  metrics  ", (f"{facts.symbols.ok} all {len(rows)} ok", "success"))
    more = f", {len(bad) - 1} more" if len(bad) > 1 else ""
    told = f"{first.name} {first.verdict}: {value(first)} ({limit_text(first.limit, first.unit)})"
    return (f"  {facts.symbols.dot} ", (told, ROLES[first.verdict]), f"{more} of {len(rows)}")


def worst(rows: tuple[MetricRow, ...], most: int) -> tuple[MetricRow, ...]:
    """So many rows in their order, those that are bad before those that are good."""
    order: list[Role] = ["failure", "warning", "", "success"]
    kept = sorted(rows, key=lambda r: order.index(ROLES[r.verdict]))[:most]
    return tuple(r for r in rows if r in kept)


def _columns(rows: tuple[MetricRow, ...], live: Live | None, facts: Facts) -> list[Column]:
    symbols, least = facts.symbols, _VALUE if facts.width >= _WIDE else 0
    roles = [ROLES[r.verdict] for r in rows]
    now = [(live.metric(r.name) if live else None) for r in rows]
    both = list(zip(rows, now, strict=True))
    current = [_now(r, m.canary, m.missing, symbols) if m else "" for r, m in both]
    stable = [_now(r, m.stable, "", symbols) if m else "" for r, m in both]
    return [
        Column("", [(role_symbol(symbols, x, symbols.waiting), x) for x in roles], keep=10),
        Column("METRIC", [shorten(r.name, _NAME, symbols) for r in rows], keep=10),
        Column(
            "CANARY", [_canary(r, n) for r, n in zip(rows, current, strict=True)], align="right", keep=9, least=least
        ),
        Column("NOW", current, align="right", keep=2, least=least),
        Column("STABLE", stable, align="right", keep=6, least=least),
        Column("LIMIT", [limit_text(r.limit, r.unit) for r in rows], align="right", keep=7),
        Column("VERDICT", [(r.verdict, x) for r, x in zip(rows, roles, strict=True)], keep=8),
        Column("FAILED", [failed(r) for r in rows], align="right", keep=3, least=least),
        Column("REQUESTS", [_requests(m) for m in now], align="right", keep=4),
        *(_so_far(rows) if [r for r in rows if r.sequential] else ()),
    ]


def _so_far(rows: tuple[MetricRow, ...]) -> list[Column]:
    """What all requests say together."""
    cells: list[Cell] = [(advice.short(r.advice), advice.ROLES[r.advice.verdict]) if r.advice else "" for r in rows]
    return [Column("SO FAR", cells, keep=1)]


def value(row: MetricRow) -> str:
    """The newest measured value in words."""
    if row.verdict == "waiting":
        return "-"
    if row.known is None:
        return "NaN" if row.value is not None and math.isnan(row.value) else "none"
    return value_text(row.value, row.unit, limit=row.limit)


def failed(row: MetricRow) -> str:
    """`2 of 4`: failed measurements of those the newest run has made."""
    return f"{row.failed} of {row.measured}" if row.measured else "-"


def _canary(row: MetricRow, now: str) -> str:
    """What was measured; before the first measurement what Prometheus says, marked as such."""
    return (now or value(row)) if row.verdict == "waiting" else value(row)


def _now(row: MetricRow, number: float | None, missing: Missing, symbols: Symbols) -> str:
    if number is not None:
        return symbols.now + value_text(number, row.unit, limit=row.limit)
    return symbols.now + _MISSING.get(missing, missing) if missing else ""


def _requests(metric: LiveMetric | None) -> Cell:
    """How many, and of how many where that is too few to judge."""
    if metric is None or metric.requests is None:
        return ""
    count = f"{metric.requests:,.0f}"
    if metric.needed is not None and metric.requests < metric.needed:
        return (f"{count} of {metric.needed:,.0f}", "warning")
    return count


def _messages(rows: tuple[MetricRow, ...], room: int, symbols: Symbols) -> list[Line]:
    """What the provider said where it could not answer; the same only once."""
    said = dict.fromkeys(" ".join(r.message.split()) for r in rows if r.verdict == "error")
    lines = (f"    {text}" for text in said if text)
    return [((cut(t, room, symbols.more), "failure"),) for t in lines]


def _legend(picture: Picture, facts: Facts) -> list[Line]:
    """Where the marked values come from, and what is missing for a verdict."""
    live, symbols = picture.live, facts.symbols
    if live is None:
        return []
    if live.problem:
        text = f"    no values of now: {live.problem}"
        return [((cut(text, facts.width, symbols.more), "hint"),)]
    few = [m.name for m in live.metrics if m.missing == "too few requests"]
    lines: list[Line] = []
    if few:
        text = f"    {symbols.unknown} too few requests to judge: {', '.join(few)}"
        lines.append(((cut(text, facts.width, symbols.more), "warning"),))
    age = picture.now - live.at
    when = f"{duration(age)} ago" if age >= _OLD else "now"
    text = f"    {symbols.now} {when}, from {live.address}; the rest was measured"
    return [*lines, ((cut(text, facts.width, symbols.more), "hint"),)]
