"""The values an API server fills into a pod template, so that two templates can be compared.

A Rollout keeps its template as it was sent, but one copied back from a ReplicaSet (an undo) has
them all. Source: the defaults of the Kubernetes API, core/v1.
"""

from collections.abc import Mapping
from typing import Any

_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_MODE = {"defaultMode": 420}
_CONTAINER = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
_DEFAULTS: dict[str, Mapping[str, Any]] = {
    "spec": {
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "terminationGracePeriodSeconds": 30,
        "enableServiceLinks": True,
        "hostNetwork": False,
        "hostPID": False,
        "hostIPC": False,
    },
    "containers": _CONTAINER,
    "initContainers": _CONTAINER,
    "ports": {"protocol": "TCP"},
    "livenessProbe": _PROBE,
    "readinessProbe": _PROBE,
    "startupProbe": _PROBE,
    "httpGet": {"scheme": "HTTP"},
    "fieldRef": {"apiVersion": "v1"},
    "configMap": _MODE,
    "secret": _MODE,
    "projected": _MODE,
    "downwardAPI": _MODE,
    "hostPath": {"type": ""},
}


def without_defaults(value: Any, field: str = "") -> Any:
    """The same without defaults, nulls, empty mappings and lists; amounts of resources as text."""
    if isinstance(value, Mapping):
        known = _DEFAULTS.get(field, {})
        entries = {
            key: without_defaults(inner, key)
            for key, inner in value.items()
            if not (key in known and inner == known[key])
        }
        _drop_derived(entries, field)
        return {key: inner for key, inner in entries.items() if inner not in (None, {}, [])}
    if isinstance(value, list):
        return [without_defaults(item, field) for item in value]
    return str(value) if field in ("cpu", "memory", "ephemeral-storage") else value


def _drop_derived(entries: dict[str, Any], field: str) -> None:
    """Defaults that follow from another field: the pull policy and the old name of the account."""
    if field == "spec" and entries.get("serviceAccount") == entries.get("serviceAccountName"):
        entries.pop("serviceAccount", None)
    if field in ("containers", "initContainers"):
        image = str(entries.get("image", ""))
        tag = image.rpartition("/")[2].partition(":")[2]
        latest = "@" not in image and tag in ("", "latest")
        if entries.get("imagePullPolicy") == ("Always" if latest else "IfNotPresent"):
            del entries["imagePullPolicy"]
