"""The record that `deploy` leaves on a Rollout: who, when, why, and which hash was stable."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from companyos_canary.argo.patches.decision import MERGE_PATCH, Change, Decision, Patch
from companyos_canary.model.quantity import format_time

ACTION = "canary.companyos.io/last-action"
"""The annotation in which the other verbs keep a reason that was given."""

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


def with_reason(decision: Decision, verb: str, by: str, at: datetime, reason: str) -> Decision:
    """The same decision with a patch behind it that says who did this and why; unchanged where no
    reason was given, so that an abort in an emergency stays one patch."""
    if not reason or not isinstance(decision, Change):
        return decision
    facts = {"verb": verb, "by": by, "at": format_time(at), "reason": reason}
    text = json.dumps({k: v for k, v in facts.items() if v}, separators=(",", ":"))
    note = Patch({"metadata": {"annotations": {ACTION: text}}}, MERGE_PATCH)
    return replace(decision, patches=(*decision.patches, note))
