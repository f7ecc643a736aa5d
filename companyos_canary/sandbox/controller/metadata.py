"""canaryMetadata and stableMetadata: labels and annotations that pods carry for their role."""

import copy
from typing import Any

from companyos_canary.sandbox.controller.context import Pass, is_owned
from companyos_canary.sandbox.controller.template import (
    EPHEMERAL,
    Metadata,
    injected,
    metadata_text,
    with_metadata,
    without_metadata,
)
from companyos_canary.sandbox.kinds import POD, REPLICASET
from companyos_canary.sandbox.store import Object


def role_metadata(work: Pass, *, stable: bool) -> Metadata:
    """What a version is given as the stable one or as the canary."""
    found: dict[str, Any] = (
        work.strategy.get("stableMetadata" if stable else "canaryMetadata") or {}
    )
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
