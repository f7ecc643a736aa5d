"""Stopping a canary, seen to its end with nothing but the right to get the Rollout."""

from dataclasses import replace
from datetime import datetime

from companyos_canary.actions.change import Changed, interrupted
from companyos_canary.actions.undo import record_for
from companyos_canary.actions.wait import Time, wait
from companyos_canary.argo.effects import Effect, drained, keeps_canary_pods
from companyos_canary.argo.patches.act import abort, abort_unseen, is_unseen
from companyos_canary.argo.patches.decision import Change, Decision
from companyos_canary.argo.patches.record import End, newest_ends
from companyos_canary.argo.stable_record import end_of, known_ends
from companyos_canary.cluster.client import Cluster
from companyos_canary.errors import CanaryError
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot


def decide(cluster: Cluster, live: Rollout, *, by: str, now: datetime, reason: str = "") -> Decision:
    """What stops the newest version. ReplicaSets are only read where the controller would forget
    an abort; where they cannot be read, the abort is sent all the same."""
    if not is_unseen(live):
        return abort(live)
    try:
        snapshot = cluster.snapshot(live, events=False)
    except CanaryError:
        return abort_unseen(live, None, None)
    stable = snapshot.stable
    if stable is None:
        return abort_unseen(live, None, None)
    record = record_for(snapshot, stable, by=by, now=now, reason=reason)
    ends = _ends(snapshot, by=by, now=now, reason=reason)
    return abort_unseen(live, stable, replace(record, ends=ends, undo_to=""))


def _ends(snapshot: Snapshot, *, by: str, now: datetime, reason: str) -> tuple[End, ...]:
    """How the revisions ended, for the record: a canary that is left was aborted; the stable
    version is not left, so it stays good to go back to."""
    left = end_of(snapshot.rollout)
    if left is None or left.result == "promoted":
        return known_ends(snapshot)
    if left.result != "aborted":
        left = End(left.hash, left.revision, "aborted", now, by, reason)
    return newest_ends((left, *known_ends(snapshot)))


def was_put_back(changed: Changed) -> bool:
    """Whether the stable template was written. It is left out where a Deployment that holds it may
    not be changed."""
    decision = changed.decision
    if not isinstance(decision, Change) or not decision.put_back:
        return False
    return not changed.before.workload_ref or changed.after.template != changed.before.template


def draining(rollout: Rollout, stable: int | None = None) -> Effect:
    """Whether the canary's pods are gone, once an abort was seen or the stable template was put
    back: SEEN, or what keeps them. `stable` as in `drained`."""
    if drained(rollout, stable):
        return Effect.SEEN
    if not rollout.aborted and not rollout.is_fully_promoted:
        return Effect.RETRIED
    return Effect.HELD if rollout.paused else Effect.PENDING


def drain(cluster: Cluster, changed: Changed, *, time: Time) -> Changed:
    """Looks until the canary's pods are gone; the effect says whether they are. Ctrl-C is
    Interrupted."""
    before = changed.after
    stable: int | None = None

    def look() -> Rollout:
        nonlocal stable
        found = cluster.rollout(before.name)
        stable = stable_pods(cluster, found) if keeps_canary_pods(found) else None
        return found

    def judge(now: Rollout) -> Effect:
        if now.observed and now.current_hash != before.current_hash:
            return Effect.OTHER
        return draining(now, stable) if now.observed else Effect.PENDING

    try:
        waited = wait(look, judge, before, time=time, patience=None, known=not keeps_canary_pods(before))
    except KeyboardInterrupt:
        raise interrupted(f"`{before.name}` is aborted; its canary pods are still terminating") from None
    return replace(changed, after=waited.seen, effect=waited.effect, trouble=waited.trouble, timed_out=waited.timed_out)


def stable_pods(cluster: Cluster, rollout: Rollout) -> int | None:
    """The available pods of the stable ReplicaSet; None where ReplicaSets may not be listed."""
    stable = cluster.snapshot(rollout, events=False).stable
    return stable.available if stable else None
