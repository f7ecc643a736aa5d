"""The record that `deploy` and `undo` leave on a Rollout: who, when, why, which hash was stable, and how the
revisions before it ended; and what the records of a Rollout say together: which revisions were ever fully promoted."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, get_args

from msgspec import Struct
from msgspec.json import decode
from msgspec.structs import replace

from companyos_canary.argo.patches.decision import Change, Decision, Patch, add, annotation_patch, annotation_path
from companyos_canary.errors import words
from companyos_canary.model.quantity import format_time, parse_time
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import ReplicaSet

ACTION = "canary.companyos.io/last-action"
"""The annotation in which the other verbs keep a reason that was given."""

MOST_KNOWN = 10
LONGEST_REASON = 200  # characters
RECORD = "canary.companyos.io/deploy"
"""The annotation; the controller copies it to the ReplicaSet that it makes."""


Result = Literal["aborted", "promoted", "not promoted"]
_RESULTS: Mapping[str, Result] = {word: word for word in get_args(Result)}


class End(Struct, frozen=True):
    """How one revision of a template ended, noted when the next one was written: the same
    ReplicaSet may come back under a higher number, and events expire. `undone`: an undo left it;
    then `at`, `by` and `reason` are the undo's, else those of the abort."""

    hash: str
    revision: int
    result: Result
    at: datetime | None = None
    by: str = ""
    reason: str = ""
    undone: bool = False

    def facts(self) -> dict[str, Any]:
        facts = {
            "hash": self.hash,
            "revision": self.revision,
            "result": self.result,
            "at": format_time(self.at) if self.at else "",
            "by": self.by,
            "reason": self.reason[:LONGEST_REASON],
            "undone": self.undone,
        }
        return {k: v for k, v in facts.items() if v}


class Record(Struct, frozen=True):
    """Who put this version there, and which hash was stable then. Believed only where `image` is
    the ReplicaSet's own: the plugin's undo copies a stale annotation to an old ReplicaSet. `known`
    are hashes that were stable before, newest first: what an old ReplicaSet's own record said is
    lost when the controller copies a new one over it. `ends` says how earlier revisions ended.
    `undo_to` is the hash that an undo goes back to; empty in a deploy's record."""

    by: str
    at: datetime
    reason: str
    image: str
    stable: str
    known: tuple[str, ...] = ()
    ends: tuple[End, ...] = ()
    undo_to: str = ""

    def text(self) -> str:
        facts = {
            "by": self.by,
            "at": format_time(self.at),
            "reason": self.reason,
            "image": self.image,
            "stable": self.stable,
            "known": list(self.known[:MOST_KNOWN]),
            "undo_to": self.undo_to,
            "ends": [end.facts() for end in newest_ends(self.ends)],
        }
        return written_facts(facts)

    def annotation(self, present: Mapping[str, str]) -> dict[str, Any]:
        """The operation of a JSON patch that writes it; `present`: the annotations there are."""
        if present:
            return add(annotation_path(RECORD), self.text())
        return add("/metadata/annotations", {RECORD: self.text()})

    def patch(self) -> Patch:
        """A patch of the Rollout that writes nothing else."""
        return annotation_patch(RECORD, self.text())


def record_of(annotations: Mapping[str, str]) -> dict[str, str]:
    """The facts of a deploy record, empty if there is none that can be read."""
    return _texts(annotations.get(RECORD, ""))


def set_by(rollout: Rollout) -> str:
    """Who put the images there that the Rollout has; empty where no record says."""
    record = record_of(rollout.annotations)
    return record.get("by", "") if record.get("image") in {c.image for c in rollout.containers} else ""


def stable_hashes(annotations: Mapping[str, str]) -> tuple[str, ...]:
    """The hashes that a record says were stable, newest first; none where there is no record."""
    facts = facts_of(annotations.get(RECORD, ""))
    known = facts.get("known")
    found = [facts.get("stable"), *(known if isinstance(known, list) else [])]
    return tuple(dict.fromkeys(h for h in found if isinstance(h, str) and h))


def ends_of(annotations: Mapping[str, str]) -> tuple[End, ...]:
    """How a record says earlier revisions ended; what cannot be read is left out."""
    ends = facts_of(annotations.get(RECORD, "")).get("ends")
    told = (_end(facts) for facts in ends) if isinstance(ends, list) else ()
    return newest_ends(end for end in told if end)


def undone_to(rollout: Rollout) -> str:
    """The hash that the newest undo went back to, if it is still the newest revision; else
    empty."""
    record = record_of(rollout.annotations)
    mine = record.get("image") in {c.image for c in rollout.containers}
    hash_ = record.get("undo_to", "")
    return hash_ if mine and hash_ == rollout.current_hash else ""


def newest_ends(ends: Iterable[End]) -> tuple[End, ...]:
    """One for each revision, the first that is given, newest revision first; a bounded number."""
    found: dict[tuple[str, int], End] = {}
    for end in ends:
        found.setdefault((end.hash, end.revision), end)
    ordered = sorted(found.values(), key=lambda end: end.revision, reverse=True)
    return tuple(ordered[:MOST_KNOWN])


def _end(facts: object) -> End | None:
    if not isinstance(facts, dict):
        return None
    texts = {k: words(v) for k, v in facts.items() if isinstance(v, str)}
    revision, result = facts.get("revision"), _RESULTS.get(texts.get("result", ""))
    if type(revision) is not int or result is None or not texts.get("hash"):
        return None
    return End(
        hash=texts["hash"],
        revision=revision,
        result=result,
        at=parse_time(texts.get("at")),
        by=texts.get("by", ""),
        reason=texts.get("reason", ""),
        undone=facts.get("undone") is True,
    )


def _texts(annotation: str) -> dict[str, str]:
    return {k: words(v) for k, v in facts_of(annotation).items() if isinstance(v, str)}


def written_facts(facts: Mapping[str, Any]) -> str:
    """The text of an annotation, without what is empty. Bytes of a command line that are no text stand as `\\udce9`."""
    import json  # noqa: PLC0415 - only who changes something writes one

    texts = {
        k: v.encode(errors="backslashreplace").decode() if isinstance(v, str) else v for k, v in facts.items() if v
    }
    return json.dumps(texts, separators=(",", ":"))


def facts_of(annotation: str) -> dict[str, Any]:
    """Empty if it cannot be read: anyone may write an annotation."""
    try:
        facts = decode(annotation)
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def action_of(annotations: Mapping[str, str]) -> dict[str, str]:
    """`verb`, `by`, `at`, `reason`, `superseded_by` of the last verb that was given a reason; empty without."""
    return _texts(annotations.get(ACTION, ""))


def with_reason(
    decision: Decision, verb: str, by: str, at: datetime, reason: str, *, superseded_by: str = ""
) -> Decision:
    """The same decision with a patch behind it that says who did this and why; unchanged where no
    reason was given, so that an abort in an emergency stays one patch. `superseded_by`: the version
    that an abort makes way for."""
    if not reason or not isinstance(decision, Change):
        return decision
    facts = {"verb": verb, "by": by, "at": format_time(at), "reason": reason, "superseded_by": superseded_by}
    return replace(decision, patches=(*decision.patches, annotation_patch(ACTION, written_facts(facts))))


def ever_stable(snapshot: Snapshot) -> frozenset[str]:
    """Hashes that are known to have been stable. A record is believed only where its image is one
    of the ReplicaSet's own: an undo copies the Rollout's stale record to an old ReplicaSet."""
    found = {snapshot.rollout.stable_hash}
    images = {c.image for c in snapshot.rollout.containers}
    own = record_of(snapshot.rollout.annotations)
    if own.get("image") in images:
        found.update(stable_hashes(snapshot.rollout.annotations))
    for replicaset in snapshot.replicasets:
        if believed(replicaset):
            found.update(stable_hashes(replicaset.annotations))
    return frozenset(found - {""})


def believed(replicaset: ReplicaSet) -> Mapping[str, str]:
    """The record of a ReplicaSet, if it is about its own image; else empty."""
    record = record_of(replicaset.annotations)
    return record if record.get("image") in {c.image for c in replicaset.containers} else {}


def known_ends(snapshot: Snapshot) -> tuple[End, ...]:
    """How earlier revisions ended, newest revision first; the newest record has the last word.
    An end names its hash and revision, so it stays true in a record that was copied elsewhere."""
    newest = sorted(snapshot.replicasets, key=lambda r: r.revision, reverse=True)
    told = (snapshot.rollout.annotations, *(r.annotations for r in newest))
    return newest_ends(end for annotations in told for end in ends_of(annotations))


def end_of(rollout: Rollout) -> End | None:
    """How the newest revision ends if another one takes its place now; None before the controller
    has seen any."""
    if not rollout.current_hash or not rollout.revision:
        return None
    if rollout.aborted:
        action = abort_action(rollout.annotations)
        reason = action.get("reason", "") or rollout.status_message
        by, at = action.get("by", ""), rollout.aborted_at
        return End(rollout.current_hash, rollout.revision, "aborted", at, by, reason)
    result: Result = "promoted" if rollout.is_fully_promoted else "not promoted"
    return End(rollout.current_hash, rollout.revision, result)


def ends_with(rollout: Rollout) -> tuple[End, ...]:
    """What a record says that takes the place of the Rollout's newest revision."""
    end = end_of(rollout)
    return newest_ends((*((end,) if end else ()), *ends_of(rollout.annotations)))


def abort_action(annotations: Mapping[str, str]) -> Mapping[str, str]:
    """Who aborted and why, where `abort` was given a reason; empty if that was before the
    newest deploy. The controller copies the Rollout's annotations to the newest ReplicaSet."""
    action = action_of(annotations)
    at, began = parse_time(action.get("at")), parse_time(record_of(annotations).get("at"))
    if action.get("verb") != "abort" or (at and began and at < began):
        return {}
    return action
