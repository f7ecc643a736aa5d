"""The pods of each version: one ReplicaSet is scaled in a pass, stable first, then new, then
others; spec.restartAt replaces the pods that are older, a few at a time."""

from datetime import timedelta

from companyos_canary.argo.replicas import (
    PodTarget,
    RoutedWeights,
    advance,
    is_dynamic,
    reached,
    scale_down_others,
    strategy,
)
from companyos_canary.argo.replicas import sizes as routed_sizes
from companyos_canary.argo.steps import weight_in_force
from companyos_canary.model.quantity import parse_time
from companyos_canary.model.rollout import HASH_LABEL
from companyos_canary.sandbox.controller.delays import (
    DEADLINE,
    has_deadline,
    is_waiting_after_abort,
    remove_deadlines,
    size_after_abort,
    size_of_an_old_one,
)
from companyos_canary.sandbox.controller.passes import (
    DESIRED,
    INCONCLUSIVE,
    Pass,
    hash_of,
    pods_of,
    revision_of,
    selector_of,
)
from companyos_canary.sandbox.kinds import POD, REPLICASET, SERVICE
from companyos_canary.sandbox.objects import Object, copied, is_owned, is_ready

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
    remove_deadlines(work)
    want = sizes(work, work.view_weights)
    if _separate_stable(work) is not None and _resize(work, work.stable, want.stable):
        return True
    size = size_after_abort(work, sizes(work, work.weights).canary)
    if _resize(work, work.newest, pods_of(work.newest).desired if size is None else size):
        return True
    return _scale_others(work)


def scale_blue_green(work: Pass) -> None:
    """Stable and new are both whole, the new one perhaps only in part before it is promoted; versions
    before them wait for their deadline."""
    remove_deadlines(work)
    if work.stable is not None:
        _resize(work, work.stable, work.view.replicas)
    size = size_after_abort(work, preview_size(work))
    _resize(work, work.newest, pods_of(work.newest).desired if size is None else size)
    if work.has_pause(INCONCLUSIVE) or _waits_for_post_promotion(work):
        return
    marked = 0
    for replicaset in sorted(work.others, key=revision_of, reverse=True):
        if is_referenced(work, replicaset) or not pods_of(replicaset).desired:
            continue
        size, marked = size_of_an_old_one(work, replicaset, marked)
        if size != pods_of(replicaset).desired:
            _resize(work, replicaset, size)


def preview_size(work: Pass) -> int:
    """Wanted pods of the new version."""
    count = strategy(work.view).get("previewReplicaCount")
    active = selector_of(work.service("active")) if work.view.blue_green else ""
    known = (work.status.get("blueGreen") or {}).get("activeSelector") or active
    standing = next((s for s in work.sets if hash_of(s) == known), None)
    if count is None or standing is None or standing is work.canary or work.view.promote_full:
        return work.view.replicas
    waits = work.view.paused or bool(work.view.pause_conditions)
    if hash_of(work.canary) == work.view.current_hash and not waits and work.passed_checkpoint:
        return work.view.replicas
    return int(count)


def _waits_for_post_promotion(work: Pass) -> bool:
    """Without a delay the version before is kept until the analysis says that the new one is good."""
    found = strategy(work.view)
    if found.get("postPromotionAnalysis") is None or found.get("scaleDownDelaySeconds") is not None:
        return False
    active = (work.status.get("blueGreen") or {}).get("activeSelector")
    run = work.promotion_runs.get("PostPromotion")
    if work.promoted or active != hash_of(work.canary) or (run is None and not is_saturated(work)):
        return False
    return run is None or (run.get("status") or {}).get("phase") != "Successful"


def is_saturated(work: Pass) -> bool:
    """The new version has all pods that the Rollout needs."""
    pods, wanted = pods_of(work.newest), work.view.replicas
    said = (work.newest["metadata"].get("annotations") or {}).get(DESIRED)
    return pods.desired == pods.available == wanted and said == str(wanted)


def sizes(work: Pass, weights: RoutedWeights | None) -> PodTarget:
    """Wanted pods of new and stable now; `weights` are those of the traffic, where it is routed."""
    stable = _separate_stable(work)
    if work.is_routed:
        kept = pods_of(stable) if stable else None
        return routed_sizes(work.view, pods_of(work.newest), kept, weights, frees_traffic=work.release.frees_traffic)
    return advance(
        work.view.replicas,
        weight_in_force(work.view),
        work.limits,
        pods_of(work.newest),
        pods_of(stable) if stable else None,
        others=sum(pods_of(s).desired for s in work.others),
    )


def is_at_size(work: Pass, weights: RoutedWeights | None) -> bool:
    """The current weight has its pods."""
    stable, want = _separate_stable(work), sizes(work, weights)
    if work.is_routed:
        created = stable is not None and pods_of(stable).desired == pods_of(stable).replicas == want.stable
        return work.has_enough(work.newest, want.canary) and (created or is_dynamic(work.view))
    return reached(
        want, pods_of(work.newest), pods_of(stable) if stable else None, sum(pods_of(s).available for s in work.others)
    )


def _separate_stable(work: Pass) -> Object | None:
    """The stable ReplicaSet, unless the new one is it."""
    return None if work.stable is work.canary else work.stable


def _scale_others(work: Pass) -> bool:
    if work.is_routed:
        return _scale_routed_others(work)
    others = sorted(work.others, key=revision_of, reverse=True)
    least = work.view.replicas - work.limits.unavailable
    available = sum(pods_of(s).available for s in work.sets)
    wanted = scale_down_others(tuple(pods_of(s) for s in others), available, least)
    changed = [_resize(work, s, n) for s, n in zip(others, wanted, strict=True) if _differs(s, n)]
    return any(changed)


def _scale_routed_others(work: Pass) -> bool:
    """After a promotion the version before keeps its pods for a while. One in between, which was
    replaced by a newer one before it was done, goes at once: no traffic leads to it."""
    others = sorted((s for s in work.others if pods_of(s).desired), key=revision_of, reverse=True)
    changed = [_resize(work, s, pods_of(s).available) for s in others if pods_of(s).available < pods_of(s).desired]
    budget = sum(pods_of(s).available for s in work.sets) - (work.view.replicas - work.limits.unavailable)
    marked = 0
    for replicaset in others:
        pods = pods_of(replicaset)
        if budget <= 0:
            break
        if not pods.desired or is_referenced(work, replicaset):
            continue
        size = 0
        if (work.promoted or has_deadline(replicaset)) and not is_dynamic(work.view):
            size, marked = size_of_an_old_one(work, replicaset, marked)
        if size != pods.desired:
            changed.append(_resize(work, replicaset, size))
            budget -= pods.desired - size
    return any(changed)


def is_referenced(work: Pass, replicaset: Object) -> bool:
    """Traffic may still lead to a version: the status or a Service names its hash."""
    digest, status = hash_of(replicaset), work.status
    weights, blue_green = work.view_weights or {}, status.get("blueGreen") or {}
    named = {status.get("stableRS"), status.get("currentPodHash")}
    named |= {blue_green.get("activeSelector"), blue_green.get("previewSelector")}
    named |= {(weights.get(side) or {}).get("podTemplateHash") for side in ("canary", "stable")}
    for field in ("canaryService", "stableService", "activeService", "previewService"):
        service = work.store.get(SERVICE, work.view.namespace, strategy(work.view).get(field) or "")
        named.add(((service or {}).get("spec") or {}).get("selector", {}).get(HASH_LABEL))
    return digest in named


def _differs(replicaset: Object, size: int) -> bool:
    return pods_of(replicaset).desired != size


def _resize(work: Pass, replicaset: Object | None, size: int) -> bool:
    """Writes size and the annotation that says for how many replicas; whether the size moved."""
    if replicaset is None:
        return False
    before = pods_of(replicaset).desired
    new = copied(replicaset)
    annotations = new["metadata"].setdefault("annotations", {})
    annotations[DESIRED] = str(work.view.replicas)
    if size == 0 and before != 0 and not is_waiting_after_abort(work):
        annotations.pop(DEADLINE, None)
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
    """Removes old pods of any set, in the order of their names, as far as availability allows; whether any was removed,
    which ends the pass. When all pods are newer, the restart counts as done."""
    due = work.view.restart_at
    if due is None or due == work.view.restarted_at:
        return False
    if work.now < due:
        work.wake_at.append(due)
        return False
    pods = sorted(
        (p for s in work.sets for p in _pods(work, s["metadata"]["uid"])), key=lambda p: p["metadata"]["name"]
    )
    old = [p for p in pods if (parse_time(p["metadata"]["creationTimestamp"]) or due) < due]
    if not old:
        work.restarted_at = work.rollout["spec"]["restartAt"]
        return False
    wanted = max(work.view.replicas, sum(pods_of(s).desired for s in work.sets))
    budget = sum(map(is_ready, pods)) - wanted + max(work.limits.unavailable, 1)
    for pod in old[: max(0, budget)]:
        work.store.delete(POD, work.view.namespace, pod["metadata"]["name"])
    work.wake_at.append(work.now + _LOOK_AGAIN)
    return budget > 0


def _pods(work: Pass, uid: str) -> list[Object]:
    return [p for p in work.store.items(POD, work.view.namespace) if is_owned(p, uid)]
