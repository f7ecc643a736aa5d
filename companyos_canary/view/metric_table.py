"""The table of the metrics on a screen: values, limits, verdicts and the trend of each."""

import math
from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache

from companyos_canary.argo.limits import Limit
from companyos_canary.argo.metric_rows import MetricRow
from companyos_canary.argo.picture import Picture
from companyos_canary.model.snapshot import LiveMetric
from companyos_canary.view import advice
from companyos_canary.view.chart import merged_cells, resampled
from companyos_canary.view.format import duration, limit_text, shorten, sparkline, value_text
from companyos_canary.view.lines import (
    Cell,
    Column,
    Facts,
    Line,
    Part,
    Symbols,
    Tone,
    cut,
    fitting,
    role_symbol,
    table,
    table_width,
)


def trend(values: Sequence[float | None], limit: Limit | None, room: int, symbols: Symbols) -> list[Part]:
    """`▂▃▂▂▆█▄`: as many marks as there are measurements, the worst of neighbours where they are more than there
    is room for. A full block is the limit, and what is beyond it; without a limit the largest value."""
    shown = thinned(values, room, limit)
    if limit is None or not any(v is not None and not math.isnan(v) for v in shown):
        return [sparkline(shown, None, symbols)]
    marks = [_mark(v, limit, symbols) for v in shown]
    return merged_cells(marks)


_trend = lru_cache(maxsize=64)(trend)  # of a metric, until it is measured again


def _mark(value: float | None, limit: Limit, symbols: Symbols) -> tuple[str, Tone]:
    found, top = limit.against(value), len(symbols.levels) - 1
    if found is None:
        return symbols.gap, ""
    used, bad = found
    return symbols.levels[top if bad else min(top - 1, round(used * top))], "failure" if bad else ""


def thinned(values: Sequence[float | None], most: int, limit: Limit | None) -> Sequence[float | None]:
    """At most so many, each the worst of its neighbours: one bad measurement is never lost."""
    return values if len(values) <= most else resampled(values, most, limit)


_LONGEST_TREND, _SHORTEST_TREND = 60, 10
_ALL = 1000
_VALUE, _NAME, _WIDE, _ROOMY, _GAUGE, _VERDICT = 8, 24, 60, 100, 6, 14  # columns
_MISSING = {"too few requests": "too few", "several series": "several"}
_ANSWER = 18  # columns of an answer that is no number
_OLD = timedelta(seconds=15)
VERDICT_ROLES: dict[str, Tone] = {
    "ok": "success",
    "failing": "failure",
    "error": "failure",
    "no data": "warning",
    "no verdict": "warning",
    "waiting": "",
}


def metrics_lines(picture: Picture, facts: Facts, most: int = _ALL) -> list[Line]:
    """The `most` worst of them. None if nothing is judged any more: promoted, and also while
    that is restarted."""
    rows, rollout = picture.metrics, picture.snapshot.rollout
    promoted = rollout.is_fully_promoted and rollout.observed
    if not rows or promoted or picture.progress.activity == "healthy":
        return []
    if most == 0:
        return [_in_one_line(rows, facts)]
    shown = worst_row(rows, most)
    more: list[Line] = [(f"    and {len(rows) - most} more",)] if len(rows) > most else []
    below = [*_messages(shown, facts.width, facts.symbols), *_remarks(picture, facts)]
    return [*_table(shown, picture.live.metrics if picture.live else (), facts), *more, *below]


@lru_cache(maxsize=8)
def _table(rows: tuple[MetricRow, ...], now: tuple[LiveMetric, ...], facts: Facts) -> tuple[Line, ...]:
    """Kept until a value changes: a frame is drawn each second, and a metric is measured once in a while."""
    columns = _columns(rows, now, facts)
    full = f"TREND, {facts.symbols.levels[-1]} = LIMIT" if any(r.limit for r in rows) else "TREND"
    placeholder = Column(full, ["x"] * len(rows), keep=1, least=_SHORTEST_TREND)
    fitted = fitting([*columns, placeholder], facts.width)
    if placeholder in fitted:
        room = placeholder.width + facts.width - table_width(fitted)
        lines = [_trend(r.history, r.limit, min(room, _LONGEST_TREND), facts.symbols) for r in rows]
        fitted[-1] = Column(full, [list(line) for line in lines])
    found = table(fitted, facts.width)
    for r in rows:
        if r.which:
            text = f"    {r.name} is the {r.which} of {r.values} values"
            found.append(((cut(text, facts.width, facts.symbols.more), "hint"),))
        if r.remark:
            found.append(((cut(f"    {r.name}: {r.remark}", facts.width, facts.symbols.more), "warning"),))
    return tuple(found)


def _in_one_line(rows: tuple[MetricRow, ...], facts: Facts) -> Line:
    """The worst metric, and how many there are: for a terminal without room for a table."""
    first, bad = worst_row(rows, 1)[0], [r for r in rows if VERDICT_ROLES[r.verdict] != "success"]
    if not bad:
        return ("  metrics  ", (f"{facts.symbols.ok} all {len(rows)} ok", "success"))
    more = f", {len(bad) - 1} more" if len(bad) > 1 else ""
    told = f"{first.name} {first.verdict}: {value(first)} ({limit_text(first.limit, first.unit)})"
    return (f"  {facts.symbols.dot} ", (told, VERDICT_ROLES[first.verdict]), f"{more} of {len(rows)}")


def worst_row(rows: tuple[MetricRow, ...], most: int) -> tuple[MetricRow, ...]:
    """So many rows in their order, those that are bad before those that are good."""
    order: list[Tone] = ["failure", "warning", "", "success"]
    kept = sorted(rows, key=lambda r: order.index(VERDICT_ROLES[r.verdict]))[:most]
    return tuple(r for r in rows if r in kept)


def _columns(rows: tuple[MetricRow, ...], live: tuple[LiveMetric, ...], facts: Facts) -> list[Column]:
    """In the order in which a row is read: value, limit, requests, interval, verdict. Before anything was
    measured the value is what Prometheus says now, `live`."""
    named = {m.name: m for m in reversed(live)}
    least, blank = _VALUE if facts.width >= _WIDE else 0, [""] * len(rows)
    cells = [_cells(r, named.get(r.name), facts) for r in rows]
    symbol, name, gauge, value, now, limit, requests, interval, verdict, so_far, stable = zip(*cells, strict=True)
    measured = any(r.verdict != "waiting" for r in rows)
    return [
        Column("", symbol, keep=10),
        Column("METRIC", name, keep=10),
        Column("USED" if any(gauge) else "", gauge, keep=5),
        Column("MEASURED" if measured else "NOW", value if measured else now, "right", keep=9, least=least),
        Column("LIMIT", limit, align="right", keep=7, least=least),
        Column("REQUESTS", requests, align="right", keep=6),
        Column("INTERVAL", interval, align="right", keep=3),
        Column("VERDICT", verdict, keep=8, least=_VERDICT),
        Column("SO FAR", so_far if facts.width >= _ROOMY else blank, keep=6),
        Column("STABLE", stable, align="right", keep=4),
        Column("NOW" if measured else "", now if measured else blank, align="right", keep=2),
    ]


@lru_cache(maxsize=64)
def _cells(row: MetricRow, metric: LiveMetric | None, facts: Facts) -> tuple[Cell, ...]:
    """What each column says of one metric; kept until a value of it changes."""
    role, symbols, found = _role(row), facts.symbols, row.advice
    gauge = _gauge(row, metric, role, symbols)
    now = _text(row, metric.canary) or _MISSING.get(metric.missing, metric.missing) if metric else ""
    return (
        (role_symbol(symbols, role, symbols.waiting), role),
        shorten(row.name, _NAME, symbols),
        gauge,
        value(row, symbols) if row.verdict != "waiting" else now and symbols.now + now,
        now,
        limit_text(row.limit, row.unit),
        _requests(row, metric),
        advice.measured(found) if found else "",
        (_verdict(row, facts, beyond=isinstance(gauge, tuple)), role),
        (advice.short_verdict(found), advice.SEQUENTIAL_ROLES[found.verdict]) if found else "",
        _text(row, metric.stable) if metric else "",
    )


def _role(row: MetricRow) -> Tone:
    """That of the verdict; a warning where all requests say that it is worse and no look has failed."""
    surely = row.sequential is not None and row.sequential.verdict == "worse"
    return "warning" if surely and row.verdict == "ok" else VERDICT_ROLES[row.verdict]


def _verdict(row: MetricRow, facts: Facts, *, beyond: bool) -> str:
    """What Argo Rollouts says by the newest look; where all requests of the update have no column of their own,
    with what they say together."""
    if row.verdict == "failing":
        return f"failing {row.failed} of {row.measured}"
    if row.verdict != "ok":
        return row.verdict
    if beyond and (row.sequential is None or row.sequential.verdict != "worse"):
        return "may be chance"  # beyond its limit, and passed: the rule asks for evidence, and there is none
    if row.sequential is None or facts.width >= _ROOMY:
        return row.verdict
    return {"worse": "ok, but worse", "not-worse": "ok, not worse", "open": "ok"}[row.sequential.verdict]


def _gauge(row: MetricRow, metric: LiveMetric | None, role: Tone, symbols: Symbols) -> Cell:
    """`██░░░░`: how much of the limit is used by what was measured, until then by what is now; beyond it `█████▶`."""
    waiting, limit = row.verdict == "waiting", row.limit
    number = metric.canary if waiting and metric else row.value
    found, full, empty = limit.against(number) if limit else None, symbols.gauge[0], symbols.gauge[1]
    if found is None:
        return ""
    used, broken = found
    if broken:
        return (full * (_GAUGE - 1) + symbols.gauge[2], "warning" if waiting or row.verdict == "ok" else role)
    filled = min(_GAUGE - 1, round(used * _GAUGE))
    return [(full * filled, role), (empty * (_GAUGE - filled), "off")]


def value(row: MetricRow, symbols: Symbols | None = None) -> str:
    """The newest measured value in words; an answer that is no number is shortened where `symbols` are given."""
    if row.verdict == "waiting":
        return "-"
    if row.text:
        return shorten(row.text, _ANSWER, symbols) if symbols else row.text
    if row.known is None:
        missing = "-" if row.verdict == "ok" else "none"
        return "NaN" if row.value is not None and math.isnan(row.value) else missing
    return value_text(row.value, row.unit, limit=row.limit)


def failed_text(row: MetricRow) -> str:
    """`2 of 4`: failed measurements of those the newest run has made."""
    return f"{row.failed} of {row.measured}" if row.measured else "-"


def _text(row: MetricRow, number: float | None) -> str:
    return "" if number is None else value_text(number, row.unit, limit=row.limit)


def _requests(row: MetricRow, metric: LiveMetric | None) -> Cell:
    """How many there are now, or were behind the value that was measured."""
    if metric is not None and metric.requests is not None:
        few = metric.needed is not None and metric.requests < metric.needed
        return (f"{metric.requests:,.0f}", "warning" if few else "")
    return "" if row.requests is None else f"{row.requests:,.0f}"


def _messages(rows: tuple[MetricRow, ...], room: int, symbols: Symbols) -> list[Line]:
    """What the provider said where it could not answer; the same only once."""
    said = dict.fromkeys(" ".join(r.message.split()) for r in rows if r.verdict == "error")
    lines = (f"    {text}" for text in said if text)
    return [((cut(t, room, symbols.more), "failure"),) for t in lines]


def _remarks(picture: Picture, facts: Facts) -> list[Line]:
    """Why there are no values of now, and what is missing for a verdict."""
    live, symbols = picture.live, facts.symbols
    if live is None:
        return []
    if live.problem:
        text = f"    no values of now: {live.problem}"
        return [((cut(text, facts.width, symbols.more), "hint"),)]
    age = picture.now - live.at
    if age >= _OLD:
        text = f"    no newer values from Prometheus for {duration(age)}"
        return [((cut(text, facts.width, symbols.more), "hint"),)]
    few = [m for m in live.metrics if m.requests is not None and m.needed is not None and m.requests < m.needed]
    if not few or (picture.cause and any(m.few for m in picture.cause.metrics)):
        return []
    fewest = min(few, key=lambda m: m.requests or 0)
    every = len(few) == len(live.metrics) > 1
    names = f"all {len(few)} metrics" if every else ", ".join(m.name for m in few)
    text = f"too few requests to judge ({fewest.requests:,.0f} of {fewest.needed:,.0f}): {names}"
    return [((cut(f"  {symbols.warning} {text}", facts.width, symbols.more), "warning"),)]
