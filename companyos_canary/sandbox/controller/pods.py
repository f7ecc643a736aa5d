"""The pods of each version: one ReplicaSet is scaled in a pass, stable first, then new, then
others; spec.restartAt replaces the pods that are older, a few at a time."""

from datetime import timedelta

from companyos_canary.argo.replicas import (
    PodTarget,
    Routed,
    RoutedWeights,
    advance,
    is_dynamic,
    reached,
    scale_down_others,
    strategy,
)
from companyos_canary.argo.replicas import sizes as routed_sizes
from companyos_canary.argo.steps import weight_in_force
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.model.quantity import parse_time
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
from companyos_canary.sandbox.objects import Object, is_owned, is_ready

_LOOK_AGAIN = timedelta(seconds=30)


def is_scaling_event(state: Pass) -> bool:
    """spec.replicas is not what the new or stable ReplicaSet with pods was last sized for."""
    wanted = str(state.view.replicas)
    return any(
        pods_of(s).desired > 0 and (s["metadata"].get("annotations") or {}).get(DESIRED) != wanted
        for s in (state.canary, state.stable)
        if s is not None and DESIRED in (s["metadata"].get("annotations") or {})
    )


def scale(state: Pass) -> bool:
    """Scales at most one version; whether one was scaled. Nothing moves while paused by hand or
    halted by an inconclusive analysis."""
    if state.view.paused or state.has_pause(INCONCLUSIVE):
        return False
    remove_deadlines(state)
    want = sizes(state, state.view_weights)
    if _separate_stable(state) is not None and _resize(state, state.stable, want.stable):
        return True
    if _resize_newest(state, sizes(state, state.weights).canary):
        return True
    return _scale_others(state)


def scale_blue_green(state: Pass) -> None:
    """Stable and new are both whole, the new one perhaps only in part before it is promoted; versions
    before them wait for their deadline."""
    remove_deadlines(state)
    if state.stable is not None:
        _resize(state, state.stable, state.view.replicas)
    if _resize_newest(state, preview_size(state)):
        state.returns_in_time = state.returns_in_time and has_deadline(state.newest)
    if state.has_pause(INCONCLUSIVE) or _waits_for_post_promotion(state):
        return
    marked = 0
    for replicaset in sorted(state.others, key=revision_of, reverse=True):
        if is_referenced(state, replicaset) or not pods_of(replicaset).desired:
            continue
        size, marked = size_of_an_old_one(state, replicaset, marked)
        if size != pods_of(replicaset).desired:
            _resize(state, replicaset, size)


def preview_size(state: Pass) -> int:
    """Wanted pods of the new version."""
    count = strategy(state.view).get("previewReplicaCount")
    active = selector_of(state.service("active")) if state.view.blue_green else ""
    known = (state.status.get("blueGreen") or {}).get("activeSelector") or active
    standing = next((s for s in state.sets if hash_of(s) == known), None)
    if count is None or standing is None or standing is state.canary or state.view.promote_full:
        return state.view.replicas
    waits = state.view.paused or bool(state.view.pause_conditions)
    if hash_of(state.canary) == state.view.current_hash and not waits and state.passed_checkpoint:
        return state.view.replicas
    return int(count)


def _waits_for_post_promotion(state: Pass) -> bool:
    """Without a delay the version before is kept until the analysis says that the new one is good."""
    found = strategy(state.view)
    if found.get("postPromotionAnalysis") is None or found.get("scaleDownDelaySeconds") is not None:
        return False
    active = (state.status.get("blueGreen") or {}).get("activeSelector")
    run = state.promotion_runs.get("PostPromotion")
    if state.promoted or active != hash_of(state.canary) or (run is None and not is_saturated(state)):
        return False
    return run is None or (run.get("status") or {}).get("phase") != "Successful"


def is_saturated(state: Pass) -> bool:
    """The new version has all pods that the Rollout needs."""
    pods, wanted = pods_of(state.newest), state.view.replicas
    said = (state.newest["metadata"].get("annotations") or {}).get(DESIRED)
    return pods.desired == pods.available == wanted and said == str(wanted)


def sizes(state: Pass, weights: RoutedWeights | None) -> PodTarget:
    """Wanted pods of new and stable now; `weights` are those of the traffic, where it is routed."""
    stable = _separate_stable(state)
    if state.is_routed:
        kept = pods_of(stable) if stable else None
        release = state.release
        now = Routed(pods_of(state.newest), kept, weights, release.frees_traffic, release.caps_least)
        return routed_sizes(state.view, now)
    return advance(
        state.view.replicas,
        weight_in_force(state.view),
        state.limits,
        pods_of(state.newest),
        pods_of(stable) if stable else None,
        others=sum(pods_of(s).desired for s in state.others),
    )


def is_at_size(state: Pass, weights: RoutedWeights | None) -> bool:
    """The current weight has its pods."""
    stable, want = _separate_stable(state), sizes(state, weights)
    if state.is_routed:
        created = stable is not None and pods_of(stable).desired == pods_of(stable).replicas == want.stable
        return state.has_enough(state.newest, want.canary) and (created or is_dynamic(state.view))
    return reached(
        want,
        pods_of(state.newest),
        pods_of(stable) if stable else None,
        sum(pods_of(s).available for s in state.others),
    )


def _separate_stable(state: Pass) -> Object | None:
    """The stable ReplicaSet, unless the new one is it."""
    return None if state.stable is state.canary else state.stable


def _scale_others(state: Pass) -> bool:
    if state.is_routed:
        return _scale_routed_others(state)
    others = sorted(state.others, key=revision_of, reverse=True)
    least = state.view.replicas - state.limits.unavailable
    available = sum(pods_of(s).available for s in state.sets)
    wanted = scale_down_others(tuple(pods_of(s) for s in others), available, least)
    changed = [_resize(state, s, n) for s, n in zip(others, wanted, strict=True) if _differs(s, n)]
    return any(changed)


def _scale_routed_others(state: Pass) -> bool:
    """After a promotion the version before keeps its pods for a while. One in between, which was
    replaced by a newer one before it was done, goes at once: no traffic leads to it."""
    others = sorted((s for s in state.others if pods_of(s).desired), key=revision_of, reverse=True)
    changed = [_resize(state, s, pods_of(s).available) for s in others if pods_of(s).available < pods_of(s).desired]
    budget = sum(pods_of(s).available for s in state.sets) - (state.view.replicas - state.limits.unavailable)
    marked = 0
    for replicaset in others:
        pods = pods_of(replicaset)
        if budget <= 0:
            break
        if not pods.desired or is_referenced(state, replicaset):
            continue
        size = 0
        if (state.promoted or has_deadline(replicaset)) and not is_dynamic(state.view):
            size, marked = size_of_an_old_one(state, replicaset, marked)
        if size != pods.desired:
            changed.append(_resize(state, replicaset, size))
            budget -= pods.desired - size
    return any(changed)


def is_referenced(state: Pass, replicaset: Object) -> bool:
    """Traffic may still lead to a version: the status or a Service names its hash."""
    digest, status = hash_of(replicaset), state.status
    weights, blue_green = state.view_weights or {}, status.get("blueGreen") or {}
    named = {status.get("stableRS"), status.get("currentPodHash")}
    named |= {blue_green.get("activeSelector"), blue_green.get("previewSelector")}
    named |= {(weights.get(side) or {}).get("podTemplateHash") for side in ("canary", "stable")}
    for field in ("canaryService", "stableService", "activeService", "previewService"):
        service = state.store.get(SERVICE, state.view.namespace, strategy(state.view).get(field) or "")
        named.add(((service or {}).get("spec") or {}).get("selector", {}).get(HASH_LABEL))
    return digest in named


def _differs(replicaset: Object, size: int) -> bool:
    return pods_of(replicaset).desired != size


def _resize(state: Pass, replicaset: Object | None, size: int) -> bool:
    """Writes size and the annotation that says for how many replicas; whether the size moved."""
    if replicaset is None:
        return False
    before = pods_of(replicaset).desired
    meta = replicaset["metadata"]
    annotations = {**(meta.get("annotations") or {}), DESIRED: str(state.view.replicas)}
    if size == 0 and before != 0 and not is_waiting_after_abort(state):
        annotations.pop(DEADLINE, None)
    new = {**replicaset, "metadata": {**meta, "annotations": annotations}}
    new["spec"] = {**replicaset["spec"], "replicas": size}
    replicaset.update(state.write(REPLICASET, new))
    if before == size:
        return False
    direction = "up" if size > before else "down"
    name, revision = replicaset["metadata"]["name"], revision_of(replicaset)
    state.tell(
        "Normal",
        "ScalingReplicaSet",
        f"Scaled {direction} ReplicaSet {name} (revision {revision}) from {before} to {size}",
    )
    return True


def _resize_newest(state: Pass, wanted: int) -> bool:
    """An aborted version that waits for its end stays as it is."""
    size = size_after_abort(state, wanted)
    if size is None and not state.release.notes_replicas:
        return False
    return _resize(state, state.newest, pods_of(state.newest).desired if size is None else size)


def restart_pods(state: Pass) -> bool:
    """Removes old pods of any set, in the order of their names, as far as availability allows; whether any was removed,
    which ends the pass. When all pods are newer, the restart counts as done."""
    due = state.view.restart_at
    if due is None or due == state.view.restarted_at:
        return False
    if state.now < due:
        state.wake_at.append(due)
        return False
    pods = sorted(
        (p for s in state.sets for p in _pods(state, s["metadata"]["uid"])), key=lambda p: p["metadata"]["name"]
    )
    old = [p for p in pods if (parse_time(p["metadata"]["creationTimestamp"]) or due) < due]
    if not old:
        state.restarted_at = state.rollout["spec"]["restartAt"]
        return False
    wanted = max(state.view.replicas, sum(pods_of(s).desired for s in state.sets))
    budget = sum(map(is_ready, pods)) - wanted + max(state.limits.unavailable, 1)
    for pod in old[: max(0, budget)]:
        state.store.delete(POD, state.view.namespace, pod["metadata"]["name"])
    state.wake_at.append(state.now + _LOOK_AGAIN)
    return budget > 0


def _pods(state: Pass, uid: str) -> list[Object]:
    return [p for p in state.store.items(POD, state.view.namespace) if is_owned(p, uid)]
