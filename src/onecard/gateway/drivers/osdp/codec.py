"""OSDP packets taken apart and put together, and the rules that turn what a reader read into a card number; no I/O.

The live protocol with its secure channel is libosdp's; this is for vectors, for simulators and for looking at a bus. Packet:
``53 address length(2) control [SCB] code data [MAC4] CRC16(2) | checksum(1)`` (standards.md 3).
"""

from collections.abc import Callable
from typing import Any

MARK, SOM = 0xFF, 0x53
BROADCAST = 0x7F
_CRC, _SCB = 0x04, 0x08
_REPLY = 0x80
_MIN = 8
MAX_PACKET = 1440


def crc16(data: bytes) -> int:
    """Polynomial 1021, initial 1D0F."""
    crc = 0x1D0F
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
        crc &= 0xFFFF
    return crc


def decode(data: bytes) -> dict[str, Any]:
    """One whole packet, without the mark. Raises ValueError."""
    if len(data) < _MIN - 1 or data[0] != SOM:
        raise ValueError("no packet: it begins with 53 and has at least 7 bytes")
    size = int.from_bytes(data[2:4], "little")
    if size != len(data) or size > MAX_PACKET:
        raise ValueError(f"length says {size}, there are {len(data)} bytes")
    control = data[4]
    if control & ~(0x03 | _CRC | _SCB):
        raise ValueError(f"control {control:02X}")
    check_bytes = 2 if control & _CRC else 1
    body, check = data[:-check_bytes], data[-check_bytes:]
    if check != _check(body, is_crc=bool(control & _CRC)):
        raise ValueError("check value is wrong")
    at = 5
    block = b""
    if control & _SCB:
        length = body[5] if len(body) > 5 else 0
        if not 2 <= length <= len(body) - 6:
            raise ValueError(f"security block of {length} bytes")
        block, at = body[5 : 5 + length], 5 + length
    if at >= len(body):
        raise ValueError("no command")
    return {
        "address": data[1] & ~_REPLY,
        "is_reply": bool(data[1] & _REPLY),
        "sequence": control & 3,
        "crc": bool(control & _CRC),
        "security": block.hex(),
        "code": body[at],
        "data": body[at + 1 :].hex(),
    }


def encode(fields: dict[str, Any]) -> bytes:
    """The packet of what `decode` gives. Raises ValueError."""
    try:
        block, content = bytes.fromhex(fields["security"]), bytes.fromhex(fields["data"])
        control = fields["sequence"] | (_CRC if fields["crc"] else 0) | (_SCB if block else 0)
        size = 6 + len(block) + len(content) + (2 if fields["crc"] else 1)
        address = fields["address"] | (_REPLY if fields["is_reply"] else 0)
        body = bytes((SOM, address)) + size.to_bytes(2, "little") + bytes((control,)) + block + bytes((fields["code"],)) + content
    except (KeyError, TypeError, OverflowError) as wrong:
        raise ValueError(f"not a packet: {wrong!r}") from None
    return body + _check(body, is_crc=fields["crc"])


def _check(body: bytes, *, is_crc: bool) -> bytes:
    return crc16(body).to_bytes(2, "little") if is_crc else bytes((-sum(body) & 0xFF,))


def address_of(data: bytes) -> int:
    """The address of a packet as it goes by, mark or not; -1 when it does not look like one."""
    at = 1 if data[:1] == bytes((MARK,)) else 0
    return data[at + 1] & ~_REPLY if len(data) > at + 1 and data[at] == SOM else -1


def is_whole_answer(data: bytes | bytearray, address: int) -> bool:
    """Whether these bytes hold an answer of this reader from its first byte to its last, whatever stands before it."""
    at = data.find(bytes((SOM, address | _REPLY)))
    return at >= 0 and len(data) >= at + 4 and len(data) >= at + int.from_bytes(data[at + 2 : at + 4], "little")


# Card numbers. A rule takes the bits a reader sent, first bit first, and says which card that is.


def _bits(data: bytes, count: int) -> str:
    if not 0 < count <= len(data) * 8:
        raise ValueError(f"{count} bits in {len(data)} bytes")
    return "".join(f"{byte:08b}" for byte in data)[:count]


def _whole(data: bytes, count: int) -> bytes:
    if count % 8 or count // 8 != len(data):
        raise ValueError(f"{count} bits are not the {len(data)} whole bytes of a number")
    return data


def _bcd16(data: bytes, count: int) -> int:
    digits = _whole(data, count).hex()
    if len(digits) != 16 or not digits.isdecimal():
        raise ValueError("not 16 decimal digits")
    return int(digits)


def _ascii(data: bytes, count: int) -> int:
    text = _whole(data, count)
    if not text.isdigit() or len(text) > 18:
        raise ValueError("not a decimal number in ASCII")
    return int(text)


def _uid(order: str) -> "Rule":
    def rule(data: bytes, count: int) -> int:
        uid = _whole(data, count)
        if len(uid) not in (4, 7):
            raise ValueError(f"a UID has 4 or 7 bytes, not {len(uid)}")
        return int.from_bytes(uid, order)  # type: ignore[arg-type]

    return rule


def _wiegand(size: int) -> "Rule":
    """Even parity over the first half, odd parity over the second (26: 8-bit facility, 16-bit number; 34: 16 and 16)."""

    def rule(data: bytes, count: int) -> int:
        bits = _bits(data, count)
        if count != size:
            raise ValueError(f"{count} bits, Wiegand {size} is expected")
        half = size // 2
        if bits[:half].count("1") % 2 or not bits[half:].count("1") % 2:
            raise ValueError("parity is wrong")
        return int(bits[1:-1], 2)

    return rule


Rule = Callable[[bytes, int], int]
RULES: dict[str, Rule] = {
    "bcd16": _bcd16,
    "ascii": _ascii,
    "uid_big_endian": _uid("big"),
    "uid_little_endian": _uid("little"),
    "wiegand26": _wiegand(26),
    "wiegand34": _wiegand(34),
}


def card_number(rule: str, data: bytes, bits: int) -> int:
    """The card of a read by the rule of that name. Raises ValueError saying why it is none."""
    number = RULES[rule](data, bits)
    if number <= 0:
        raise ValueError("card number 0")
    return number
