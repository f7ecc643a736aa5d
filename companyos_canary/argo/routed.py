"""How many pods, and which weight, a canary has whose traffic a router splits. Pure.

Upstream utils/replicaset/canary.go (CalculateReplicaCountsForTrafficRoutedCanary and what it uses),
rollout/trafficrouting.go and utils/defaults; recorded: the scenarios with nginx.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from companyos_canary.argo.replicas import Pods, Target
from companyos_canary.argo.steps import max_weight, set_weight
from companyos_canary.model.quantity import whole_seconds
from companyos_canary.model.rollout import Rollout

Weights = Mapping[str, Any]
"""status.canary.weights: `canary` and `stable`, each with weight, podTemplateHash and serviceName."""

_DELAY = 30


def strategy(rollout: Rollout) -> Mapping[str, Any]:
    """spec.strategy.canary or spec.strategy.blueGreen."""
    found = (rollout.raw.get("spec") or {}).get("strategy") or {}
    return found.get(rollout.strategy) or {}


def is_dynamic(rollout: Rollout) -> bool:
    """The stable version shrinks as its traffic does."""
    return bool(strategy(rollout).get("dynamicStableScale"))


def is_routed(rollout: Rollout) -> bool:
    return rollout.strategy == "canary" and strategy(rollout).get("trafficRouting") is not None


def abort_delay(rollout: Rollout) -> timedelta | None:
    """How long the newest version keeps its pods after an abort; None: for ever. A canary without a
    router does not wait."""
    seconds = strategy(rollout).get("abortScaleDownDelaySeconds")
    if rollout.strategy != "blueGreen" and not is_routed(rollout):
        return timedelta()
    return None if seconds == 0 else whole_seconds(seconds, _DELAY)


def waits_after_abort(rollout: Rollout) -> bool:
    """An aborted version goes when its delay is over, and not by the weight of the traffic."""
    if not is_routed(rollout) and rollout.strategy != "blueGreen":
        return False
    explicit = strategy(rollout).get("abortScaleDownDelaySeconds") is not None
    return abort_delay(rollout) is not None and (explicit or not is_dynamic(rollout))


def scale_down_delay(rollout: Rollout) -> timedelta:
    """How long the version before keeps its pods after a promotion."""
    if rollout.strategy != "blueGreen" and not is_routed(rollout):
        return timedelta()
    return whole_seconds(strategy(rollout).get("scaleDownDelaySeconds"), _DELAY)


def canary_scale(rollout: Rollout) -> Mapping[str, Any] | None:
    """The setCanaryScale in force: `replicas` or `weight`; None where pods follow the traffic."""
    if rollout.aborted and abort_delay(rollout) is not None:
        return None
    index = rollout.step_index or 0
    if index >= len(rollout.steps):
        return None
    for step in reversed(rollout.steps[: index + 1]):
        if step.kind == "setCanaryScale":
            scale: Mapping[str, Any] = step.raw["setCanaryScale"]
            return None if scale.get("matchTrafficWeight") else scale
    return None


def pods_for(replicas: int, weight: int, most: int) -> int:
    """Rounded up."""
    return -(-weight * replicas // most)


def desired_weight(rollout: Rollout, canary: Pods | None, stable: Pods | None) -> int:
    """The weight that the pods are made for. After an abort with dynamicStableScale the weights of
    the steps are gone down one after the other, as the stable version grows again."""
    if not (rollout.aborted and is_dynamic(rollout) and canary and stable):
        return set_weight(rollout)
    most, kept = max_weight(rollout), rollout.replicas - stable.available
    explicit = strategy(rollout).get("abortScaleDownDelaySeconds") is not None
    if not (explicit and abort_delay(rollout) is not None):
        kept = max(kept, canary.available)
    weights = (s.weight for s in reversed(rollout.steps) if s.kind == "setWeight" and s.weight is not None)
    return next((w for w in weights if pods_for(rollout.replicas, w, most) < kept), 0)


def sizes(rollout: Rollout, canary: Pods | None, stable: Pods | None, weights: Weights | None) -> Target:
    """Wanted pods of new and stable. `weights` are those in force: the stable version keeps what
    its present traffic needs."""
    replicas, most = rollout.replicas, max_weight(rollout)
    whole = rollout.promote_full or not rollout.stable_hash or rollout.is_fully_promoted
    scale = None if whole else canary_scale(rollout)
    given = (scale or {}).get("replicas")
    if whole:
        weight = most
    elif given is not None:
        weight = 0
    elif scale is not None and scale.get("weight") is not None:
        weight = int(scale["weight"])
    else:
        weight = desired_weight(rollout, canary, stable)
    least = int(given) if given is not None else _at_least(rollout, pods_for(replicas, weight, most))
    if not is_dynamic(rollout):
        return Target(least, replicas)
    kept = pods_for(replicas, most - weight, most)
    if weights is not None:
        kept = max(kept, pods_for(replicas, _weight(weights, "stable"), most))
        if rollout.aborted:
            least = max(least, pods_for(replicas, _weight(weights, "canary"), most))
    return Target(_at_least(rollout, least), _at_least(rollout, kept))


def weight_on_the_way_back(rollout: Rollout, canary: Pods | None, stable: Pods | None, weights: Weights | None) -> int:
    """The weight after an abort, or while the stable version comes back: at once 0, unless a stable
    version that has shrunk has to grow again first."""
    if not is_dynamic(rollout) or canary is None or stable is None or not rollout.replicas:
        return 0
    most = max_weight(rollout)
    wanted = desired_weight(rollout, canary, stable)
    carried = most * stable.available // rollout.replicas
    expected = max(0, most - carried)
    if weights is None:
        return max(expected, wanted)
    now = _weight(weights, "canary")
    if wanted <= 0:
        return min(expected, now)
    return now if carried < most - wanted else min(wanted, now)


def _at_least(rollout: Rollout, count: int) -> int:
    """Not fewer than minPodsPerReplicaSet, where there are any."""
    least = strategy(rollout).get("minPodsPerReplicaSet")
    return max(count, min(int(least), rollout.replicas)) if count and least is not None else count


def _weight(weights: Weights, side: str) -> int:
    return int((weights.get(side) or {}).get("weight") or 0)
