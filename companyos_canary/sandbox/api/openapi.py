"""/openapi/v3: an index and one small document a group version, made from the shapes; /openapi/v2 defines nothing.

The PATCH operations name `fieldValidation` and `dryRun`: kubectl then leaves both to the server.
No operation offers strategic merge patches, so that kubectl takes the merge keys it has built in.
"""

import hashlib
import json
from functools import cache

from companyos_canary.model.http import Json, Request, Response
from companyos_canary.sandbox.api.answer import JSON, encoded
from companyos_canary.sandbox.api.schema import json_schema, shape_of
from companyos_canary.sandbox.kinds import KINDS, Kind

_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_ABOUT = {
    "Rollout": "A workload whose new versions are shipped step by step, judged on the way.",
    "AnalysisTemplate": "What is asked of a metrics provider, and which answers are good.",
    "ClusterAnalysisTemplate": "An AnalysisTemplate for all namespaces.",
    "AnalysisRun": "One execution of analysis: its metrics, measurements and verdict.",
    "Experiment": "ReplicaSets that run side by side for a while, with analysis.",
}


_OLDER = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
_ABOUT_IT = {"title": "Kubernetes", "version": "v1.32.0"}
_EMPTY = b"\x0a\x032.0"  # `swagger: "2.0"`


def older(request: Request) -> Response:
    """/openapi/v2, which kubectl asks about a kind that /openapi/v3 does not have. Without an answer it refuses the
    whole file; with one that does not know the kind either, it names the kind and applies the rest."""
    if _OLDER in request.header("Accept"):
        return Response(200, {"Content-Type": _OLDER.replace("@", ".")}, _EMPTY)
    return Response(200, JSON, encoded({"swagger": "2.0", "info": _ABOUT_IT, "paths": {}}))


def answer(path: str) -> Response | None:
    """The index, or the document of one group version; None if there is none."""
    place = path.removeprefix("/openapi/v3").strip("/")
    if not place:
        return Response(200, JSON, encoded({"paths": _index()}))
    kinds = tuple(k for k in KINDS if _place(k) == place)
    return Response(200, JSON, _document(kinds)) if kinds else None


def _place(kind: Kind) -> str:
    return f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"


@cache
def _index() -> Json:
    paths = {}
    for place in dict.fromkeys(_place(k) for k in KINDS):
        document = _document(tuple(k for k in KINDS if _place(k) == place))
        digest = hashlib.sha256(document).hexdigest()[:32].upper()
        paths[place] = {"serverRelativeURL": f"/openapi/v3/{place}?hash={digest}"}
    return paths


@cache
def _document(kinds: tuple[Kind, ...]) -> bytes:
    paths: Json = {}
    for kind in kinds:
        paths.update(_paths(kind))
    document = {
        "openapi": "3.0.0",
        "info": _ABOUT_IT,
        "paths": paths,
        "components": {"schemas": {_META: _metadata(), **{_id(k): _schema(k) for k in kinds}}},
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _id(kind: Kind) -> str:
    group = ".".join(reversed(kind.group.split("."))) if kind.group else "io.k8s.api.core"
    return f"{group}.{kind.version}.{kind.kind}"


def _gvk(kind: Kind) -> Json:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _paths(kind: Kind) -> Json:
    base = f"/{_place(kind)}/" + ("namespaces/{namespace}/" if kind.namespaced else "")
    collection = f"{base}{kind.plural}"
    return {
        collection: {"get": _operation(kind, "list"), "post": _operation(kind, "post")},
        f"{collection}/{{name}}": {
            "get": _operation(kind, "get"),
            "put": _operation(kind, "put"),
            "patch": _operation(kind, "patch"),
            "delete": _operation(kind, "delete"),
        },
    }


def _operation(kind: Kind, action: str) -> Json:
    operation: Json = {
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _gvk(kind),
        "parameters": [],
        "responses": {"200": {"description": "OK"}},
    }
    if action in ("post", "put", "patch"):
        operation["parameters"] = [
            {"name": name, "in": "query", "schema": {"type": "string"}}
            for name in ("dryRun", "fieldManager", "fieldValidation")
        ]
        media = "application/merge-patch+json" if action == "patch" else "application/json"
        reference = {"$ref": f"#/components/schemas/{_id(kind)}"}
        operation["requestBody"] = {"content": {media: {"schema": reference}}}
    return operation


def _schema(kind: Kind) -> Json:
    shape = shape_of(kind)
    properties: Json = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"allOf": [{"$ref": f"#/components/schemas/{_META}"}]},
    }
    schema: Json = {"type": "object", "x-kubernetes-group-version-kind": [_gvk(kind)]}
    if kind.kind in _ABOUT:
        schema["description"] = _ABOUT[kind.kind]
    if shape is None:
        schema["x-kubernetes-preserve-unknown-fields"] = True
        return {**schema, "properties": properties}
    inner = json_schema(shape)
    return {**inner, **schema, "properties": {**properties, **inner["properties"]}}


def _metadata() -> Json:
    texts = ("name", "generateName", "namespace", "uid", "resourceVersion", "creationTimestamp")
    maps = {"type": "object", "additionalProperties": {"type": "string"}}
    return {
        "type": "object",
        "properties": {
            **{name: {"type": "string"} for name in texts},
            "generation": {"type": "integer"},
            "labels": maps,
            "annotations": maps,
            "ownerReferences": {"type": "array", "items": {"type": "object"}},
            "finalizers": {"type": "array", "items": {"type": "string"}},
        },
    }
