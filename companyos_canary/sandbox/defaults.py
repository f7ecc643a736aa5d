"""What a server fills in: the defaults of Services, workloads, pod templates and pods
(kube-apiserver v1.34), and what admission adds to a pod."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from companyos_canary.model.image import pull_policy
from companyos_canary.sandbox.kinds import DEPLOYMENT, NAMESPACE, POD, REPLICASET, SERVICE, Kind

Object = dict[str, Any]
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_POD = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
}
_CONTAINER = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_FILES = ("configMap", "secret", "projected", "downwardAPI")
_MODE = 420
_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_FIRST_NODE_PORT, _NODE_PORTS = 30000, 2768


def complete(kind: Kind, obj: Object) -> None:
    """Fills the defaults of its kind into an object that no one else holds."""
    if fill := _COMPLETE.get(kind):
        fill(obj)


def namespace(name: str) -> Object:
    """A Namespace as a server completes it."""
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def _namespace(obj: Object) -> None:
    full = namespace(obj["metadata"]["name"])
    obj["metadata"].setdefault("labels", {}).update(full["metadata"]["labels"])
    obj.setdefault("spec", full["spec"])
    obj.setdefault("status", full["status"])


def _workload(obj: Object) -> None:
    spec: dict[str, Any] = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    template = spec.get("template")
    if isinstance(template, dict) and isinstance(template.get("spec"), dict):
        _pod_spec(template["spec"])


def _deployment(obj: Object) -> None:
    _workload(obj)
    spec: dict[str, Any] = obj["spec"]
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    spec.setdefault(
        "strategy", {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    )


def _pod_spec(spec: dict[str, Any]) -> None:
    for field, value in _POD.items():
        spec.setdefault(field, value)
    spec.setdefault("securityContext", {})
    for container in _items(spec, "containers", "initContainers"):
        _container(container, host_network=bool(spec.get("hostNetwork")))
    for volume in _items(spec, "volumes"):
        _volume(volume)


def _container(container: dict[str, Any], *, host_network: bool) -> None:
    container.setdefault("imagePullPolicy", pull_policy(str(container.get("image", ""))))
    container.setdefault("resources", {})
    for field, value in _CONTAINER.items():
        container.setdefault(field, value)
    for port in _items(container, "ports"):
        port.setdefault("protocol", "TCP")
        if host_network:
            port.setdefault("hostPort", port.get("containerPort"))
    for variable in _items(container, "env"):
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if isinstance(reference, dict):
            reference.setdefault("apiVersion", "v1")
    for name in _PROBES:
        probe = container.get(name)
        if isinstance(probe, dict):
            for field, number in _PROBE.items():
                probe.setdefault(field, number)
            if isinstance(probe.get("httpGet"), dict):
                probe["httpGet"].setdefault("path", "/")
                probe["httpGet"].setdefault("scheme", "HTTP")


def _volume(volume: dict[str, Any]) -> None:
    for name in _FILES:
        if isinstance(volume.get(name), dict):
            volume[name].setdefault("defaultMode", _MODE)
    if isinstance(volume.get("hostPath"), dict):
        volume["hostPath"].setdefault("type", "")


def _pod(obj: Object) -> None:
    """Its defaults and, the first time, what admission adds."""
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return
    _pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    spec.setdefault("priority", 0)
    for missing in ("not-ready", "unreachable"):
        key = f"node.kubernetes.io/{missing}"
        if not any(t.get("key") in (key, None) for t in _items(spec, "tolerations")):
            toleration = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            spec.setdefault("tolerations", []).append(toleration)
    if spec.get("automountServiceAccountToken") is not False:
        _mount_token(obj["metadata"], spec)


def _mount_token(meta: Object, spec: dict[str, Any]) -> None:
    volumes = _items(spec, "volumes")
    name = next((str(v["name"]) for v in volumes if str(v.get("name", "")).startswith("kube-api-access-")), "")
    if not name:
        name = f"kube-api-access-{_letters(str(meta.get('name', '')))}"
        spec.setdefault("volumes", []).append({"name": name, "projected": _token()})
    for container in _items(spec, "containers", "initContainers"):
        if not any(m.get("mountPath") == _ACCOUNT for m in _items(container, "volumeMounts")):
            mount = {"name": name, "readOnly": True, "mountPath": _ACCOUNT}
            container.setdefault("volumeMounts", []).append(mount)


def _token() -> dict[str, Any]:
    certificate = {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": certificate},
            {"downwardAPI": {"items": [namespace]}},
        ],
        "defaultMode": _MODE,
    }


def _service(obj: Object) -> None:
    spec: dict[str, Any] = obj.setdefault("spec", {})
    type_ = spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    name = f"{obj['metadata'].get('namespace')}/{obj['metadata']['name']}"
    digest = hashlib.sha256(name.encode()).digest()
    if type_ != "ExternalName":
        if not spec.get("clusterIP"):
            spec["clusterIP"] = f"10.96.{digest[0]}.{digest[1] % 254 + 1}"
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        spec.setdefault("internalTrafficPolicy", "Cluster")
    outside = type_ in ("NodePort", "LoadBalancer")
    if outside:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if type_ == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    for number, port in enumerate(_items(spec, "ports")):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
        if outside:
            drawn = int.from_bytes(digest[2:6], "big") + number
            port.setdefault("nodePort", _FIRST_NODE_PORT + drawn % _NODE_PORTS)
    obj.setdefault("status", {}).setdefault("loadBalancer", {})


def _items(value: dict[str, Any], *fields: str) -> Iterator[dict[str, Any]]:
    """The objects in lists; what is no such list is left to validation."""
    for field in fields:
        found = value.get(field)
        yield from (item for item in (found if isinstance(found, list) else ()) if isinstance(item, dict))


def _letters(text: str) -> str:
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in hashlib.sha256(text.encode()).digest()[:5])


_COMPLETE: dict[Kind, Callable[[Object], None]] = {
    NAMESPACE: _namespace,
    REPLICASET: _workload,
    DEPLOYMENT: _deployment,
    SERVICE: _service,
    POD: _pod,
}
