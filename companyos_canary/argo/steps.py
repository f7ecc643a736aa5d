"""The steps of a canary: as the controller counts them, and as people do: a weight and what is waited for at it."""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Struct, field

from companyos_canary.model.analysisrun import AnalysisRun
from companyos_canary.model.quantity import percent_of
from companyos_canary.model.rollout import Rollout, Step
from companyos_canary.model.row import INSIDE, Percent

FULL_WEIGHT = 100
AT_ONCE = ("setWeight", "setCanaryScale", "setHeaderRoute", "setMirrorRoute")
"""The kinds of steps that wait for nothing but pods."""


def step_count(rollout: Rollout) -> int:
    return len(rollout.steps)


def max_weight(rollout: Rollout) -> int:
    """The weight that means all traffic: 100, or trafficRouting.maxTrafficWeight."""
    return scale_of(rollout.written_strategy("canary"))


def scale_of(canary: Mapping[str, Any]) -> int:
    """The same of the canary strategy as it is written."""
    weight = (canary.get("trafficRouting") or {}).get("maxTrafficWeight")
    return weight if isinstance(weight, int) and weight > 0 else FULL_WEIGHT


def percent(rollout: Rollout, weight: int) -> float:
    """A weight as people read it, in percent of all traffic: 5 of a maxTrafficWeight of 1000 is 0.5; a whole
    number where it is one."""
    return percent_of(weight, max_weight(rollout))


def weight_at(steps: tuple[Step, ...], index: int) -> int:
    """The nearest setWeight at or before a step, else 0."""
    before = (s.weight for s in reversed(steps[: index + 1]) if s.kind == "setWeight")
    return next((w for w in before if w is not None), 0)


def set_weight(rollout: Rollout) -> int:
    """The canary's share that is asked for, in percent, as clients show it: 0 after an abort, all
    when no step is left (upstream utils/replicaset/canary.go GetCurrentSetWeight)."""
    if rollout.aborted:
        return 0
    if not rollout.steps_left:
        return max_weight(rollout)
    return weight_at(rollout.steps, rollout.step_index or 0)


def weight_in_force(rollout: Rollout) -> int:
    """The share that the controller scales for: all of it for a promotion in full, for the first
    version and when nothing new is there."""
    if rollout.promote_full or not rollout.stable_hash or rollout.is_fully_promoted:
        return max_weight(rollout)
    return set_weight(rollout)


def asked_share(rollout: Rollout) -> float:
    """The canary's share that is asked for, in percent of all traffic."""
    return percent(rollout, set_weight(rollout))


def actual_share(rollout: Rollout, actual: int) -> float:
    """The `actual` weight in percent of all traffic: what its router was told, or what its pods make."""
    return percent(rollout, actual) if rollout.is_routed and rollout.steps_left else actual


def actual_weight(rollout: Rollout, canary: int, available: int) -> int:
    """The canary's share of the available pods in percent, rounded down, as clients show it; where it is routed, the
    weight as its router was told it; in blue-green all or nothing.
    `canary`: available pods of the ReplicaSet of the current hash, `available`: those of all."""
    if rollout.blue_green:
        return FULL_WEIGHT if rollout.blue_green.active == rollout.current_hash else 0
    if not rollout.steps_left:
        return FULL_WEIGHT
    if available == 0:
        return 0
    if rollout.is_routed:
        weight = routed_weight(rollout)
        return set_weight(rollout) if weight is None else weight
    return canary * 100 // available


def routed_weight(rollout: Rollout, *, shown: bool = False) -> int | None:
    """What the router sends to the canary, of maxTrafficWeight; None if that is not known, or with
    `shown` if the router does not show it yet."""
    weights = ((rollout.raw.get("status") or {}).get("canary") or {}).get("weights")
    if not isinstance(weights, dict) or not weights or (shown and weights.get("verified") is False):
        return None
    weight = (weights.get("canary") or {}).get("weight", 0)
    return weight if isinstance(weight, int) else None


def step_text(step: Step) -> str:
    """A step as the controller's events name it: `setWeight: 20`, `pause`, `pause: 30s`."""
    raw = step.raw
    match step.kind:
        case "setWeight":
            return f"setWeight: {raw['setWeight']}"
        case "pause":
            duration = (raw.get("pause") or {}).get("duration")
            return "pause" if duration is None else f"pause: {duration}"
        case "setCanaryScale":
            return f"setCanaryScale{_canary_scale(raw['setCanaryScale'])}"
        case "setHeaderRoute" | "setMirrorRoute" | "plugin":
            return f"{step.kind}: {(raw[step.kind] or {}).get('name', '')}"
        case "unknown":
            return "unknown"
        case _:
            return step.kind


def _canary_scale(scale: dict[str, object]) -> str:
    for key in ("weight", "replicas"):
        if scale.get(key) is not None:
            return f"{{{key}: {scale[key]}}}"
    return "{matchTrafficWeight: true}" if scale.get("matchTrafficWeight") else "{}"


class WeightStep(Struct, frozen=True):
    """It covers the Rollout's steps from `first_index` to before `end_index`; `percent` of all traffic."""

    number: int
    weight: Percent
    first: int = field(name="first_index")
    end: int = field(name="end_index")
    percent: Annotated[float, INSIDE] = 0

    def covers(self, index: int) -> bool:
        return self.first <= index < self.end


def steps_of(rollout: Rollout) -> tuple[WeightStep, ...]:
    return weight_steps(rollout.steps, max_weight(rollout))


def weight_steps(steps: tuple[Step, ...], most: int = FULL_WEIGHT) -> tuple[WeightStep, ...]:
    """Every setWeight begins one; what is before the first has weight 0. A setWeight of all traffic, which is `most`,
    at the very end is no step of its own: it is the end."""
    end = len(steps) - 1 if _only_finishes(steps, most) else len(steps)
    starts = [i for i, s in enumerate(steps[:end]) if s.kind == "setWeight"]
    if not end:
        return ()
    if not starts or starts[0] > 0:
        starts.insert(0, 0)
    return tuple(
        WeightStep(n + 1, weight, first, following, weight if most == FULL_WEIGHT else percent_of(weight, most))
        for n, (first, following) in enumerate(zip(starts, [*starts[1:], end], strict=True))
        for weight in (steps[first].weight or 0,)
    )


def _only_finishes(steps: tuple[Step, ...], most: int) -> bool:
    last = steps[-1] if len(steps) > 1 else None
    return last is not None and last.kind == "setWeight" and (last.weight or 0) >= most


def weight_step_at(groups: tuple[WeightStep, ...], index: int | None) -> WeightStep | None:
    """The one that covers an index of the Rollout's steps; None when all are done."""
    if index is None:
        return None
    return next((g for g in groups if g.first <= index < g.end), None)


def step_number(rollout: Rollout) -> int | None:
    """The current step as people count it; one more than there are when all are done; None if
    there are none."""
    groups = steps_of(rollout)
    if not groups or rollout.step_index is None:
        return None
    at = weight_step_at(groups, rollout.step_index)
    return at.number if at else len(groups) + 1


def step_of(rollout: Rollout, run: AnalysisRun) -> str:
    """`2/3`, as the screens count; `background`."""
    if run.step_index is None:
        return "background"
    groups = steps_of(rollout)
    at = weight_step_at(groups, run.step_index)
    return f"{at.number}/{len(groups)}" if at else f"index {run.step_index}"


def place_of(rollout: Rollout) -> str:
    """`step 2/3 (analysis)`: where it is, and what is in progress there."""
    at = weight_step_at(steps_of(rollout), rollout.step_index)
    step = rollout.current_step
    if at is None or step is None:
        return "the end of its steps"
    return f"step {at.number}/{len(steps_of(rollout))} ({step_text(step)})"
