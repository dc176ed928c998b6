"""Protocol-buffer messages, encoded by hand: as little as TensorBoard's files need.

A message is the concatenation of its fields; a field is a key (number and wire type)
and a value.  Fields that hold their default are left out by the callers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

__all__ = [
    "varint", "integer", "double", "single", "boolean", "text", "blob", "doubles",
]

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types


def varint(n: int) -> bytes:
    """Return an integer, seven bits a byte; negative ones as 64 bits."""
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def _key(field: int, wire: int) -> bytes:
    return varint(field << 3 | wire)


def integer(field: int, value: int) -> bytes:
    """Return a field of type int32, int64 or enum."""
    return _key(field, VARINT) + varint(value)


def boolean(field: int, value: bool) -> bytes:
    """Return a field of type bool."""
    return _key(field, VARINT) + (b"\1" if value else b"\0")


def double(field: int, value: float) -> bytes:
    """Return a field of type double."""
    return _key(field, FIXED64) + struct.pack("<d", value)


def single(field: int, value: float) -> bytes:
    """Return a field of type float; what is too large for it is infinite."""
    try:
        packed = struct.pack("<f", value)
    except OverflowError:
        packed = struct.pack("<f", float("inf") if value > 0 else float("-inf"))
    return _key(field, FIXED32) + packed


def blob(field: int, value: bytes) -> bytes:
    """Return a field of type bytes, or a message within a message."""
    return _key(field, BYTES) + varint(len(value)) + value


def text(field: int, value: str) -> bytes:
    """Return a field of type string."""
    return blob(field, value.encode())


def doubles(field: int, values: Iterable[float]) -> bytes:
    """Return a packed field of repeated doubles."""
    values = list(values)
    return blob(field, struct.pack(f"<{len(values)}d", *values))
