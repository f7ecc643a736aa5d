"""Going back to an earlier revision: which one, and what comes of it."""

from collections.abc import Callable
from datetime import datetime

from companyos_canary.actions.change import Changed, Verb, change
from companyos_canary.argo.effects import undone
from companyos_canary.argo.patches import Record, tag, undo
from companyos_canary.argo.rollback_window import within_window
from companyos_canary.argo.stable_record import ever_stable, previous_stable
from companyos_canary.cluster.client import Cluster
from companyos_canary.errors import NotFound, Refused
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import ReplicaSet


def target_of(snapshot: Snapshot, to: str | None) -> ReplicaSet:
    """The ReplicaSet to go back to. `to` is a revision number or a version. Raises NotFound where
    there is none, Refused where nobody knows which one was good."""
    if to is not None:
        return _named(snapshot, to)
    found = previous_stable(snapshot)
    if found is None and len(snapshot.replicasets) < 2:
        raise Refused(
            f"`{snapshot.rollout.name}` has no earlier revision to go back to",
            hint="`canary history` lists what there was",
        )
    if found is None:
        raise Refused(
            f"which revision of `{snapshot.rollout.name}` was good is not recorded",
            hint=f"say it: canary undo --to VERSION, one of {_choices(snapshot, others=True)}",
        )
    return found


def record_for(
    snapshot: Snapshot, target: ReplicaSet, *, by: str, now: datetime, reason: str
) -> Record:
    """Who goes back to what, and every hash that is known to have been stable."""
    stable = snapshot.rollout.stable_hash
    newest = sorted(snapshot.replicasets, key=lambda r: r.revision, reverse=True)
    known = ever_stable(snapshot) - {stable}
    ordered = tuple(r.hash for r in newest if r.hash in known)
    image = target.containers[0].image if target.containers else ""
    return Record(by, now, reason, image, stable, ordered)


def send(
    cluster: Cluster,
    name: str,
    target: ReplicaSet,
    record: Record,
    *,
    sleep: Callable[[float], None],
    dry_run: bool,
    wait: bool,
) -> Changed:
    """Writes the target's template; with `wait` until the controller shows its hash."""
    verb = Verb(
        "undo", lambda live: undo(live, target, record), undone(target.hash), of_template=True
    )
    return change(cluster, name, verb, sleep=sleep, dry_run=dry_run, wait=wait)


def runs_steps_again(snapshot: Snapshot, target: ReplicaSet) -> bool:
    """Back to the stable version it goes at once, and so it does within the rollback window; any
    other one walks through the steps."""
    return target.hash != snapshot.rollout.stable_hash and not within_window(snapshot, target)


def _named(snapshot: Snapshot, to: str) -> ReplicaSet:
    named = [
        r
        for r in snapshot.replicasets
        if to in (str(r.revision), r.hash)
        or any(to in (tag(c.image), c.image) for c in r.containers)
    ]
    if not named:
        raise NotFound(
            f"`{snapshot.rollout.name}` has no revision or version `{to}` any more",
            hint=f"it has {_choices(snapshot)}",
        )
    known = ever_stable(snapshot)
    return max(named, key=lambda r: (r.hash in known, r.revision))


def _choices(snapshot: Snapshot, *, others: bool = False) -> str:
    """The revisions that there are; with `others` not the current one."""
    rows = (
        f"`{tag(r.containers[0].image)}` (revision {r.revision})"
        for r in snapshot.replicasets[:8]
        if r.containers and not (others and r.hash == snapshot.rollout.current_hash)
    )
    return ", ".join(rows) or "none"
