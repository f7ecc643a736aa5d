"""Going back to the pod template of an earlier revision."""

import copy
from collections.abc import Mapping
from typing import Any

from companyos_canary.argo.patches.decision import (
    JSON_PATCH,
    Change,
    Decision,
    Nothing,
    Patch,
    Refusal,
    replace,
    test,
)
from companyos_canary.model.rollout import HASH_LABEL, Rollout
from companyos_canary.model.workload import ReplicaSet


def undo(rollout: Rollout, target: ReplicaSet) -> Decision:
    """Writes the template of a ReplicaSet back. Without what the controller put into it: with the
    injected metadata the controller would see a template that no ReplicaSet has, and walk it
    through the steps as a new canary (seen with the plugin's undo)."""
    if rollout.workload_ref:
        return Refusal(
            f"`{rollout.name}` takes its pods from the {rollout.workload_ref.get('kind')} "
            f"`{rollout.workload_ref.get('name')}`",
            "undo it there",
        )
    if rollout.observed and target.hash == rollout.current_hash:
        return Nothing(f"`{rollout.name}` is already on revision {target.revision}")
    operations = [
        test("/status/currentPodHash", rollout.current_hash),
        replace("/spec/template", template_of(rollout, target)),
    ]
    return Change((Patch(operations, JSON_PATCH),))


def template_of(rollout: Rollout, replicaset: ReplicaSet) -> dict[str, Any]:
    """The pod template as a person wrote it: no hash label, no canary or stable metadata."""
    template: dict[str, Any] = copy.deepcopy(dict(replicaset.template))
    meta = template.setdefault("metadata", {})
    for kind in ("labels", "annotations"):
        injected = {HASH_LABEL} | _injected(rollout, kind)
        kept = {k: v for k, v in (meta.get(kind) or {}).items() if k not in injected}
        if kept:
            meta[kind] = kept
        else:
            meta.pop(kind, None)
    meta.pop("creationTimestamp", None)
    return template


def _injected(rollout: Rollout, kind: str) -> set[str]:
    strategy: Mapping[str, Any] = (rollout.raw.get("spec") or {}).get("strategy") or {}
    canary = strategy.get("canary") or {}
    own = ((rollout.raw["spec"].get("template") or {}).get("metadata") or {}).get(kind) or {}
    roles = (canary.get("canaryMetadata") or {}, canary.get("stableMetadata") or {})
    return {key for role in roles for key in role.get(kind) or {}} - set(own)
