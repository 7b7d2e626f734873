"""bigint[] in PostgreSQL's binary format, whole columns at a time: per-value work in Python is where the latency would go."""

import struct
import sys
from array import array
from collections.abc import Sequence

_OID_INT8 = 20
_HEADER = struct.Struct(">iiiii")  # dimensions, has nulls, element type, length, lower bound
_STRIDE = 12  # each element: its length (4 bytes, always 8), then the value
_SWAP = sys.byteorder == "little"
EMPTY = struct.pack(">iii", 0, 0, _OID_INT8)


def build(values: Sequence[int]) -> bytes:
    """A column as bigint[]. Raises OverflowError outside 64 bits, TypeError on anything that is not an integer."""
    count = len(values)
    if count == 0:
        return EMPTY
    column = array("q", values)
    if _SWAP:
        column.byteswap()
    raw = column.tobytes()
    body = bytearray(_STRIDE * count)
    body[3::_STRIDE] = b"\x08" * count
    for byte in range(8):
        body[4 + byte :: _STRIDE] = raw[byte::8]
    return _HEADER.pack(1, 0, _OID_INT8, count, 1) + bytes(body)


def parse(data: bytes | bytearray | memoryview) -> list[int]:
    """The values of a one-dimensional bigint[] without nulls."""
    buffer = bytes(data)
    dimensions, has_nulls, _element = struct.unpack_from(">iii", buffer)
    if dimensions == 0:
        return []
    assert dimensions == 1
    assert not has_nulls
    body = buffer[_HEADER.size :]
    count = len(body) // _STRIDE
    raw = bytearray(8 * count)
    for byte in range(8):
        raw[byte::8] = body[4 + byte :: _STRIDE]
    column = array("q", bytes(raw))
    if _SWAP:
        column.byteswap()
    return column.tolist()
