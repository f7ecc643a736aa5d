"""The metrics as Prometheus gives them now, as a table; what a run measured stands apart."""

import textwrap

from companyos_canary.argo.share import pod_share
from companyos_canary.view.format import clock, limit_text, value_text
from companyos_canary.view.lines import Column, Line, joined, table
from companyos_canary.view.measuring import Now, Row
from companyos_canary.view.theme import Facts, Role, role_symbol

_ROLES: dict[str, Role] = {"ok": "success", "failing": "failure", "error": "failure", "not asked": "", "no limit": ""}


def screen(now: Now, facts: Facts) -> list[Line]:
    return [*head(now, facts), (), *_table(now, facts), *_problems(now, facts)]


def head(now: Now, facts: Facts) -> list[Line]:
    """Which Rollout, when, who was asked, and what traffic the canary has."""
    picture, live, dot = now.picture, now.live, f" {facts.symbols.dot} "
    pieces = [(9, picture.name), (7, picture.where), (5, picture.version), (8, clock(live.at, picture.now).strip())]
    lines: list[Line] = [(joined(pieces, facts.width, dot),)]
    if live.problem:
        lines += _told(("Prometheus gave no answer: the values are those of the analysis", "warning"), facts)
    elif live.address:
        way = "through the API server" if now.through_the_api_server else "directly"
        lines += _told((f"asked {live.address} {way}", ""), facts)
    return [*lines, _traffic(now, facts)] if now.under_way else lines


def _told(sentence: tuple[str, Role], facts: Facts, indent: str = "") -> list[Line]:
    text, role = sentence
    folded = textwrap.wrap(
        text, facts.width, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
    )
    return [((line, role),) for line in folded]


def _traffic(now: Now, facts: Facts) -> Line:
    """The share that is asked for, what the pods make of it, and what Prometheus counts."""
    picture, share = now.picture, now.live.share
    by_pods = pod_share(picture.snapshot)
    pods = f"pods {by_pods} % ({picture.canary_pods} of {picture.pods})"
    pieces = [
        (9, f"traffic  asked {picture.progress.weight} %"),
        (7, "" if by_pods is None else pods),
        (8, f"measured {'unknown' if share is None else f'{share * 100:.1f} %'}"),
    ]
    return (joined(pieces, facts.width, "   "),)


def _table(now: Now, facts: Facts) -> list[Line]:
    rows, symbols = now.rows, facts.symbols
    roles = [_ROLES.get(r.verdict, "warning") for r in rows]
    columns = [
        Column("", [(role_symbol(symbols, x, symbols.waiting), x) for x in roles], keep=8),
        Column("METRIC", [r.name for r in rows]),
        Column("CANARY", [_canary(r) for r in rows], align="right"),
        Column("STABLE", [_stable(r) for r in rows], align="right", keep=6),
        Column("LIMIT", [limit_text(r.limit, r.unit) for r in rows], align="right", keep=5),
        Column("VERDICT", [(r.verdict, x) for r, x in zip(rows, roles, strict=True)], keep=7),
        Column("REQUESTS", [_requests(r) for r in rows], align="right", keep=4),
        Column("ANALYSIS", [_measured(r) for r in rows], keep=3),
    ]
    return table(columns, facts.width)


def _canary(row: Row) -> str:
    """Where there is no value the verdict has the word for it."""
    if row.live is None or row.live.canary is None:
        return "-" if row.live else ""
    return value_text(row.live.canary, row.unit, limit=row.limit)


def _stable(row: Row) -> str:
    """`-` where stable cannot be asked the same."""
    if row.live is None:
        return ""
    asked = row.question and row.question.stable and not row.live.problem
    return value_text(row.live.stable, row.unit) if asked else "-"


def _requests(row: Row) -> str:
    """`2,140`; `6 of 100` where that is too few."""
    if row.live is None or row.live.requests is None:
        return ""
    needed = row.live.needed or 0
    few = f" of {needed:,.0f}" if row.live.requests < needed else ""
    return f"{row.live.requests:,.0f}{few}"


def _measured(row: Row) -> str:
    """What the newest AnalysisRun measured; its verdict where that is not `ok`."""
    if row.measured is None or row.measured.known is None:
        return row.measured.verdict if row.measured else ""
    text = value_text(row.measured.known, row.unit, limit=row.limit)
    return text if row.measured.verdict == "ok" else f"{text} {row.measured.verdict}"


def _problems(now: Now, facts: Facts) -> list[Line]:
    told = [f"{m.name}: {m.problem}" for m in now.live.metrics if m.problem]
    return [line for text in told for line in _told((text, "failure"), facts, "    ")]
