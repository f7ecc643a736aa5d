"""The Deployment of a spec.workloadRef while its pods move to the Rollout: `scaleDown` says when it gives its own up.

Upstream rollout/replicaset.go reconcileNewReplicaSet (`progressively`) and rollout/sync.go promoteStable (`onsuccess`):
only for the first revision, so that a Deployment whose Rollout failed at first keeps its pods for ever.
"""

from companyos_canary.sandbox.controller.passes import Pass, pods_of, revision_of
from companyos_canary.sandbox.kinds import DEPLOYMENT
from companyos_canary.sandbox.objects import copied


def scale_workload(state: Pass) -> None:
    """Scales the Deployment, if it is its turn in this pass."""
    reference = state.rollout["spec"].get("workloadRef") or {}
    if state.canary is None or revision_of(state.canary) != 1:
        return
    healthy = state.status.get("phase") == "Healthy"
    match reference.get("scaleDown"):
        case "onsuccess" if healthy and state.promoted:
            _scale(state, reference["name"], 0)
        case "progressively" if healthy:
            _scale(state, reference["name"], 0)
        case "progressively":
            ready = int(state.status.get("readyReplicas") or 0)
            if ready or pods_of(state.canary).desired > state.view.replicas:
                _scale(state, reference["name"], max(state.view.replicas - ready, 0))


def _scale(state: Pass, name: str, wanted: int) -> None:
    found = state.store.get(DEPLOYMENT, state.view.namespace, name)
    if found is not None and found["spec"].get("replicas", 1) != wanted:
        new = copied(found)
        new["spec"]["replicas"] = wanted
        state.store.update(DEPLOYMENT, new)
