"""Whether going back to a revision skips the steps (spec.rollbackWindow). Pure."""

from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import ReplicaSet


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
