"""The pods of each version: one ReplicaSet is scaled in a pass, stable first, then new, then
others; spec.restartAt replaces the pods that are older, a few at a time."""

import copy
from datetime import timedelta

from companyos_canary.argo.replicas import Target, advance, reached, scale_down_others
from companyos_canary.argo.steps import weight_in_force
from companyos_canary.model.quantity import parse_time
from companyos_canary.sandbox.controller.passes import DESIRED, Pass, pods_of, revision_of
from companyos_canary.sandbox.controller.pauses import INCONCLUSIVE
from companyos_canary.sandbox.kinds import POD, REPLICASET
from companyos_canary.sandbox.objects import Object, is_owned

_LOOK_AGAIN = timedelta(seconds=30)


def is_scaling_event(work: Pass) -> bool:
    """spec.replicas is not what the new or stable ReplicaSet with pods was last sized for."""
    wanted = str(work.view.replicas)
    return any(
        pods_of(s).desired > 0 and (s["metadata"].get("annotations") or {}).get(DESIRED) != wanted
        for s in (work.canary, work.stable)
        if s is not None and DESIRED in (s["metadata"].get("annotations") or {})
    )


def scale(work: Pass) -> bool:
    """Scales at most one version; whether one was scaled. Nothing moves while paused by hand or
    halted by an inconclusive analysis."""
    if work.view.paused or work.has_pause(INCONCLUSIVE):
        return False
    want = sizes(work)
    if _separate_stable(work) is not None and _resize(work, work.stable, want.stable):
        return True
    if _resize(work, work.newest, want.canary):
        return True
    return _scale_others(work)


def sizes(work: Pass) -> Target:
    """Wanted pods of new and stable now."""
    stable = _separate_stable(work)
    return advance(
        work.view.replicas,
        weight_in_force(work.view),
        work.limits,
        pods_of(work.newest),
        pods_of(stable) if stable else None,
        others=sum(pods_of(s).desired for s in work.others),
    )


def is_reached(work: Pass) -> bool:
    """The current weight has its pods."""
    stable = _separate_stable(work)
    return reached(
        sizes(work),
        pods_of(work.newest),
        pods_of(stable) if stable else None,
        sum(pods_of(s).available for s in work.others),
    )


def _separate_stable(work: Pass) -> Object | None:
    """The stable ReplicaSet, unless the new one is it."""
    return None if work.stable is work.canary else work.stable


def _scale_others(work: Pass) -> bool:
    others = sorted(work.others, key=revision_of, reverse=True)
    least = work.view.replicas - work.limits.unavailable
    available = sum(pods_of(s).available for s in work.sets)
    wanted = scale_down_others(tuple(pods_of(s) for s in others), available, least)
    changed = [_resize(work, s, n) for s, n in zip(others, wanted, strict=True) if _differs(s, n)]
    return any(changed)


def _differs(replicaset: Object, size: int) -> bool:
    return pods_of(replicaset).desired != size


def _resize(work: Pass, replicaset: Object | None, size: int) -> bool:
    """Writes size and the annotation that says for how many replicas; whether the size moved."""
    if replicaset is None:
        return False
    before = pods_of(replicaset).desired
    new = copy.deepcopy(replicaset)
    new["metadata"].setdefault("annotations", {})[DESIRED] = str(work.view.replicas)
    new["spec"]["replicas"] = size
    replicaset.update(work.write(REPLICASET, new))
    if before == size:
        return False
    direction = "up" if size > before else "down"
    name, revision = replicaset["metadata"]["name"], revision_of(replicaset)
    work.tell(
        "Normal",
        "ScalingReplicaSet",
        f"Scaled {direction} ReplicaSet {name} (revision {revision}) from {before} to {size}",
    )
    return True


def restart_pods(work: Pass) -> bool:
    """Removes old pods as far as availability allows; whether any was removed, which ends the
    pass. When all pods are newer, the restart counts as done."""
    due = work.view.restart_at
    if due is None or due == work.view.restarted_at:
        return False
    if work.now < due:
        work.wake_at.append(due)
        return False
    ordered = [s for s in (work.stable, work.canary, *work.others) if s is not None]
    sets = list({s["metadata"]["uid"]: s for s in ordered})
    pods = [p for uid in sets for p in _pods(work, uid)]
    old = [p for p in pods if (parse_time(p["metadata"]["creationTimestamp"]) or due) < due]
    if not old:
        work.restarted_at = work.rollout["spec"]["restartAt"]
        return False
    missing = work.view.replicas - sum(1 for p in pods if is_ready(p))
    budget = max(work.limits.unavailable, 1) - missing
    for pod in old[: max(0, budget)]:
        work.store.delete(POD, work.view.namespace, pod["metadata"]["name"])
    work.wake_at.append(work.now + _LOOK_AGAIN)
    return budget > 0


def is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _pods(work: Pass, uid: str) -> list[Object]:
    return [p for p in work.store.items(POD, work.view.namespace) if is_owned(p, uid)]
