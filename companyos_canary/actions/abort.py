"""Stopping a canary, seen to its end with nothing but the right to get the Rollout; and with it making way for another
version: the one in progress is aborted, and its traffic is gone before anything else is sent.

Setting the image over a version in progress would move its pods' share to the new version at once, and leave no one
who says how the old one ended.
"""

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from companyos_canary.actions.change import Changed, Verb, change, interrupted
from companyos_canary.actions.undo import record_for
from companyos_canary.actions.wait import Time, wait
from companyos_canary.argo.effects import Effect, aborted, drained, keeps_canary_pods
from companyos_canary.argo.patches.act import abort, abort_unseen, is_unseen, names
from companyos_canary.argo.patches.decision import Change, Decision, Nothing, Refusal
from companyos_canary.argo.patches.record import End, end_of, known_ends, newest_ends, with_reason
from companyos_canary.cluster.client import Cluster
from companyos_canary.errors import CanaryError, Refused, TimedOut, Unobserved
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot


def decide(cluster: Cluster, live: Rollout, *, by: str, now: datetime, reason: str = "") -> Decision:
    """What stops the newest version. ReplicaSets are only read where the controller would forget
    an abort, and where it seems to have nothing to abort: a pass that only scales says that it has seen the spec, and
    still shows the version before (upstream rollout/sync.go, syncReplicasOnly). Where they cannot be read, the abort
    is sent all the same."""
    decision = abort(live)
    if not is_unseen(live) and not isinstance(decision, Refusal):
        return decision
    try:
        snapshot = cluster.snapshot(live, events=False)
    except CanaryError:
        return abort_unseen(live, None, None) if is_unseen(live) else decision
    stable = snapshot.stable
    if not is_unseen(live) and (stable is None or stable.containers == live.containers):
        return decision
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
    # The pods of a version that someone replaced before the abort was seen are in the Rollout's totals only.
    between = changed.hash != before.current_hash and not before.is_fully_promoted
    stable: int | None = None

    def look() -> Rollout:
        nonlocal stable
        found = cluster.rollout(before.name)
        stable = stable_pods(cluster, found) if between or keeps_canary_pods(found) else None
        return found

    def judge(now: Rollout) -> Effect:
        if now.observed and now.current_hash != before.current_hash:
            return Effect.OTHER
        return draining(now, stable) if now.observed else Effect.PENDING

    try:
        waited = wait(look, judge, before, time=time, patience=None, known=not (between or keeps_canary_pods(before)))
    except KeyboardInterrupt:
        raise interrupted(f"`{before.name}` is aborted; its canary pods are still terminating") from None
    return replace(changed, **waited.outcome)


def stable_pods(cluster: Cluster, rollout: Rollout) -> int | None:
    """The available pods of the stable ReplicaSet; None where ReplicaSets may not be listed."""
    stable = cluster.snapshot(rollout, events=False).stable
    return stable.available if stable else None


def is_in_the_way(rollout: Rollout) -> bool:
    """Whether pods of another version than the stable one serve, or are about to."""
    if not rollout.stable_hash or (rollout.observed and rollout.is_fully_promoted):
        return False
    return not (rollout.aborted and drained(rollout))


def make_way(
    cluster: Cluster,
    planned: Changed,
    version: str,
    *,
    by: str,
    time: Time,
    dry_run: bool,
    accepted: Callable[[], None],
) -> Changed | None:
    """Aborts what `planned` was decided over, and waits until its traffic is gone; None if there is nothing. Raises
    Refused if it became another version meanwhile, TimedOut and Unobserved where its end was not seen: then nothing
    more was sent. `accepted` is called once the abort was accepted."""
    seen = planned.before
    if not is_in_the_way(seen):
        return None
    now, name = time.now(), seen.name
    verb = Verb(
        "abort",
        lambda live: _decide_for(cluster, seen, live, version, by=by, now=now),
        aborted,
        insists=True,
        reason=f"superseded by {version}",
    )
    changed = change(cluster, name, verb, time=time, dry_run=dry_run)
    if dry_run or (changed.after.observed and changed.after.is_fully_promoted):
        return changed
    if changed.effect in (None, Effect.SEEN):
        accepted()
        changed = drain(cluster, changed, time=time)
    if changed.effect is not Effect.SEEN:
        raise not_gone(changed, version)
    return changed


def _decide_for(cluster: Cluster, seen: Rollout, live: Rollout, version: str, *, by: str, now: datetime) -> Decision:
    if live.observed and live.is_fully_promoted:
        return Nothing(f"`{live.name}` has nothing in progress any more")
    if live.current_hash != seen.current_hash or names(live.containers) != names(seen.containers):
        return Refusal(
            f"`{live.name}` went over to another version before {version} could supersede {names(seen.containers)}",
            "look with `canary status`, then decide again",
        )
    reason = f"superseded by {version}"
    decision = _of_this_one(decide(cluster, live, by=by, now=now, reason=reason), live)
    return with_reason(decision, "abort", by, now, reason, superseded_by=version)


def _of_this_one(decision: Decision, live: Rollout) -> Decision:
    """The abort, only for the Rollout as it was read: it is not meant for what someone deploys meanwhile."""
    if not isinstance(decision, Change):
        return decision
    first, *rest = decision.patches
    if not isinstance(first.body, dict):  # a JSON patch pins what it looked at itself
        return decision
    body = {"metadata": {"resourceVersion": live.resource_version}, **first.body}
    return replace(decision, patches=(replace(first, body=body), *rest))


def still_there(live: Rollout, gone: Changed) -> bool:
    """Whether a read shows what was aborted as if it were in progress: it was retried, or the read is a stale one."""
    return live.current_hash == gone.after.current_hash and not live.aborted and is_in_the_way(live)


def not_gone(changed: Changed, version: str) -> CanaryError:
    """Why nothing was deployed: what is in the way is aborted, or was to be."""
    name = changed.after.name
    then = f"{version} was not deployed"
    match changed.effect:
        case Effect.RETRIED:
            return Refused(f"`{name}` was aborted and then retried by someone: {then}")
        case Effect.REPLACED:
            return Refused(f"`{name}` was deleted and created again while it was aborted: {then}")
        case Effect.OTHER:
            return Refused(f"another version came to `{name}` while the one in progress was aborted: {then}")
    trouble = f" ({changed.trouble.message})" if changed.trouble else ""
    if changed.timed_out:
        return TimedOut(f"timed out: the version in progress of `{name}` is aborted but not gone{trouble}; {then}")
    return Unobserved(
        f"the abort of the version in progress of `{name}` was sent, but it is not gone{trouble}; {then}",
        hint="look with `canary status`",
    )
