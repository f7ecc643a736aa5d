"""The few defaults of built-in kinds that somebody in the sandbox relies on."""

import hashlib
from collections.abc import Callable
from typing import Any

from companyos_canary.sandbox.kinds import DEPLOYMENT, NAMESPACE, REPLICASET, SERVICE, Kind
from companyos_canary.sandbox.objects import Object, copied
from companyos_canary.sandbox.objects import namespace as full_namespace


def completed(kind: Kind, obj: Object) -> Object:
    """The object with its defaults; kinds that have none here come back as they are."""
    complete = _COMPLETE.get(kind)
    if complete is None:
        return obj
    new: Object = copied(obj)
    complete(new)
    return new


def _namespace(obj: Object) -> None:
    full = full_namespace(obj["metadata"]["name"])
    obj["metadata"].setdefault("labels", {}).update(full["metadata"]["labels"])
    obj.setdefault("spec", full["spec"])
    obj.setdefault("status", full["status"])


def _workload(obj: Object) -> None:
    obj.setdefault("spec", {}).setdefault("replicas", 1)


def _deployment(obj: Object) -> None:
    _workload(obj)
    spec: dict[str, Any] = obj["spec"]
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    spec.setdefault(
        "strategy",
        {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
    )


def _service(obj: Object) -> None:
    spec: dict[str, Any] = obj.setdefault("spec", {})
    kind = spec.setdefault("type", "ClusterIP")
    if kind != "ExternalName" and not spec.get("clusterIP"):
        name = f"{obj['metadata'].get('namespace')}/{obj['metadata']['name']}"
        digest = hashlib.sha256(name.encode()).digest()
        spec["clusterIP"] = f"10.96.{digest[0]}.{digest[1] % 254 + 1}"
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports") or []:
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))


_COMPLETE: dict[Kind, Callable[[Object], None]] = {
    NAMESPACE: _namespace,
    REPLICASET: _workload,
    DEPLOYMENT: _deployment,
    SERVICE: _service,
}
