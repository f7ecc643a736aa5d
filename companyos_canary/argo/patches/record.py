"""The record that `deploy` leaves on a Rollout: who, when, why, and which hash was stable."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from companyos_canary.model.quantity import format_time

RECORD = "canary.companyos.io/deploy"
"""The annotation; the controller copies it to the ReplicaSet that it makes."""


@dataclass(frozen=True, slots=True)
class Record:
    """Who deployed what, and which hash was stable then. Believed only where `image` is the
    ReplicaSet's own: an undo copies a stale annotation to an old ReplicaSet."""

    by: str
    at: datetime
    reason: str
    image: str
    stable: str

    def text(self) -> str:
        facts = {"by": self.by, "at": format_time(self.at), "reason": self.reason,
                 "image": self.image, "stable": self.stable}  # fmt: skip
        return json.dumps({k: v for k, v in facts.items() if v}, separators=(",", ":"))


def record_of(annotations: Mapping[str, str]) -> dict[str, str]:
    """The facts of a deploy record, empty where there is none that can be read."""
    try:
        facts = json.loads(annotations.get(RECORD, ""))
    except ValueError:
        return {}
    return {k: str(v) for k, v in facts.items()} if isinstance(facts, dict) else {}
