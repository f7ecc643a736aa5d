"""An HTTP status that is no success, as a CanaryError that says what it means."""

import re
from typing import Any

from companyos_canary import errors
from companyos_canary.cluster.kinds import Target, path_target
from companyos_canary.model.http import READS, Request, Response

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_IMPERSONATE = r'^\S+ "([^"]*)" is forbidden: User .* cannot impersonate resource "([^"]+)"'
_RBAC = r"User .* cannot \w+ resource"
_NO_REASON = r"is forbidden:?$"
_OWNER = r'conflict with "([^"]+)"'
_NO_RESOURCE = "the server could not find the requested resource"
PAGE = "a proxy or a login page answered in place of the API server"
_ELSEWHERE = "a proxy or a login page may have answered: check `server` in the kubeconfig, or log in again"
_BAD_PATCH = "the server rejected our request due to an error in our request"
_OPERATION = r"testing (value|path) |error in remove |\w+ operation does not apply"
_LONGEST_BODY = 256


def raise_for(response: Response, request: Request) -> Response:
    """The response, if it is a success. Raises Unauthenticated, Forbidden, NotFound, CrdMissing,
    Conflict, Invalid or ServerError; the server's message is in it where the body is a `Status`
    object, else the first characters of the body."""
    if 200 <= response.status < 300:
        return response
    raise error_of(response, request)


def error_of(response: Response, request: Request) -> errors.CanaryError:
    """The error for a status that is no success."""
    status = status_of(response)
    message = _message(response, status)
    target = path_target(request.path)
    match response.status:
        case 401:
            return errors.Unauthenticated(
                "the API server does not accept the credentials"
                + _after_colon("" if message in ("", "Unauthorized") else message),
                hint="log in again, or choose another context with --context",
            )
        case 403:
            return _forbidden(message, request, target)
        case 404:
            return _not_found(status, message, target)
        case 409:
            return errors.Conflict(message or f"`{target.name}` was changed by someone else", owned=_owned(status))
        case 422 if _failed_test(status):
            return errors.Stale(f"the API server did not accept the request: {message}")
        case 400 | 405 | 406 | 413 | 415 | 422:
            return errors.Invalid(f"the API server did not accept the request: {message}")
        case code:
            return errors.ServerError(
                f"the API server answered {code}{_after_colon(message)}",
                hint=_ELSEWHERE if 300 <= code < 400 else "",  # never followed: the credentials are for this server
                status=code,
                retry_after=retry_after(response),
            )


def status_of(response: Response) -> dict[str, Any]:
    """The body as a `Status` object; empty if it is something else."""
    body = response.json_or_empty()
    return body if body.get("kind") == "Status" else {}


def retry_after(response: Response) -> float | None:
    """The seconds of a Retry-After header; None if there is none, or a date."""
    try:
        return max(0.0, float(response.header("Retry-After")))
    except ValueError:
        return None


def verb_of(request: Request) -> str:
    """The verb as roles name it: get, list, watch, create, update, patch, delete."""
    if request.method not in READS:
        return _VERBS.get(request.method, request.method.lower())
    if request.parameter("watch") in ("1", "true"):
        return "watch"
    return "get" if path_target(request.path).name else "list"


def _failed_test(status: dict[str, Any]) -> bool:
    """A JSON patch that does not apply: the message of a real API server is always the same, without
    details. Others name the operation."""
    text = str(status.get("message") or "")
    return (text == _BAD_PATCH and not status.get("details")) or bool(re.match(_OPERATION, text))


def _owned(status: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Who owns which of the fields that a server-side apply wanted."""
    causes = (status.get("details") or {}).get("causes") or []
    found = ((re.search(_OWNER, str(c.get("message", ""))), str(c.get("field") or "")) for c in causes)
    return tuple((owner[1], field) for owner, field in found if owner)


def _message(response: Response, status: dict[str, Any]) -> str:
    text = str(status.get("message") or "")
    if not status and response.body.lstrip()[:1] == b"<":
        return PAGE
    if not status:
        text = response.body[: _LONGEST_BODY * 4].decode("utf-8", "replace")[:_LONGEST_BODY]
    return " ".join(text.split()).rstrip(".")


def _after_colon(message: str) -> str:
    return f": {message}" if message else ""


def _where(target: Target) -> str:
    return f" in namespace `{target.namespace}`" if target.namespace else ""


def _forbidden(message: str, request: Request, target: Target) -> errors.Forbidden:
    if acting := re.search(_IMPERSONATE, message):
        return errors.Forbidden(
            f"not permitted to act as `{acting[1]}`: it needs the right to `impersonate` `{acting[2]}`",
            hint=f"the server says: {message}",
        )
    verb = verb_of(request)
    if verb == "patch" and re.search(_NO_REASON, message):
        verb, message = "create", ""  # an apply of what does not exist, by someone who may only patch
    elif message and not re.search(_RBAC, message):  # an admission webhook, a quota
        return errors.Forbidden(f"the cluster refused to `{verb}` `{target.resource}`: {message}")
    return errors.Forbidden(
        f"not permitted to `{verb}` `{target.resource or request.path}`{_where(target)}",
        hint=f"the server says: {message}" if message else "ask for a role that allows it",
    )


def _not_found(status: dict[str, Any], message: str, target: Target) -> errors.NotFound:
    details = status.get("details") or {}
    # A missing object has its name in `details`; a path that the server does not know has none,
    # or is answered by plain text from the layer below.
    if not status or not details.get("name") or _NO_RESOURCE in message:
        return _missing_kind(target, message)
    if details.get("kind") == "namespaces":
        return errors.NotFound(
            f"namespace `{details['name']}` does not exist", hint="choose one with -n, or create it first"
        )
    if details["name"] != target.name:
        return errors.NotFound(message)
    return errors.NotFound(f"{target.kind} `{target.name}` not found{_where(target)}")


def _missing_kind(target: Target, message: str) -> errors.NotFound:
    if target.group == "argoproj.io":
        return errors.CrdMissing(
            f"Argo Rollouts is not installed: the cluster does not know `{target.resource}`",
            hint="install Argo Rollouts, or choose another cluster with --context",
        )
    if target.plural:
        return errors.CrdMissing(f"the cluster does not know `{target.resource}`")
    return errors.NotFound(message or "the API server does not know this path")
