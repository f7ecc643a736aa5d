"""What is sent back: JSON objects, failures in the `Status` form, and the form of an object that
the client accepts (plain, as a Table, or only its metadata)."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct
from msgspec.json import encode

from companyos_canary.model.http import Json, Request, Response
from companyos_canary.sandbox.api.tables import include_of, table
from companyos_canary.sandbox.kinds import Kind
from companyos_canary.sandbox.objects import ApiStatus, Object, bad_request

JSON = {"Content-Type": "application/json"}

_PLAIN = ("application/json", "application/*", "*/*")


def encoded(value: Any) -> bytes:
    return encode(value) + b"\n"


def ok(value: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, {**JSON, **(headers or {})}, encoded(value))


def status_object(error: ApiStatus) -> Json:
    """An ApiStatus as the `Status` object of the API."""
    status: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": error.message}
    if error.reason:
        status["reason"] = error.reason
    if error.has_details:
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
    """A path that no one serves: plain text, as the real one."""
    return Response(404, {"Content-Type": "text/plain; charset=utf-8"}, b"404 page not found\n")


class Form(Struct, frozen=True):
    """`show` turns objects into what is sent; `now` is text (RFC 3339) for ages in tables."""

    name: Literal["object", "table", "metadata"]
    include: Literal["None", "Metadata", "Object"] = "Metadata"

    @classmethod
    def of(cls, request: Request) -> "Form":
        """The first form of the Accept header that is served; 406 if there is none."""
        header = request.header("Accept") or "*/*"
        for entry in header.split(","):
            media, *parameters = [p.strip() for p in entry.split(";")]
            given = dict(p.split("=", 1) for p in parameters if "=" in p)
            if media not in _PLAIN:
                continue
            wanted = given.get("as", "")
            if wanted == "Table" and given.get("v") == "v1":
                return cls("table", _include(request))
            if wanted.startswith("PartialObjectMetadata") and given.get("v") == "v1":
                return cls("metadata")
            if not wanted:
                return cls("object")
        raise ApiStatus(406, "NotAcceptable", "only the following media types are accepted: application/json")

    def one(self, kind: Kind, obj: Object, ages_at: str, *, headings: bool = True) -> Json:
        """A single object (also that of a watch event)."""
        if self.name == "table":
            return table(
                kind,
                [obj],
                ages_at,
                self.include,
                headings=headings,
                version=obj["metadata"].get("resourceVersion", ""),
            )
        return include_of("Metadata", obj) if self.name == "metadata" else obj

    def many(self, kind: Kind, objects: Iterable[Object], ages_at: str, meta: Json) -> Json:
        """A list with its metadata (resourceVersion, continue)."""
        if self.name == "table":
            shown = table(kind, objects, ages_at, self.include)
            return {**shown, "metadata": meta}
        if self.name == "metadata":
            return {
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": meta,
                "items": [include_of("Metadata", obj) for obj in objects],
            }
        items = [obj if kind.is_custom else _without_type(obj) for obj in objects]
        return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta, "items": items}


def _without_type(obj: Object) -> Json:
    """As the items of a list of a built-in kind are sent."""
    return {k: v for k, v in obj.items() if k not in ("apiVersion", "kind")}


def _include(request: Request) -> Literal["None", "Metadata", "Object"]:
    value = request.parameter("includeObject") or "Metadata"
    if value == "None":
        return "None"
    if value == "Object":
        return "Object"
    if value == "Metadata":
        return "Metadata"
    raise bad_request(f'unrecognized includeObject value: "{value}"')
