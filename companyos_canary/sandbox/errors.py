"""What the API server says instead of an object: `ApiStatus`, and the real server's sentences."""

from collections.abc import Sequence
from typing import Any

from companyos_canary.sandbox.kinds import Kind


class ApiStatus(Exception):
    """What an API server answers instead of an object: `code`, `reason` (a word) and a message."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
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
