"""What the objects of an API server are made of: their keys and owners, and what a write keeps; and what the server
says instead of an object: `ApiStatus`, and the real server's sentences."""

import marshal
from collections.abc import Sequence
from typing import Any, TypeVar

from companyos_canary.sandbox.kinds import Kind


class ApiStatus(Exception):
    """What an API server answers instead of an object: `code`, `reason` (a word, or empty if there
    is none) and a message. `details` may be empty or left out (None): a real server tells them apart."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.has_details = details is not None
        self.details = details or {}


def not_found(kind: Kind, name: str) -> ApiStatus:
    return ApiStatus(404, "NotFound", f'{kind.resource} "{name}" not found', details_of(kind, name))


def conflict(kind: Kind, name: str, why: str) -> ApiStatus:
    message = f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return ApiStatus(409, "Conflict", message, details_of(kind, name))


def details_of(kind: Kind, name: str) -> dict[str, Any]:
    return {"name": name, "group": kind.group, "kind": kind.plural}


def bad_request(message: str) -> ApiStatus:
    return ApiStatus(400, "BadRequest", message)


def method_not_allowed() -> ApiStatus:
    return ApiStatus(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def unsupported_media(accepted: Sequence[str]) -> ApiStatus:
    return ApiStatus(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted),
    )


def forbidden(user: str, verb: str, kind: Kind, *, namespace: str, name: str, subresource: str = "") -> ApiStatus:
    """403 with the sentence that RBAC gives."""
    resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
    where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
    named = f' "{name}"' if name else ""
    group = kind.group
    return ApiStatus(
        403,
        "Forbidden",
        f'{kind.resource}{named} is forbidden: User "{user}" cannot {verb} resource "{resource}" '
        f'in API group "{group}"{where}',
        {"name": name, "group": group, "kind": kind.plural},
    )


def forbidden_without_a_reason(kind: Kind, name: str) -> ApiStatus:
    """403 for an apply of what does not exist, by someone who may patch and not create it: RBAC gives no reason there
    (kube-apiserver, endpoints/handlers/update.go withAuthorization)."""
    details = {"name": name, "group": kind.group, "kind": kind.plural}
    return ApiStatus(403, "Forbidden", f'{kind.resource} "{name}" is forbidden: ', details)


def unauthorized() -> ApiStatus:
    return ApiStatus(401, "Unauthorized", "Unauthorized")


def invalid(kind: Kind, name: str, causes: Sequence[tuple[str, str, str]]) -> ApiStatus:
    """422 with causes of (field, message, reason), in the form of the real server."""
    group = f".{kind.group}" if kind.group else ""
    told = [f"{field}: {message}" for field, message, _ in causes]
    what = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    return ApiStatus(
        422,
        "Invalid",
        f'{kind.kind}{group} "{name}" is invalid: {what}',
        {
            "name": name,
            "group": kind.group,
            "kind": kind.kind,
            "causes": [{"reason": reason, "message": message, "field": field} for field, message, reason in causes],
        },
    )


T = TypeVar("T")
Object = dict[str, Any]
Key = tuple[Kind, str, str]
_SERVER_FIELDS = ("uid", "creationTimestamp", "generation", "resourceVersion", "deletionTimestamp")


def key_of(kind: Kind, obj: Object) -> Key:
    meta = obj["metadata"]
    return (kind, meta.get("namespace", "") if kind.namespaced else "", meta["name"])


def copied(value: T) -> T:
    """A deep copy of a JSON value, ten times faster than copy.deepcopy: in C, and parts that appear
    twice become two (version 2 of the format has no references)."""
    any_value: Any = value
    copy: T = marshal.loads(marshal.dumps(any_value, 2))
    return copy


def frozen(value: Any) -> bytes:
    """A JSON value as the key of a cache: equal bytes are equal values. A tenth of the work of walking through it."""
    return marshal.dumps(value, 2)


def merged(kind: Kind, old: Object, written: Object, status_only: bool) -> Object:
    """The object that a write leaves behind, with the server's own fields kept. It shares with the old one what stays
    (no one changes it in place), and nothing with what was written."""
    isolated = "status" in kind.subresources
    if status_only:
        meta = dict(old["metadata"])
        if "managedFields" in written["metadata"]:
            meta["managedFields"] = copied(written["metadata"]["managedFields"])
        return {**old, "metadata": meta, "status": copied(written.get("status", {}))}
    new = copied(written)
    if isolated:
        new.pop("status", None)
        if "status" in old:
            new["status"] = old["status"]
    for field in _SERVER_FIELDS:
        if field in old["metadata"]:
            new["metadata"][field] = old["metadata"][field]
        else:
            new["metadata"].pop(field, None)
    new["apiVersion"], new["kind"] = kind.api_version, kind.kind
    if kind.counts_generations and _content(new, isolated) != _content(old, isolated):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
    return new


def _content(obj: Object, isolated: bool) -> Object:
    skipped = {"metadata", "status"} if isolated else {"metadata"}
    return {k: v for k, v in obj.items() if k not in skipped}


def check_uid(kind: Kind, old: Object, uid: str) -> None:
    if uid and uid != old["metadata"]["uid"]:
        raise conflict(
            kind,
            old["metadata"]["name"],
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['metadata']['uid']}",
        )


def owners_of(obj: Object | None) -> set[str]:
    references = (obj or {}).get("metadata", {}).get("ownerReferences") or []
    return {o.get("uid", "") for o in references}


def owner_reference(owner: Object) -> dict[str, Any]:
    meta = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def is_owned(obj: Object, uid: str) -> bool:
    owners = obj["metadata"].get("ownerReferences") or []
    return any(o.get("controller") and o.get("uid") == uid for o in owners)
