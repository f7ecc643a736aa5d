"""The patch types of a PATCH request, by content type."""

from companyos_canary.sandbox.api.answer import bad_request, unsupported_media
from companyos_canary.sandbox.api.body import media_type, read_value
from companyos_canary.sandbox.api.call import Call
from companyos_canary.sandbox.api.patch import (
    PatchFailed,
    PatchMalformed,
    json_patch,
    merge_patch,
)  # fmt: skip
from companyos_canary.sandbox.api.strategic import strategic_patch
from companyos_canary.sandbox.objects import ApiStatus, Object

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
