"""The files of a purse card and of a SAM: their numbers and, as frozen values, what stands in them (standards 1.4, 1.9).

Numbers are big-endian or BCD as the standard writes them; text is GB18030. `parse` raises ValueError where bytes are none
of the kind.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum, unique
from typing import Final

from onecard.protocol.purse.diversify import area_factor, card_factor
from onecard.protocol.purse.proofs import bcd_moment, parse_bcd_moment, terminal_bytes

PURSE_AID: Final = bytes.fromhex("A00000000386980701")
TRANSIT_AID: Final = bytes.fromhex("A000000632010105")
PPSE: Final = b"2PAY.SYS.DDF01"


@unique
class FileId(IntEnum):
    """File numbers; the low five bits are the short identifier (SFI) of those below 0020."""

    MASTER = 0x3F00
    PURSE_APPLICATION = 0x3F01
    SAM_APPLICATION = 0xDF01
    KEYS = 0x0000
    DEPOSIT = 0x0001
    PURSE = 0x0002
    PUBLIC = 0x0015
    HOLDER = 0x0016
    MANAGEMENT = 0x0017
    LOG = 0x0018
    SEGMENTS = 0x0019
    SEGMENTS_MORE = 0x001A
    TRIPS = 0x001E


PUBLIC_BYTES: Final = 30
HOLDER_BYTES: Final = 55
MANAGEMENT_BYTES: Final = 60
LOG_BYTES: Final = 23
LOG_RECORDS: Final = 10
TRIP_BYTES: Final = 48
TRIP_RECORDS: Final = 10
SEGMENT_BYTES: Final = 128


def sfi(file_id: int) -> int:
    """The short identifier of a file."""
    return file_id & 0x1F


def _digits(data: bytes) -> str:
    text = data.hex()
    if not text.isdecimal():
        raise ValueError("not BCD")
    return text


def _date(data: bytes) -> date | None:
    text = _digits(data)
    return datetime.strptime(text, "%Y%m%d").date() if text.strip("0") else None  # noqa: DTZ007 - a date, no moment


def _bcd_date(day: date | None) -> bytes:
    return bytes.fromhex(day.strftime("%Y%m%d")) if day else bytes(4)


@dataclass(frozen=True, slots=True)
class PublicData:
    """File 0015 公共应用信息: issuer 8 | application type 1 | version 1 | serial 10 | from 4 | until 4 | FCI of the issuer 2.

    `issuer` is the area factor of the card's operator, so that a SAM can be given it as it stands.
    """

    issuer: bytes
    card_no: int
    valid_from: date | None
    valid_until: date | None
    application_type: int = 2
    version: int = 1
    fci: bytes = b"\x55\x66"

    @classmethod
    def of_card(cls, operator_id: int, card_no: int, *, valid_from: date | None, valid_until: date | None) -> "PublicData":
        """What the platform writes on a card of an operator."""
        return cls(area_factor(operator_id), card_no, valid_from, valid_until)

    @property
    def operator_id(self) -> int | None:
        """The operator the issuer code names; None where it is no code of this platform."""
        text = self.issuer.hex()
        return int(text[:8]) if text.isdecimal() and text[:8] == text[8:] and int(text[:8]) else None

    def card_factor(self) -> bytes:
        """What keys of this card are diversified with: the last 16 digits of the serial number."""
        return card_factor(self.card_no)

    def __bytes__(self) -> bytes:
        head = self.issuer + bytes((self.application_type, self.version)) + bytes.fromhex(f"{self.card_no:020d}")
        return head + _bcd_date(self.valid_from) + _bcd_date(self.valid_until) + self.fci

    @classmethod
    def parse(cls, data: bytes) -> "PublicData":
        """The reverse."""
        if len(data) != PUBLIC_BYTES:
            raise ValueError(f"file 0015 has {PUBLIC_BYTES} bytes")
        return cls(
            issuer=data[:8],
            application_type=data[8],
            version=data[9],
            card_no=int(_digits(data[10:20])),
            valid_from=_date(data[20:24]),
            valid_until=_date(data[24:28]),
            fci=data[28:30],
        )


@dataclass(frozen=True, slots=True)
class HolderData:
    """File 0016 持卡人信息: card type 1 | staff flag 1 | name 20 | document number 32 | document type 1."""

    card_type: int
    name: str = ""
    document_no: str = ""
    document_type: int = 0
    staff: int = 0

    def __bytes__(self) -> bytes:
        name = _cut_text(self.name, 20).ljust(20, b"\0")
        number = _cut_text(self.document_no, 32).ljust(32, b"\0")
        return bytes((self.card_type, self.staff)) + name + number + bytes((self.document_type,))

    @classmethod
    def parse(cls, data: bytes) -> "HolderData":
        """The reverse."""
        if len(data) != HOLDER_BYTES:
            raise ValueError(f"file 0016 has {HOLDER_BYTES} bytes")
        name, number = (part.rstrip(b"\0\xff ").decode("gb18030") for part in (data[2:22], data[22:54]))
        return cls(card_type=data[0], staff=data[1], name=name, document_no=number, document_type=data[54])


def _cut_text(text: str, size: int) -> bytes:
    """As many whole characters as fit."""
    data = b""
    for character in text:
        piece = character.encode("gb18030")
        if len(data) + len(piece) > size:
            break
        data += piece
    return data


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record of file 0018: sequence 2 | overdraft 3 | amount 4 | type 1 | terminal 6 | date 4 | time 3; 1 is the newest."""

    counter: int
    amount_fen: int
    transaction_type: int
    terminal_no: int
    moment: bytes
    overdraft_fen: int = 0

    @property
    def occurred_at(self) -> datetime:
        """Date and time as the terminal gave them. Raises ValueError where they are none."""
        return parse_bcd_moment(self.moment)

    def __bytes__(self) -> bytes:
        head = self.counter.to_bytes(2, "big") + self.overdraft_fen.to_bytes(3, "big") + self.amount_fen.to_bytes(4, "big")
        return head + bytes((self.transaction_type,)) + terminal_bytes(self.terminal_no) + self.moment

    @classmethod
    def parse(cls, data: bytes) -> "LogRecord":
        """The reverse."""
        if len(data) != LOG_BYTES:
            raise ValueError(f"a log record has {LOG_BYTES} bytes")
        return cls(
            counter=int.from_bytes(data[:2], "big"),
            overdraft_fen=int.from_bytes(data[2:5], "big"),
            amount_fen=int.from_bytes(data[5:9], "big"),
            transaction_type=data[9],
            terminal_no=int.from_bytes(data[10:16], "big"),
            moment=data[16:23],
        )


@dataclass(frozen=True, slots=True)
class TripRecord:
    """A record of SFI 1E (JT/T 978), 48 bytes: type 1 | terminal 8 | mode 1 | line and station 7 | amount 4 | balance 4 |
    time 7 | city 2 | acquirer 8 | reserved 6. Types: 2 single ride, 3 in, 4 out; modes: 1 metro, 2 bus, 0 other.
    """

    trip_type: int
    terminal: bytes
    mode: int
    line_station: bytes
    amount_fen: int
    balance_fen: int
    moment: bytes
    city: bytes
    acquirer: bytes
    reserved: bytes = bytes(6)

    @classmethod
    def single(
        cls, terminal_no: int, *, amount_fen: int, balance_fen: int, at: datetime, city: bytes, acquirer: bytes
    ) -> "TripRecord":
        """A single ride outside any line."""
        terminal = terminal_no.to_bytes(8, "big")
        return cls(2, terminal, 0, bytes(7), amount_fen, balance_fen, bcd_moment(at), city, acquirer)

    def __bytes__(self) -> bytes:
        head = bytes((self.trip_type,)) + self.terminal + bytes((self.mode,)) + self.line_station
        money = self.amount_fen.to_bytes(4, "big") + self.balance_fen.to_bytes(4, "big")
        return head + money + self.moment + self.city + self.acquirer + self.reserved

    @classmethod
    def parse(cls, data: bytes) -> "TripRecord":
        """The reverse."""
        if len(data) != TRIP_BYTES:
            raise ValueError(f"a trip record has {TRIP_BYTES} bytes")
        return cls(
            trip_type=data[0],
            terminal=data[1:9],
            mode=data[9],
            line_station=data[10:17],
            amount_fen=int.from_bytes(data[17:21], "big"),
            balance_fen=int.from_bytes(data[21:25], "big"),
            moment=data[25:32],
            city=data[32:34],
            acquirer=data[34:42],
            reserved=data[42:48],
        )


@dataclass(frozen=True, slots=True)
class SamPublicData:
    """File 0015 of a SAM: serial 10 | version 1 | kind of key card 1 | FCI of the issuer 2."""

    sam_no: int
    version: int = 1
    kind: int = 0
    fci: bytes = bytes(2)

    def __bytes__(self) -> bytes:
        return bytes.fromhex(f"{self.sam_no:020d}") + bytes((self.version, self.kind)) + self.fci

    @classmethod
    def parse(cls, data: bytes) -> "SamPublicData":
        """The reverse."""
        if len(data) != 14:
            raise ValueError("file 0015 of a SAM has 14 bytes")
        return cls(sam_no=int(_digits(data[:10])), version=data[10], kind=data[11], fci=data[12:14])
