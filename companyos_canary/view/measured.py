"""The metrics as a table: value against limit, a verdict in words, the measurements as a line."""

from companyos_canary.view.cells import cut
from companyos_canary.view.format import limit_text, sparkline, value_text
from companyos_canary.view.lines import Column, Line, table
from companyos_canary.view.metrics import MetricRow
from companyos_canary.view.picture import Picture
from companyos_canary.view.theme import Facts, Role, Symbols

_LONGEST_TREND = 12
_ROLES: dict[str, Role] = {
    "ok": "success",
    "failing": "failure",
    "error": "failure",
    "no data": "warning",
    "no verdict": "warning",
    "waiting": "",
}


def metrics_lines(picture: Picture, facts: Facts) -> list[Line]:
    """None where nothing is judged any more: promoted, and also while that is restarted."""
    rows, rollout = picture.metrics, picture.snapshot.rollout
    promoted = rollout.is_fully_promoted and rollout.observed
    if not rows or promoted or picture.progress.activity == "healthy":
        return []
    symbols = facts.symbols
    roles = [_ROLES[r.verdict] for r in rows]
    marks = {"success": symbols.ok, "failure": symbols.failed, "warning": symbols.unknown}
    trends = [sparkline(r.history[-_LONGEST_TREND:], r.limit, symbols) for r in rows]
    columns = [
        Column("", [(marks.get(x, symbols.waiting), x) for x in roles], keep=8),
        Column("METRIC", [r.name for r in rows], keep=9),
        Column("CANARY", [value(r) for r in rows], align="right", keep=9),
        Column("LIMIT", [limit_text(r.limit, r.unit) for r in rows], align="right", keep=5),
        Column("VERDICT", [(r.verdict, x) for r, x in zip(rows, roles, strict=True)], keep=6),
        Column("FAILED", [failed(r) for r in rows], align="right", keep=4),
        Column("TREND", trends, keep=3),
    ]
    lines = table(columns, facts.width)
    return [*lines, *_messages(rows, facts.width, symbols)]


def value(row: MetricRow) -> str:
    """The newest value; where there is none the verdict has the word for it."""
    if row.known is None:
        return "-"
    return value_text(row.value, row.unit, limit=row.limit)


def failed(row: MetricRow) -> str:
    """`2 of 4`: failed measurements of those the newest run has made."""
    return f"{row.failed} of {row.measured}" if row.measured else "-"


def _messages(rows: tuple[MetricRow, ...], room: int, symbols: Symbols) -> list[Line]:
    """What the provider said where it could not answer; the same only once."""
    said = dict.fromkeys(" ".join(r.message.split()) for r in rows if r.verdict == "error")
    lines = (f"    {text}" for text in said if text)
    return [((cut(t, room, symbols.more), "failure"),) for t in lines]
