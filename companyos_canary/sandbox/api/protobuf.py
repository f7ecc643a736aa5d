"""A small reader for the protobuf bodies that kubectl sends for a few built-in kinds.

The field numbers are those of Kubernetes' published .proto files.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from companyos_canary.model.http import Json
from companyos_canary.sandbox.api.answer import bad_request
from companyos_canary.sandbox.objects import ApiStatus

_MAGIC = b"k8s\x00"
# A field is (name, type): "text", "bytes", "number", "flag", "map" (text to text), "data" (text to
# bytes) or the fields of a message; a name with * is repeated.
Field = tuple[str, Any]
Message = Mapping[int, Field]
_OWNER: Message = {
    1: ("kind", "text"), 3: ("name", "text"), 4: ("uid", "text"), 5: ("apiVersion", "text"),
    6: ("controller", "flag"), 7: ("blockOwnerDeletion", "flag"),
}  # fmt: skip
_META: Message = {
    1: ("name", "text"), 2: ("generateName", "text"), 3: ("namespace", "text"), 5: ("uid", "text"),
    6: ("resourceVersion", "text"), 11: ("labels", "map"), 12: ("annotations", "map"),
    13: ("ownerReferences*", _OWNER), 14: ("finalizers*", "text"),
}  # fmt: skip
_RESOURCE: Message = {
    1: ("namespace", "text"), 2: ("verb", "text"), 3: ("group", "text"), 4: ("version", "text"),
    5: ("resource", "text"), 6: ("subresource", "text"), 7: ("name", "text"),
}  # fmt: skip
_REFERENCE: Message = {
    1: ("kind", "text"), 2: ("namespace", "text"), 3: ("name", "text"), 4: ("uid", "text"),
    5: ("apiVersion", "text"), 6: ("resourceVersion", "text"), 7: ("fieldPath", "text"),
}  # fmt: skip
_TIME: Message = {1: ("seconds", "number"), 2: ("nanos", "number")}
_EVENT: Message = {
    1: ("metadata", _META), 2: ("involvedObject", _REFERENCE), 3: ("reason", "text"),
    4: ("message", "text"), 5: ("source", {1: ("component", "text"), 2: ("host", "text")}),
    6: ("firstTimestamp", _TIME), 7: ("lastTimestamp", _TIME), 8: ("count", "number"),
    9: ("type", "text"), 14: ("reportingComponent", "text"), 15: ("reportingInstance", "text"),
}  # fmt: skip
_KINDS: Mapping[str, Message] = {
    "Namespace": {1: ("metadata", _META)},
    "ConfigMap": {1: ("metadata", _META), 2: ("data", "map"), 4: ("immutable", "flag")},
    "Secret": {1: ("metadata", _META), 2: ("data", "data"), 3: ("type", "text")},
    "ServiceAccount": {1: ("metadata", _META)},
    "Event": _EVENT,
    "SelfSubjectAccessReview": {
        2: ("spec", {
            1: ("resourceAttributes", _RESOURCE),
            2: ("nonResourceAttributes", {1: ("path", "text"), 2: ("verb", "text")}),
        }),
    },
    "SelfSubjectRulesReview": {2: ("spec", {1: ("namespace", "text")})},
    "SelfSubjectReview": {},
    "DeleteOptions": {
        1: ("gracePeriodSeconds", "number"),
        2: ("preconditions", {1: ("uid", "text"), 2: ("resourceVersion", "text")}),
        3: ("orphanDependents", "flag"), 4: ("propagationPolicy", "text"), 5: ("dryRun*", "text"),
    },
}  # fmt: skip
_UNKNOWN: Message = {
    1: ("typeMeta", {1: ("apiVersion", "text"), 2: ("kind", "text")}), 2: ("raw", "bytes"),
}  # fmt: skip


def read_protobuf(body: bytes) -> Json:
    """The object in a protobuf body; 415 for a kind that the sandbox reads as JSON only."""
    if not body.startswith(_MAGIC):
        raise bad_request("the protobuf body does not begin with its magic bytes")
    try:
        envelope = _message(body[len(_MAGIC) :], _UNKNOWN)
        kind = envelope.get("typeMeta", {}).get("kind", "")
        if kind in _KINDS:
            return {**envelope["typeMeta"], **_message(envelope.get("raw", b""), _KINDS[kind])}
    except (IndexError, UnicodeDecodeError, ValueError) as error:
        raise bad_request(f"the protobuf body cannot be read: {error}") from error
    raise ApiStatus(
        415, "UnsupportedMediaType",
        f"the sandbox reads `{kind}` as JSON only: send application/json instead of protobuf",
    )  # fmt: skip


def _message(data: bytes, fields: Message) -> Json:
    found: Json = {}
    for number, value in _wire(data):
        if number not in fields:
            continue
        name, type_ = fields[number]
        if type_ in ("map", "data"):
            entry = _message(value, {1: ("key", "text"), 2: ("value", "bytes")})
            found.setdefault(name, {})[entry.get("key", "")] = _entry(entry, type_)
        elif name.endswith("*"):
            found.setdefault(name[:-1], []).append(_value(value, type_))
        elif value != b"":  # Go writes empty texts, JSON leaves them out
            found[name] = _value(value, type_)
    return found


def _entry(entry: Json, type_: str) -> str:
    import base64  # noqa: PLC0415  # secrets only

    raw: bytes = entry.get("value", b"")
    return base64.b64encode(raw).decode() if type_ == "data" else raw.decode()


def _value(value: Any, type_: Any) -> Any:
    if type_ == "number":
        return int(value)
    if type_ == "flag":
        return bool(value)
    if not isinstance(value, bytes):
        raise ValueError("a number stands where a text should be")
    if type_ == "text":
        return value.decode()
    if type_ == "bytes":
        return value
    inner = _message(value, type_)
    return _moment(inner) if type_ is _TIME else inner


def _moment(value: Json) -> str | None:
    from datetime import UTC, datetime  # noqa: PLC0415

    if not value:
        return None
    return datetime.fromtimestamp(value.get("seconds", 0), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _wire(data: bytes) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        wire = key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
        elif wire == 2:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError("it ends in the middle of a field")
            yield key >> 3, data[at : at + size]
            at += size
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number is too long")
