"""The virtual cards a reader can hold (C4): a CPU card, the same applet on a SIM or in a phone, and a card with a UID only."""

import secrets
from enum import StrEnum, unique
from pathlib import Path
from typing import ClassVar, Final

from onecard.protocol.purse.apdu import Command, Response, Status
from onecard.protocol.purse.ciphers import Algorithm
from onecard.terminal.card import fileops, keyops, purse
from onecard.terminal.card.state import blank_state
from onecard.terminal.card.store import FileStore, MemoryStore, Store
from onecard.terminal.card.system import ChipSystem, Handlers, Random, Refused
from onecard.terminal.reader.errors import CardRemoved

GET_UID: Final = bytes.fromhex("FFCA000000")
"""PC/SC's pseudo command for the UID; a real reader answers it itself, on a bare virtual slot the card does."""


@unique
class Medium(StrEnum):
    """What carries the applet."""

    CARD = "card"
    SIM = "sim"


def contactless_atr(historical: bytes) -> bytes:
    """The ATR a PC/SC reader makes up for a contactless CPU card (PC/SC part 3): 3B 8n 80 01, historical bytes, check byte."""
    body = bytes((0x80 | len(historical), 0x80, 0x01)) + historical
    check = 0
    for byte in body:
        check ^= byte
    return b"\x3b" + body + bytes((check,))


ATRS: Final = {
    Medium.CARD: contactless_atr(b"\x80OneCard"),
    Medium.SIM: b"\x3b\x09" + b"\x80OC-SIM\x01\x00",
}
"""By medium: the contactless card speaks T=CL, the SIM T=0."""


def get_uid(chip: ChipSystem, command: Command) -> bytes:
    """FF CA 00 00: the UID. A phone's changes from touch to touch and identifies nobody, so a SIM gives none."""
    if not chip.state.uid:
        raise Refused(Status.FUNCTION_NOT_SUPPORTED)
    return bytes.fromhex(chip.state.uid)


class VirtualCard(ChipSystem):
    """A CPU card with the purse application. `VirtualCard.create(store, transport_key=…)` makes a blank one."""

    handlers: ClassVar[Handlers] = {
        **fileops.HANDLERS,
        **keyops.HANDLERS,
        **purse.HANDLERS,
        (0xF0, 0xCA): get_uid,
    }
    continuing: ClassVar[frozenset[tuple[int, int]]] = purse.CONTINUING
    while_blocked: ClassVar[frozenset[tuple[int, int]]] = keyops.WHILE_BLOCKED

    @classmethod
    def create(
        cls, store: Store, *, transport_key: bytes, medium: Medium = Medium.CARD, uid: bytes | None = None,
        algorithm: Algorithm = Algorithm.DES3, random: Random = secrets.token_bytes,
    ) -> "VirtualCard":  # fmt: skip
        """A blank card as the maker delivers it: nothing but its transport key. A SIM has no UID."""
        if medium is Medium.SIM:
            uid = b""
        elif uid is None:
            uid = b"\x08" + random(3)
        store.commit(blank_state(atr=ATRS[medium], uid=uid, algorithm=algorithm, transport_key=transport_key).image())
        return cls(store, random=random)

    @classmethod
    def in_memory(
        cls, *, transport_key: bytes, medium: Medium = Medium.CARD, random: Random = secrets.token_bytes
    ) -> "VirtualCard":
        """A blank card that lives as long as the process."""
        return cls.create(MemoryStore(), transport_key=transport_key, medium=medium, random=random)

    @classmethod
    def open(cls, path: Path, *, durable: bool = True) -> "VirtualCard":
        """The card in a file. Raises FileNotFoundError."""
        return cls(FileStore(path, durable=durable))


class UidCard:
    """A card that serves for identity only: a UID, and no command but asking for it."""

    ATR: Final = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")
    """Of a contactless storage card (PC/SC part 3)."""

    def __init__(self, uid: bytes) -> None:
        assert len(uid) in (4, 7, 10)
        self._uid = uid
        self._powered = False

    def power_on(self) -> bytes:
        """See Chip."""
        self._powered = True
        return self.ATR

    def power_off(self) -> None:
        """See Chip."""
        self._powered = False

    def transmit(self, command: bytes) -> bytes:
        """See Chip."""
        if not self._powered:
            raise CardRemoved
        if command[:4] == GET_UID[:4]:
            return bytes(Response(self._uid, Status.OK))
        return bytes(Response(b"", Status.WRONG_CLASS if len(command) >= 4 else Status.WRONG_LENGTH))
