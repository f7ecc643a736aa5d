"""What the roles of canary and stable, of preview and active, mean for pods and Services: canaryMetadata and
stableMetadata, previewMetadata and activeMetadata, canaryService and stableService."""

from typing import Any

from companyos_canary.argo.replicas import is_dynamic, strategy
from companyos_canary.argo.validation import MANAGED_BY
from companyos_canary.model.image import HASH_LABEL
from companyos_canary.sandbox.controller.passes import Pass, hash_of, pods_of
from companyos_canary.sandbox.controller.template import (
    EPHEMERAL,
    Metadata,
    injected,
    metadata_text,
    with_metadata,
    without_metadata,
)
from companyos_canary.sandbox.kinds import POD, REPLICASET, ROLLOUT, SERVICE
from companyos_canary.sandbox.objects import Object, copied, is_owned
from companyos_canary.sandbox.store import Store


def role_metadata(state: Pass, *, stable: bool) -> Metadata:
    """What a version is given as the stable one or as the new one."""
    new, old = ("preview", "active") if state.view.blue_green is not None else ("canary", "stable")
    found: dict[str, Any] = strategy(state.view).get(f"{old if stable else new}Metadata") or {}
    return found


def sync_metadata(state: Pass) -> None:
    """Gives the ReplicaSets and their live pods the metadata of the roles they have now."""
    alone = state.promoted or not state.view.stable_hash
    if state.canary is not None:
        _sync(state, state.canary, role_metadata(state, stable=alone))
    if not alone and state.stable is not None:
        _sync(state, state.stable, role_metadata(state, stable=True))
    for other in state.others:
        _sync(state, other, {})


def _sync(state: Pass, replicaset: Object, wanted: Metadata) -> None:
    old = injected(replicaset)
    if old == wanted or metadata_text(old) == metadata_text(wanted):
        return
    new = copied(replicaset)
    template = without_metadata(new["spec"]["template"], old)
    new["spec"]["template"] = with_metadata(template, wanted)
    annotations = new["metadata"].setdefault("annotations", {})
    if metadata_text(wanted) == "{}":
        annotations.pop(EPHEMERAL, None)
    else:
        annotations[EPHEMERAL] = metadata_text(wanted)
    replicaset.update(state.write(REPLICASET, new))
    for pod in state.store.items(POD, state.view.namespace):
        if is_owned(pod, replicaset["metadata"]["uid"]):
            state.write(POD, with_metadata(without_metadata(pod, old), wanted))


def reconcile_services(state: Pass) -> None:
    """Points the stable service at the stable version and the canary service at the new one. After
    an abort the canary service goes to the stable one as well: here where pods make the weight, by
    the routing where a router does. A stable version that has shrunk is not pointed at before it
    has its pods again."""
    if state.strategy.get("pingPong") is not None:
        _point_the_pair(state)
        return
    point(state, state.strategy.get("stableService"), state.stable)
    if is_rolling_back(state) or (state.is_routed and state.aborted):
        return
    point(state, state.strategy.get("canaryService"), state.stable if state.aborted else state.canary)


def _point_the_pair(state: Pass) -> None:
    """Ping and pong take turns: only the canary's one moves, and only during an update. The stable
    one is where the last update has left it."""
    canary, stable = state.services
    if not state.promoted:
        point(state, canary, state.canary, checked=False)
    service = state.store.get(SERVICE, state.view.namespace, stable)
    if service is not None and HASH_LABEL not in (service["spec"].get("selector") or {}):
        point(state, stable, state.stable)


def is_rolling_back(state: Pass) -> bool:
    """The stable version, which has shrunk with its traffic, is the newest again, and the traffic
    of the version between is not back yet (upstream IsDynamicallyRollingBackToStable)."""
    weights = state.view_weights
    if not (state.is_routed and state.promoted and is_dynamic(state.view) and weights and state.canary):
        return False
    digest = (weights.get("canary") or {}).get("podTemplateHash", "")
    return digest != hash_of(state.canary) and pods_of(state.canary).available < state.view.replicas


def point(state: Pass, name: str | None, replicaset: Object | None, *, checked: bool = True) -> None:
    """A service taken over for the first time waits for all pods of its version, later for one;
    without `checked` for none."""
    service = state.store.get(SERVICE, state.view.namespace, name) if name else None
    if service is None or replicaset is None:
        return
    before = (service["spec"].get("selector") or {}).get(HASH_LABEL, "")
    managed = MANAGED_BY in (service["metadata"].get("annotations") or {})
    pods, wanted = pods_of(replicaset), hash_of(replicaset)
    enough = not checked or pods.available >= (1 if managed else max(1, pods.desired))
    if before == wanted or not enough:
        return
    switch(state, service, wanted)


def switch(state: Pass, service: Object, wanted: str) -> None:
    """Lets a service select a version, and says so."""
    before = (service["spec"].get("selector") or {}).get(HASH_LABEL, "")
    if before == wanted and MANAGED_BY in (service["metadata"].get("annotations") or {}):
        return
    new = copied(service)
    new["metadata"].setdefault("annotations", {})[MANAGED_BY] = state.view.name
    new["spec"].setdefault("selector", {})[HASH_LABEL] = wanted
    state.write(SERVICE, new)
    name = service["metadata"]["name"]
    state.tell("Normal", "SwitchService", f"Switched selector for service '{name}' from '{before}' to '{wanted}'")


def services_of(rollout: Object) -> set[str]:
    """The names of the Services to which a Rollout refers."""
    found = rollout["spec"].get("strategy") or {}
    canary, blue_green = found.get("canary") or {}, found.get("blueGreen") or {}
    pair = canary.get("pingPong") or {}
    named = {blue_green.get("activeService"), blue_green.get("previewService"), pair.get("pingService")}
    named |= {canary.get("canaryService"), canary.get("stableService"), pair.get("pongService")}
    return {name for name in named if name}


def free_service(store: Store, namespace: str, name: str) -> None:
    """Takes the hash out of the selector of a Service to which its Rollout no longer refers (upstream
    service/service.go). What no Rollout manages stays as it is."""
    service = store.get(SERVICE, namespace, name)
    manager = ((service or {}).get("metadata", {}).get("annotations") or {}).get(MANAGED_BY)
    if service is None or manager is None or HASH_LABEL not in (service["spec"].get("selector") or {}):
        return
    rollout = store.get(ROLLOUT, namespace, manager)
    if rollout is not None and name in services_of(rollout):
        return
    new = copied(service)
    del new["metadata"]["annotations"][MANAGED_BY]
    del new["spec"]["selector"][HASH_LABEL]
    store.update(SERVICE, new, expect=new["metadata"]["resourceVersion"])
