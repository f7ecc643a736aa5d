"""What the roles of canary and stable mean for pods and Services: canaryMetadata and
stableMetadata, canaryService and stableService."""

import copy
from typing import Any

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
from companyos_canary.sandbox.objects import Object, is_owned


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
    new = copy.deepcopy(replicaset)
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
    """Points the stable service at the stable version and the canary service at the new one, or,
    after an abort, at the stable one as well."""
    _point(work, work.strategy.get("stableService"), work.stable)
    target = work.stable if work.aborted else work.canary
    _point(work, work.strategy.get("canaryService"), target)


def _point(work: Pass, name: str | None, replicaset: Object | None) -> None:
    """A service taken over for the first time waits for all pods of its version, later for one."""
    service = work.store.get(SERVICE, work.view.namespace, name) if name else None
    if service is None or replicaset is None:
        return
    before = (service["spec"].get("selector") or {}).get(HASH_LABEL, "")
    managed = MANAGED_BY in (service["metadata"].get("annotations") or {})
    pods, wanted = pods_of(replicaset), hash_of(replicaset)
    enough = pods.available >= (1 if managed else max(1, pods.desired))
    if before == wanted or not enough:
        return
    new = copy.deepcopy(service)
    new["metadata"].setdefault("annotations", {})[MANAGED_BY] = work.view.name
    new["spec"].setdefault("selector", {})[HASH_LABEL] = wanted
    work.write(SERVICE, new)
    work.tell("Normal", "SwitchService", f"Switched selector for service '{name}' from '{before}' to '{wanted}'")


def release_services(work: Pass) -> None:
    """Takes the hash out of the selectors of a deleted Rollout's services."""
    for service in work.store.items(SERVICE, work.view.namespace):
        if (service["metadata"].get("annotations") or {}).get(MANAGED_BY) != work.view.name:
            continue
        new = copy.deepcopy(service)
        del new["metadata"]["annotations"][MANAGED_BY]
        (new["spec"].get("selector") or {}).pop(HASH_LABEL, None)
        work.write(SERVICE, new)
