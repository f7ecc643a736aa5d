"""The large panels of a live screen: metrics big, events, the log of a pod, all keys."""

from companyos_canary.view.cells import columns_of, cut
from companyos_canary.view.chart import chart
from companyos_canary.view.desk import Desk
from companyos_canary.view.eventlist import lines as event_lines
from companyos_canary.view.events import in_order
from companyos_canary.view.format import limit_text, shorten
from companyos_canary.view.keys import help_lines
from companyos_canary.view.lines import Line
from companyos_canary.view.measured import ROLES, failed, value, worst
from companyos_canary.view.picture import Picture
from companyos_canary.view.theme import Facts
from companyos_canary.view.trend import trend

_LOWEST, _HIGHEST = 3, 8  # lines of a chart


def panel_lines(picture: Picture, facts: Facts, desk: Desk, room: int) -> list[Line]:
    """The open panel in at most `room` lines: what is newest, or worst, is kept."""
    if room <= 0:
        return []
    match desk.panel:
        case "metrics":
            return _metrics(picture, facts, room)
        case "events":
            lines = event_lines(in_order(picture.snapshot), picture, facts)
            return lines[-room:] or [("  the cluster has no events of this rollout",)]
        case "logs":
            return _logs(facts, desk, room)
        case "help":
            return help_lines(facts, desk)[:room]
    return []


def _metrics(picture: Picture, facts: Facts, room: int) -> list[Line]:
    """A chart each where there is room, else a line each; the worst where not even that."""
    rows = worst(picture.metrics, max(1, room // 2))
    if not rows:
        return [("  no metric is measured now",)]
    height = min(_HIGHEST, room // len(rows) - 1)
    lines: list[Line] = []
    for row in rows:
        name = shorten(row.name, facts.width // 2, facts.symbols)
        pieces = (value(row), limit_text(row.limit, row.unit), row.verdict, failed(row))
        told = cut("  ".join(p for p in pieces if p), facts.width - columns_of(name) - 4, "")
        lines.append((f"  {name}  ", (told, ROLES[row.verdict])))
        if height < _LOWEST:
            lines.append(("  ", *trend(row.history, row.limit, facts.width - 2, facts.symbols)))
        else:
            lines += chart(row.history, row.limit, row.unit, width=facts.width, height=height, symbols=facts.symbols)
    return lines[:room]


def _logs(facts: Facts, desk: Desk, room: int) -> list[Line]:
    logs, more = desk.logs, facts.symbols.more
    if logs is None:
        return [("  reading the log of the worst canary pod",)]
    head: Line = (cut(f"  log of {logs.pod}" if logs.pod else "", facts.width, more),)
    lines: list[Line] = [head] if logs.pod else []
    if logs.note:
        lines.append((("  " + cut(logs.note, facts.width - 2, more), "warning"),))
    kept = logs.lines[-(room - len(lines)) :] if room > len(lines) else ()
    return [*lines, *((f"  {cut(x.text, facts.width - 2, more)}",) for x in kept)][:room]
