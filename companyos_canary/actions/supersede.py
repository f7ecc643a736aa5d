"""Making way for another version: the one in progress is aborted, and its traffic is gone before anything else is sent.

Setting the image over a version in progress would move its pods' share to the new version at once, and leave no one
who says how the old one ended.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from companyos_canary.actions import abort
from companyos_canary.actions.change import Changed, Verb, change
from companyos_canary.actions.wait import Time
from companyos_canary.argo.effects import Effect, aborted, drained
from companyos_canary.argo.patches.act import names
from companyos_canary.argo.patches.decision import Change, Decision, Nothing, Refusal
from companyos_canary.argo.patches.record import with_reason
from companyos_canary.cluster.client import Cluster
from companyos_canary.errors import CanaryError, Refused, TimedOut, Unobserved
from companyos_canary.model.rollout import Rollout


def is_in_the_way(rollout: Rollout) -> bool:
    """Whether pods of another version than the stable one serve, or are about to."""
    if not rollout.stable_hash or (rollout.observed and rollout.is_fully_promoted):
        return False
    return not (rollout.aborted and drained(rollout))


def make_way(
    cluster: Cluster, planned: Changed, version: str, *, by: str, time: Time, dry_run: bool, told: Callable[[], None]
) -> Changed | None:
    """Aborts what `planned` was decided over, and waits until its traffic is gone; None if there is nothing. Raises
    Refused if it became another version meanwhile, TimedOut and Unobserved where its end was not seen: then nothing
    more was sent. `told` is called once the abort was accepted."""
    seen = planned.before
    if not is_in_the_way(seen):
        return None
    now, name = time.now(), seen.name
    verb = Verb(
        "abort",
        lambda live: _decide(cluster, seen, live, version, by=by, now=now),
        aborted,
        insists=True,
        reason=f"superseded by {version}",
    )
    changed = change(cluster, name, verb, time=time, dry_run=dry_run)
    if dry_run or (changed.after.observed and changed.after.is_fully_promoted):
        return changed
    if changed.effect in (None, Effect.SEEN):
        told()
        changed = abort.drain(cluster, changed, time=time)
    if changed.effect is not Effect.SEEN:
        raise not_gone(changed, version)
    return changed


def _decide(cluster: Cluster, seen: Rollout, live: Rollout, version: str, *, by: str, now: datetime) -> Decision:
    if live.observed and live.is_fully_promoted:
        return Nothing(f"`{live.name}` has nothing in progress any more")
    if live.current_hash != seen.current_hash or names(live.containers) != names(seen.containers):
        return Refusal(
            f"`{live.name}` went over to another version before {version} could supersede {names(seen.containers)}",
            "look with `canary status`, then decide again",
        )
    reason = f"superseded by {version}"
    decision = _of_this_one(abort.decide(cluster, live, by=by, now=now, reason=reason), live)
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
        case Effect.OTHER:
            return Refused(f"another version came to `{name}` while the one in progress was aborted: {then}")
    trouble = f" ({changed.trouble.message})" if changed.trouble else ""
    if changed.timed_out:
        return TimedOut(f"timed out: the version in progress of `{name}` is aborted but not gone{trouble}; {then}")
    return Unobserved(
        f"the abort of the version in progress of `{name}` was sent, but it is not gone{trouble}; {then}",
        hint="look with `canary status`",
    )
