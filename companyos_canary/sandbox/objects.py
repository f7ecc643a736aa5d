"""What the objects of an API server are made of: their keys and owners, and what a write keeps."""

from collections.abc import Iterable, Mapping
from typing import Any

from companyos_canary.sandbox.errors import conflict
from companyos_canary.sandbox.kinds import KINDS, Kind

Object = dict[str, Any]
Key = tuple[Kind, str, str]
_SERVER_FIELDS = ("uid", "creationTimestamp", "generation", "resourceVersion", "deletionTimestamp")


def namespace(name: str) -> Object:
    """A Namespace as a server completes it."""
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def key_of(kind: Kind, obj: Object) -> Key:
    meta = obj["metadata"]
    return (kind, meta.get("namespace", "") if kind.namespaced else "", meta["name"])


def copied(value: Any) -> Any:
    """A deep copy of a JSON value, several times faster than copy.deepcopy."""
    if isinstance(value, dict):
        return {k: copied(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [copied(v) for v in value]
    return value


def kind_of(obj: Object, kinds: Iterable[Kind] = KINDS) -> Kind | None:
    """The kind that an object's apiVersion and kind name."""
    return next((k for k in kinds if (k.api_version, k.kind) == (obj.get("apiVersion"), obj.get("kind"))), None)


def labels_match(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """A LabelSelector object (matchLabels, matchExpressions) against labels; an empty or missing
    one matches everything."""
    selector = selector or {}
    if any(labels.get(k) != v for k, v in (selector.get("matchLabels") or {}).items()):
        return False
    for expression in selector.get("matchExpressions") or []:
        key, values = expression["key"], expression.get("values") or []
        matched = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not matched.get(expression["operator"], False):
            return False
    return True


def merged(kind: Kind, old: Object, new: Object, status_only: bool) -> Object:
    """The object that a write leaves behind, with the server's own fields kept."""
    isolated = "status" in kind.subresources
    if status_only:
        meta = dict(old["metadata"])
        if "managedFields" in new["metadata"]:
            meta["managedFields"] = new["metadata"]["managedFields"]
        return {**copied(old), "metadata": copied(meta), "status": new.get("status", {})}
    if isolated:
        new.pop("status", None)
        if "status" in old:
            new["status"] = copied(old["status"])
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


def is_owned(obj: Object, uid: str) -> bool:
    owners = obj["metadata"].get("ownerReferences") or []
    return any(o.get("controller") and o.get("uid") == uid for o in owners)
