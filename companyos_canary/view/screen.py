"""The whole picture on one screen: parts in order of their worth, as many as its height takes."""

from datetime import timedelta
from functools import cache, partial

from msgspec import Struct
from msgspec.structs import replace

from companyos_canary.argo.picture import Picture
from companyos_canary.model.outcome import Ending
from companyos_canary.model.place import Place
from companyos_canary.view.banner import banner_line, too_long
from companyos_canary.view.closing import closing
from companyos_canary.view.events import events_lines
from companyos_canary.view.format import about, duration, shorten
from companyos_canary.view.ink import ink
from companyos_canary.view.lines import Facts, Line, columns_of, cut, joined, width, wrapped
from companyos_canary.view.metric_table import metrics_lines
from companyos_canary.view.next import next_lines
from companyos_canary.view.panels import Desk, foot_lines, panel_lines
from companyos_canary.view.pods import Detail, replicas_lines, services_lines
from companyos_canary.view.steps import step_lines, steps_lines, traffic_lines
from companyos_canary.view.why import reasons


def where(picture: Picture, facts: Facts) -> Line:
    """Name, namespace and context, revision, since when and by whom, how long it will take."""
    rollout, progress = picture.snapshot.rollout, picture.progress
    by = f" by {picture.place.who}" if picture.place.who else ""
    since = picture.started
    under_way = progress.activity != "healthy"
    started = f"started {duration(picture.now - since)} ago{by}" if since and under_way else ""
    end = f"about {about(progress.until_end)} left" if progress.until_end and progress.until_end >= _SECOND else ""
    dot = f" {facts.symbols.dot} "
    room = max(_NAME_ROOM, facts.width - columns_of(picture.where) - len(dot))
    pieces = [
        (10, cut(picture.name, room, facts.symbols.more)),
        (9, picture.where),
        (3, f"revision {rollout.revision}" if rollout.revision and rollout.observed else ""),
        (5, started),
        (4, end if under_way else ""),
    ]
    return (joined(pieces, facts.width, dot),)


def warning_lines(picture: Picture, facts: Facts) -> list[Line]:
    """Why the rollout is where it is, as far as neither the banner nor a row says it."""
    lines: list[Line] = []
    mark = facts.symbols.warning
    said = reasons(picture)
    if told := too_long(picture, facts):
        bad = picture.why is None or picture.progress.phase.word == "Degraded" or picture.why.of_pods
        said.insert(0, (told, "failure" if bad else "warning"))
    for sentence, role in said:
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


_NAME_ROOM, _SECOND = 12, timedelta(seconds=1)
_PANEL = 5  # lines that a panel has at least, where the terminal has them
_WIDE, _HIGH = 110, 20  # columns and lines from which on there is a second column
_LEFT, _LEFT_MOST = 79, 116  # columns of the picture next to a second one


class Level(Struct, frozen=True):
    """How much a screen tells: which pods, how many events and metrics; `airy` with blank lines."""

    pods: Detail
    events: int
    metrics: int = 1000
    airy: bool = True


_MOST_EVENTS = 12

# What is given up first where the terminal is low: pods, then events, then good metrics.
_LEVELS = (
    Level("some", _MOST_EVENTS),
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


def screen(picture: Picture, facts: Facts, *, desk: Desk | None = None, leave: str = "") -> tuple[str, ...]:
    """The live screen, as high as the terminal: the banner is its first line, and the keys its last. With
    a `desk` keys are read and told; `leave` is the key that ends it without one (`Ctrl-C`)."""
    ahead = _ahead(picture, facts, desk, leave)[-max(1, facts.height - 2) :]
    room = facts.height - len(ahead)
    if facts.width >= _WIDE and facts.height >= _HIGH:
        lines = _two_columns(picture, facts, desk or Desk(), room)
    elif desk and desk.panel:
        lines = _with_panel(picture, facts, desk, room)
    else:
        lines = _fitted(_Parts(picture, facts), room)
    blank: list[Line] = [()] * (room - len(lines))
    return ink([*lines, *blank, *ahead], facts)


def last_screen(picture: Picture, facts: Facts, *, closed: bool = True) -> tuple[str, ...]:
    """The frame that stays, no higher than it must be. What comes next is left to the closing
    sentences; where they are `closed` by how it ended, the banner is too."""
    told = closed and picture.progress.activity in ("healthy", "aborted", "degraded")
    return ink(_fitted(_Parts(picture, facts, banner=not told), facts.height - 1), facts)


def _ahead(picture: Picture, facts: Facts, desk: Desk | None, leave: str) -> list[Line]:
    """What comes next, and the keys or commands that stop it or let it continue."""
    if desk is None:
        return next_lines(picture, facts, leave=leave)
    told = next_lines(picture, facts, commands=bool(desk.read_only))
    return [*told, *foot_lines(picture, facts, desk)]


def _with_panel(picture: Picture, facts: Facts, desk: Desk, room: int) -> list[Line]:
    """The banner and the steps, then the panel in all the room that is left."""
    top = [banner_line(picture, facts), *warning_lines(picture, facts)[:2], *steps_lines(picture, facts)]
    top = top[: max(1, room - _PANEL)]
    panel = panel_lines(picture, facts, desk, room - len(top) - 2)
    lines = [*top, (), *panel, ()] if room > len(top) + len(panel) + 1 else [*top, *panel]
    return lines[:room]


def _two_columns(picture: Picture, facts: Facts, desk: Desk, room: int) -> list[Line]:
    """The banner over both; the picture on the left, and on the right what a key chose, or the events."""
    top = [banner_line(picture, facts), where(picture, facts), ()]
    room -= len(top) + 1
    columns = min(_LEFT_MOST, max(_LEFT, facts.width * 11 // 20))
    mark = f" {facts.symbols.limit} "
    left = _fitted(_Parts(picture, replace(facts, width=columns), banner=False, beside=True), room)
    narrow = replace(facts, width=facts.width - columns - len(mark))
    right = panel_lines(picture, narrow, desk, room) if desk.panel else events_lines(picture, narrow, room, folded=True)
    lines: list[Line] = []
    for n in range(room):
        line = left[n] if n < len(left) else ()
        lines.append((*line, " " * (columns - width(line)), (mark, "off"), *(right[n] if n < len(right) else ())))
    return [*top, *lines, ()]


def closing_screen(ending: Ending, facts: Facts, *, place: Place | None = None) -> tuple[str, ...]:
    """The sentences under the last frame of a live screen."""
    return ink(closing(ending, facts, place=place), facts)


def whole_screen(picture: Picture, facts: Facts, detail: Detail) -> list[Line]:
    """All parts, and what comes next."""
    ahead = next_lines(picture, facts)
    return [*_Parts(picture, facts).stacked(Level(detail, _MOST_EVENTS)), *([()] if ahead else []), *ahead]


def _fitted(parts: "_Parts", room: int) -> list[Line]:
    """The fullest form that is not too high, with an event more for each row that it leaves; where none is, it is
    cut."""
    lines: list[Line] = []
    for level in _LEVELS:
        lines = parts.stacked(level)
        free = room - len(lines) - level.airy
        if free >= 0:
            return parts.stacked(replace(level, events=level.events + free)) if free and level.events else lines
    return lines[:room]


class _Parts:
    """The parts of a screen. Each is made once, however many levels are tried. Where the events stand
    `beside` it, they are not part of it."""

    def __init__(self, picture: Picture, facts: Facts, *, banner: bool = True, beside: bool = False) -> None:
        head = [*([banner_line(picture, facts)] if banner else []), *([] if beside else [where(picture, facts)])]
        self._first = [
            head,
            warning_lines(picture, facts),
            steps_lines(picture, facts) or services_lines(picture, facts),
            traffic_lines(picture, facts),
            step_lines(picture, facts),
        ]
        self._notes = notes(picture, facts)
        self._metrics = cache(partial(metrics_lines, picture, facts))
        self._pods = cache(partial(replicas_lines, picture, facts))
        self._events = [] if beside else events_lines(picture, facts, _MOST_EVENTS)

    def stacked(self, level: Level) -> list[Line]:
        """All parts under one another; a part with nothing to say is left out."""
        chosen = [
            self._metrics(level.metrics),
            self._pods(level.pods),
            self._events[-level.events :] if level.events else [],
        ]
        lines: list[Line] = []
        for part in (*self._first, *chosen, self._notes):
            if part and lines and level.airy:
                lines.append(())
            lines += part
        return lines
