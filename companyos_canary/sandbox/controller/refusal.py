"""What the sandbox's controller does not emulate, said before it would be ignored."""

from collections.abc import Mapping
from typing import Any

_STEPS = ("experiment", "setCanaryScale", "setHeaderRoute", "setMirrorRoute", "plugin")
_OTHERS = {"Experiment": "the sandbox does not run Experiments"}


def refusal(rollout: Mapping[str, Any]) -> str | None:
    """One sentence that says why this object cannot be played here, or None: an Experiment, or a
    Rollout with what the controller does not do. What the real controller would call invalid is
    not refused: it becomes an InvalidSpec."""
    kind = rollout.get("kind", "Rollout")
    if kind != "Rollout":
        return _OTHERS.get(kind)
    spec = rollout.get("spec") or {}
    strategy = spec.get("strategy") or {}
    canary = strategy.get("canary") or {}
    if strategy.get("blueGreen") is not None and strategy.get("canary") is None:
        return _not_here("spec.strategy.blueGreen")
    for field in ("trafficRouting", "antiAffinity"):
        if canary.get(field) is not None:
            return _not_here(f"spec.strategy.canary.{field}")
    for index, step in enumerate(canary.get("steps") or []):
        for kind in _STEPS:
            if isinstance(step, Mapping) and step.get(kind) is not None:
                return _not_here(f"spec.strategy.canary.steps[{index}].{kind}")
    workload = spec.get("workloadRef")
    if workload is not None and workload.get("kind") != "Deployment":
        return _not_here("spec.workloadRef to another kind than Deployment")
    if workload is not None and (workload.get("scaleDown") or "never") != "never":
        return _not_here("spec.workloadRef.scaleDown")
    return None


def _not_here(what: str) -> str:
    return f"the sandbox does not emulate `{what}`"
