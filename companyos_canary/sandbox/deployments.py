"""A Deployment controller that is just enough for a Rollout's workloadRef: it keeps a ReplicaSet
for the template at the wanted size. No rolling update: others go to zero at once."""

import copy
from datetime import datetime

from companyos_canary.sandbox.controller.context import is_owned, owner_reference
from companyos_canary.sandbox.controller.template import template_hash
from companyos_canary.sandbox.kinds import DEPLOYMENT, REPLICASET
from companyos_canary.sandbox.objects import Object
from companyos_canary.sandbox.store import Store

HASH = "pod-template-hash"
_REVISION = "deployment.kubernetes.io/revision"
_DESIRED = "deployment.kubernetes.io/desired-replicas"
_MOST = "deployment.kubernetes.io/max-replicas"


class DeploymentController:
    """One `step` writes one thing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def step(self, now: datetime) -> datetime | None:
        for deployment in self._store.items(DEPLOYMENT):
            before = self._store.version
            self._reconcile(deployment)
            if self._store.version != before:
                return now
        return None

    def _reconcile(self, deployment: Object) -> None:
        meta, spec = deployment["metadata"], deployment["spec"]
        replicas = spec.get("replicas", 1)
        owned = [
            s for s in self._store.items(REPLICASET, meta["namespace"])
            if is_owned(s, meta["uid"])
        ]  # fmt: skip
        digest = template_hash(spec["template"])
        newest = next((s for s in owned if s["metadata"]["labels"].get(HASH) == digest), None)
        revision = max((_revision(s) for s in owned if s is not newest), default=0) + 1
        if newest is None:
            newest = self._store.create(REPLICASET, _new_set(deployment, digest, revision))
        for replicaset in owned:
            if replicaset is not newest:
                self._resize(replicaset, 0)
        self._resize(newest, replicas)
        self._write_status(deployment, newest, owned)

    def _resize(self, replicaset: Object, size: int) -> None:
        if replicaset["spec"].get("replicas") != size:
            new = copy.deepcopy(replicaset)
            new["spec"]["replicas"] = size
            self._store.update(REPLICASET, new)

    def _write_status(self, deployment: Object, newest: Object, owned: list[Object]) -> None:
        status = {"observedGeneration": deployment["metadata"]["generation"]}
        counts = {
            "replicas": sum(_count(s, "replicas") for s in owned),
            "updatedReplicas": _count(newest, "replicas"),
            "readyReplicas": sum(_count(s, "readyReplicas") for s in owned),
            "availableReplicas": sum(_count(s, "availableReplicas") for s in owned),
        }
        status.update({k: v for k, v in counts.items() if v})
        self._store.update(DEPLOYMENT, {**deployment, "status": status}, status_only=True)


def _new_set(deployment: Object, digest: str, revision: int) -> Object:
    meta, spec = deployment["metadata"], deployment["spec"]
    template = copy.deepcopy(spec["template"])
    labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH: digest}
    template.setdefault("metadata", {})["labels"] = labels
    selector = copy.deepcopy(spec["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH: digest}
    replicas = spec.get("replicas", 1)
    most = replicas + -(-replicas // 4)
    return {
        "metadata": {
            "name": f"{meta['name']}-{digest}",
            "namespace": meta["namespace"],
            "labels": labels,
            "annotations": {
                _DESIRED: str(replicas), _MOST: str(most), _REVISION: str(revision),
            },
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    }  # fmt: skip


def _revision(replicaset: Object) -> int:
    text = (replicaset["metadata"].get("annotations") or {}).get(_REVISION, "0")
    return int(text) if text.isdigit() else 0


def _count(replicaset: Object, key: str) -> int:
    return int((replicaset.get("status") or {}).get(key, 0))
