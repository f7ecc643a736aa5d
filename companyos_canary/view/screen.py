"""One Rollout as a screen: the parts under one another, made to fit the terminal."""

from dataclasses import dataclass
from datetime import datetime

from rich.text import Text

from companyos_canary.model.outcome import Ending
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.view.closing import closing
from companyos_canary.view.events import events_lines
from companyos_canary.view.following import next_lines
from companyos_canary.view.headline import headline, notes, warnings, where
from companyos_canary.view.ink import ink
from companyos_canary.view.lines import Line
from companyos_canary.view.measured import metrics_lines
from companyos_canary.view.picture import Picture, Place, look
from companyos_canary.view.replicas import Detail, replicas_lines
from companyos_canary.view.services import services_lines
from companyos_canary.view.steps import steps_lines, traffic
from companyos_canary.view.theme import Facts


@dataclass(frozen=True, slots=True)
class Level:
    """How much a screen tells: which pods, how many events and metrics; `airy` with blank lines."""

    pods: Detail
    events: int
    metrics: int = 1000
    airy: bool = True


# What is given up first where the terminal is low: pods, then events, then good metrics.
_LEVELS = (
    Level("some", 5), Level("trouble", 5), Level("trouble", 3), Level("none", 3), Level("none", 1),
    Level("none", 0), Level("none", 0, airy=False), Level("none", 0, 5, airy=False),
    Level("none", 0, 3, airy=False), Level("none", 0, 1, airy=False),
)  # fmt: skip


def screen(
    snapshot: Snapshot, now: datetime, facts: Facts, *, place: Place | None = None,
    leave: str = "", last: bool = False,
) -> Text:  # fmt: skip
    """The live screen, at most one line less than the terminal is high. `leave` is the key that
    ends it (`Ctrl-C`). The `last` frame leaves what comes next to the closing sentences."""
    picture = look(snapshot, now, place)
    ahead = [] if last else next_lines(picture, facts, leave=leave)
    return ink(fitted(picture, facts, ahead), facts)


def closing_screen(ending: Ending, facts: Facts, *, place: Place | None = None) -> Text:
    """The sentences under the last frame of a live screen."""
    return ink(closing(ending, facts, place=place), facts)


def fitted(picture: Picture, facts: Facts, ahead: list[Line]) -> list[Line]:
    """The fullest form that is not too high; where none is, the middle is cut."""
    room = facts.height - 1
    lines: list[Line] = []
    for level in _LEVELS:
        lines = _stacked(picture, facts, level, ahead)
        if len(lines) <= room:
            return lines
    return [*lines[: max(1, room - len(ahead))], *ahead][:room]


def whole(picture: Picture, facts: Facts, detail: Detail, events: int) -> list[Line]:
    """All parts, and what comes next."""
    return _stacked(picture, facts, Level(detail, events), next_lines(picture, facts))


def _stacked(picture: Picture, facts: Facts, level: Level, ahead: list[Line]) -> list[Line]:
    """All parts under one another; a part with nothing to say is left out."""
    parts: list[list[Line]] = [
        [*headline(picture, facts), where(picture, facts)],
        warnings(picture, facts),
        steps_lines(picture, facts) or services_lines(picture, facts),
        [line for line in (traffic(picture),) if line],
        metrics_lines(picture, facts, level.metrics),
        replicas_lines(picture, facts, level.pods),
        events_lines(picture, facts, level.events),
        notes(picture, facts),
        ahead,
    ]
    lines: list[Line] = []
    for part in parts:
        if part and lines and level.airy:
            lines.append(())
        lines += part
    return lines
