"""The wire format of protobuf: numbered values, each a number or bytes."""

from collections.abc import Iterator
from typing import Any


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
