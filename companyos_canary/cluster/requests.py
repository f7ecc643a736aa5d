"""The requests of changes, as the API server takes them: patch, server-side apply, create, delete; and the reviews of
what a user is permitted to do."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

from companyos_canary.cluster.kinds import Kind, path_of
from companyos_canary.model.http import MERGE_PATCH, Request

FIELD_MANAGER = "canary"
APPLY_PATCH = "application/apply-patch+yaml"


class PatchOptions(TypedDict, total=False):
    """`subresource`: `status`, empty for the object itself. `dry_run`: the server answers as if, and
    keeps nothing. `content_type` is that of a merge patch unless it is given."""

    content_type: str
    subresource: str
    dry_run: bool
    field_manager: str


def patch_request(
    kind: Kind,
    namespace: str,
    name: str,
    body: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    **how: Unpack[PatchOptions],
) -> Request:
    """A PATCH of one object or of its subresource."""
    subresource = how.get("subresource", "")
    path = path_of(kind.api_version, kind.plural, namespace if kind.namespaced else "", name, subresource)
    query = (("fieldManager", how.get("field_manager", FIELD_MANAGER)), *_dry(how.get("dry_run", False)))
    return Request("PATCH", path, query, {"Content-Type": how.get("content_type", MERGE_PATCH)}, _encoded(body))


def apply_request(
    obj: Mapping[str, Any],
    kind: Kind,
    namespace: str,
    *,
    dry_run: bool = False,
    force: bool = False,
    field_manager: str = FIELD_MANAGER,
) -> Request:
    """A server-side apply. Fields that the server does not know are refused (422), fields of
    another manager are a conflict (409) unless `force`."""
    meta = obj.get("metadata") or {}
    place = (meta.get("namespace") or namespace) if kind.namespaced else ""
    path = path_of(kind.api_version, kind.plural, place, meta.get("name", ""))
    query = (
        ("fieldManager", field_manager),
        ("fieldValidation", "Strict"),
        *((("force", "true"),) if force else ()),
        *_dry(dry_run),
    )
    # JSON is YAML, and the only form of it that needs no YAML library.
    return Request("PATCH", path, query, {"Content-Type": APPLY_PATCH}, _encoded(obj))


def create_request(
    obj: Mapping[str, Any], kind: Kind, namespace: str, *, dry_run: bool = False, strict: bool = False
) -> Request:
    """A POST of a new object. `strict`: fields that the server does not know are refused."""
    path = path_of(kind.api_version, kind.plural, namespace if kind.namespaced else "")
    validation = (("fieldValidation", "Strict"),) if strict else ()
    query = (("fieldManager", FIELD_MANAGER), *validation, *_dry(dry_run))
    return Request("POST", path, query, {"Content-Type": "application/json"}, _encoded(obj))


def _dry(dry_run: bool) -> tuple[tuple[str, str], ...]:
    return (("dryRun", "All"),) if dry_run else ()


def _encoded(body: object) -> bytes:
    import json  # noqa: PLC0415 - only a change has a body

    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def delete_request(kind: Kind, namespace: str, name: str, uid: str) -> Request:
    """A DELETE of the object of that name if it still is the one of that uid."""
    path = path_of(kind.api_version, kind.plural, namespace if kind.namespaced else "", name)
    body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
    return Request("DELETE", path, (), {"Content-Type": "application/json"}, _encoded(body))


_REVIEW_OF_OTHERS = Kind("authorization.k8s.io/v1", "SubjectAccessReview", "subjectaccessreviews", namespaced=False)
_REVIEW = Kind("authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False)
_RULES = Kind("authorization.k8s.io/v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", namespaced=False)


def review_request(wanted: Mapping[str, str], user: str = "") -> Request:
    """Whether the asking user, or another `user`, is permitted what the attributes say."""
    kind = _REVIEW_OF_OTHERS if user else _REVIEW
    spec = {"resourceAttributes": wanted, **({"user": user} if user else {})}
    return create_request({"apiVersion": kind.api_version, "kind": kind.kind, "spec": spec}, kind, "")


def rules_request(namespace: str) -> Request:
    """All that the asking user is permitted in the namespace."""
    body = {"apiVersion": _RULES.api_version, "kind": _RULES.kind, "spec": {"namespace": namespace}}
    return create_request(body, _RULES, "")
