"""The weight of a routed canary: which it is now, the routers that make it, and the status that
tells of it.

Upstream rollout/trafficrouting.go; recorded: the scenarios with nginx.
"""

from collections.abc import Mapping
from typing import Any

from companyos_canary.argo.replicas import is_dynamic, weight_on_the_way_back
from companyos_canary.argo.steps import max_weight, set_weight, weight_at
from companyos_canary.model.http import Json
from companyos_canary.sandbox.controller.passes import Pass, hash_of, pods_of, revision_of
from companyos_canary.sandbox.controller.pods import is_at_size
from companyos_canary.sandbox.controller.roles import is_rolling_back, point
from companyos_canary.sandbox.controller.routers import routers_of
from companyos_canary.sandbox.controller.routers.router import Router, RouterError, Split


def reconcile_routing(work: Pass) -> None:
    """Sets the weight in all routers and notes it in the pass. Raises RouterError, with an event,
    where a router cannot take it."""
    if not work.is_routed:
        work.weights = None
        return
    routers = routers_of(work)
    weight, keeps_routes = _weight(work)
    if work.aborted and not work.promoted and (weight == 0 or not is_dynamic(work.view)):
        point(work, work.strategy.get("canaryService"), work.stable, checked=False)
    if not keeps_routes:
        for router in routers:
            router.remove_routes()
    most = max_weight(work.view)
    if not _carries(work, most - weight):
        return
    newest = hash_of(work.canary)
    if is_rolling_back(work):
        newest = ((work.view_weights or {}).get("canary") or {}).get("podTemplateHash", newest)
    split = Split(weight, most, newest, hash_of(work.stable), tuple(work.additional))
    _send(work, routers, split)
    _note(work, split)
    verified = [v for v in (router.verified() for router in routers) if v is not None]
    if work.weights is not None:
        work.weights = {k: v for k, v in work.weights.items() if k != "verified"}
        late = work.lag.until(work.view.uid, work.weights, work.now)
        if late is not None:
            work.wake_at.append(late)
        if verified or work.lag.seconds:
            work.weights["verified"] = late is None and all(verified)


def _send(work: Pass, routers: list[Router], split: Split) -> None:
    step = work.view.current_step if revision_of(work.rollout) > 1 else None
    try:
        for router in routers:
            if step is not None:
                router.set_route(step)
            router.set_weight(split)
    except RouterError as error:
        work.tell("Warning", "TrafficRoutingError", error.message)
        raise


def _weight(work: Pass) -> tuple[int, bool]:
    """The canary's weight now, and whether header and mirror routes stay."""
    view, canary = work.view, pods_of(work.canary) if work.canary else None
    stable = pods_of(work.stable) if work.stable else None
    work.additional, frees = [], work.release.frees_traffic
    if is_rolling_back(work):
        return weight_on_the_way_back(view, canary, stable, work.view_weights, frees_traffic=frees), True
    if work.promoted:
        return 0, False
    if work.aborted:
        return weight_on_the_way_back(view, canary, stable, work.view_weights, frees_traffic=frees), False
    if canary is None or canary.available == 0:
        work.additional = work.experiment_weights()
        return 0, False
    if view.promote_full:
        if is_dynamic(view):
            return max_weight(view) * canary.available // max(view.replicas, 1), False
        return int(((work.view_weights or {}).get("canary") or {}).get("weight") or 0), False
    if not view.steps:
        return 0, True
    index = view.step_index or 0
    if index < len(view.steps):
        work.additional = work.experiment_weights()
    if not is_at_size(work, None):
        return weight_at(view.steps, index - 1) if index else 0, True
    return set_weight(view), True


def _carries(work: Pass, weight: int) -> bool:
    """The stable version has the pods for so much traffic."""
    wanted = weight * work.view.replicas // max_weight(work.view)
    return work.stable is not None and (
        pods_of(work.stable).available >= wanted or work.has_enough(work.stable, wanted)
    )


def _note(work: Pass, split: Split) -> None:
    """The weights as the status has them, and the event that tells of a change."""
    before = work.view_weights
    after: Json = {
        "canary": _destination(split.weight, split.canary_hash, work.strategy.get("canaryService")),
        "stable": _destination(split.stable_weight, split.stable_hash, work.strategy.get("stableService")),
    }
    if split.additional:
        after["additional"] = [dict(destination) for destination in split.additional]
    if before is not None and all(before.get(k) == after.get(k) for k in ("canary", "stable", "additional")):
        return
    told = []
    if before is None:
        told.append(f"to {split.weight}")
    elif before["canary"].get("weight", 0) != split.weight:
        told.append(f"from {before['canary'].get('weight', 0)} to {split.weight}")
    if before is not None and before.get("additional") != after.get("additional"):
        told.append("additional: [" + " ".join(_go(d) for d in split.additional) + "]")
    work.tell("Normal", "TrafficWeightUpdated", f"Traffic weight updated {', '.join(told)}")
    work.weights = after


def _destination(weight: int, digest: str, service: str | None) -> Json:
    found: Json = {"weight": weight, "serviceName": service, "podTemplateHash": digest}
    return {k: v for k, v in found.items() if v not in (None, "")}


def _go(destination: Mapping[str, Any]) -> str:
    """As Go prints a WeightDestination."""
    parts = (destination.get(k, "") for k in ("weight", "serviceName", "podTemplateHash"))
    return "{" + " ".join(str(p) for p in parts) + "}"
