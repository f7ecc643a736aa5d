"""The weight of a routed canary: which it is now, the routers that make it, and the status that
tells of it.

Upstream rollout/trafficrouting.go; recorded: the scenarios with nginx.
"""

from collections.abc import Mapping
from typing import Any

from companyos_canary.argo.replicas import Routed, is_dynamic, weight_on_the_way_back
from companyos_canary.argo.steps import max_weight, set_weight, weight_at
from companyos_canary.model.http import Json
from companyos_canary.sandbox.controller.passes import Pass, hash_of, pods_of, revision_of
from companyos_canary.sandbox.controller.pods import is_at_size
from companyos_canary.sandbox.controller.roles import is_rolling_back, point
from companyos_canary.sandbox.controller.routers import routers_of
from companyos_canary.sandbox.controller.routers.router import Router, RouterError, Split


def reconcile_routing(state: Pass) -> None:
    """Sets the weight in all routers and notes it in the pass. Raises RouterError, with an event,
    where a router cannot take it."""
    if not state.is_routed:
        state.weights = None
        return
    routers = routers_of(state)
    weight, keeps_routes = _weight(state)
    if state.aborted and not state.promoted and (weight == 0 or not is_dynamic(state.view)):
        point(state, state.strategy.get("canaryService"), state.stable, checked=False)
    if not keeps_routes:
        for router in routers:
            router.remove_routes()
    most = max_weight(state.view)
    if not _carries(state, most - weight):
        return
    newest = hash_of(state.canary)
    if is_rolling_back(state):
        newest = ((state.view_weights or {}).get("canary") or {}).get("podTemplateHash", newest)
    split = Split(weight, most, newest, hash_of(state.stable), tuple(state.additional))
    _send(state, routers, split)
    _note(state, split)
    verified = [v for v in (router.verified() for router in routers) if v is not None]
    if state.weights is not None:
        state.weights = {k: v for k, v in state.weights.items() if k != "verified"}
        late = state.lag.until(state.view.uid, state.weights, state.now)
        if late is not None:
            state.wake_at.append(late)
        if verified or state.lag.seconds:
            state.weights["verified"] = late is None and all(verified)


def _send(state: Pass, routers: list[Router], split: Split) -> None:
    step = state.view.current_step if revision_of(state.rollout) > 1 else None
    try:
        for router in routers:
            if step is not None:
                router.set_route(step)
            router.set_weight(split)
    except RouterError as error:
        state.tell("Warning", "TrafficRoutingError", error.message)
        raise


def _weight(state: Pass) -> tuple[int, bool]:
    """The canary's weight now, and whether header and mirror routes stay."""
    view, canary = state.view, pods_of(state.canary) if state.canary else None
    stable = pods_of(state.stable) if state.stable else None
    state.additional = []
    back = Routed(canary, stable, state.view_weights, state.release.frees_traffic)
    if is_rolling_back(state):
        return weight_on_the_way_back(view, back), True
    if state.promoted:
        return 0, False
    if state.aborted:
        return weight_on_the_way_back(view, back), False
    if canary is None or canary.available == 0:
        state.additional = state.experiment_weights()
        return 0, False
    if view.promote_full:
        if is_dynamic(view):
            return max_weight(view) * canary.available // max(view.replicas, 1), False
        return int(((state.view_weights or {}).get("canary") or {}).get("weight") or 0), False
    if not view.steps:
        return 0, True
    index = view.step_index or 0
    if index < len(view.steps):
        state.additional = state.experiment_weights()
    if not is_at_size(state, None):
        return weight_at(view.steps, index - 1) if index else 0, True
    return set_weight(view), True


def _carries(state: Pass, weight: int) -> bool:
    """The stable version has the pods for so much traffic."""
    wanted = weight * state.view.replicas // max_weight(state.view)
    return state.stable is not None and (
        pods_of(state.stable).available >= wanted or state.has_enough(state.stable, wanted)
    )


def _note(state: Pass, split: Split) -> None:
    """The weights as the status has them, and the event that tells of a change."""
    before = state.view_weights
    after: Json = {
        "canary": _destination(split.weight, split.canary_hash, state.strategy.get("canaryService")),
        "stable": _destination(split.stable_weight, split.stable_hash, state.strategy.get("stableService")),
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
    state.tell("Normal", "TrafficWeightUpdated", f"Traffic weight updated {', '.join(told)}")
    state.weights = after


def _destination(weight: int, digest: str, service: str | None) -> Json:
    found: Json = {"weight": weight, "serviceName": service, "podTemplateHash": digest}
    return {k: v for k, v in found.items() if v not in (None, "")}


def _go(destination: Mapping[str, Any]) -> str:
    """As Go prints a WeightDestination."""
    parts = (destination.get(k, "") for k in ("weight", "serviceName", "podTemplateHash"))
    return "{" + " ".join(str(p) for p in parts) + "}"
