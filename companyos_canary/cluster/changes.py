"""The requests that change something; pure, so that a dry run can show them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from companyos_canary.cluster.kinds import Kind, path_of
from companyos_canary.model.http import Request

FIELD_MANAGER = "canary"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


def patch_request(
    kind: Kind,
    namespace: str,
    name: str,
    body: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    content_type: str = MERGE_PATCH,
    subresource: str = "",
    dry_run: bool = False,
    field_manager: str = FIELD_MANAGER,
) -> Request:
    """A PATCH of one object or of its subresource (`status`).
    `dry_run`: the server answers as if, and keeps nothing."""
    path = path_of(kind.api_version, kind.plural, namespace if kind.namespaced else "", name, subresource)
    query = (("fieldManager", field_manager), *_dry(dry_run))
    return Request("PATCH", path, query, {"Content-Type": content_type}, _encoded(body))


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


def create_request(obj: Mapping[str, Any], kind: Kind, namespace: str, *, dry_run: bool = False) -> Request:
    """A POST of a new object."""
    path = path_of(kind.api_version, kind.plural, namespace if kind.namespaced else "")
    query = (("fieldManager", FIELD_MANAGER), *_dry(dry_run))
    return Request("POST", path, query, {"Content-Type": "application/json"}, _encoded(obj))


def _dry(dry_run: bool) -> tuple[tuple[str, str], ...]:
    return (("dryRun", "All"),) if dry_run else ()


def _encoded(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
