"""The record that `deploy` leaves on a Rollout: who, when, why, and which hash was stable."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from companyos_canary.argo.patches.decision import MERGE_PATCH, Change, Decision, Patch, add
from companyos_canary.model.quantity import format_time

ACTION = "canary.companyos.io/last-action"
"""The annotation in which the other verbs keep a reason that was given."""

MOST_KNOWN = 10
RECORD = "canary.companyos.io/deploy"
"""The annotation; the controller copies it to the ReplicaSet that it makes."""


@dataclass(frozen=True, slots=True)
class Record:
    """Who put this version there, and which hash was stable then. Believed only where `image` is
    the ReplicaSet's own: the plugin's undo copies a stale annotation to an old ReplicaSet. `known`
    are hashes that were stable before, newest first: what an old ReplicaSet's own record said is
    lost when the controller copies a new one over it."""

    by: str
    at: datetime
    reason: str
    image: str
    stable: str
    known: tuple[str, ...] = ()

    def text(self) -> str:
        facts = {"by": self.by, "at": format_time(self.at), "reason": self.reason,
                 "image": self.image, "stable": self.stable,
                 "known": list(self.known[:MOST_KNOWN])}  # fmt: skip
        return json.dumps({k: v for k, v in facts.items() if v}, separators=(",", ":"))

    def annotation(self, present: Mapping[str, str]) -> dict[str, Any]:
        """The operation of a JSON patch that writes it; `present`: the annotations there are."""
        if present:
            path = RECORD.replace("~", "~0").replace("/", "~1")
            return add(f"/metadata/annotations/{path}", self.text())
        return add("/metadata/annotations", {RECORD: self.text()})

    def patch(self) -> Patch:
        """A patch of the Rollout that writes nothing else."""
        body = {"metadata": {"annotations": {RECORD: self.text()}}}
        return Patch(body, MERGE_PATCH, beside=True)


def record_of(annotations: Mapping[str, str]) -> dict[str, str]:
    """The facts of a deploy record, empty where there is none that can be read."""
    return _texts(annotations.get(RECORD, ""))


def _texts(annotation: str) -> dict[str, str]:
    try:
        facts = json.loads(annotation)
    except ValueError:
        return {}
    if not isinstance(facts, dict):
        return {}
    return {k: v for k, v in facts.items() if isinstance(v, str)}


def stable_hashes(annotations: Mapping[str, str]) -> tuple[str, ...]:
    """The hashes that a record says were stable, newest first; none where there is no record."""
    try:
        facts = json.loads(annotations.get(RECORD, ""))
    except ValueError:
        return ()
    if not isinstance(facts, dict):
        return ()
    known = facts.get("known")
    found = [facts.get("stable"), *(known if isinstance(known, list) else [])]
    return tuple(dict.fromkeys(h for h in found if isinstance(h, str) and h))


def action_of(annotations: Mapping[str, str]) -> dict[str, str]:
    """`verb`, `by`, `at`, `reason` of the last verb that was given a reason; empty without."""
    return _texts(annotations.get(ACTION, ""))


def with_reason(decision: Decision, verb: str, by: str, at: datetime, reason: str) -> Decision:
    """The same decision with a patch behind it that says who did this and why; unchanged where no
    reason was given, so that an abort in an emergency stays one patch."""
    if not reason or not isinstance(decision, Change):
        return decision
    facts = {"verb": verb, "by": by, "at": format_time(at), "reason": reason}
    text = json.dumps({k: v for k, v in facts.items() if v}, separators=(",", ":"))
    note = Patch({"metadata": {"annotations": {ACTION: text}}}, MERGE_PATCH, beside=True)
    return replace(decision, patches=(*decision.patches, note))
