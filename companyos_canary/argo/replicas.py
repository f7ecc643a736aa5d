"""How many pods canary and stable get: the target of a weight, and the next step toward it.

For a canary without traffic routing, where the weight is made by the number of pods (upstream
utils/replicaset/canary.go).
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

DEFAULT_LIMIT = "25%"


@dataclass(frozen=True, slots=True)
class Target:
    """Pods wanted of the new and of the stable version."""

    canary: int
    stable: int


@dataclass(frozen=True, slots=True)
class Pods:
    """A ReplicaSet in numbers: spec.replicas, status.replicas, status.availableReplicas."""

    desired: int
    replicas: int
    available: int


@dataclass(frozen=True, slots=True)
class Limits:
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


def target(replicas: int, weight: int, surge: int) -> Target:
    """The pods that come nearest to `weight` percent. One pod more than wanted is considered
    where `surge` allows any; where no split gives both sides a pod, all stay on stable."""
    if replicas == 0:
        return Target(0, 0)
    best, distance = Target(0, replicas), None
    edge = weight in (0, 100) or (replicas == 1 and surge == 0)
    for total in (replicas, replicas + 1) if surge else (replicas,):
        for canary in _candidates(weight, total, total == replicas, edge):
            away = abs(Fraction(canary * 100, total) - weight)
            if distance is None or away < distance:
                best, distance = Target(canary, total - canary), away
    return best


def advance(
    replicas: int, weight: int, limits: Limits, canary: Pods, stable: Pods | None, *, others: int = 0
) -> Target:
    """The sizes that may be set now on the way to the target, given what is available.

    `stable` is None for a first version or where the new version is the stable one; `others`
    are the wanted pods of all further ReplicaSets. Never more than replicas + surge wanted pods
    in all, and no scaling down below replicas - unavailable available ones.
    """
    old = stable or Pods(0, 0, 0)
    goal = target(replicas, weight, limits.surge) if stable else Target(replicas, 0)
    most, least = replicas + limits.surge, replicas - limits.unavailable
    room = most - canary.desired - old.desired - others
    want_old, room = _grown(old.desired, goal.stable, room)
    want_new, room = _grown(canary.desired, goal.canary, room)
    increasing = goal.canary >= canary.desired
    down = _counted(canary, not increasing) + _counted(old, increasing) - least
    if others > 0 or down <= 0:
        return Target(want_new, want_old)
    if not increasing:
        want_new = _shrunk(canary.desired, goal.canary, down, want_new)
        want_new, want_old = _within(want_new, want_old, old.available, most, least)
    elif stable is not None:
        want_old = _shrunk(old.desired, goal.stable, down, want_old)
        want_old, want_new = _within(want_old, want_new, canary.available, most, least)
    return Target(want_new, want_old)


def reached(now: Target, canary: Pods, stable: Pods | None, others_available: int) -> bool:
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
    never more than wanted, since the rest is already on its way out."""
    return pods.desired if wanted else min(pods.desired, pods.available)


def _shrunk(desired: int, goal: int, down: int, otherwise: int) -> int:
    return max(goal, desired - down) if goal < desired else otherwise


def _within(draining: int, other: int, other_available: int, most: int, least: int) -> tuple[int, int]:
    """Both sizes, kept below `most` in sum, and the draining side not below what availability
    still needs of it."""
    other -= max(0, draining + other - most)
    draining += max(0, least - draining - min(other_available, other))
    return draining, other
