"""Answers: JSON objects, and failures in the `Status` form."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from companyos_canary.model.http import Json, Response
from companyos_canary.sandbox.kinds import Kind
from companyos_canary.sandbox.objects import ApiStatus

JSON = {"Content-Type": "application/json"}


def encoded(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def ok(value: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, {**JSON, **(headers or {})}, encoded(value))


def status_object(error: ApiStatus) -> Json:
    """An ApiStatus as the `Status` object of the API."""
    status: Json = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": error.message,
        "reason": error.reason,
    }
    if error.details:
        status["details"] = {k: v for k, v in error.details.items() if v != ""}
    return {**status, "code": error.code}


def failure(error: ApiStatus) -> Response:
    headers = dict(JSON)
    if "retryAfterSeconds" in error.details:
        headers["Retry-After"] = str(error.details["retryAfterSeconds"])
    return Response(error.code, headers, encoded(status_object(error)))


def success(kind: Kind, name: str, uid: str) -> Json:
    """What a server says when an object is gone."""
    details = {"name": name, "group": kind.group, "kind": kind.plural, "uid": uid}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {k: v for k, v in details.items() if v},
    }


def page_not_found() -> Response:
    """A path that nobody serves: plain text, as the real one."""
    return Response(404, {"Content-Type": "text/plain; charset=utf-8"}, b"404 page not found\n")


def bad_request(message: str) -> ApiStatus:
    return ApiStatus(400, "BadRequest", message)


def method_not_allowed() -> ApiStatus:
    return ApiStatus(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
    )


def unsupported_media(accepted: Sequence[str]) -> ApiStatus:
    return ApiStatus(
        415, "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(accepted),
    )  # fmt: skip


def forbidden(
    user: str, verb: str, kind: Kind, *, namespace: str, name: str, subresource: str = ""
) -> ApiStatus:
    """403 with the sentence that RBAC gives."""
    resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
    where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
    named = f' "{name}"' if name else ""
    group = kind.group
    return ApiStatus(
        403, "Forbidden",
        f'{kind.resource}{named} is forbidden: User "{user}" cannot {verb} resource "{resource}" '
        f'in API group "{group}"{where}',
        {"name": name, "group": group, "kind": kind.plural},
    )  # fmt: skip


def unauthorized() -> ApiStatus:
    return ApiStatus(401, "Unauthorized", "Unauthorized")


def invalid(kind: Kind, name: str, causes: Sequence[tuple[str, str, str]]) -> ApiStatus:
    """422 with causes of (field, message, reason), in the form of the real server."""
    group = f".{kind.group}" if kind.group else ""
    told = [f"{field}: {message}" for field, message, _ in causes]
    what = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    return ApiStatus(
        422, "Invalid", f'{kind.kind}{group} "{name}" is invalid: {what}',
        {
            "name": name, "group": kind.group, "kind": kind.kind,
            "causes": [
                {"reason": reason, "message": message, "field": field}
                for field, message, reason in causes
            ],
        },
    )  # fmt: skip
