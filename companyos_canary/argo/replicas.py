"""How many pods canary and stable get: the target of a weight, and the next step toward it. Pure.

Without traffic routing the weight is made by the number of pods (upstream utils/replicaset/canary.go). Where a router
splits the traffic there is a weight as well (CalculateReplicaCountsForTrafficRoutedCanary and what it uses,
rollout/trafficrouting.go and utils/defaults; recorded: the scenarios with nginx).
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

from msgspec import Struct

from companyos_canary.argo.steps import max_weight, set_weight
from companyos_canary.model.quantity import plural, whole_seconds
from companyos_canary.model.rollout import Rollout

DEFAULT_LIMIT = "25%"


class PodTarget(Struct, frozen=True):
    """Pods wanted of the new and of the stable version."""

    canary: int
    stable: int


class Pods(Struct, frozen=True):
    """A ReplicaSet in numbers: spec.replicas, status.replicas, status.availableReplicas."""

    desired: int
    replicas: int
    available: int


class Limits(Struct, frozen=True):
    """How far the sum of pods may be above and below the wanted number."""

    surge: int
    unavailable: int


def limits(replicas: int, max_surge: Any, max_unavailable: Any) -> Limits:
    """maxSurge (rounded up) and maxUnavailable (rounded down) in pods; None is the default of
    25 %. Every text is a percentage, also `"1"`; only a bare number counts pods. Both zero would
    never move, then one pod may be missing."""
    surge = _resolve(max_surge, replicas, up=True)
    unavailable = _resolve(max_unavailable, replicas, up=False)
    return Limits(surge, unavailable if surge or unavailable else 1)


@lru_cache(maxsize=1024)
def target(replicas: int, weight: int, surge: int) -> PodTarget:
    """The pods that come nearest to `weight` percent. One pod more than wanted is considered
    where `surge` allows any; where no split gives both sides a pod, all stay on stable."""
    if replicas == 0:
        return PodTarget(0, 0)
    best, nearest = PodTarget(0, replicas), None
    edge = weight in (0, 100) or (replicas == 1 and surge == 0)
    for total in (replicas, replicas + 1) if surge else (replicas,):
        for canary in _candidates(weight, total, total == replicas, edge):
            away = abs(canary * 100 - weight * total)  # from the weight, in percent times `total`
            if nearest is None or away * nearest[1] < nearest[0] * total:
                best, nearest = PodTarget(canary, total - canary), (away, total)
    return best


def advance(
    replicas: int, weight: int, limits: Limits, canary: Pods, stable: Pods | None, *, others: int = 0
) -> PodTarget:
    """The sizes that may be set now on the way to the target, given what is available.

    `stable` is None for a first version or where the new version is the stable one; `others`
    are the wanted pods of all further ReplicaSets. Never more than replicas + surge wanted pods
    in all, and no scaling down below replicas - unavailable available ones.
    """
    old = stable or Pods(0, 0, 0)
    goal = target(replicas, weight, limits.surge) if stable else PodTarget(replicas, 0)
    most, least = replicas + limits.surge, replicas - limits.unavailable
    room = most - canary.desired - old.desired - others
    want_old, room = _grown(old.desired, goal.stable, room)
    want_new, room = _grown(canary.desired, goal.canary, room)
    increasing = goal.canary >= canary.desired
    down = _counted(canary, not increasing) + _counted(old, increasing) - least
    if others > 0 or down <= 0:
        return PodTarget(want_new, want_old)
    if not increasing:
        want_new = _shrunk(canary.desired, goal.canary, down, want_new)
        want_new, want_old = _within(want_new, want_old, old.available, most, least)
    elif stable is not None:
        want_old = _shrunk(old.desired, goal.stable, down, want_old)
        want_old, want_new = _within(want_old, want_new, canary.available, most, least)
    return PodTarget(want_new, want_old)


def reached(now: PodTarget, canary: Pods, stable: Pods | None, others_available: int) -> bool:
    """Whether a setWeight step is done: `now` is what `advance` gives in this state. The stable
    pods need not be available."""
    if others_available > 0:
        return False
    if canary.desired != now.canary or canary.available != now.canary:
        return False
    return stable is None or (stable.desired == now.stable and stable.replicas == now.stable)


def scale_down_others(others: tuple[Pods, ...], all_available: int, least: int) -> tuple[int, ...]:
    """New sizes for versions that are neither new nor stable, in the order given (highest
    revision first): pods that are not available go at once, then as many as may be missing.
    `all_available` counts every ReplicaSet, `least` is replicas - unavailable."""
    trimmed = tuple(min(o.desired, o.available) for o in others)
    if trimmed != tuple(o.desired for o in others):
        return trimmed
    budget, sizes = all_available - least, []
    for pods in others:
        down = max(0, min(pods.desired, budget))
        budget -= down
        sizes.append(pods.desired - down)
    return tuple(sizes)


def _resolve(value: Any, replicas: int, *, up: bool) -> int:
    if value is None:
        value = DEFAULT_LIMIT
    if isinstance(value, int):
        return value
    try:
        percent = int(str(value).removesuffix("%"))
    except ValueError:
        return 0
    product = replicas * percent
    return -(-product // 100) if up else product // 100


def _candidates(weight: int, total: int, exact: bool, edge: bool) -> tuple[int, ...]:
    """Canary sizes worth comparing for one total, in order of preference. `exact`: no pod more
    than wanted, where a share of exactly one half of a pod is only rounded up."""
    product = total * weight
    ceiling, floor = -(-product // 100), product // 100
    found = [ceiling] if ceiling < total or edge else []
    if not (exact and product % 100 == 50) and (floor > 0 or edge):
        found.append(floor)
    return tuple(found)


def _grown(desired: int, goal: int, room: int) -> tuple[int, int]:
    more = max(0, min(goal - desired, room))
    return desired + more, room - more


def _counted(pods: Pods, wanted: bool) -> int:
    """Pods that count as serving while scaling down: those wanted, or those available, but
    never more than wanted, since the rest is already terminating."""
    return pods.desired if wanted else min(pods.desired, pods.available)


def _shrunk(desired: int, goal: int, down: int, otherwise: int) -> int:
    return max(goal, desired - down) if goal < desired else otherwise


def _within(draining: int, other: int, other_available: int, most: int, least: int) -> tuple[int, int]:
    """Both sizes, kept below `most` in sum, and the draining side not below what availability
    still needs of it."""
    other -= max(0, draining + other - most)
    draining += max(0, least - draining - min(other_available, other))
    return draining, other


_TOLERATED = 5  # percent of the traffic


def rounded(canary: Mapping[str, Any], replicas: int | None) -> Iterator[tuple[int, int, PodTarget]]:
    """The steps whose weight pods cannot make, by index, with the weight and the pods that come nearest: 10 % of 3 pods
    is one of four. Nothing where a router makes the weight, or no one says how many pods there are."""
    if not replicas or replicas < 1 or canary.get("trafficRouting") is not None:
        return
    surge = limits(replicas, canary.get("maxSurge"), canary.get("maxUnavailable")).surge
    for index, step in enumerate(canary.get("steps") or ()):
        weight = step.get("setWeight")
        if weight is None or not 0 < weight < 100:
            continue
        got = target(replicas, weight, surge)
        if abs(got.canary * 100 / (got.canary + got.stable) - weight) >= _TOLERATED:
            yield index, weight, got


def rounding(rollout: Rollout) -> str:
    """What becomes of the weights without a router: `10 % of 3 pods is 25 %`; empty where they are what they say."""
    found = rounded(strategy(rollout), rollout.replicas if rollout.strategy == "canary" else None)
    pods = plural(rollout.replicas, "pod")
    shares = {weight: got.canary * 100 / (got.canary + got.stable) for _, weight, got in found}
    told = [f"{weight} % of {pods} is {share:.0f} %" for weight, share in shares.items()]
    more = f", and {len(told) - 3} more" if len(told) > 3 else ""
    return f"without a traffic router a weight is a number of pods: {', '.join(told[:3])}{more}" if told else ""


RoutedWeights = Mapping[str, Any]
"""status.canary.weights: `canary` and `stable`, each with weight, podTemplateHash and serviceName."""

_DELAY = 30


def strategy(rollout: Rollout) -> Mapping[str, Any]:
    """spec.strategy.canary or spec.strategy.blueGreen."""
    return rollout.written_strategy(rollout.strategy)


def is_dynamic(rollout: Rollout) -> bool:
    """The stable version shrinks as its traffic does."""
    return bool(strategy(rollout).get("dynamicStableScale"))


def abort_delay(rollout: Rollout) -> timedelta | None:
    """How long the newest version keeps its pods after an abort; None: for ever. A canary without a
    router does not wait."""
    seconds = strategy(rollout).get("abortScaleDownDelaySeconds")
    if rollout.strategy != "blueGreen" and not rollout.is_routed:
        return timedelta()
    return None if seconds == 0 else whole_seconds(seconds, _DELAY)


def waits_after_abort(rollout: Rollout) -> bool:
    """An aborted version goes when its delay is over, and not by the weight of the traffic."""
    if not rollout.is_routed and rollout.strategy != "blueGreen":
        return False
    explicit = strategy(rollout).get("abortScaleDownDelaySeconds") is not None
    return abort_delay(rollout) is not None and (explicit or not is_dynamic(rollout))


def scale_down_delay(rollout: Rollout) -> timedelta:
    """How long the version before keeps its pods after a promotion."""
    if rollout.strategy != "blueGreen" and not rollout.is_routed:
        return timedelta()
    return whole_seconds(strategy(rollout).get("scaleDownDelaySeconds"), _DELAY)


def canary_scale(rollout: Rollout) -> Mapping[str, Any] | None:
    """The setCanaryScale in force: `replicas` or `weight`; None if pods follow the traffic."""
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


class Routed(Struct, frozen=True):
    """What a canary behind a router has now: the pods of both versions, and the weights in force. `frees_traffic` is
    false for controllers before 1.10: where the canary's pods stay for a while, their weight does, too. So is
    `caps_least`: then minPodsPerReplicaSet may be more than the replicas."""

    canary: Pods | None
    stable: Pods | None
    weights: RoutedWeights | None
    frees_traffic: bool = True
    caps_least: bool = True


def desired_weight(rollout: Rollout, now: Routed) -> int:
    """The weight that the pods are made for. After an abort with dynamicStableScale the weights of
    the steps are gone down one after the other, as the stable version grows again."""
    canary, stable = now.canary, now.stable
    if not (rollout.aborted and is_dynamic(rollout) and canary and stable):
        return set_weight(rollout)
    most, kept = max_weight(rollout), rollout.replicas - stable.available
    explicit = strategy(rollout).get("abortScaleDownDelaySeconds") is not None
    if not (now.frees_traffic and explicit and abort_delay(rollout) is not None):
        kept = max(kept, canary.available)
    weights = (s.weight for s in reversed(rollout.steps) if s.kind == "setWeight" and s.weight is not None)
    return next((w for w in weights if pods_for(rollout.replicas, w, most) < kept), 0)


def sizes(rollout: Rollout, now: Routed) -> PodTarget:
    """Wanted pods of new and stable: the stable version keeps what its present traffic needs."""
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
        weight = desired_weight(rollout, now)
    cap = replicas if now.caps_least else None
    least = int(given) if given is not None else _at_least(rollout, pods_for(replicas, weight, most), cap)
    if not is_dynamic(rollout):
        return PodTarget(least, replicas)
    kept = pods_for(replicas, most - weight, most)
    if now.weights is not None:
        kept = max(kept, pods_for(replicas, _weight(now.weights, "stable"), most))
        if rollout.aborted:
            least = max(least, pods_for(replicas, _weight(now.weights, "canary"), most))
    return PodTarget(_at_least(rollout, least, cap), _at_least(rollout, kept, cap))


def weight_on_the_way_back(rollout: Rollout, now: Routed) -> int:
    """The weight after an abort, or while the stable version comes back: at once 0, unless a stable
    version that has shrunk has to grow again first."""
    if not is_dynamic(rollout) or now.canary is None or now.stable is None or not rollout.replicas:
        return 0
    most, wanted = max_weight(rollout), desired_weight(rollout, now)
    carried = most * now.stable.available // rollout.replicas
    expected = max(0, most - carried)
    if now.weights is None:
        return max(expected, wanted)
    has = _weight(now.weights, "canary")
    if wanted <= 0:
        return min(expected, has)
    return has if carried < most - wanted else min(wanted, has)


def _at_least(rollout: Rollout, count: int, cap: int | None) -> int:
    """Not fewer than minPodsPerReplicaSet, where there are any, or than the `cap` for it."""
    least = strategy(rollout).get("minPodsPerReplicaSet")
    if not count or least is None:
        return count
    return max(count, int(least) if cap is None else min(int(least), cap))


def _weight(weights: RoutedWeights, side: str) -> int:
    return int((weights.get(side) or {}).get("weight") or 0)
