"""Reads protobuf bodies: what kubectl and controllers send for built-in kinds.

First the wire format (numbered values, each a number or bytes), then the kinds."""

import base64
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from msgspec import Struct

from companyos_canary.model.http import Json
from companyos_canary.sandbox.objects import ApiStatus, bad_request

_MAGIC = b"k8s\x00"
_MOST_NESTED = 40


class Field(Struct, frozen=True):
    """`type` is a word (text, number, flag, time, ...) or the name of a message."""

    name: str
    type: str
    repeated: bool = False
    kept: bool = False


Message = Mapping[int, Field]


def read_protobuf(body: bytes) -> Json:
    """The object in a protobuf body; 415 for a kind that the sandbox reads as JSON only."""
    if not body.startswith(_MAGIC):
        raise bad_request("the protobuf body does not begin with its magic bytes")
    try:
        head, raw = _envelope(body[len(_MAGIC) :])
        if head.get("kind") in _messages():
            return {**head, **_read(raw, head["kind"])}
    except (IndexError, KeyError, OSError, OverflowError, ValueError) as error:
        raise bad_request(f"the protobuf body cannot be read: {error}") from error
    raise ApiStatus(
        415,
        "UnsupportedMediaType",
        f"the sandbox reads `{head.get('kind', '')}` as JSON only: send application/json instead of protobuf",
    )


def read_wire(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message in order. ValueError or IndexError where it is none."""
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


def number_of(value: Any) -> int:
    """A signed number: negative ones are written as 64 bits."""
    if not isinstance(value, int):
        raise ValueError("a text stands where a number should be")
    return value - (1 << 64) if value >= 1 << 63 else value


def bytes_of(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a number stands where a text should be")
    return value


def _envelope(data: bytes) -> tuple[Json, bytes]:
    """apiVersion and kind, and the message itself: a `runtime.Unknown`."""
    head: Json = {}
    raw = b""
    for number, value in read_wire(data):
        if number == 1:
            head = {
                ("apiVersion", "kind")[n - 1]: bytes_of(v).decode()
                for n, v in read_wire(bytes_of(value))
                if n in (1, 2)
            }
        elif number == 2:
            raw = bytes_of(value)
    return head, raw


@functools.cache
def _messages() -> Mapping[str, Message]:
    lines = (files(__package__) / "protobuf.fields").read_text(encoding="utf-8").splitlines()
    return {name: _fields(rest) for name, _, rest in (line.partition(": ") for line in lines)}


def _fields(text: str) -> Message:
    found = {}
    for entry in filter(None, text.split(", ")):
        number, name, type_ = entry.split(" ")
        plain = name.rstrip("!").rstrip("*")
        found[int(number)] = Field(plain, type_, "*" in name, name.endswith("!"))
    return found


def _read(data: bytes, message: str, depth: int = 0) -> Json:
    if depth > _MOST_NESTED:
        raise ValueError("it is nested too deeply")
    found: Json = {}
    fields = _messages()[message]
    for number, value in read_wire(data):
        field = fields.get(number)
        if field is None:
            continue
        if field.name == ".":
            found.update(_read(bytes_of(value), field.type, depth + 1))
        elif field.type.startswith("map"):
            key, item = _entry(bytes_of(value), field.type)
            found.setdefault(field.name, {})[key] = item
        else:
            _put(found, field, _value(value, field.type, depth))
    return found


def _put(found: Json, field: Field, value: Any) -> None:
    if field.repeated:
        found.setdefault(field.name, []).append(value)
    elif field.kept or isinstance(value, dict) or value:
        found[field.name] = value  # Go writes empty texts and zeros, too; JSON leaves them out


def _value(value: Any, type_: str, depth: int) -> Any:
    if type_ == "number":
        return number_of(value)
    if type_ == "flag":
        return bool(number_of(value))
    data = bytes_of(value)
    if type_ == "text":
        return data.decode()
    if type_ == "bytes":
        return base64.b64encode(data).decode()
    simple = _SIMPLE.get(type_)
    return simple(dict(read_wire(data))) if simple else _read(data, type_, depth + 1)


def _entry(data: bytes, type_: str) -> tuple[str, str]:
    parts = dict(read_wire(data))
    key, value = bytes_of(parts.get(1, b"")).decode(), bytes_of(parts.get(2, b""))
    if type_ == "map:bytes":
        return key, base64.b64encode(value).decode()
    return key, _quantity(dict(read_wire(value))) if type_ == "map:quantity" else value.decode()


def _quantity(parts: dict[int, Any]) -> str:
    return bytes_of(parts.get(1, b"")).decode()


def _number_or_text(parts: dict[int, Any]) -> int | str:
    if parts.get(1):
        return bytes_of(parts.get(3, b"")).decode()
    return number_of(parts.get(2, 0))


def _time(parts: dict[int, Any], *, micro: bool = False) -> str | None:
    seconds, nanos = number_of(parts.get(1, 0)), number_of(parts.get(2, 0))
    if not seconds and not nanos:
        return None
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{nanos // 1000:06d}Z" if micro else f"{text}Z"


def _microtime(parts: dict[int, Any]) -> str | None:
    return _time(parts, micro=True)


def _managed(parts: dict[int, Any]) -> Any:
    return json.loads(bytes_of(parts.get(1, b"{}")))


_SIMPLE: Mapping[str, Callable[[dict[int, Any]], Any]] = {
    "quantity": _quantity,
    "number|text": _number_or_text,
    "time": _time,
    "microtime": _microtime,
    "fields": _managed,
}
