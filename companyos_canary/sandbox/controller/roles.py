"""What the roles of canary and stable mean for pods and Services: canaryMetadata and
stableMetadata, canaryService and stableService."""

from typing import Any

from companyos_canary.argo.replicas import is_dynamic
from companyos_canary.argo.validation import MANAGED_BY
from companyos_canary.model.rollout import HASH_LABEL
from companyos_canary.sandbox.controller.passes import Pass, hash_of, pods_of
from companyos_canary.sandbox.controller.template import (
    EPHEMERAL,
    Metadata,
    injected,
    metadata_text,
    with_metadata,
    without_metadata,
)
from companyos_canary.sandbox.kinds import POD, REPLICASET, SERVICE
from companyos_canary.sandbox.objects import Object, copied, is_owned


def role_metadata(work: Pass, *, stable: bool) -> Metadata:
    """What a version is given as the stable one or as the canary."""
    found: dict[str, Any] = work.strategy.get("stableMetadata" if stable else "canaryMetadata") or {}
    return found


def sync_metadata(work: Pass) -> None:
    """Gives the ReplicaSets and their live pods the metadata of the roles they have now."""
    alone = work.promoted or not work.view.stable_hash
    if work.canary is not None:
        _sync(work, work.canary, role_metadata(work, stable=alone))
    if not alone and work.stable is not None:
        _sync(work, work.stable, role_metadata(work, stable=True))


def _sync(work: Pass, replicaset: Object, wanted: Metadata) -> None:
    old = injected(replicaset)
    if metadata_text(old) == metadata_text(wanted):
        return
    new = copied(replicaset)
    template = without_metadata(new["spec"]["template"], old)
    new["spec"]["template"] = with_metadata(template, wanted)
    annotations = new["metadata"].setdefault("annotations", {})
    if metadata_text(wanted) == "{}":
        annotations.pop(EPHEMERAL, None)
    else:
        annotations[EPHEMERAL] = metadata_text(wanted)
    replicaset.update(work.write(REPLICASET, new))
    for pod in work.store.items(POD, work.view.namespace):
        if is_owned(pod, replicaset["metadata"]["uid"]):
            work.write(POD, with_metadata(without_metadata(pod, old), wanted))


def reconcile_services(work: Pass) -> None:
    """Points the stable service at the stable version and the canary service at the new one. After
    an abort the canary service goes to the stable one as well: here where pods make the weight, by
    the routing where a router does. A stable version that has shrunk is not pointed at before it
    has its pods again."""
    if work.strategy.get("pingPong") is not None:
        _point_the_pair(work)
        return
    point(work, work.strategy.get("stableService"), work.stable)
    if is_rolling_back(work) or (work.is_routed and work.aborted):
        return
    point(work, work.strategy.get("canaryService"), work.stable if work.aborted else work.canary)


def _point_the_pair(work: Pass) -> None:
    """Ping and pong take turns: only the canary's one moves, and only during an update. The stable
    one is where the last update has left it."""
    canary, stable = work.services
    if not work.promoted:
        point(work, canary, work.canary, checked=False)
    service = work.store.get(SERVICE, work.view.namespace, stable)
    if service is not None and HASH_LABEL not in (service["spec"].get("selector") or {}):
        point(work, stable, work.stable)


def is_rolling_back(work: Pass) -> bool:
    """The stable version, which has shrunk with its traffic, is the newest again, and the traffic
    of the version between is not back yet (upstream IsDynamicallyRollingBackToStable)."""
    weights = work.view_weights
    if not (work.is_routed and work.promoted and is_dynamic(work.view) and weights and work.canary):
        return False
    digest = (weights.get("canary") or {}).get("podTemplateHash", "")
    return digest != hash_of(work.canary) and pods_of(work.canary).available < work.view.replicas


def point(work: Pass, name: str | None, replicaset: Object | None, *, checked: bool = True) -> None:
    """A service taken over for the first time waits for all pods of its version, later for one;
    without `checked` for none."""
    service = work.store.get(SERVICE, work.view.namespace, name) if name else None
    if service is None or replicaset is None:
        return
    before = (service["spec"].get("selector") or {}).get(HASH_LABEL, "")
    managed = MANAGED_BY in (service["metadata"].get("annotations") or {})
    pods, wanted = pods_of(replicaset), hash_of(replicaset)
    enough = not checked or pods.available >= (1 if managed else max(1, pods.desired))
    if before == wanted or not enough:
        return
    switch(work, service, wanted)


def switch(work: Pass, service: Object, wanted: str) -> None:
    """Lets a service select a version, and says so."""
    before = (service["spec"].get("selector") or {}).get(HASH_LABEL, "")
    if before == wanted and MANAGED_BY in (service["metadata"].get("annotations") or {}):
        return
    new = copied(service)
    new["metadata"].setdefault("annotations", {})[MANAGED_BY] = work.view.name
    new["spec"].setdefault("selector", {})[HASH_LABEL] = wanted
    work.write(SERVICE, new)
    name = service["metadata"]["name"]
    work.tell("Normal", "SwitchService", f"Switched selector for service '{name}' from '{before}' to '{wanted}'")


def release_services(work: Pass) -> None:
    """Takes the hash out of the selectors of a deleted Rollout's services."""
    for service in work.store.items(SERVICE, work.view.namespace):
        if (service["metadata"].get("annotations") or {}).get(MANAGED_BY) != work.view.name:
            continue
        new = copied(service)
        del new["metadata"]["annotations"][MANAGED_BY]
        (new["spec"].get("selector") or {}).pop(HASH_LABEL, None)
        work.write(SERVICE, new)
