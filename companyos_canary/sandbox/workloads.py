"""The controllers of ReplicaSets (as many pods as wanted, and a status that counts them) and of
Deployments (just enough for a Rollout's workloadRef)."""

import hashlib
from datetime import datetime
from typing import Any

from companyos_canary.model.quantity import parse_time, whole_seconds
from companyos_canary.sandbox.behaviour import Delay, Queue, prompt
from companyos_canary.sandbox.controller.template import template_hash
from companyos_canary.sandbox.events import Emit
from companyos_canary.sandbox.kinds import DEPLOYMENT, POD, REPLICASET
from companyos_canary.sandbox.objects import Object, copied, is_owned, owner_reference
from companyos_canary.sandbox.store import Informer, Store

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"

_POD_TEMPLATE_HASH = "pod-template-hash"
_DEPLOYMENT_REVISION = "deployment.kubernetes.io/revision"
_DESIRED = "deployment.kubernetes.io/desired-replicas"
_MOST = "deployment.kubernetes.io/max-replicas"


class ReplicaSetController:
    """One `step` brings one ReplicaSet nearer to what it needs: first the pods, with a status
    that still counts the old ones (recorded), then the status that counts the new."""

    def __init__(self, store: Store, emit: Emit, delay: Delay = prompt) -> None:
        self._store = store
        self._emit = emit
        self._sets = Informer(store, REPLICASET)
        self._pods = Informer(store, POD)
        self._owned: dict[str, dict[str, None]] = {}
        self._due = Queue(delay)
        self._made = 0

    def step(self, now: datetime) -> datetime | None:
        """The next moment at which one has to be looked at, None without."""
        self._notice(now)
        uid = self._due.take(now)
        if uid is None:
            return self._due.next
        replicaset = self._sets.objects.get(uid)
        if replicaset is not None:
            self._reconcile(replicaset, now)
        return now

    def _notice(self, now: datetime) -> None:
        for change in self._sets.changes():
            if change.type != "DELETED":
                self._due.changed(change.object["metadata"]["uid"], now)
        for change in self._pods.changes():
            meta = change.object["metadata"]
            for owner in meta.get("ownerReferences") or []:
                if not owner.get("controller"):
                    continue
                own = self._owned.setdefault(owner["uid"], {})
                if change.type == "DELETED":
                    own.pop(meta["uid"], None)
                else:
                    own[meta["uid"]] = None
                self._due.changed(owner["uid"], now)

    def _reconcile(self, replicaset: Object, now: datetime) -> None:
        uid = replicaset["metadata"]["uid"]
        own = [self._pods.objects[p] for p in self._owned.get(uid, ())]
        live = [p for p in own if _is_live(p)]
        counted, wake = _counted(replicaset, live, now)
        self._manage(replicaset, live)
        status = {"observedGeneration": replicaset["metadata"]["generation"], **counted}
        self._store.update(REPLICASET, {**replicaset, "status": status}, status_only=True)
        if wake is not None:
            self._due.put(uid, wake)

    def _manage(self, replicaset: Object, pods: list[Object]) -> None:
        """Creates or deletes the difference to spec.replicas."""
        missing = replicaset["spec"].get("replicas", 1) - len(pods)
        for _ in range(missing):
            pod = self._store.create(POD, self._new_pod(replicaset))
            name = pod["metadata"]["name"]
            self._emit(replicaset, "Normal", "SuccessfulCreate", f"Created pod: {name}")
        for pod in sorted(pods, key=_expendable)[: max(0, -missing)]:
            name = pod["metadata"]["name"]
            self._store.delete(POD, pod["metadata"]["namespace"], name)
            self._emit(replicaset, "Normal", "SuccessfulDelete", f"Deleted pod: {name}")

    def _free_name(self, namespace: str, name: str) -> str:
        """The same names in every run, as far as the same things happen."""
        while True:
            self._made += 1
            found = f"{name}-{_suffix(f'{namespace}/{name}/{self._made}')}"
            if self._store.get(POD, namespace, found) is None:
                return found

    def _new_pod(self, replicaset: Object) -> Object:
        template = copied(replicaset["spec"]["template"])
        meta = replicaset["metadata"]
        own = {k: v for k, v in (template.get("metadata") or {}).items() if v}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                **own,
                "name": self._free_name(meta["namespace"], meta["name"]),
                "generateName": f"{meta['name']}-",
                "namespace": meta["namespace"],
                "ownerReferences": [owner_reference(replicaset)],
            },
            "spec": template.get("spec") or {},
        }


def _suffix(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "".join(_SUFFIX[byte % len(_SUFFIX)] for byte in digest[:5])


def _counted(replicaset: Object, pods: list[Object], now: datetime) -> tuple[dict[str, Any], datetime | None]:
    """The counts of a status, without those that are zero, and when one of them will grow."""
    least = whole_seconds(replicaset["spec"].get("minReadySeconds"))
    since = [s for s in (_ready_since(p) for p in pods) if s is not None]
    due = [s + least for s in since]
    later = min((at for at in due if at > now), default=None) if least else None
    counts = {
        "fullyLabeledReplicas": len(pods),
        "readyReplicas": len(since),
        "availableReplicas": sum(1 for at in due if at <= now or not least),
    }
    return {"replicas": len(pods), **{k: v for k, v in counts.items() if v}}, later


def _is_live(pod: Object) -> bool:
    ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return not ended and not pod["metadata"].get("deletionTimestamp")


def _ready_since(pod: Object) -> datetime | None:
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition["type"] == "Ready" and condition["status"] == "True":
            return parse_time(condition.get("lastTransitionTime"))
    return None


def _expendable(pod: Object) -> tuple[bool, int]:
    """Pods that are not ready go first, then the youngest."""
    return _ready_since(pod) is not None, -int(pod["metadata"]["resourceVersion"])


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
        owned = [s for s in self._store.items(REPLICASET, meta["namespace"]) if is_owned(s, meta["uid"])]
        digest = template_hash(spec["template"])
        newest = next((s for s in owned if s["metadata"]["labels"].get(_POD_TEMPLATE_HASH) == digest), None)
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
            new = copied(replicaset)
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
    template = copied(spec["template"])
    labels = {**((template.get("metadata") or {}).get("labels") or {}), _POD_TEMPLATE_HASH: digest}
    template.setdefault("metadata", {})["labels"] = labels
    selector = copied(spec["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), _POD_TEMPLATE_HASH: digest}
    replicas = spec.get("replicas", 1)
    most = replicas + -(-replicas // 4)
    return {
        "metadata": {
            "name": f"{meta['name']}-{digest}",
            "namespace": meta["namespace"],
            "labels": labels,
            "annotations": {_DESIRED: str(replicas), _MOST: str(most), _DEPLOYMENT_REVISION: str(revision)},
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    }


def _revision(replicaset: Object) -> int:
    text = (replicaset["metadata"].get("annotations") or {}).get(_DEPLOYMENT_REVISION, "0")
    return int(text) if text.isdigit() else 0


def _count(replicaset: Object, key: str) -> int:
    return int((replicaset.get("status") or {}).get(key, 0))
