"""spec.workloadRef: the pod template comes from a Deployment."""

import copy

from companyos_canary.sandbox.controller.status import WORKLOAD
from companyos_canary.sandbox.kinds import DEPLOYMENT, ROLLOUT
from companyos_canary.sandbox.store import Object, Store


def resolve(store: Store, rollout: Object) -> Object | None:
    """The Rollout with the template and selector of its Deployment filled in, and the
    Deployment's generation noted on it; None while there is no such Deployment."""
    reference = rollout["spec"].get("workloadRef")
    if not reference or reference.get("kind") != "Deployment":
        return rollout
    namespace = rollout["metadata"].get("namespace", "")
    found = store.get(DEPLOYMENT, namespace, reference.get("name", ""))
    if found is None:
        return None
    generation = str(found["metadata"].get("generation", 1))
    annotations = rollout["metadata"].get("annotations") or {}
    if annotations.get(WORKLOAD) != generation:
        new = copy.deepcopy(rollout)
        new["metadata"].setdefault("annotations", {})[WORKLOAD] = generation
        rollout = store.update(ROLLOUT, new, expect=new["metadata"]["resourceVersion"])
    spec = dict(rollout["spec"])
    spec["template"] = copy.deepcopy(found["spec"]["template"])
    spec["selector"] = spec.get("selector") or copy.deepcopy(found["spec"]["selector"])
    return {**rollout, "spec": spec}
