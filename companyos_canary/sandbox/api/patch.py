"""The patch of a PATCH request by its content type: JSON patch (RFC 6902), merge patch (RFC 7386), and the strategic
one for the built-in kinds, which merges lists by their keys."""

from collections.abc import Sequence
from typing import Any

from companyos_canary.model.http import merge_patched
from companyos_canary.sandbox.api.call import Call, media_type, read_value
from companyos_canary.sandbox.objects import ApiStatus, Object, bad_request, copied, unsupported_media

JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


def patched(call: Call, base: Object) -> Object:
    """`base` with the patch of the request; 415 for a type that the kind does not take."""
    media = media_type(call.request)
    own = call.kind.group.endswith("argoproj.io")
    accepted = [JSON_PATCH, MERGE, APPLY] if own else [JSON_PATCH, MERGE, STRATEGIC, APPLY]
    if media not in accepted:
        raise unsupported_media(accepted)
    patch = read_value(call.request.body)
    if media == JSON_PATCH:
        return _json_patched(base, patch)
    if not isinstance(patch, dict):
        raise bad_request("json: cannot unmarshal the patch into an object")
    try:
        result = merge_patch(base, patch) if media == MERGE else strategic_patch(base, patch)
    except PatchMalformed as error:
        raise bad_request(str(error)) from error
    if not isinstance(result, dict):
        raise bad_request("the patch leaves no object")
    return result


def _json_patched(base: Object, patch: object) -> Object:
    try:
        result = json_patch(base, patch)
    except PatchMalformed as error:
        raise bad_request(f"Invalid JSON Patch: {error}") from error
    except PatchFailed as error:  # which operation failed, a server does not say
        message = "the server rejected our request due to an error in our request"
        raise ApiStatus(422, "Invalid", message, {}) from error
    if not isinstance(result, dict):
        raise bad_request("the patch leaves no object")
    return result


class PatchFailed(Exception):
    """A JSON patch that cannot be applied: a failed `test`, a missing path. Nothing is changed."""


def json_patch(target: Any, operations: Any) -> Any:
    """RFC 6902. Raises PatchMalformed or PatchFailed with the texts of upstream's library."""
    if not isinstance(operations, list):
        raise PatchMalformed("a JSON patch is a list of operations")
    root: list[Any] = [copied(target)]
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise PatchMalformed(f"not an operation: {operation}")
        _apply(root, operation)
    return root[0]


def _apply(root: list[Any], operation: dict[str, Any]) -> None:
    op, path = operation.get("op"), operation["path"]
    if op in ("add", "replace", "test") and "value" not in operation:
        raise PatchMalformed(f"{op} operation at {path} has no value")
    if op in ("move", "copy") and not isinstance(operation.get("from"), str):
        raise PatchMalformed(f"{op} operation at {path} has no from")
    if op == "add":
        _add(root, path, copied(operation["value"]), "add")
    elif op == "remove":
        _remove(root, path, "remove")
    elif op == "replace":
        _replace(root, path, copied(operation["value"]))
    elif op == "test":
        _test(root, path, operation["value"])
    elif op == "copy":
        _add(root, path, copied(_read(root, operation["from"], "copy")), "copy")
    elif op == "move":
        if path.startswith(operation["from"] + "/"):
            raise PatchFailed(f"move operation moves {operation['from']} into itself")
        _add(root, path, _remove(root, operation["from"], "move"), "move")
    else:
        raise PatchFailed(f"Unexpected kind: {op}")


def _tokens(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise PatchMalformed(f"not a JSON pointer: {path}")
    return [t.replace("~1", "/").replace("~0", "~") for t in path.split("/")[1:]]


def _parent(root: list[Any], path: str, op: str) -> tuple[Any, str]:
    """The container of a path and its last token; the document itself lies in `root` at "0"."""
    tokens = _tokens(path)
    if not tokens:
        return root, "0"
    value: Any = root[0]
    for token in tokens[:-1]:
        value = _child(value, token, op, path)
    if not isinstance(value, dict | list):
        raise PatchFailed(f"{op} operation does not apply: doc is missing path: {path}")
    return value, tokens[-1]


def _child(value: Any, token: str, op: str, path: str) -> Any:
    if isinstance(value, dict) and token in value:
        return value[token]
    if isinstance(value, list) and _is_index(token) and int(token) < len(value):
        return value[int(token)]
    raise PatchFailed(f'{op} operation does not apply: doc is missing path: "{path}": missing value')


def _is_index(token: str) -> bool:
    return token == "0" or (token.isascii() and token.isdigit() and token[0] != "0")


def _read(root: list[Any], path: str, op: str) -> Any:
    value: Any = root[0]
    for token in _tokens(path):
        value = _child(value, token, op, path)
    return value


def _add(root: list[Any], path: str, value: Any, op: str) -> None:
    parent, token = _parent(root, path, op)
    if parent is root:
        root[0] = value
    elif isinstance(parent, dict):
        parent[token] = value
    elif token == "-":
        parent.append(value)
    elif _is_index(token) and int(token) <= len(parent):
        parent.insert(int(token), value)
    else:
        raise PatchFailed(f"Unable to access invalid index: {token}: invalid index referenced")


def _remove(root: list[Any], path: str, op: str) -> Any:
    parent, token = _parent(root, path, op)
    if parent is root:
        raise PatchFailed(f"{op} operation cannot remove the whole document")
    if op == "remove":
        _check_removable(parent, token, path)
    value = _child(parent, token, op, path)
    if isinstance(parent, dict):
        del parent[token]
    else:
        del parent[int(token)]
    return value


def _check_removable(parent: Any, token: str, path: str) -> None:
    if isinstance(parent, dict) and token not in parent:
        why = f"Unable to remove nonexistent key: {token}: missing value"
        raise PatchFailed(f"error in remove for path: '{path}': {why}")
    if isinstance(parent, list) and not (_is_index(token) and int(token) < len(parent)):
        why = f"Unable to access invalid index: {token}: invalid index referenced"
        raise PatchFailed(f"error in remove for path: '{path}': {why}")


def _replace(root: list[Any], path: str, value: Any) -> None:
    """An absent field is added, as in the library that the API server uses; a list item is not."""
    parent, token = _parent(root, path, "replace")
    if isinstance(parent, dict):
        parent[token] = value
    else:
        _child(parent, token, "replace", path)
        parent[int(token)] = value


def _test(root: list[Any], path: str, value: Any) -> None:
    # a missing path equals null, as in the library that the API server uses
    try:
        found = _read(root, path, "test")
    except PatchFailed:
        if value is None:
            return
        raise PatchFailed(f"testing path {path} failed: missing value") from None
    if not equal(found, value):
        raise PatchFailed(f"testing value {path} failed: test failed")


def equal(one: Any, other: Any) -> bool:
    """Equality of JSON values: unlike in Python true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(v, other[k]) for k, v in one.items())
    if _is_list(one) and _is_list(other):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


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
    """The target with a JSON merge patch; nothing of the patch itself is in it."""
    return merge_patched(target, copied(patch))


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
