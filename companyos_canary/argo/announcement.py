"""What the controller's Events say of a release. The reason names what happened; of which revision or step is only in
the message (messages: recorded). Pure."""

import re
from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct

from companyos_canary.model.workload import Event

COMBINED = "(combined from similar events): "
_REVISION = r"revision (?P<revision>\d+)"
_SAYS = {
    "RolloutUpdated": rf"Rollout updated to {_REVISION}",
    "RolloutStepCompleted": r"Rollout step (?P<step>\d+)/\d+ completed(?: \((?P<detail>.*)\))?",
    "RolloutCompleted": rf"Rollout completed update to {_REVISION} \((?P<hash>\w+)\)(?:: (?P<detail>.*))?",
    "RolloutAborted": rf"Rollout aborted update to {_REVISION}(?:: ?(?P<detail>.*))?",
}


class Announcement(Struct, frozen=True):
    """`revision` and `step` (the first is 1) are 0 where it is not about one. `detail` is why, or what the step was.
    `combined`: it stands for earlier ones, too."""

    reason: str
    revision: int
    step: int
    hash: str
    detail: str
    combined: bool

    @property
    def promoted(self) -> bool:
        """For the first version the controller says that it is completed before there are pods."""
        return self.reason == "RolloutCompleted" and self.detail != "Initial deploy"


@lru_cache(maxsize=1024)  # the same few in every frame
def announcement(event: Event) -> Announcement | None:
    """None for an Event that says something else."""
    pattern = _SAYS.get(event.reason) if event.kind == "Rollout" else None
    found = re.fullmatch(pattern, event.message.removeprefix(COMBINED), re.DOTALL) if pattern else None
    if found is None:
        return None
    said = found.groupdict(default="")
    return Announcement(
        event.reason,
        revision=int(said.get("revision", 0)),
        step=int(said.get("step", 0)),
        hash=said.get("hash", ""),
        detail=said.get("detail", ""),
        combined=event.message.startswith(COMBINED),
    )


def announcing(events: Iterable[Event], reason: str, revision: int) -> list[Event]:
    """Those that say this of a revision."""
    said = ((event, announcement(event)) for event in events if event.reason == reason)
    return [event for event, found in said if found and found.revision == revision]
