"""What a key opens on a live screen: metrics, events, logs, help; and the bar of the keys."""

from typing import Literal

from msgspec import Struct

from companyos_canary.argo.picture import Picture
from companyos_canary.model.snapshot import Course
from companyos_canary.model.workload import LogLine
from companyos_canary.view.chart import GUTTER, TimeAxis, axis, plot
from companyos_canary.view.events import event_lines
from companyos_canary.view.format import clock, limit_text, shorten
from companyos_canary.view.lines import Facts, Line, Part, Symbols, Tone, columns_of, cut, wrapped
from companyos_canary.view.metric_table import VERDICT_ROLES, value, worst_row

Panel = Literal["", "metrics", "events", "logs", "help"]


class Confirmation(Struct, frozen=True):
    """Asked once, inside the frame. What is confirmed is meant for this revision and step alone."""

    verb: str
    text: str
    revision: int
    step: int | None


class Notice(Struct, frozen=True):
    """The outcome of a key, until the next one is pressed."""

    text: str
    role: Tone = ""


class LogPanel(Struct, frozen=True):
    """The last lines of one pod, oldest first; `note` says why there are none."""

    pod: str = ""
    lines: tuple[LogLine, ...] = ()
    note: str = ""


class Desk(Struct, frozen=True):
    """`read_only`: why nothing can be changed from here, empty if it can. `busy`: the verb that
    is in progress. `logs` is None until they were read; `stable` has the stable version's values over time."""

    read_only: str = ""
    panel: Panel = ""
    question: Confirmation | None = None
    notice: Notice | None = None
    busy: str = ""
    logs: LogPanel | None = None
    stable: tuple[Course, ...] = ()


PANELS: dict[str, Panel] = {"m": "metrics", "e": "events", "l": "logs", "?": "help"}
_STANDS = ("waiting", "inconclusive", "pausing", "held")


def foot_lines(picture: Picture, facts: Facts, desk: Desk) -> list[Line]:
    """The outcome of the last key, or its question; then the keys, the needed ones first."""
    if desk.question:
        first, *rest = wrapped(desk.question.text, facts.width - 4, more=facts.symbols.more)
        lines: list[Line] = [(("  ? " + first, "warning"),)]
        lines += [((f"    {line}", "warning"),) for line in rest]
        return [*lines, ("    ", ("y", "hint"), " yes, do it   ", ("any other key", "hint"), " no")]
    said: list[Line] = []
    if desk.notice:
        folded = wrapped(desk.notice.text, facts.width - 2, more=facts.symbols.more)
        said = [((f"  {line}", desk.notice.role),) for line in folded]
    elif desk.busy:
        said = [((f"  {facts.symbols.running} {desk.busy} is running", "hint"),)]
    return [*said, _keys(picture, facts, desk)]


KeyHint = tuple[int, str, str, Tone]
"""How long it is kept where room is short, the key, its word, and the colour of the word."""


def _keys(picture: Picture, facts: Facts, desk: Desk) -> Line:
    """As many as there is room for; `q` and `?` always. What cannot be done now is grey, or left out
    without colours; without a connection the reason is next to it."""
    close: list[KeyHint] = [(9, "esc", "back", "")] if desk.panel else []
    always: list[KeyHint] = [(10, "?", "keys", ""), (10, "q", "leave", "")]
    changing = [k for k in _changing(picture, desk) if facts.colour or k[3] != "off" or picture.snapshot.stale_since]
    pieces = [*changing, *_looking(desk), *close, *always]
    while len(pieces) > 2 and _length(pieces) > facts.width:
        pieces.remove(min(reversed(pieces), key=lambda p: p[0]))
    line: list[Part] = []
    for n, (_, key, word, role) in enumerate(pieces):
        told: list[Part] = [(f"{key} {word}".strip(), role)] if role else [(key, "hint"), f" {word}"]
        line += ["  " if n else "", *told]
    return tuple(line)


def _length(pieces: list[KeyHint]) -> int:
    return sum(columns_of(f"{k} {w}".strip()) + 2 for _, k, w, _ in pieces) - 2


def _changing(picture: Picture, desk: Desk) -> list[KeyHint]:
    """The keys that change something, those that would do nothing now in grey."""
    if desk.read_only:
        return []
    doing = picture.progress.activity
    if picture.snapshot.stale_since:
        return [(8, "a", "abort", "off"), (6, "space", "pause", "off"), (7, "(no connection)", "", "off")]
    if doing == "aborted":
        return [(8, "r", "retry", "")]
    if doing in ("healthy", "unobserved", "aborting"):
        return []
    promote: KeyHint = (8, "p", "promote", "") if doing in _STANDS else (2, "p", "promote", "off")
    return [promote, (8, "a", "abort", ""), (6, "space", "resume" if doing == "held" else "pause", "")]


def _looking(desk: Desk) -> list[KeyHint]:
    words: tuple[KeyHint, ...] = ((5, "m", "metrics", ""), (4, "e", "events", ""), (3, "l", "logs", ""))
    return [w for w in words if w[2] != desk.panel]


def help_lines(facts: Facts, desk: Desk) -> list[Line]:
    """All keys, for the panel."""
    off = f" (off: {desk.read_only})" if desk.read_only else ""
    told = (
        ("p", f"promote: continue after a pause{off}"),
        ("a", f"abort: traffic back to the stable version{off}"),
        ("r", f"retry: an aborted version again, from the first step{off}"),
        ("space", f"pause by hand, and resume{off}"),
        ("m", "metrics big, with every measurement"),
        ("e", "all events"),
        ("l", "log of the worst canary pod"),
        ("esc", "back to the whole picture"),
        ("q", "leave; the rollout continues"),
    )
    room = facts.width - 11
    lines: list[Line] = [("  ", (f"{key:<7}", "hint"), cut(text, room, facts.symbols.more)) for key, text in told]
    asks = "keys that change something ask first, and refuse what the command would refuse"
    return [*lines, (), (f"  {cut(asks, facts.width - 2, facts.symbols.more)}",)]


def question_text(verb: str, picture: Picture, note: str = "") -> str:
    """What the one question before a change says: what will be, and what else is to be known."""
    name, version = picture.name, picture.version or picture.name
    stable = picture.stable or "the stable version"
    asked = {
        "promote": f"promote {version}: continue from {picture.progress.percent} %",
        "abort": f"abort {version} at {picture.progress.percent} %: all traffic back to {stable}",
        "retry": f"retry {version} from the first step",
        "pause": f"pause {name} by hand at {picture.progress.percent} %",
        "resume": f"resume {name}",
    }[verb]
    return f"{asked}? ({note})" if note else f"{asked}?"


_LOWEST, _HIGHEST, _AXIS = 2, 8, 3  # lines of a chart, and under all of them
_OVER = ("aborted", "degraded")


def panel_lines(picture: Picture, facts: Facts, desk: Desk, room: int) -> list[Line]:
    """The open panel in at most `room` lines: what is newest, or worst, is kept."""
    if room <= 0:
        return []
    match desk.panel:
        case "metrics":
            return _metrics(picture, facts, desk, room)
        case "events":
            lines = event_lines(picture.snapshot.events, picture, facts)
            return lines[-room:] or [("  the cluster has no events of this rollout",)]
        case "logs":
            return _logs(facts, desk, room)
        case "help":
            return help_lines(facts, desk)[:room]
    return []


def _legend(with_stable: bool, hidden: str, symbols: Symbols) -> Line:
    """What the lines of the charts are; the stable version's where one is drawn."""
    own, other = ("⠒⠒⠒", "⠒ ⠒") if symbols.dots else ("***", "...")
    stable = f"   {other} stable" if with_stable else ""
    return ("  ", (own, "hint"), f" canary{stable}   ", (symbols.across * 3, "warning"), f" limit{hidden}")


def _metrics(picture: Picture, facts: Facts, desk: Desk, room: int) -> list[Line]:
    """A chart each of both versions, the worst where not all have room, and one axis of time under them."""
    rows = worst_row(picture.metrics, max(1, (room - _AXIS) // (_LOWEST + 1)))
    if not rows:
        return [("  no metric is measured now",)]
    time, symbols = _time(picture, facts, desk), facts.symbols
    stable = {c.name: c.points for c in desk.stable}
    height = min(_HIGHEST, (room - _AXIS) // len(rows) - 1)
    lines: list[Line] = []
    for row in rows:
        name = shorten(row.name, facts.width // 2, symbols)
        pieces = (value(row) if row.verdict != "waiting" else "", limit_text(row.limit, row.unit), row.verdict)
        told = cut("  ".join(p for p in pieces if p), facts.width - columns_of(name) - 4, symbols.more)
        lines.append((f"  {name}  ", (told, VERDICT_ROLES[row.verdict])))
        if height >= _LOWEST and time.columns > 0:
            own, other = picture.courses.get(row.name, ()), stable.get(row.name, ())
            lines += plot(own, other, row, time, height=height, symbols=symbols)
    lines += axis(time, picture.now, symbols) if time.columns > 0 else []
    hidden = f" {symbols.dot} {len(picture.metrics) - len(rows)} more" if len(rows) < len(picture.metrics) else ""
    legend = _legend(any(stable.get(r.name) for r in rows), hidden, symbols)
    if picture.first_look and not any(picture.courses.get(r.name) for r in rows):
        when = clock(picture.first_look, picture.now).strip()
        legend = (cut(f"  first measurement at {when}", facts.width, symbols.more),)
    return [*lines, legend][:room]


def _time(picture: Picture, facts: Facts, desk: Desk) -> TimeAxis:
    """From the start of the update, or the first value there is, until now."""
    known = [at for points in picture.courses.values() for at, _ in points]
    known += [at for at, _ in picture.weights] or [at for c in desk.stable for at, _ in c.points]
    start = min([*known, *([picture.started] if picture.started else [])], default=picture.as_of)
    end = max([*known, picture.as_of]) if picture.progress.activity not in _OVER else max(known, default=picture.as_of)
    return TimeAxis(start, end, max(0, facts.width - GUTTER), picture.weights)


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
