"""Who did what with this program: the Event that a changing verb leaves on the Rollout, and how it is read again.

An Event is a hint. The cluster forgets it after an hour, anyone who may create events can write one, and the right to
do so may be missing: nothing is sent because of it. It can only hold a promote back that came too late.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any

from msgspec import Struct

from companyos_canary.argo.announcement import announcement
from companyos_canary.model.quantity import format_time, whole
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.row import INSIDE
from companyos_canary.model.workload import Event

COMPONENT = "canary"
_LONGEST = 1000  # characters of a message; the API server takes 1024 of newer events
_LONGEST_NAME = 200
_MESSAGE = (
    r"(?s)canary (?P<verb>[a-z -]+?) by (?P<by>.*?) on (?P<host>[\w.-]*)(?: at revision (?P<revision>[0-9]+))?"
    r"(?:: (?P<reason>.*))?"
)
_NAME = r"\.([0-9a-f]{1,16})(?:\.[0-9a-f]{16})?$"
_FULL = "promote --full"
_MADE_ONE = ("deploy", "undo")


class Author(Struct, frozen=True):
    """Who runs a command, and on which host."""

    by: str
    host: str


class Action(Struct, frozen=True):
    """What someone did with a revision, as far as the Event of it is kept."""

    # `revision` is the newest one at that time, 0 where none is known.
    verb: str
    by: str
    host: str
    reason: str
    revision: Annotated[int, INSIDE]
    at: datetime | None

    @property
    def about(self) -> int:
        """The revision that it is about: `deploy` and `undo` make the next one."""
        return self.revision + 1 if self.verb in _MADE_ONE else self.revision


def event(rollout: Rollout, author: Author, verb: str, reason: str, at: datetime) -> dict[str, Any]:
    """The Event object, for the Rollout as the change left it. Its name is as client-go makes it, so that Events of
    the same second are listed in their order."""
    revision = f" at revision {rollout.revision}" if rollout.revision else ""
    who, where = one_line(author.by) or "someone", re.sub(r"[^\w.-]", "", author.host) or "unknown"
    why = f": {one_line(reason)}" if one_line(reason) else ""
    time = format_time(at)
    name = f"{rollout.name[:_LONGEST_NAME]}.{int(at.timestamp() * 1e9):x}.{whole(rollout.resource_version):016x}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": rollout.namespace},
        "involvedObject": {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Rollout",
            "name": rollout.name,
            "namespace": rollout.namespace,
            "uid": rollout.uid,
            "resourceVersion": rollout.resource_version,
        },
        "source": {"component": COMPONENT, "host": author.host},
        "type": "Normal",
        "reason": COMPONENT.title() + "".join(filter(str.isalpha, verb.title())),
        "message": f"canary {verb} by {who} on {where}{revision}{why}"[:_LONGEST],
        "count": 1,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "reportingComponent": COMPONENT,
        "reportingInstance": author.host,
    }


def action_of_event(event: Event) -> Action | None:
    """What an Event says that one of our verbs left; None for any other."""
    found = re.fullmatch(_MESSAGE, event.message)
    if event.kind != "Rollout" or not event.reason.startswith(COMPONENT.title()) or not found:
        return None
    return Action(
        found["verb"], found["by"], found["host"], found["reason"] or "", whole(found["revision"] or "0"), event.at
    )


def promoted_after(events: Iterable[Mapping[str, Any]], moment: datetime) -> Action | None:
    """What an Event (the object) says of a promote after `moment`. Its times are whole seconds, its name is finer."""
    for raw in events:
        action = action_of_event(Event.from_object(raw))
        if action and action.verb.startswith("promote") and _made_at(raw) > moment.timestamp():
            return action
    return None


def promoted_in_full_by(rollout: Rollout, events: Iterable[Mapping[str, Any]], moment: datetime) -> str:
    """Who promoted this version in full since `moment`, as far as Events (the objects) say: `someone` where it is the
    controller alone that says so; empty where none does."""
    by = ""
    for raw in events:
        event = Event.from_object(raw)
        action, said = action_of_event(event), announcement(event)
        if action and action.verb == _FULL and _made_at(raw) >= moment.timestamp():
            return action.by
        if (
            said
            and (said.revision, said.hash) == (rollout.revision, rollout.current_hash)
            and said.detail == "Full promotion requested"  # recorded: promote-full-mid
        ):
            by = "someone"
    return by


def stepped_between(events: Iterable[Mapping[str, Any]], moment: datetime, now: datetime) -> bool:
    """Whether the controller says that it completed a step after `moment`; what is later than `now` is another
    clock's."""
    said = (_said(raw) for raw in events if (told := announcement(Event.from_object(raw))) and told.step)
    return any(moment.timestamp() < earliest <= now.timestamp() for earliest, _ in said)


def may_have_stepped(events: Iterable[Mapping[str, Any]], moment: datetime, number: int) -> bool:
    """Whether the controller may have completed this step (the first is 1) after `moment`, in the same second: it has
    counted up what it said of it before, and none of our promotes in that second explains that."""
    counted = ours = 0
    for raw in events:
        (earliest, latest), event = _said(raw), Event.from_object(raw)
        if (told := announcement(event)) and told.step and earliest <= moment.timestamp() < latest:
            counted += told.step == number or told.combined
        elif (action := action_of_event(event)) and action.verb.startswith("promote"):
            ours += int(moment.timestamp()) <= _made_at(raw) <= moment.timestamp()
    return counted > ours


def _said(raw: Mapping[str, Any]) -> tuple[float, float]:
    """From when to when an Event (the object) was said for the last time, in seconds since 1970. client-go counts up
    what it has said before: then the name is of the first time, also of an Event that is written again after it has
    expired, and the last time is in whole seconds."""
    event = Event.from_object(raw)
    if event.count > 1 and event.at:
        return event.at.timestamp(), event.at.timestamp() + 1
    made = _made_at(raw)
    return made, made


def _made_at(event: Mapping[str, Any]) -> float:
    """Seconds since 1970, from the name of an Event (the object), as client-go makes it (a recorded one:
    `companyos-api.18ec63162a625787`); 0 of another."""
    found = re.search(_NAME, str((event.get("metadata") or {}).get("name", "")))
    return int(found[1], 16) / 1e9 if found else 0.0


def actions_on(events: Iterable[Event], revision: int) -> tuple[Action, ...]:
    """What was done with one revision, oldest first."""
    found = (action_of_event(e) for e in events)
    return tuple(a for a in found if a and revision and a.about == revision)


def one_line(text: str) -> str:
    """Words in one line, without characters that a terminal would act on."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
