"""What differs between two objects, and what applying a Rollout would start; the values that an API server fills in
do not count."""

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Literal

from msgspec import Struct, field

from companyos_canary.config.source import LIST_KEYS
from companyos_canary.model.http import without_password
from companyos_canary.model.image import HASH_LABEL, pull_policy
from companyos_canary.model.rollout import Step

_SECRET = re.compile(r"(?i)\[[^\]]*(?:password|passwd|secret|token|api[-_]?key|authorization|cookie)[^\]]*\]\.value$")
_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_MODE = {"defaultMode": 420}
_CONTAINER = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
# By the field that holds them (upstream pkg/apis/core/v1/defaults.go).
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
        "volumeMode": "Filesystem",
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        "externalTrafficPolicy": "Cluster",
        "ipFamilyPolicy": "SingleStack",
        "allocateLoadBalancerNodePorts": True,
    },
    "containers": _CONTAINER,
    "initContainers": _CONTAINER,
    "ports": {"protocol": "TCP"},
    "livenessProbe": _PROBE,
    "readinessProbe": _PROBE,
    "startupProbe": _PROBE,
    "httpGet": {"scheme": "HTTP", "path": "/"},
    "grpc": {"service": ""},
    "fieldRef": {"apiVersion": "v1"},
    "resourceFieldRef": {"divisor": "0"},
    "configMap": _MODE,
    "secret": _MODE,
    "projected": _MODE,
    "downwardAPI": _MODE,
    "serviceAccountToken": {"expirationSeconds": 3600},
    "hostPath": {"type": ""},
    "iscsi": {"iscsiInterface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "azureDisk": {"cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False, "kind": "Shared"},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
}
# What a server chooses for a new Service.
_ASSIGNED = ("clusterIP", "clusterIPs", "ipFamilies", "healthCheckNodePort")


def without_assigned(obj: Mapping[str, Any]) -> dict[str, Any]:
    """A new object without what the server has chosen for it."""
    result = deepcopy(dict(obj))
    if result.get("kind") == "Service" and isinstance(spec := result.get("spec"), dict):
        for field_ in _ASSIGNED:
            if spec.get(field_) not in ("None", ["None"]):
                spec.pop(field_, None)
        for port in spec.get("ports") or ():
            port.pop("nodePort", None)
            if port.get("targetPort") == port.get("port"):
                port.pop("targetPort", None)
    return result


def without_defaults(value: Any, field: str = "") -> Any:
    """The same without defaults, nulls, empty mappings and lists; amounts of resources as text."""
    if isinstance(value, Mapping):
        known = _DEFAULTS.get(field, {})
        entries = {
            key: without_defaults(inner, key)
            for key, inner in value.items()
            if not (key in known and inner == known[key] and type(inner) is type(known[key]))
        }
        _drop_derived(entries, field)
        return {key: inner for key, inner in entries.items() if inner not in (None, {}, [])}
    if isinstance(value, list):
        return [without_defaults(item, field) for item in value]
    return str(value) if field in ("cpu", "memory", "ephemeral-storage") else value


def _drop_derived(entries: dict[str, Any], field: str) -> None:
    """Defaults that follow from another field: the pull policy, the old name of the account, a port of the node."""
    if field == "spec" and entries.get("hostNetwork"):
        for container in (*(entries.get("containers") or ()), *(entries.get("initContainers") or ())):
            for port in container.get("ports") or ():
                if port.get("hostPort") == port.get("containerPort"):
                    port.pop("hostPort", None)
    if field == "spec" and entries.get("serviceAccount") == entries.get("serviceAccountName"):
        entries.pop("serviceAccount", None)
    usual = pull_policy(str(entries.get("image", "")))
    if field in ("containers", "initContainers") and entries.get("imagePullPolicy") == usual:
        del entries["imagePullPolicy"]


ABSENT = None


class FieldChange(Struct, frozen=True):
    """One value that differs; None if a side does not have it. `path` is for people, with list
    items by their name: `spec.containers[companyos-api].env[LOG_LEVEL].value`."""

    part: Literal["pod template", "steps"]
    path: str
    live: Any
    wanted: Any


def changes(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    """What differs between a live Rollout and the wanted one and would start a rollout (pod
    template) or change the course of one (steps). Fields that only hold a default, the hash label
    and the metadata the controller injects are no difference."""
    found = [
        FieldChange("pod template", path, _shown(path, old), _shown(path, new))
        for path, old, new in _deep(_template(live, live), _template(wanted, live), "")
    ]
    before, after = _steps(live), _steps(wanted)
    for i in range(max(len(before), len(after))):
        found += [
            FieldChange("steps", path, _shown(path, old), _shown(path, new))
            for path, old, new in _in_step(before, after, i)
        ]
    return tuple(found)


def _in_step(before: list[Any], after: list[Any], index: int) -> list[tuple[str, Any, Any]]:
    """What differs in a step: the values where both are of one kind, else the whole step."""
    old, new, path = _at(before, index), _at(after, index), f"steps[{index}]"
    if old == new:
        return []
    one_kind = old is not ABSENT and new is not ABSENT and old.keys() == new.keys()
    return _deep(old, new, path) if one_kind else [(path, old, new)]


def _deep(old: Any, new: Any, path: str) -> list[tuple[str, Any, Any]]:
    """What differs, in lists of objects without names, too; a part that only one side has is whole."""
    return [
        entry
        for at, was, becomes in _differences(old, new, path, "")
        for entry in (_item_by_item(at, was, becomes) or [(at, was, becomes)])
    ]


def _item_by_item(path: str, old: Any, new: Any) -> list[tuple[str, Any, Any]]:
    """Of two lists with objects that have no names; else empty."""
    if not (isinstance(old, list) and isinstance(new, list)):
        return []
    if not any(isinstance(item, Mapping) for item in (*old, *new)):
        return []
    items = range(max(len(old), len(new)))
    return [entry for i in items for entry in _deep(_at(old, i), _at(new, i), f"{path}[{i}]")]


class Leaf(Struct, frozen=True):
    """One value that differs; null where a side does not have it."""

    # A text, number or flag, or an item without a name; `path` is that of a Change.
    path: str
    old: Any = field(name="from")
    new: Any = field(name="to")


def leaves(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Leaf, ...]:
    """The values that differ, without defaults, the status and what the server keeps in the metadata."""
    return tuple(
        leaf
        for path, before, after in _differences(_own(old), _own(new), "", "")
        for leaf in _split(path, before, after)
    )


def template_leaves(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Leaf, ...]:
    """The same for two pod templates."""
    found = _differences(without_defaults(old), without_defaults(new), "", "")
    return tuple(leaf for path, before, after in found for leaf in _split(path, before, after))


def _own(obj: Mapping[str, Any]) -> Any:
    meta = obj.get("metadata") or {}
    kept = {key: meta.get(key) or {} for key in ("labels", "annotations")}
    return without_defaults({**{k: v for k, v in obj.items() if k not in ("metadata", "status")}, "metadata": kept})


def _split(path: str, old: Any, new: Any) -> list[Leaf]:
    """A part that only one side has as its values, and a list of objects without names item by item."""
    if items := _item_by_item(path, old, new):
        return [leaf for at, before, after in items for leaf in _split(at, before, after)]
    one = old if new is ABSENT else new if old is ABSENT else None
    field = path.rpartition(".")[2]
    inner = _keyed(one, field) if isinstance(one, list) else one
    if not isinstance(inner, Mapping) or not inner:
        return [Leaf(path, _shown(path, old), _shown(path, new))]
    names = {key: f"{path}[{key}]" if isinstance(one, list) else f"{path}.{key}" if path else str(key) for key in inner}
    return [
        leaf
        for key, value in inner.items()
        for leaf in (_split(names[key], value, ABSENT) if new is ABSENT else _split(names[key], ABSENT, value))
    ]


def _shown(path: str, value: Any) -> Any:
    """As it may be shown: addresses hold passwords, and so do headers and variables that are called so."""
    if isinstance(value, Mapping):
        called = f"[{value.get('name') or value.get('key')}]"
        return {key: _shown(f"{called}.{key}", one) for key, one in value.items()}
    if isinstance(value, list):
        return [_shown("", one) for one in value]
    if not isinstance(value, str):
        return value
    return "***" if _SECRET.search(path) else without_password(value)


_LONGEST, _BEFORE = 60, 20  # characters of a value that are shown, and of what both sides begin with


def sides(old: Any, new: Any) -> str:
    """`"api:v1" → "api:v2"`; of long values the place where they begin to differ."""
    texts = ["nothing" if value is ABSENT else json.dumps(value, ensure_ascii=False) for value in (old, new)]
    same = next((i for i, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), min(map(len, texts)))
    start = same - _BEFORE if same > 2 * _BEFORE and max(map(len, texts)) > _LONGEST else 0
    return " → ".join(_cut(f"…{text[start:]}" if start else text) for text in texts)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def keep_live_image(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """The wanted Rollout with the live image in its first container, so that `apply` without a
    version ships none. Unchanged where the live one has no such container."""
    result = deepcopy(dict(wanted))
    images = {c.get("name"): c.get("image") for c in _containers(live)}
    for ours in _containers(result)[:1]:
        ours["image"] = images.get(ours.get("name")) or ours.get("image")
    return result


def _containers(rollout: Mapping[str, Any]) -> list[dict[str, Any]]:
    template = (rollout.get("spec") or {}).get("template") or {}
    return (template.get("spec") or {}).get("containers") or []


def _template(rollout: Mapping[str, Any], live: Mapping[str, Any]) -> Any:
    """The pod template without defaults and, against the live strategy, what is injected."""
    template = deepcopy((rollout.get("spec") or {}).get("template") or {})
    canary = ((live.get("spec") or {}).get("strategy") or {}).get("canary") or {}
    meta = template.get("metadata") or {}
    for kind in ("labels", "annotations"):
        injected = {HASH_LABEL} if kind == "labels" else set()
        for role in ("canaryMetadata", "stableMetadata"):
            injected |= set(((canary.get(role) or {}).get(kind)) or {})
        if meta.get(kind):
            meta[kind] = {k: v for k, v in meta[kind].items() if k not in injected}
    return without_defaults(template)


def _steps(rollout: Mapping[str, Any]) -> list[Any]:
    canary = ((rollout.get("spec") or {}).get("strategy") or {}).get("canary") or {}
    return [_step(raw) for raw in canary.get("steps") or []]


def _step(raw: Mapping[str, Any]) -> Any:
    """A step in one form, however its pause is written (`300`, `"300"`, `5m`)."""
    step = Step.from_object(raw)
    if step.kind == "pause":
        duration = step.duration
        return {"pause": {} if duration is None else {"seconds": duration.total_seconds()}}
    return without_defaults(raw)


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else ABSENT


def _differences(old: Any, new: Any, path: str, field: str) -> list[tuple[str, Any, Any]]:
    if old == new:
        return []
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return [
            entry
            for key in sorted({*old, *new})
            for entry in _differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key), str(key))
        ]
    before, after = _keyed(old, field), _keyed(new, field)
    if before is not None and after is not None:
        found = [
            entry
            for name in dict.fromkeys((*before, *after))
            for entry in _differences(before.get(name), after.get(name), f"{path}[{name}]", "")
        ]
        # The same items in another order are another template to the controller.
        return found or [(path, list(before), list(after))]
    return [(path, old, new)]


def _keyed(value: Any, field: str) -> dict[Any, Any] | None:
    """The items of a list by the name Kubernetes merges them by; None if they have none."""
    key = LIST_KEYS.get(field)
    if key is None or not isinstance(value, list):
        return None
    if not all(isinstance(item, Mapping) and key in item for item in value):
        return None
    found = {item[key]: item for item in value}
    return found if len(found) == len(value) else None
