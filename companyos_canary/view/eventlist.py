"""Events of a Rollout and all that belongs to it, in the order of time."""

import textwrap
from collections.abc import Iterable

from companyos_canary.model.quantity import format_time
from companyos_canary.model.workload import Event
from companyos_canary.view.cells import columns_of, filled
from companyos_canary.view.events import event_text
from companyos_canary.view.format import clock
from companyos_canary.view.keyed import keyed
from companyos_canary.view.lines import Line
from companyos_canary.view.picture import Picture
from companyos_canary.view.replicas import role_of
from companyos_canary.view.theme import Facts, Role

_SUBJECT = 14


def lines(events: Iterable[Event], picture: Picture, facts: Facts) -> list[Line]:
    """Time, what it is about, reason and message; nothing is cut off. Warnings are marked."""
    return [line for event in events for line in _lines(event, picture, facts)]


def _lines(event: Event, picture: Picture, facts: Facts) -> list[Line]:
    warning = event.type == "Warning"
    mark = facts.symbols.warning if warning else " "
    head = f"{clock(event.at, picture.now)} {mark} {filled(subject(event, picture), _SUBJECT)} "
    again = f" (x{event.count})" if event.count > 1 else ""
    text = f"{event.reason}: {short_names(event_text(event, picture), picture)}{again}"
    style: Role = "warning" if warning else ""
    folded = textwrap.wrap(text, max(20, facts.width - columns_of(head)), break_on_hyphens=False) or [""]
    rest = " " * columns_of(head)
    return [(head if n == 0 else rest, (part, style)) for n, part in enumerate(folded)]


def short_names(text: str, picture: Picture) -> str:
    """Pods and runs by the end of their names, ReplicaSets by their version."""
    for replicaset in picture.snapshot.replicasets:
        text = text.replace(f"{replicaset.name}-", "")
        text = text.replace(replicaset.name, picture.version_of(replicaset) or replicaset.name)
    return text


def subject(event: Event, picture: Picture) -> str:
    """`rollout`, `canary`, `stable x2k1z`, `run 8-3`: short, with the role in the update."""
    tail = event.name.removeprefix(f"{picture.name}-")
    match event.kind:
        case "Rollout":
            return "rollout"
        case "ReplicaSet":
            return f"{role(tail, picture)} set".strip()
        case "Pod":
            digest, _, own = tail.rpartition("-")
            return f"{role(digest, picture)} {own}".strip()
        case "AnalysisRun":
            return f"run {tail.partition('-')[2] or tail}"
    return event.kind.lower()


def role(digest: str, picture: Picture) -> str:
    """`canary`, `stable` or `old` for a pod template hash."""
    found = picture.snapshot.replicaset(digest)
    return (role_of(picture, found) or "old") if found else "old"


def plain(event: Event) -> str:
    """One line for a pipe: `at=… type=Warning object=Pod/… reason=Failed count=3 message="…"`."""
    return keyed(
        f"at={format_time(event.at) if event.at else '-'} type={event.type or 'Normal'} "
        f"object={event.kind}/{event.name}",
        reason=event.reason,
        count=str(event.count) if event.count > 1 else "",
        message=event.message,
    )
