"""Events: the newest next to a picture, and the list of `canary events`."""

import re
import textwrap
from collections.abc import Iterable
from datetime import datetime

from companyos_canary.argo.announcement import COMBINED, announcement, announcing
from companyos_canary.argo.picture import Picture
from companyos_canary.model.quantity import format_time
from companyos_canary.model.workload import Event
from companyos_canary.view.format import clock, keyed, shorten
from companyos_canary.view.lines import Facts, Line, Tone, columns_of, wrapped

_NOISE = frozenset({"RolloutAddedToInformer", "RolloutNotCompleted", "NewReplicaSetCreated"})
_SCALED = r"Scaled (up|down) ReplicaSet (\S+) \(revision (\d+)\) (from \d+ to \d+)"
_OF_EXPERIMENT = r"AnalysisRun '(\S+)' transitioned from .*-> (\w+)"
# Upstream experiments/experiment.go tells a Rollout of the AnalysisRuns of an Experiment in warnings, however they go.
_GOES_WELL = frozenset({"AnalysisRunPending", "AnalysisRunRunning", "AnalysisRunSuccessful"})
_RUN = r"(Step|Background) Analysis Run '(\S+)' Status New: '(\w+)' Previous: '\w*'"


def events_lines(picture: Picture, facts: Facts, most: int, *, folded: bool = False) -> list[Line]:
    """The newest events that tell something, oldest first, of this update alone: `most` lines, one each, or
    `folded` where they are too long for the room next to a picture. The cluster drops events after the 25th:
    where it is over and the last of them is missing the status says so, and where that does not know either
    there is nothing to tell."""
    if most <= 0:
        return []
    telling = _of_this_update(picture)
    end: list[Line] = []
    healthy = picture.progress.activity == "healthy"
    if telling and healthy and not announcing(telling, "RolloutCompleted", picture.snapshot.rollout.revision):
        at = picture.since
        if at is None or not picture.version:
            return []
        end = [(f"  {clock(at, picture.now)}  {picture.version} is stable",)]
        telling = [e for e in telling if not (e.at and e.at > at)]
    kept = telling[len(telling) + len(end) - most :] if len(telling) + len(end) > most else telling
    return (_lines(kept, picture, facts, folded=folded) + end)[-most:]


def _of_this_update(picture: Picture) -> list[Event]:
    events = picture.snapshot.events
    began = _began(picture, events)
    return [e for e in events if tells(e) and not (began and e.at and e.at < began) and not _is_of_another(e, picture)]


def _began(picture: Picture, events: Iterable[Event]) -> datetime | None:
    """When what is going on began: a restart, this update, or as far as its events reach."""
    rollout, current = picture.snapshot.rollout, picture.snapshot.current
    if rollout.restart_at and rollout.restart_at != rollout.restarted_at:
        return rollout.restart_at
    if picture.progress.stepped:
        return picture.started
    updated = [e.at for e in announcing(events, "RolloutUpdated", rollout.revision) if e.at]
    made = current.created_at if current else None
    return max(updated, default=picture.started or made)


def _is_of_another(event: Event, picture: Picture) -> bool:
    """Said of another revision by name, whenever that was."""
    said = announcement(event)
    return said is not None and said.revision not in (0, picture.snapshot.rollout.revision)


def _lines(events: list[Event], picture: Picture, facts: Facts, *, folded: bool) -> list[Line]:
    lines: list[Line] = []
    for event in events:
        head = f"{'' if folded else '  '}{clock(event.at, picture.now)}  "
        role: Tone = "warning" if warns(event) else ""
        again = f" (x{event.count})" if event.count > 1 else ""
        mark = f"{facts.symbols.warning} " if role else ""
        room = facts.width - len(head) - len(mark)
        text = event_text(event, picture)
        if folded:
            text = short_names(text, picture) + again
            told = wrapped(text, room, more=facts.symbols.more)
        else:
            told = [shorten(text, room - len(again), facts.symbols) + again]
        blank = " " * (len(head) + len(mark))
        lines += [(blank if n else head + mark, (part, role)) for n, part in enumerate(told)]
    return lines


def warns(event: Event) -> bool:
    """Whether something is wrong by it."""
    return event.type == "Warning" and event.reason not in _GOES_WELL


def tells(event: Event) -> bool:
    """Steps, scaling, analyses, and every warning; not what each pod and metric says of itself."""
    if event.kind == "AnalysisRun":
        return False
    return (event.kind == "Rollout" and event.reason not in _NOISE) or warns(event)


def event_text(event: Event, picture: Picture) -> str:
    """The message with versions in the place of ReplicaSet names (messages: recorded)."""
    message, said = event.message.removeprefix(COMBINED), announcement(event)
    if event.reason.startswith("Canary"):  # who did it, not what to type
        return message.removeprefix("canary ")
    if said and said.step and said.detail:
        return f"{said.detail} done"
    if found := re.fullmatch(_SCALED, message):
        name = picture.versions.get(found[2]) or f"revision {found[3]}"
        return f"{name} scaled {found[1]} {found[4]}"
    if found := re.match(_OF_EXPERIMENT, message):
        return f"experiment's analysis {found[1]}: {found[2]}{message[found.end() :]}"
    if found := re.fullmatch(_RUN, message):
        return f"{found[1].lower()} analysis {found[2]}: {found[3]}"
    return message


def event_lines(events: Iterable[Event], picture: Picture, facts: Facts) -> list[Line]:
    """Time, what it is about where that is not the Rollout itself, reason and message; nothing is cut off.
    Warnings are marked."""
    return [line for event in events for line in _rows(event, picture, facts)]


def _rows(event: Event, picture: Picture, facts: Facts) -> list[Line]:
    warning = warns(event)
    head = f"{clock(event.at, picture.now)} {facts.symbols.warning if warning else ' '} "
    again = f" (x{event.count})" if event.count > 1 else ""
    about = "" if event.kind == "Rollout" else f"{subject(event, picture)}: "
    text = f"{about}{event.reason}: {short_names(event_text(event, picture), picture)}{again}"
    style: Tone = "warning" if warning else ""
    folded = textwrap.wrap(text, max(20, facts.width - columns_of(head)), break_on_hyphens=False) or [""]
    rest = " " * columns_of(head)
    return [(head if n == 0 else rest, (part, style)) for n, part in enumerate(folded)]


def short_names(text: str, picture: Picture) -> str:
    """Pods and runs by the end of their names, ReplicaSets by their version."""
    for replicaset in picture.snapshot.replicasets:
        text = text.replace(f"{replicaset.name}-", "")
        text = text.replace(replicaset.name, picture.versions[replicaset.name] or replicaset.name)
    return text


def subject(event: Event, picture: Picture) -> str:
    """`rollout`, `canary`, `stable x2k1z`, `run 8-3`: short, with the role in the update."""
    tail = event.name.removeprefix(f"{picture.name}-")
    match event.kind:
        case "Rollout":
            return "rollout"
        case "ReplicaSet":
            return f"{version_role(tail, picture)} set".strip()
        case "Pod":
            digest, _, own = tail.rpartition("-")
            return f"{version_role(digest, picture)} {own}".strip()
        case "AnalysisRun":
            return f"run {tail.partition('-')[2] or tail}"
    return event.kind.lower()


def version_role(digest: str, picture: Picture) -> str:
    """`canary`, `stable` or `old` for a pod template hash."""
    found = picture.snapshot.replicaset(digest)
    return (picture.snapshot.role_of(digest) or "old") if found else "old"


def plain(event: Event) -> str:
    """One line for a pipe: `at=… type=Warning object=Pod/… reason=Failed count=3 message="…"`."""
    return keyed(
        f"at={format_time(event.at) if event.at else '-'} type={event.type or 'Normal'} "
        f"object={event.kind}/{event.name}",
        reason=event.reason,
        count=str(event.count) if event.count > 1 else "",
        message=event.message,
    )
