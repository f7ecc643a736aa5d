"""What a request asks for: kind, namespace, name and subresource, read from its path and query."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from companyos_canary.model.http import Request, Response
from companyos_canary.sandbox.kinds import KINDS, Kind
from companyos_canary.sandbox.objects import ApiStatus

Handle = Callable[[Request], Response]
_BY_PATH = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}
GROUP_VERSIONS: tuple[tuple[str, str], ...] = (
    *dict.fromkeys((kind.group, kind.version) for kind in KINDS),
    ("authentication.k8s.io", "v1"),
    ("authorization.k8s.io", "v1"),
)
_OF_NAMESPACES = ("status", "finalize")


@dataclass(frozen=True, slots=True)
class Call:
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
                422, "Invalid",
                f' "" is invalid: dryRun: Unsupported value: "{value}": supported values: "All"',
            )  # fmt: skip
        return value == "All"

    @property
    def verb(self) -> str:
        """The word that RBAC uses: get, list, watch, create, update, patch, delete, ..."""
        method = self.request.method
        if method in ("GET", "HEAD"):
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
    """The call that a path names; None where no such group, version or resource is served.
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
                404, "NotFound", "the server could not find the requested resource",
                {"group": group, "kind": parts[0]},
            )  # fmt: skip
        return None
    if namespace and not kind.namespaced:
        return None
    padded = [*parts[1:], "", ""]
    return Call(request, kind, namespace, padded[0], padded[1], "/".join(parts[3:]))


def parse_request(method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Request:
    """A Request from what stands on the request line."""
    parts = urlsplit(target)
    query = tuple(parse_qsl(parts.query, keep_blank_values=True))
    return Request(method, unquote(parts.path), query, headers, body)
