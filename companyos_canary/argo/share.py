"""The share of the pods that the newest version really has. Pure."""

from companyos_canary.argo.steps import actual_weight
from companyos_canary.model.rollout import Rollout
from companyos_canary.model.snapshot import Snapshot


def is_routed(rollout: Rollout) -> bool:
    """A traffic router sets the weight, not the number of pods."""
    strategy = (rollout.raw.get("spec") or {}).get("strategy") or {}
    return (strategy.get("canary") or {}).get("trafficRouting") is not None


def pod_share(snapshot: Snapshot) -> int | None:
    """In percent, rounded down. Few pods cannot have every share: one of two is 50 %, whatever the
    step asks for. None where pods do not make the weight, or none is there."""
    rollout, current = snapshot.rollout, snapshot.current
    if rollout.strategy != "canary" or is_routed(rollout) or not rollout.available_replicas:
        return None
    if current is None and rollout.available_replicas < rollout.total_replicas:
        return None  # the Rollout alone does not say whose pods are not there
    return actual_weight(rollout, current.available if current else rollout.updated_replicas)
