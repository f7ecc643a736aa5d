"""Which revisions were ever fully promoted, how each one ended, and whether going back skips the steps."""

from collections.abc import Mapping

from companyos_canary.argo.patches.record import End, Result, action_of, ends_of, newest_ends, record_of, stable_hashes
from companyos_canary.model.quantity import parse_time
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import ReplicaSet


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


def within_window(snapshot: Snapshot, target: ReplicaSet) -> bool:
    """The target is older than stable, and fewer ReplicaSets than `revisions` were made strictly
    between them (upstream rollout/sync.go; recorded: undo-with-rollback-window)."""
    window = (snapshot.rollout.raw.get("spec") or {}).get("rollbackWindow") or {}
    revisions, stable = window.get("revisions") or 0, snapshot.stable
    if not revisions or stable is None or stable.created_at is None or target.created_at is None:
        return False
    if target.created_at >= stable.created_at:
        return False
    made = (r.created_at for r in snapshot.replicasets if r.created_at)
    between = sum(1 for at in made if target.created_at < at < stable.created_at)
    return bool(between < revisions)
