"""What an API server checks and completes before it writes an object."""

import random as random_module
import re
from collections.abc import Callable
from types import ModuleType

from companyos_canary.sandbox.api.call import Call
from companyos_canary.sandbox.api.discovery import check_definition
from companyos_canary.sandbox.api.validation import check_object, check_shape
from companyos_canary.sandbox.defaults import complete
from companyos_canary.sandbox.kinds import CRD, DAEMONSET, JOB, STATEFULSET, Kind
from companyos_canary.sandbox.objects import ApiStatus, Object, bad_request, copied, invalid

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_NOT_RUN = (JOB, STATEFULSET, DAEMONSET)
_SET_BY_SERVER = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "selfLink")


def new_object(call: Call, body: Object, random: "ModuleType | random_module.Random" = random_module) -> Object:
    """The object of a POST with its namespace and name; `generateName` gets five letters."""
    check_type(call, body)
    obj: Object = copied(body)
    check_metadata(obj)
    meta = obj.setdefault("metadata", {})
    if call.kind.namespaced:
        meta["namespace"] = meta.get("namespace") or call.namespace
        if meta["namespace"] != call.namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    else:
        meta.pop("namespace", None)
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = meta["generateName"] + "".join(random.choices(_LETTERS, k=5))
    if not meta.get("name"):
        why = "Required value: name or generateName is required"
        raise invalid(call.kind, "", [("metadata.name", why, "FieldValueRequired")])
    if meta.get("resourceVersion"):
        raise ApiStatus(500, "InternalError", "resourceVersion should not be set on objects to be created")
    check_name(call.kind, meta["name"])
    for field in _SET_BY_SERVER:
        meta.pop(field, None)
    if "status" in call.kind.subresources:
        obj.pop("status", None)
    obj["apiVersion"], obj["kind"] = call.kind.api_version, call.kind.kind
    return obj


def check_type(call: Call, body: Object) -> None:
    """400 where apiVersion and kind of the body are not those of the path. For built-in kinds what
    is left out is taken from the path; a custom resource must say its kind."""
    wanted = (call.kind.api_version, call.kind.kind)
    given = tuple(
        body.get(key) or ("" if call.kind.is_custom else default)
        for key, default in zip(("apiVersion", "kind"), wanted, strict=True)
    )
    if given[1] == "":
        raise bad_request("Object 'Kind' is missing in the body of the request")
    if given != wanted:
        raise bad_request(
            f"the API version and kind in the data ({given[0]}, {given[1]}) do not match the "
            f"expected ({wanted[0]}, {wanted[1]})"
        )


def check_metadata(obj: Object) -> None:
    """400 where the metadata are not what every object's are."""
    meta = obj.setdefault("metadata", {})
    if not isinstance(meta, dict):
        raise _cannot_unmarshal("metadata", "v1.ObjectMeta")
    for field in [f for f, value in meta.items() if value is None]:
        del meta[field]
    for field in ("labels", "annotations"):
        values = meta.get(field, {})
        if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
            raise _cannot_unmarshal(f"metadata.{field}", "map[string]string")
    for field in ("name", "generateName", "namespace", "uid", "resourceVersion"):
        if not isinstance(meta.get(field, ""), str):
            raise _cannot_unmarshal(f"metadata.{field}", "string")
    for field, of in (("finalizers", str), ("ownerReferences", dict), ("managedFields", dict)):
        items = meta.get(field, [])
        if not isinstance(items, list) or not all(isinstance(item, of) for item in items):
            raise _cannot_unmarshal(f"metadata.{field}", f"[]{of.__name__}")


def _cannot_unmarshal(field: str, wanted: str) -> ApiStatus:
    return bad_request(f"json: cannot unmarshal the value of {field} into {wanted}")


def check_name(kind: Kind, name: str) -> None:
    if len(name) > 253 or not _SUBDOMAIN.fullmatch(name):
        raise invalid(
            kind,
            name,
            [
                (
                    "metadata.name",
                    f'Invalid value: "{name}": a lowercase RFC 1123 subdomain must consist of lower case '
                    "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
                    "character",
                    "FieldValueInvalid",
                )
            ],
        )


def check_identity(call: Call, new: Object) -> None:
    """A write may not make another object of this one."""
    check_type(call, new)
    check_metadata(new)
    meta = new.setdefault("metadata", {})
    if meta.setdefault("name", call.name) != call.name:
        raise bad_request(f"the name of the object ({meta['name']}) does not match the name on the URL ({call.name})")
    if call.kind.namespaced and meta.setdefault("namespace", call.namespace) != call.namespace:
        raise bad_request(
            f"the namespace of the object ({meta['namespace']}) does not match the namespace on "
            f"the request ({call.namespace})"
        )


def admitted(call: Call, obj: Object, refuse: Callable[[Object], str | None]) -> tuple[Object, tuple[str, ...]]:
    """The object as it may be written, and warnings. 400 and 422 say what is wrong with it; what
    the sandbox does not emulate is refused as Invalid, too."""
    obj, warnings = check_shape(call.kind, obj, call.field_validation, patched=call.is_patch)
    obj = copied(obj)
    complete(call.kind, obj)
    if call.kind is CRD:
        check_definition(obj)
    if call.kind in _NOT_RUN:
        told = f"Forbidden: the sandbox runs no {call.kind.kind}s"
        raise invalid(call.kind, obj["metadata"]["name"], [("spec", told, "FieldValueForbidden")])
    check_object(call.kind, obj)
    if why := refuse(obj):
        name = obj["metadata"]["name"]
        raise invalid(call.kind, name, [("spec", f"Forbidden: {why}", "FieldValueForbidden")])
    return obj, warnings
