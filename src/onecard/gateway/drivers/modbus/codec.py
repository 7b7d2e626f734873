"""Modbus RTU frames, register maps, and the sums of a meter: pure. On the wire pymodbus does the framing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

MAX_ADU = 256
MAX_READ_WORDS = 125
_ADDRESSES = range(248)
_EXCEPTION = 0x80


def crc16(data: bytes) -> int:
    """Polynomial A001 (reflected), initial FFFF; sent low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def decode(data: bytes) -> dict[str, Any]:
    """One RTU frame. Raises ValueError."""
    if not 4 <= len(data) <= MAX_ADU:
        raise ValueError(f"frame of {len(data)} bytes")
    if crc16(data[:-2]) != int.from_bytes(data[-2:], "little"):
        raise ValueError("CRC is wrong")
    if data[0] not in _ADDRESSES:
        raise ValueError(f"address {data[0]}")
    function, content = data[1] & ~_EXCEPTION, data[2:-2]
    if not function:
        raise ValueError("function 0")
    if data[1] & _EXCEPTION and len(content) != 1:
        raise ValueError("an exception has one byte")
    return {"address": data[0], "function": function, "is_exception": bool(data[1] & _EXCEPTION), "data": content.hex()}


def encode(values: dict[str, Any]) -> bytes:
    """The frame of what `decode` gives. Raises ValueError."""
    try:
        function = values["function"] | (_EXCEPTION if values["is_exception"] else 0)
        body = bytes((values["address"], function)) + bytes.fromhex(values["data"])
    except (KeyError, TypeError) as wrong:
        raise ValueError(f"not a frame: {wrong!r}") from None
    return body + crc16(body).to_bytes(2, "little")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands."""

    address: int
    words: int = 1
    table: str = "holding"
    """holding or input."""


@dataclass(frozen=True, slots=True)
class MeterMap:
    """A maker's registers. The meter keeps all of them without power, except the valve, which closes."""

    total: Place
    """Pulses since it was made; wraps."""
    start: Place
    """`total` when the session was written; the meter latches it."""
    session: Place
    """What the driver wrote there; 0 none. The meter lets nothing through without one."""
    credit: Place
    """Pulses after which the meter closes the valve by itself."""
    valve: Place
    """1 open, 0 closed."""
    card: Place
    """Number of the card at the reader, 16 BCD digits; 0 none. Written 0 to acknowledge."""
    pulses_per_unit: int

    @property
    def places(self) -> dict[str, Place]:
        """All of them by name."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "pulses_per_unit"}


def build_map(raw: Mapping[str, Any]) -> MeterMap:
    """A map of a manifest. Raises ValueError naming what is wrong."""
    places = {}
    for field in fields(MeterMap):
        if field.name == "pulses_per_unit":
            continue
        try:
            place = Place(**raw[field.name])
        except (KeyError, TypeError):
            raise ValueError(f"register map: {field.name} is missing or unclear") from None
        if not 0 <= place.address < 65_536 or place.words not in (1, 2, 4) or place.table not in ("holding", "input"):
            raise ValueError(f"register map: {field.name} out of range")
        places[field.name] = place
    pulses = raw.get("pulses_per_unit")
    if not isinstance(pulses, int) or pulses < 1:
        raise ValueError("register map: pulses_per_unit")
    return MeterMap(**places, pulses_per_unit=pulses)


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring values that one request reads or writes."""

    table: str
    address: int
    words: int
    names: tuple[str, ...]


def plan_blocks(places: Mapping[str, Place], *, is_single: bool) -> list[Block]:
    """The fewest requests that take in these places and nothing between them. `is_single`: one request each."""
    blocks: list[Block] = []
    for name, place in sorted(places.items(), key=lambda item: (item[1].table, item[1].address)):
        last = blocks[-1] if blocks else None
        is_next = last is not None and last.table == place.table and last.address + last.words == place.address
        if last is not None and is_next and not is_single and last.words + place.words <= MAX_READ_WORDS:
            blocks[-1] = Block(last.table, last.address, last.words + place.words, (*last.names, name))
        else:
            blocks.append(Block(place.table, place.address, place.words, (name,)))
    return blocks


def join_words(words: Sequence[int], *, low_first: bool) -> int:
    """A number of several registers."""
    number = 0
    for word in reversed(words) if low_first else words:
        number = number << 16 | word
    return number


def split_words(number: int, count: int, *, low_first: bool) -> list[int]:
    """The registers of a number. Raises ValueError if it does not fit."""
    if not 0 <= number < 1 << 16 * count:
        raise ValueError(f"{number} does not fit {count} registers")
    words = [number >> 16 * at & 0xFFFF for at in range(count)]
    return words if low_first else words[::-1]


def parse_card(number: int) -> int:
    """The card number of the register's BCD digits; 0 none. Raises ValueError."""
    digits = f"{number:x}"
    if not digits.isdecimal():
        raise ValueError("the card register is not decimal")
    return int(digits)


def used_pulses(total: int, start: int, *, bits: int) -> int:
    """Pulses since the start, over a wrap of the counter."""
    return (total - start) % (1 << bits)


def amount_fen_rounded_down(pulses: int, *, price_fen: int, pulses_per_unit: int) -> int:
    """What pulses cost at a price per unit, for the holder's good."""
    return pulses * price_fen // pulses_per_unit


def pulses_rounded_down(amount_fen: int, *, price_fen: int, pulses_per_unit: int) -> int:
    """How many pulses an amount pays for."""
    return amount_fen * pulses_per_unit // price_fen
