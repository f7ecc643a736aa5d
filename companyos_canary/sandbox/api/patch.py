"""The patch of a PATCH request by its content type, and JSON patch (RFC 6902)."""

from collections.abc import Sequence
from typing import Any

from companyos_canary.sandbox.api.call import Call, media_type, read_value
from companyos_canary.sandbox.api.merge_patch import PatchMalformed, merge_patch, strategic_patch
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
