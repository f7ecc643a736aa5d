"""Reads: one object, its Scale, lists with selectors and pages, and the start of a watch."""

import base64
import json
from collections.abc import Callable

from companyos_canary.model.http import Json, Response
from companyos_canary.model.quantity import format_time
from companyos_canary.sandbox.api.answer import JSON, Form, ok
from companyos_canary.sandbox.api.call import Call
from companyos_canary.sandbox.api.selectors import selected, selector_text
from companyos_canary.sandbox.api.watch import Watch, WatchOptions
from companyos_canary.sandbox.kinds import Kind
from companyos_canary.sandbox.objects import ApiStatus, Object, bad_request, invalid
from companyos_canary.sandbox.store import Store

_SCALE_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
_LONGEST_WATCH = 1800.0


def scale_of(obj: Object) -> Json:
    """The Scale that represents an object."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    shown = {
        "replicas": status.get("replicas") or status.get("HPAReplicas") or 0,
        "selector": status.get("selector") or selector_text(spec.get("selector")),
    }
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {k: meta[k] for k in _SCALE_METADATA if k in meta},
        "spec": {"replicas": spec.get("replicas", 0)},
        "status": {k: v for k, v in shown.items() if v or k == "replicas"},
    }


def get(store: Store, call: Call) -> Response:
    """One object, also for `/status`."""
    form = Form.of(call.request)
    obj = store.read(call.kind, call.namespace, call.name)
    return ok(form.one(call.kind, obj, format_time(store.now())))


def list_(store: Store, call: Call) -> Response:
    """A list as of one resourceVersion; with `limit` in pages that all show that version."""
    form, test = Form.of(call.request), selected(call)
    limit = _number(call, "limit")
    version, after = _listed(store, call), ("", "")
    if token := call.request.parameter("continue"):
        version, after = _read_token(token)
    try:
        objects = store.items(call.kind, call.namespace, at=version)
    except ApiStatus as error:
        if error.code == 410 and token:
            raise _page_expired() from error
        raise
    left = [obj for obj in objects if _place(obj) > after and test(obj)]
    page = left[:limit] if limit else left
    meta: Json = {"resourceVersion": str(version)}
    if len(left) > len(page):
        meta["continue"] = _token(version, _place(page[-1]))
        if not call.request.parameter("labelSelector") + call.request.parameter("fieldSelector"):
            meta["remainingItemCount"] = len(left) - len(page)
    return ok(form.many(call.kind, page, format_time(store.now()), meta))


def _listed(store: Store, call: Call) -> int:
    """The resourceVersion that a list shows: the newest one, or exactly the given one. 504 for one of
    the future, 400 for what is none."""
    match, text = call.request.parameter("resourceVersionMatch"), call.request.parameter("resourceVersion")
    if match and not text:
        why = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise ApiStatus(422, "Invalid", f'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: {why}')
    try:
        wanted = _version(call)
    except ValueError as error:
        raise bad_request(f"invalid resource version: {error}") from None
    if wanted > store.version:
        raise ApiStatus(
            504,
            "Timeout",
            f"Timeout: Too large resource version: {wanted}, current: {store.version}",
            {
                "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
                "retryAfterSeconds": 1,
            },
        )
    return wanted if match == "Exact" and wanted else store.version


def watch(store: Store, call: Call, elapsed: Callable[[], float]) -> Response:
    """A stream of changes from `resourceVersion` on; without one (or 0) what exists comes first."""
    try:
        since = _version(call)
    except ValueError as error:
        raise ApiStatus(500, "", str(error)) from None
    initial = call.flag("sendInitialEvents")
    if initial and call.request.parameter("resourceVersionMatch") != "NotOlderThan":
        raise ApiStatus(
            422,
            "Invalid",
            'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: '
            "resourceVersionMatch is required when sendInitialEvents is set",
        )
    options = WatchOptions(
        kind=call.kind,
        namespace=call.namespace,
        test=selected(call),
        form=Form.of(call.request),
        since=None if initial or not since else since,
        seconds=float(_number(call, "timeoutSeconds") or _LONGEST_WATCH),
        bookmarks=call.flag("allowWatchBookmarks"),
        bookmark_initial=initial and call.flag("allowWatchBookmarks"),
    )
    return Response(200, JSON, stream=Watch(store, options, elapsed))


def get_scale(store: Store, call: Call) -> Response:
    return ok(scale_of(store.read(call.kind, call.namespace, call.name)))


def scaled(kind: Kind, obj: Object, scale: Json) -> Object:
    """The object with the replicas of a Scale, and the Scale's resourceVersion as precondition."""
    spec = scale.get("spec") or {}
    replicas = spec.get("replicas", 0) if isinstance(spec, dict) else spec
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        raise invalid(
            kind,
            obj["metadata"]["name"],
            [("spec.replicas", f"Invalid value: {replicas}: must be greater than or equal to 0", "FieldValueInvalid")],
        )
    meta = dict(obj["metadata"])
    given = scale.get("metadata")
    if version := given.get("resourceVersion") if isinstance(given, dict) else None:
        meta["resourceVersion"] = version
    else:
        meta.pop("resourceVersion", None)
    return {**obj, "metadata": meta, "spec": {**(obj.get("spec") or {}), "replicas": replicas}}


def _place(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _number(call: Call, name: str) -> int:
    text = call.request.parameter(name) or "0"
    if not text.isdecimal():
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def _version(call: Call) -> int:
    """Raises ValueError in the words of the real server."""
    text = call.request.parameter("resourceVersion") or "0"
    if not text.isdecimal():
        raise ValueError(
            f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    return int(text)


def _token(version: int, place: tuple[str, str]) -> str:
    raw = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": list(place)})
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, tuple[str, str]]:
    try:
        raw = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, name = raw["start"]
        return int(raw["rv"]), (str(namespace), str(name))
    except (ValueError, KeyError, TypeError) as error:
        raise bad_request(f"continue key is not valid: {error}") from error


def _page_expired() -> ApiStatus:
    return ApiStatus(
        410,
        "Expired",
        "The provided continue parameter is too old to display a consistent list result. "
        "You must start a new list without the continue parameter",
    )
