"""Request bodies: JSON, YAML and, for the few kinds that kubectl sends so, protobuf; and the patch
types of a PATCH, by content type."""

import json
from typing import Any

from companyos_canary.model.http import Json, Request
from companyos_canary.sandbox.api.answer import bad_request, unsupported_media
from companyos_canary.sandbox.api.call import Call
from companyos_canary.sandbox.api.patch import PatchFailed, PatchMalformed, json_patch, merge_patch
from companyos_canary.sandbox.api.strategic import strategic_patch
from companyos_canary.sandbox.objects import ApiStatus, Object

PROTOBUF = "application/vnd.kubernetes.protobuf"
_YAML = ("application/yaml", "application/apply-patch+yaml")


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


def read_value(body: bytes, *, yaml: bool = False) -> Any:
    """JSON, or YAML where that is allowed."""
    try:
        return json.loads(body)
    except ValueError as error:
        if yaml:
            return _read_yaml(body)
        raise bad_request(f"the object provided is unrecognized: {error}") from error


def _read_yaml(body: bytes) -> Any:
    import yaml  # noqa: PLC0415  # not needed for the answers of a running sandbox

    try:
        return yaml.safe_load(body)
    except yaml.YAMLError as error:
        raise bad_request(f"error decoding YAML: {error}") from error


JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


def patched(call: Call, base: Object) -> Object:
    """`base` with the patch of the request; 415 for a type that the kind does not take."""
    media = media_type(call.request)
    own = call.kind.group.endswith("argoproj.io")
    accepted = [JSON_PATCH, MERGE, APPLY] if own else [JSON_PATCH, MERGE, STRATEGIC, APPLY]
    if media not in accepted:
        raise unsupported_media(accepted)
    patch = read_value(call.request.body)
    if media == JSON_PATCH:
        return _json_patched(base, patch)
    if not isinstance(patch, dict):
        raise bad_request("json: cannot unmarshal the patch into an object")
    try:
        result = merge_patch(base, patch) if media == MERGE else strategic_patch(base, patch)
    except PatchMalformed as error:
        raise bad_request(str(error)) from error
    if not isinstance(result, dict):
        raise bad_request("the patch leaves no object")
    return result


def _json_patched(base: Object, patch: object) -> Object:
    try:
        result = json_patch(base, patch)
    except PatchMalformed as error:
        raise bad_request(f"Invalid JSON Patch: {error}") from error
    except PatchFailed as error:
        raise ApiStatus(422, "Invalid", str(error)) from error
    if not isinstance(result, dict):
        raise bad_request("the patch leaves no object")
    return result
