"""The whole picture on one screen: parts in order of their worth, as many as its height takes."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial

from rich.text import Text

from companyos_canary.argo.picture import Picture, Place, look
from companyos_canary.model.outcome import Ending
from companyos_canary.model.snapshot import Live, Snapshot
from companyos_canary.view.closing import closing
from companyos_canary.view.events import events_lines
from companyos_canary.view.format import about, clock, duration, shorten
from companyos_canary.view.ink import ink
from companyos_canary.view.lines import PHASES, Facts, Line, columns_of, cut, joined, phase_symbol, width, wrapped
from companyos_canary.view.metric_table import metrics_lines
from companyos_canary.view.next import next_lines
from companyos_canary.view.panels import Desk, foot_lines, panel_lines
from companyos_canary.view.pods import Detail, replicas_lines, services_lines
from companyos_canary.view.steps import steps_lines, traffic
from companyos_canary.view.why import reasons

_VERSION_ROOM = 24
_NAME_ROOM = 12


def headline(picture: Picture, facts: Facts) -> list[Line]:
    """Name, versions and phase in one line, or in two where they do not fit."""
    symbols = facts.symbols
    new = shorten(picture.version, _VERSION_ROOM, symbols)
    old = shorten(picture.stable, _VERSION_ROOM, symbols)
    under_way = old and not (old == new and picture.snapshot.rollout.is_fully_promoted)
    change = f"{old} {symbols.arrow} {new}" if under_way else new
    name = cut(picture.name, max(_NAME_ROOM, facts.width - columns_of(change) - 2), symbols.more)
    left: Line = (f"{name}  {change}".rstrip(),)
    phase = picture.progress.phase.word
    right: Line = ((f"{phase_symbol(symbols, phase)} {phase}", PHASES.get(phase, "warning")), _detail(picture))
    room = facts.width - width(left) - width(right)
    return [(*left, " " * room, *right)] if room >= 2 else [left, right]


def _detail(picture: Picture) -> str:
    progress = picture.progress
    if progress.activity in ("aborted", "aborting"):
        return f"  {progress.activity}"
    if progress.activity == "degraded":
        reason, colon, _ = progress.phase.message.partition(":")
        return f"  {reason}" if colon and " " not in reason else ""
    if progress.step:
        return f"  step {progress.step.number}/{len(progress.steps)}"
    return "  finishing" if progress.activity == "finishing" and progress.stepped else ""


def where(picture: Picture, facts: Facts) -> Line:
    """Namespace and context, revision, since when and by whom, how long it will take."""
    rollout, progress = picture.snapshot.rollout, picture.progress
    by = f" by {picture.place.who}" if picture.place.who else ""
    since = picture.started
    under_way = progress.activity != "healthy"
    started = f"started {duration(picture.now - since)} ago{by}" if since and under_way else ""
    end = f"ends in about {about(progress.until_end)}" if progress.until_end else ""
    pieces = [
        (9, picture.where),
        (3, f"revision {rollout.revision}" if rollout.revision and rollout.observed else ""),
        (5, started),
        (6, _waits(picture)),
        (4, end if under_way else ""),
    ]
    return (joined(pieces, facts.width, f" {facts.symbols.dot} "),)


def _waits(picture: Picture) -> str:
    """Since when it waits for a person."""
    if picture.progress.activity not in ("waiting", "inconclusive"):
        return ""
    conditions = picture.snapshot.rollout.pause_conditions
    began = next((c.started_at for c in conditions if c.started_at), None)
    return f"waits since {clock(began, picture.now).strip()}" if began else ""


def warnings(picture: Picture, facts: Facts) -> list[Line]:
    """A lost connection, and why the rollout is where it is."""
    lines: list[Line] = []
    stale = picture.snapshot.stale_since
    mark = facts.symbols.warning
    if stale:
        age = duration(picture.now - stale)
        text = f"{mark} no connection for {age}: this is from {clock(stale, picture.now)}"
        lines.append(((shorten(text, facts.width, facts.symbols), "warning"),))
    for sentence, role in reasons(picture):
        symbol = facts.symbols.failed if role == "failure" else mark
        first, *rest = wrapped(sentence, facts.width - 2, more=facts.symbols.more)
        lines.append(((f"{symbol} {first}", role),))
        lines += [((f"  {line}", role),) for line in rest]
    return lines


def notes(picture: Picture, facts: Facts) -> list[Line]:
    """What could not be read."""
    room = facts.width - 4
    return [
        (("  " + shorten(f"{facts.symbols.warning} {n}", room, facts.symbols), "warning"),)
        for n in picture.snapshot.notes
    ]


_PANEL = 5  # lines that a panel has at least, where the terminal has them


@dataclass(frozen=True, slots=True)
class Level:
    """How much a screen tells: which pods, how many events and metrics; `airy` with blank lines."""

    pods: Detail
    events: int
    metrics: int = 1000
    airy: bool = True


# What is given up first where the terminal is low: pods, then events, then good metrics.
_LEVELS = (
    Level("some", 12),
    Level("some", 5),
    Level("trouble", 5),
    Level("trouble", 3),
    Level("none", 3),
    Level("none", 1),
    Level("none", 0),
    Level("none", 0, airy=False),
    Level("none", 0, 5, airy=False),
    Level("none", 0, 3, airy=False),
    Level("none", 0, 1, airy=False),
    Level("none", 0, 0, airy=False),
)


def screen(
    snapshot: Snapshot,
    now: datetime,
    facts: Facts,
    *,
    place: Place | None = None,
    live: Live | None = None,
    desk: Desk | None = None,
    leave: str = "",
    least: int = 0,
    last: bool = False,
) -> Text:
    """The live screen, at most one line less than the terminal is high. With a `desk` keys are read
    and told; `leave` is the key that ends it without one (`Ctrl-C`). At `least` so many lines are
    used, so that the last ones stay where they are. The `last` frame leaves what comes next to the
    closing sentences."""
    picture = look(snapshot, now, place, live)
    if last:
        return ink(fitted(picture, facts, []), facts)
    ahead = _ahead(picture, facts, desk, leave)[-max(1, facts.height - 2) :]
    lines = _with_panel(picture, facts, desk, ahead) if desk and desk.panel else fitted(picture, facts, ahead)
    blank: list[Line] = [()] * (min(least, facts.height - 1) - len(lines))
    return ink([*lines[: len(lines) - len(ahead)], *blank, *ahead], facts)


def _ahead(picture: Picture, facts: Facts, desk: Desk | None, leave: str) -> list[Line]:
    """What comes next, and the keys or commands that stop it or let it go on."""
    if desk is None:
        return next_lines(picture, facts, leave=leave)
    told = next_lines(picture, facts, commands=bool(desk.read_only))
    return [*told, *foot_lines(picture, facts, desk)]


def _with_panel(picture: Picture, facts: Facts, desk: Desk, ahead: list[Line]) -> list[Line]:
    """The headline and the steps, then the panel in all the room that is left."""
    room = facts.height - 1 - len(ahead)
    top = [*headline(picture, facts), *warnings(picture, facts)[:2], *steps_lines(picture, facts)]
    top = top[: max(1, room - _PANEL)]
    panel = panel_lines(picture, facts, desk, room - len(top) - 2)
    lines = [*top, (), *panel, ()] if room > len(top) + len(panel) + 1 else [*top, *panel]
    return [*lines[:room], *ahead][: facts.height - 1]


def closing_screen(ending: Ending, facts: Facts, *, place: Place | None = None) -> Text:
    """The sentences under the last frame of a live screen."""
    return ink(closing(ending, facts, place=place), facts)


def fitted(picture: Picture, facts: Facts, ahead: list[Line]) -> list[Line]:
    """The fullest form that is not too high; where none is, the middle is cut."""
    room = facts.height - 1
    lines: list[Line] = []
    parts = _Parts(picture, facts, ahead)
    for level in _LEVELS:
        lines = parts.stacked(level)
        if len(lines) <= room:
            return lines
    return [*lines[: max(1, room - len(ahead))], *ahead][:room]


def whole(picture: Picture, facts: Facts, detail: Detail, events: int) -> list[Line]:
    """All parts, and what comes next."""
    return _Parts(picture, facts, next_lines(picture, facts)).stacked(Level(detail, events))


class _Parts:
    """The parts of a screen. Each is made once, however many levels are tried."""

    def __init__(self, picture: Picture, facts: Facts, ahead: list[Line]) -> None:
        self._first = [
            [*headline(picture, facts), where(picture, facts)],
            warnings(picture, facts),
            steps_lines(picture, facts) or services_lines(picture, facts),
            [line for line in (traffic(picture, facts),) if line],
        ]
        self._last = [notes(picture, facts), ahead]
        self._metrics = cache(partial(metrics_lines, picture, facts))
        self._pods = cache(partial(replicas_lines, picture, facts))
        self._events = cache(partial(events_lines, picture, facts))

    def stacked(self, level: Level) -> list[Line]:
        """All parts under one another; a part with nothing to say is left out."""
        chosen = [self._metrics(level.metrics), self._pods(level.pods), self._events(level.events)]
        lines: list[Line] = []
        for part in (*self._first, *chosen, *self._last):
            if part and lines and level.airy:
                lines.append(())
            lines += part
        return lines
