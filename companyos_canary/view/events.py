"""The last events, in words without ReplicaSet names. Nothing is decided from them."""

import re

from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import Event
from companyos_canary.view.format import clock, shorten
from companyos_canary.view.lines import Line
from companyos_canary.view.picture import Picture
from companyos_canary.view.theme import Facts

_NOISE = frozenset({"RolloutAddedToInformer", "RolloutNotCompleted", "NewReplicaSetCreated"})
_FOLDED = "(combined from similar events): "
_STEP = re.compile(r"Rollout step \d+/\d+ completed \((.*)\)")
_SCALED = re.compile(r"Scaled (up|down) ReplicaSet (\S+) \(revision (\d+)\) (from \d+ to \d+)")
_RUN = re.compile(r"(Step|Background) Analysis Run '(\S+)' Status New: '(\w+)' Previous: '\w*'")


def events_lines(picture: Picture, facts: Facts, most: int) -> list[Line]:
    """The newest `most` events that tell something, oldest first. While an update is under way
    only its own: the cluster drops events after the 25th, and then the newest are old."""
    if most <= 0:
        return []
    ordered = sorted(picture.snapshot.events, key=lambda e: e.at.timestamp() if e.at else 0.0)
    since = picture.started if picture.progress.stepped else None
    telling = [e for e in ordered if tells(e) and not (since and e.at and e.at < since)][-most:]
    lines: list[Line] = []
    for event in telling:
        head = f"  {clock(event.at, picture.now)}  "
        again = f" (x{event.count})" if event.count > 1 else ""
        room = facts.width - len(head) - len(again)
        text = shorten(event_text(event, picture), room, facts.symbols) + again
        lines.append((head, (text, "warning" if event.type == "Warning" else "")))
    return lines


def tells(event: Event) -> bool:
    """Steps, scaling, analyses, and every warning; not what each pod and metric says of itself."""
    if event.kind == "AnalysisRun":
        return False
    if event.type == "Warning":
        return True
    return event.kind == "Rollout" and event.reason not in _NOISE


def event_text(event: Event, picture: Picture) -> str:
    """The message with versions in the place of ReplicaSet names (messages: recorded)."""
    message = event.message.removeprefix(_FOLDED)
    if found := _STEP.fullmatch(message):
        return f"{found[1]} done"
    if found := _SCALED.fullmatch(message):
        name = _version(picture, picture.snapshot, found[2]) or f"revision {found[3]}"
        return f"{name} scaled {found[1]} {found[4]}"
    if found := _RUN.fullmatch(message):
        return f"{found[1].lower()} analysis {found[2]}: {found[3]}"
    return message


def _version(picture: Picture, snapshot: Snapshot, replicaset: str) -> str:
    found = next((r for r in snapshot.replicasets if r.name == replicaset), None)
    return picture.version_of(found) if found else ""
