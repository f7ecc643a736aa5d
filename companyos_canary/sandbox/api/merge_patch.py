"""Merge patches: the plain one (RFC 7386), and the strategic one for the built-in kinds, which
merges lists by their keys."""

from typing import Any

from companyos_canary.sandbox.objects import copied

_MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "conditions": "type",
    "ownerReferences": "uid",
    "podIPs": "ip",
    "secrets": "name",
    "finalizers": "",
}

_DIRECTIVES = ("$patch", "$retainKeys")


class PatchMalformed(Exception):
    """Not a JSON patch at all."""


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: objects are merged, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return copied(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def merge_key(path: tuple[str, ...]) -> str | None:
    """The merge key of the list at a path of field names, `""` for a set of texts, None for a list
    that is replaced as a whole."""
    name = path[-1] if path else ""
    if name == "ports":
        return "containerPort" if "containers" in path or "initContainers" in path else "port"
    return _MERGE_KEYS.get(name)


def strategic_patch(target: Any, patch: Any, path: tuple[str, ...] = ()) -> Any:
    """Merges `patch` into `target` (JSON values) with the directives $patch, $retainKeys,
    $setElementOrder and $deleteFromPrimitiveList. Raises PatchMalformed."""
    if not isinstance(patch, dict):
        return copied(patch)
    if patch.get("$patch") == "delete":
        return None
    if patch.get("$patch") == "replace" or not isinstance(target, dict):
        return _plain(patch)
    result = dict(target)
    if "$retainKeys" in patch:
        result = {k: v for k, v in result.items() if k in _list(patch, "$retainKeys")}
    for key, value in patch.items():
        if key in _DIRECTIVES or key.startswith("$setElementOrder/"):
            continue
        if key.startswith("$deleteFromPrimitiveList/"):
            field = key.partition("/")[2]
            gone = _list(patch, key)
            result[field] = [v for v in _list(result, field) if v not in gone]
        elif value is None:
            result.pop(key, None)
        else:
            order = patch.get(f"$setElementOrder/{key}")
            merged = _merged(result.get(key), value, (*path, key), order)
            if merged is None:
                result.pop(key, None)
            else:
                result[key] = merged
    return result


def _merged(old: Any, value: Any, path: tuple[str, ...], order: list[Any] | None) -> Any:
    if not isinstance(value, list):
        return strategic_patch(old, value, path)
    key = merge_key(path)
    if key is None:
        return copied(value)
    if not isinstance(old or [], list):
        raise PatchMalformed(f"{'.'.join(path)} is no list to merge with")
    items = list(old or [])
    if key == "":
        return _ordered([*items, *(v for v in value if v not in items)], order, key)
    if not all(isinstance(v, dict) for v in value):
        raise PatchMalformed(f"the items of {'.'.join(path)} are objects with a {key}")
    if any(v.get("$patch") == "replace" for v in value):
        return [_plain(v) for v in value if v.get("$patch") != "replace"]
    for change in value:
        place = next((i for i, item in enumerate(items) if _same(item, change, key)), None)
        if change.get("$patch") == "delete":
            items = [item for item in items if not _same(item, change, key)]
        elif place is None:
            items.append(_plain(change))
        else:
            items[place] = strategic_patch(items[place], change, path)
    return _ordered(items, order, key)


def _list(value: dict[str, Any], field: str) -> list[Any]:
    found = value.get(field) or []
    if not isinstance(found, list):
        raise PatchMalformed(f"{field} is no list")
    return found


def _same(item: Any, change: Any, key: str) -> bool:
    return isinstance(item, dict) and item.get(key) == change.get(key)


def _ordered(items: list[Any], order: list[Any] | None, key: str) -> list[Any]:
    """Items in the order that the patch names; those that it does not name keep their place
    behind the one they followed."""
    if not order:
        return items
    if not isinstance(order, list) or not all(isinstance(o, dict) or not key for o in order):
        raise PatchMalformed("$setElementOrder is a list of keys")
    wanted = [o.get(key) if key else o for o in order]
    rank, last = [], -1.0
    for number, item in enumerate(items):
        name = item.get(key) if key and isinstance(item, dict) else item
        if name in wanted:
            last = float(wanted.index(name))
            rank.append((last, 0, number))
        else:
            rank.append((last, 1, number))
    return [items[number] for _, _, number in sorted(rank)]


def _plain(value: Any) -> Any:
    """A patch as a value: without directives and nulls."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if not k.startswith("$") and v is not None}
    if isinstance(value, list):
        return [_plain(v) for v in value if not (isinstance(v, dict) and v.get("$patch") in ("delete", "replace"))]
    return value
