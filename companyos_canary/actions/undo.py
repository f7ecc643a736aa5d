"""Going back to an earlier revision: which one, and what comes of it."""

from datetime import datetime

from msgspec.structs import replace

from companyos_canary.actions.change import Changed, Verb, change
from companyos_canary.actions.wait import Time
from companyos_canary.argo.effects import undone
from companyos_canary.argo.gitops import different
from companyos_canary.argo.history import previous_stable, revision_of, was_aborted
from companyos_canary.argo.patches.decision import Decision
from companyos_canary.argo.patches.hold import Hold, held, images_left
from companyos_canary.argo.patches.record import (
    End,
    Record,
    end_of,
    ever_stable,
    known_ends,
    newest_ends,
    record_of,
    undone_to,
)
from companyos_canary.argo.patches.template import undo
from companyos_canary.argo.progress import within_window
from companyos_canary.cluster.client import Cluster
from companyos_canary.errors import NotFound, Refused
from companyos_canary.model.image import is_called, version
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot
from companyos_canary.model.workload import ReplicaSet

_KEPT_NONE = "its revisionHistoryLimit is 0, so that none is kept: `canary deploy VERSION` is the way back"


def undo_target(snapshot: Snapshot, to: str | None, *, hold: bool = False) -> ReplicaSet:
    """The ReplicaSet to go back to. `to` is a revision number or a version. Without it, an undo in
    progress is the one that is meant. Raises NotFound if there is none, Refused if no one
    knows which one was good, and where the newest version is there by an undo: a second one
    would go back further than was asked for. `hold`: that one may still hold the version it left."""
    if to is not None:
        return _named(snapshot, to)
    rollout, current = snapshot.rollout, snapshot.current
    if current and undone_to(rollout) and not rollout.aborted:
        if rollout.is_fully_promoted and not hold:
            raise _already_back(snapshot, current)
        return current
    found = previous_stable(snapshot)
    if found is None and len(snapshot.replicasets) < 2:
        limit = (rollout.raw.get("spec") or {}).get("revisionHistoryLimit")
        raise Refused(
            f"`{snapshot.rollout.name}` has no earlier revision to go back to",
            hint=_KEPT_NONE if limit == 0 else "see `canary history`",
        )
    if found is None:
        raise Refused(
            f"which revision of `{snapshot.rollout.name}` was stable is not recorded",
            hint=f"choose one: canary undo --to VERSION, one of {_choices(snapshot, others=True)}",
        )
    return found


def _already_back(snapshot: Snapshot, current: ReplicaSet) -> Refused:
    """Says which version the undo left, by whom and why, as far as its ReplicaSet is there."""
    rollout = snapshot.rollout
    record, before = record_of(rollout.annotations), current.revision - 1
    left = next((e for e in known_ends(snapshot) if e.revision == before), None)
    undone = snapshot.replicaset(left.hash) if left else None
    told = f"`{rollout.name}` is already back on {version_of(current)}"
    if undone:
        told += f": {record.get('by') or 'someone'} undid {version_of(undone)}"
        told += f" ({record['reason']})" if record.get("reason") else ""
    choices = _choices(snapshot, others=True)
    return Refused(told, hint=f"to go to another version, choose one: canary undo --to VERSION, one of {choices}")


def version_of(replicaset: ReplicaSet) -> str:
    images = [c.image for c in replicaset.containers]
    return version(images[0]) if images else f"revision {replicaset.revision}"


def record_for(snapshot: Snapshot, target: ReplicaSet, *, by: str, now: datetime, reason: str) -> Record:
    """Who goes back to what, every hash that is known to have been stable, and how the revisions
    before ended: that one was left, and which ones were aborted, while the runs still tell."""
    stable = snapshot.rollout.stable_hash
    newest = sorted(snapshot.replicasets, key=lambda r: r.revision, reverse=True)
    known = ever_stable(snapshot) - {stable}
    ordered = tuple(r.hash for r in newest if r.hash in known)
    image = target.containers[0].image if target.containers else ""
    ends = _ends(snapshot, by=by, now=now, reason=reason)
    return Record(by, now, reason, image, stable, ordered, ends, target.hash)


def _ends(snapshot: Snapshot, *, by: str, now: datetime, reason: str) -> tuple[End, ...]:
    left = end_of(snapshot.rollout)
    if left and left.result != "aborted":
        left = replace(left, undone=True, at=now, by=by, reason=reason)
    aborted = (
        _aborted(snapshot, r, now)
        for r in snapshot.replicasets
        if r.hash != snapshot.rollout.current_hash and was_aborted(snapshot, r)
    )
    return newest_ends((*((left,) if left else ()), *known_ends(snapshot), *aborted))


def _aborted(snapshot: Snapshot, replicaset: ReplicaSet, now: datetime) -> End:
    told = revision_of(snapshot, replicaset, now)
    measured = (f"{m.metric} {m.value or 'no data'}" for m in told.metrics)
    why = next(measured, told.message)
    return End(replicaset.hash, replicaset.revision, "aborted", told.ended_at, reason=why)


def hold_for(snapshot: Snapshot, target: ReplicaSet, record: Record) -> Hold:
    """What an undo to the target keeps from being deployed: the images that it leaves, or that it has left. Raises
    Refused if it leaves none."""
    left = snapshot.rollout.containers
    if target.hash == snapshot.rollout.current_hash:
        end = next((e for e in known_ends(snapshot) if e.undone), None)
        before = snapshot.replicaset(end.hash) if end else None
        left = before.containers if before else ()
    images = images_left(left, target.containers)
    if not images:
        raise Refused(
            f"--hold holds images, and the version that is left has none but those of {version_of(target)}",
            hint="leave out --hold",
        )
    return Hold(images, record.by, record.at, record.reason)


def holding(snapshot: Snapshot, target: ReplicaSet) -> tuple[Hold, ...]:
    """The holds on images that the target would bring back."""
    rollout = snapshot.rollout
    coming = different(rollout.containers, target.containers)
    return tuple(hold for container, image in coming.items() for hold in held(rollout.annotations, container, image))


def send_undo(
    cluster: Cluster,
    name: str,
    target: ReplicaSet,
    record: Record,
    *,
    time: Time,
    dry_run: bool,
    wait: bool,
    hold: Hold | None = None,
    force: bool = False,
) -> Changed:
    """Writes the target's template; with `wait` until the controller shows its hash."""

    def decide(live: Rollout) -> Decision:
        return undo(live, target, record, hold=hold, force=force)

    verb = Verb("undo", decide, undone(target.hash), of_template=True, reason=record.reason)
    return change(cluster, name, verb, time=time, dry_run=dry_run, wait=wait)


def runs_steps_again(snapshot: Snapshot, target: ReplicaSet) -> bool:
    """Back to the stable version it goes at once, and so it does within the rollback window; any
    other one walks through the steps."""
    return target.hash != snapshot.rollout.stable_hash and not within_window(snapshot, target)


def _named(snapshot: Snapshot, to: str) -> ReplicaSet:
    named = [
        r
        for r in snapshot.replicasets
        if to in (str(r.revision), r.hash) or any(is_called(c.image, to) for c in r.containers)
    ]
    if not named:
        raise NotFound(
            f"`{snapshot.rollout.name}` has no revision or version `{to}` any more", hint=f"it has {_choices(snapshot)}"
        )
    known = ever_stable(snapshot)
    return max(named, key=lambda r: (r.hash in known, not was_aborted(snapshot, r), r.revision))


def _choices(snapshot: Snapshot, *, others: bool = False) -> str:
    """The revisions that there are, and which ones were aborted; with `others` not the current one."""
    rows = (
        f"`{version(r.containers[0].image)}` (revision {r.revision}{', aborted' if was_aborted(snapshot, r) else ''})"
        for r in snapshot.replicasets[:8]
        if r.containers and not (others and r.hash == snapshot.rollout.current_hash)
    )
    return ", ".join(rows) or "none"
