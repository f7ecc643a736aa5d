"""What was measured, against which limit and with which query."""

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from companyos_canary.analysis.evidence import is_row, too_few
from companyos_canary.argo.judged import Judged, judged
from companyos_canary.argo.limits import decided_of, number_text
from companyos_canary.argo.metric_rows import MetricRow, answer_text
from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.view import advice
from companyos_canary.view.format import clock, duration, keyed, limit_text, sparkline, value_text
from companyos_canary.view.lines import RUN_PHASES, Column, Facts, Line, Symbols, Tone, joined, role_symbol, table
from companyos_canary.view.metric_table import failed_text
from companyos_canary.view.metric_table import value as metric_value

_WHILE_RUNNING: dict[str, Tone] = {
    "failing": "failure",
    "error": "failure",
    "no data": "warning",
    "no verdict": "warning",
}


def _role(one: Judged) -> Tone:
    """That of the phase; that of the newest measurement if it is bad while it runs, and where the phase is
    Successful all the same: a run that was ended early has passed nothing."""
    newest = _WHILE_RUNNING.get(one.row.verdict, "")
    return newest if newest and one.phase == "Successful" else RUN_PHASES.get(one.phase) or newest


def _is_bad(one: Judged) -> bool:
    return _role(one) in ("failure", "warning")


def plain(run: AnalysisRun, step: str = "", *, full: bool) -> tuple[str, ...]:
    """A line a metric for a pipe, failures first; conditions and query as on a screen. `step` as for `screen`."""
    at = f" step={step.replace(' ', '-')}" if step else ""
    return tuple(
        keyed(
            f"run={run.name}{at} metric={j.row.name} phase={j.phase}",
            value=number_text(j.row.known),
            answer=j.row.text,
            of=str(j.row.values) if j.row.which else "",
            limit=f"{j.row.limit.value:g}" if j.row.limit else "",
            failed=str(j.row.failed),
            measured=str(j.row.measured),
            planned=str(j.row.planned) if j.row.planned else "",
            **advice.pairs(j.row.advice),
            message=j.message,
            note=j.row.remark,
            **(_asked(j) if full or _is_bad(j) else {}),
        )
        for j in judged(run)
    )


def _asked(one: Judged) -> dict[str, str]:
    return {"success": one.metric.success_condition, "failure": one.metric.failure_condition, "query": one.query}


_LONGEST_TREND = 16
_TOKEN = re.compile(r'\s+|"(?:\\.|[^"\\])*"|[(){},]|[^\s"(){},]+')


def screen(
    runs: Sequence[AnalysisRun], now: datetime, facts: Facts, *, full: bool, step: Callable[[AnalysisRun], str]
) -> list[Line]:
    """Each run with its table; conditions and query of what did not pass, with `full` of all. `step`: what the run
    judges (`2/3`, `background`), empty where it is of no Rollout."""
    lines: list[Line] = []
    for run in runs:
        metrics = judged(run)
        lines += [*([()] if lines else []), *_head(run, step(run), now, facts)]
        lines += [(), *_table(metrics, facts)] if metrics else []
        for told in (f"  {j.row.name}: {j.row.remark}" for j in metrics if j.row.remark):
            lines += [((text, "warning"),) for text in textwrap.wrap(told, facts.width, subsequent_indent="    ")]
        lines += advice.sequential_lines([j.row for j in metrics], facts)
        for one in metrics:
            if full or _is_bad(one):
                lines += [(), *_details(one, facts, full=full)]
    return lines


def _head(run: AnalysisRun, step: str, now: datetime, facts: Facts) -> list[Line]:
    symbols, role = facts.symbols, RUN_PHASES.get(run.phase, "hint")
    phase = run.phase or "Pending"
    if run.is_finished and run.started_at:
        phase += f" after {duration((run.completed_at or now) - run.started_at)}"
    pieces = (
        (8, step if run.step_index is None else f"step {step}"),
        (6, f"revision {run.revision}" if run.revision else ""),
        (3, f"started {clock(run.started_at, now).strip()}" if run.started_at else ""),
    )
    tail = joined(pieces, facts.width - len(phase) - 5, f" {symbols.dot} ")
    told = textwrap.wrap(run.message, facts.width - 2)
    return [
        ((role_symbol(symbols, role, symbols.running), role), f" {run.name}"),
        ("  ", (phase, role), f" {symbols.dot} {tail}"),
        *(("  ", (text, role)) for text in told),
    ]


def _table(metrics: Sequence[Judged], facts: Facts) -> list[Line]:
    symbols, rows = facts.symbols, [j.row for j in metrics]
    roles = [_role(j) for j in metrics]
    trends = [sparkline(r.history[-_LONGEST_TREND:], r.limit, symbols) for r in rows]
    columns = [
        Column("", [(role_symbol(symbols, x, symbols.waiting), x) for x in roles], keep=8),
        Column("METRIC", [r.name for r in rows]),
        Column("PHASE", [(j.phase, x) for j, x in zip(metrics, roles, strict=True)], keep=7),
        Column("VALUE", [_value(r, symbols) for r in rows], align="right"),
        Column("LIMIT", [limit_text(r.limit, r.unit) for r in rows], align="right", keep=6),
        Column("FAILED", [failed_text(r) for r in rows], align="right", keep=5),
        Column("TREND", trends, keep=3),
    ]
    return table(columns, facts.width)


def _value(row: MetricRow, symbols: Symbols) -> str:
    unknown = row.known is None and not row.text and row.verdict != "ok"
    return row.verdict if unknown else metric_value(row, symbols)


def _details(one: Judged, facts: Facts, *, full: bool) -> list[Line]:
    """Conditions, counts, values, message and query of one metric, nothing cut off. A query that answers a row of
    counts has a hundred lines: it is shown in `full` alone."""
    told = (
        ("because", _too_few(one)),
        ("passes if", one.metric.success_condition),
        ("fails if", one.metric.failure_condition),
        ("counts", _counts(one)),
        ("values", _values(one)),
        ("message", one.message),
    )
    room = facts.width - 15
    parts = [(label, textwrap.wrap(text, room, break_on_hyphens=False)) for label, text in told]
    lines: list[Line] = [(f"  {one.row.name}",)]
    long = is_row(one.query) and not full
    query = [f"`canary metrics --query {one.row.name}` prints it"] if long else folded_query(one.query, room)
    for label, folded in (*parts, ("query", query)):
        heads = [label, *[""] * len(folded)]
        lines += [((f"    {h:<11}", "hint"), t) for h, t in zip(heads, folded, strict=False)]
    return lines


def _too_few(one: Judged) -> str:
    """`60 of 100 requests in 5m are too few for a verdict`, where that is why the newest look has none."""
    newest = one.result.newest if one.result else None
    if newest is None or newest.phase != "Inconclusive":
        return ""
    few = too_few(one.metric.success_condition, one.metric.query, newest.value)
    return few and f"{few} are too few for a verdict"


def folded_query(query: str, room: int) -> list[str]:
    """A query in lines that can be copied: broken only where PromQL takes a blank, and in a text or a name that is
    longer than a line, which is a regular expression that is broken after a `|` where it has one."""
    lines = [""]
    for text in (piece for token in _TOKEN.findall(query) for piece in _pieces(token, room)):
        if len(lines[-1]) + len(text) > room:
            lines.append("")
        lines[-1] += text if lines[-1] or text != " " else ""
    return [line.rstrip() for line in lines if line.strip()]


def _pieces(token: str, room: int) -> Iterator[str]:
    """What fits into a line; a blank for all space."""
    text = " " if token.isspace() else token
    while len(text) > room:
        end = text.rfind("|", 0, room) + 1 or room
        yield text[:end]
        text = text[end:]
    yield text


def _counts(one: Judged) -> str:
    """`2 failed, 1 error of 4 measured (4 planned), every 20s, failureLimit 1`."""
    result = one.result
    if result is None:
        return "not measured yet"
    bad = [f"{getattr(result, k)} {k}" for k in ("failed", "inconclusive", "error") if getattr(result, k)]
    planned = f" ({one.row.planned} planned)" if one.row.planned else ""
    found = f"{', '.join(bad) or 'none bad'} of {one.row.measured} measured{planned}"
    every = f", every {one.metric.interval}" if one.metric.interval else ""
    limit = f", failureLimit {one.metric.failure_limit}" if one.metric.failure_limit else ""
    several = f"; the {one.row.which} of {one.row.values} values is shown" if one.row.which else ""
    return found + every + limit + several


def _values(one: Judged) -> str:
    """All measurements, oldest first: `0.8 %, 11.2 % (Failed)`."""
    texts = []
    for m in one.result.measurements if one.result else ():
        number = decided_of(one.metric, m.value).number
        answer = answer_text(m, one.metric) or ("-" if one.metric.provider in ("job", "web") else "")
        text = answer if answer and number is None else value_text(number, one.row.unit, limit=one.row.limit)
        texts.append(text if m.phase == "Successful" else f"{text} ({m.phase})")
    return ", ".join(texts)
