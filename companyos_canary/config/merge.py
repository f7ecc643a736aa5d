"""How a pod's fields are merged: mappings entry by entry, lists by the key Kubernetes uses."""

from collections.abc import Mapping
from typing import Any

LIST_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
}


def merged(base: Any, over: Any, field: str = "") -> Any:
    """`over` laid over `base`: null removes, named lists merge item by item (new items at the
    end), anything else is replaced. Neither argument is changed."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        result = {k: v for k, v in base.items() if k not in over or over[k] is not None}
        for name, value in over.items():
            if value is not None:
                result[name] = merged(result.get(name), value, name)
        return result
    key = LIST_KEYS.get(field)
    if key and _keyed(base, key) and _keyed(over, key):
        return _merged_lists(base, over, key)
    return without_nulls(over)


def merge_patched(target: Any, patch: Any) -> Any:
    """A JSON merge patch applied (RFC 7396): mappings merge, null removes, lists are replaced."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patched(result.get(name), value)
    return result


def without_nulls(value: Any) -> Any:
    """The same without the entries of mappings that are null."""
    if isinstance(value, Mapping):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [without_nulls(v) for v in value]
    return value


def _keyed(value: Any, key: str) -> bool:
    return isinstance(value, list) and all(isinstance(i, Mapping) and key in i for i in value)


def _merged_lists(base: list[Any], over: list[Any], key: str) -> list[Any]:
    items = {item[key]: item for item in base}
    for item in over:
        name = item[key]
        items[name] = merged(items[name], item) if name in items else without_nulls(item)
    return list(items.values())
