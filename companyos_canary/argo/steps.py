"""The steps of a canary: weight in force, actual weight, and their texts in events."""

from companyos_canary.model.rollout import Rollout, Step

FULL_WEIGHT = 100


def step_count(rollout: Rollout) -> int:
    return len(rollout.steps)


def max_weight(rollout: Rollout) -> int:
    """The weight that means all traffic: 100, or trafficRouting.maxTrafficWeight."""
    strategy = (rollout.raw.get("spec") or {}).get("strategy") or {}
    routing = (strategy.get("canary") or {}).get("trafficRouting") or {}
    weight = routing.get("maxTrafficWeight")
    return weight if isinstance(weight, int) else FULL_WEIGHT


def weight_at(steps: tuple[Step, ...], index: int) -> int:
    """The nearest setWeight at or before a step, else 0."""
    before = (s.weight for s in reversed(steps[: index + 1]) if s.kind == "setWeight")
    return next((w for w in before if w is not None), 0)


def set_weight(rollout: Rollout) -> int:
    """The canary's share that is asked for, in percent, as clients show it: 0 after an abort, all
    when no step is left (upstream utils/replicaset/canary.go GetCurrentSetWeight)."""
    if rollout.aborted:
        return 0
    if not _steps_left(rollout):
        return max_weight(rollout)
    return weight_at(rollout.steps, rollout.step_index or 0)


def _steps_left(rollout: Rollout) -> bool:
    """A Rollout that the controller has not got to yet stands at its first step (recorded:
    scenario invalid-spec)."""
    return (rollout.step_index or 0) < len(rollout.steps)


def weight_in_force(rollout: Rollout) -> int:
    """The share that the controller scales for: all of it for a promotion in full, for the first
    version and when nothing new is there."""
    if rollout.promote_full or not rollout.stable_hash or rollout.is_fully_promoted:
        return max_weight(rollout)
    return set_weight(rollout)


def actual_weight(rollout: Rollout, canary_available: int) -> int:
    """The canary's share of the available pods in percent, rounded down, as clients show it; in
    blue-green all or nothing.
    `canary_available`: available pods of the ReplicaSet of the current hash."""
    if rollout.blue_green:
        return FULL_WEIGHT if rollout.blue_green.active == rollout.current_hash else 0
    if not _steps_left(rollout):
        return FULL_WEIGHT
    if rollout.available_replicas == 0:
        return 0
    strategy = (rollout.raw.get("spec") or {}).get("strategy") or {}
    if (strategy.get("canary") or {}).get("trafficRouting") is not None:
        weights = ((rollout.raw.get("status") or {}).get("canary") or {}).get("weights")
        if not weights:
            return set_weight(rollout)
        weight = (weights.get("canary") or {}).get("weight", 0)
        return weight if isinstance(weight, int) else 0
    return canary_available * 100 // rollout.available_replicas


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
