"""Which revisions were ever fully promoted. The cluster does not say: a ReplicaSet of an aborted
version looks like one of a good version. `deploy` writes down which hash was stable; the union of
these records and today's stable is the list."""

from companyos_canary.argo.patches.record import record_of, stable_hashes
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
        record = record_of(replicaset.annotations)
        if record.get("image") in {c.image for c in replicaset.containers}:
            found.update(stable_hashes(replicaset.annotations))
    return frozenset(found - {""})


def previous_stable(snapshot: Snapshot) -> ReplicaSet | None:
    """What an undo goes back to: mid-way the stable version, afterwards the newest earlier one
    that was ever stable. None where no record says so."""
    rollout, known = snapshot.rollout, ever_stable(snapshot)
    candidates = [
        r for r in snapshot.replicasets if r.hash in known and r.hash != rollout.current_hash
    ]
    if not rollout.is_fully_promoted:
        return snapshot.stable
    return max(candidates, key=lambda r: r.revision, default=None)
