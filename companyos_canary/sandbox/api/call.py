"""What a request asks for: kind, namespace, name and subresource from its path and query, and the
object in its body (JSON, YAML or, for the few kinds that kubectl sends that way, protobuf)."""

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

from companyos_canary.model.http import READS, Json, Request, Response
from companyos_canary.sandbox.kinds import KINDS, Kind
from companyos_canary.sandbox.objects import ApiStatus, bad_request, unsupported_media

Handle = Callable[[Request], Response]
_BY_PATH = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}
GROUP_VERSIONS: tuple[tuple[str, str], ...] = (
    *dict.fromkeys((kind.group, kind.version) for kind in KINDS),
    ("authentication.k8s.io", "v1"),
    ("authorization.k8s.io", "v1"),
)
_FIELD_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
_OF_NAMESPACES = ("status", "finalize")

PROTOBUF = "application/vnd.kubernetes.protobuf"
_YAML = ("application/yaml", "application/apply-patch+yaml")


class Call(Struct, frozen=True):
    """A request for objects. `name` is empty for a collection; `rest` is what follows the
    subresource (`proxy/PATH`)."""

    request: Request
    kind: Kind
    namespace: str
    name: str
    subresource: str
    rest: str

    def flag(self, name: str) -> bool:
        return self.request.parameter(name).lower() in ("1", "true")

    @property
    def dry_run(self) -> bool:
        value = self.request.parameter("dryRun")
        if value not in ("", "All"):
            raise ApiStatus(
                422, "Invalid", f' "" is invalid: dryRun: Unsupported value: "{value}": supported values: "All"'
            )
        return value == "All"

    @property
    def is_patch(self) -> bool:
        return self.request.method == "PATCH"

    @property
    def field_validation(self) -> str:
        """What happens to fields that the kind does not have: Ignore, Warn (the default) or Strict."""
        value = self.request.parameter("fieldValidation")
        if value not in _FIELD_VALIDATIONS:
            known = ", ".join(f'"{v}"' for v in _FIELD_VALIDATIONS)
            what = {"POST": "Create", "PUT": "Update"}.get(self.request.method, "Patch")
            raise ApiStatus(
                422,
                "Invalid",
                f'{what}Options.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "{value}": '
                f"supported values: {known}",
            )
        return value

    @property
    def verb(self) -> str:
        """The word that RBAC uses: get, list, watch, create, update, patch, delete, ..."""
        method = self.request.method
        if method in READS:
            if method == "GET" and self.flag("watch") and not self.subresource:
                return "watch"
            return "get" if self.name else "list"
        if method == "DELETE":
            return "delete" if self.name else "deletecollection"
        return {"POST": "create", "PUT": "update", "PATCH": "patch"}.get(method, method.lower())

    @property
    def manager(self) -> str:
        """The field manager: as given, else the first word of the User-Agent, as a server does."""
        given = self.request.parameter("fieldManager")
        return given or self.request.header("User-Agent", "unknown").partition("/")[0]


def read_call(request: Request) -> Call | None:
    """The call that a path names; None if no such group, version or resource is served.
    ApiStatus 404 where the group version is served but the resource is not."""
    parts = [p for p in request.path.split("/") if p]
    if parts[:1] == ["api"] and len(parts) >= 3:
        group, version, parts = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 4:
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if parts[0] == "namespaces" and len(parts) >= 3 and parts[2] not in _OF_NAMESPACES:
        namespace, parts = parts[1], parts[2:]
    kind = _BY_PATH.get((group, version, parts[0]))
    if kind is None:
        if (group, version) == ("", "v1"):
            raise ApiStatus(
                404, "NotFound", "the server could not find the requested resource", {"group": group, "kind": parts[0]}
            )
        return None
    if namespace and not kind.namespaced:
        return None
    padded = [*parts[1:], "", ""]
    return Call(request, kind, namespace, padded[0], padded[1], "/".join(parts[3:]))


def parse_request(method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Request:
    """A Request from what is on the request line."""
    parts = urlsplit(target)
    query = tuple(parse_qsl(parts.query, keep_blank_values=True))
    return Request(method, unquote(parts.path), query, headers, body)


def media_type(request: Request) -> str:
    return request.header("Content-Type").partition(";")[0].strip()


def read_object(request: Request) -> Json:
    """The object in a body; an empty body is an empty object. 400 or 415 with a sentence."""
    if not request.body:
        return {}
    media = media_type(request)
    if media == PROTOBUF:
        from companyos_canary.sandbox.api.protobuf import read_protobuf  # noqa: PLC0415

        return read_protobuf(request.body)
    value = read_value(request.body, yaml=media in _YAML)
    if media not in ("application/json", "", *_YAML) and not media.endswith("+json"):
        raise unsupported_media(("application/json", "application/yaml", PROTOBUF))
    if not isinstance(value, dict):
        raise bad_request("the object provided is unrecognized: it is no JSON object")
    return value


def twice_named(body: bytes) -> list[str]:
    """The paths of fields that a JSON object names again, in order; empty for what is no JSON."""
    found: list[str] = []
    try:
        value = json.loads(body, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return found
    _collect_twice(value, "", found)
    return found


class _Pairs(list[tuple[str, Any]]):
    """The fields of an object as they are written."""


def _collect_twice(value: Any, path: str, found: list[str]) -> None:
    if isinstance(value, _Pairs):
        seen = set[str]()
        for name, inner in value:
            place = f"{path}.{name}" if path else name
            if name in seen:
                found.append(place)
            seen.add(name)
            _collect_twice(inner, place, found)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _collect_twice(inner, f"{path}[{number}]", found)


_DEEPEST = 200  # of what is in what; a real API server takes 10,000, more than can be copied here


def read_value(body: bytes, *, yaml: bool = False) -> Any:
    """JSON, or YAML where that is allowed."""
    value = _read(body, yaml=yaml)
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return value
    raise bad_request(f"the object provided is unrecognized: it is nested more than {_DEEPEST} deep")


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _read(body: bytes, *, yaml: bool) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        if yaml:
            return _read_yaml(body)
        raise bad_request(f"the object provided is unrecognized: {error}") from error


def _read_yaml(body: bytes) -> Any:
    import yaml  # noqa: PLC0415  # not needed for the answers of a running sandbox

    try:
        return yaml.safe_load(body)
    except (yaml.YAMLError, RecursionError) as error:
        raise bad_request(f"error decoding YAML: {error}") from error
