"""Keys, cards and SAMs for tests: the artificial master keys of the vectors, and a source of keys as the vault would be one."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from onecard.protocol.purse import secure
from onecard.protocol.purse.apdu import Command, Response
from onecard.protocol.purse.ciphers import Algorithm
from onecard.protocol.purse.diversify import card_factor, diversify_path
from onecard.protocol.purse.files import HolderData, PublicData, SamPublicData
from onecard.protocol.purse.perso import CardKey, Exchange, PersoPlan, personalise
from onecard.protocol.purse.perso_card import PurseProfile, purse_plan
from onecard.protocol.purse.perso_sam import sam_plan
from onecard.terminal.card.virtual import VirtualCard
from onecard.terminal.reader.base import Reader, exchange
from onecard.terminal.reader.local import LocalReader
from onecard.terminal.sam.virtual import VirtualSam

_FILE = Path(__file__).parents[3] / "shared" / "data" / "pboc-vectors.json"
TRANSPORT = bytes.fromhex("303132333435363738393A3B3C3D3E3F")
MASTERS = {
    CardKey.PURCHASE: bytes.fromhex("404142434445464748494A4B4C4D4E4F"),
    CardKey.LOAD: bytes.fromhex("505152535455565758595A5B5C5D5E5F"),
    CardKey.TAC: bytes.fromhex("606162636465666768696A6B6C6D6E6F"),
    CardKey.APP_MAINTENANCE: bytes.fromhex("707172737475767778797A7B7C7D7E7F"),
} | {
    use: bytes(range(0x80 + 8 * place, 0x90 + 8 * place))
    for place, use in enumerate(
        (CardKey.UNLOAD, CardKey.CARD_CONTROL, CardKey.CARD_MAINTENANCE, CardKey.APP_CONTROL, CardKey.PIN_UNBLOCK,
         CardKey.PIN_RELOAD, CardKey.BLOCK, CardKey.SAM_CONTROL)
    )
}  # fmt: skip
AREA = bytes.fromhex("4403000044030000")
CARD_NO = 1000000000000123
TERMINAL_NO = 0x440300000001


def load_vectors() -> dict[str, Any]:
    if not _FILE.exists():
        pytest.skip("the published vectors (shared/data/pboc-vectors.json) are not there")
    content = json.loads(_FILE.read_text())
    return {vector["id"]: vector for group in ("published", "derived", "records") for vector in content[group]}


class Keys:
    """A source of keys for one card (factors given) or SAM (none)."""

    def __init__(self, *factors: bytes, algorithm: Algorithm = Algorithm.DES3, version: int = 1) -> None:
        self.factors = factors
        self.algorithm = algorithm
        self.version = version

    def key(self, use: str, *, initial: bool = False) -> bytes:
        return TRANSPORT if initial else diversify_path(self.algorithm, MASTERS[CardKey(use)], self.factors)

    def versions(self) -> dict[CardKey, tuple[int, int, int]]:
        return {use: (self.version, 1, int(self.algorithm)) for use in MASTERS}

    def external_authentication(self, use: str, challenge: bytes, *, initial: bool) -> bytes:
        return secure.external_authentication(self.algorithm, self.key(use, initial=initial), challenge)

    def key_command(self, header: bytes, plain_prefix: bytes, use: str, *, challenge: bytes, under: str, initial: bool) -> bytes:
        body = secure.cipher_body(self.algorithm, self.key(under, initial=initial), plain_prefix + self.key(use))
        mac = self.mac(header, body, challenge=challenge, under=under, initial=initial)
        return header + bytes((len(body) + 4,)) + body + mac

    def mac(self, header: bytes, body: bytes, *, challenge: bytes, under: str, initial: bool) -> bytes:
        return secure.command_mac(self.algorithm, self.key(under, initial=initial), header, body, challenge=challenge)


def card_keys(card_no: int = CARD_NO, algorithm: Algorithm = Algorithm.DES3) -> Keys:
    return Keys(AREA, card_factor(card_no), algorithm=algorithm)


def card_plan(keys: Keys, card_no: int = CARD_NO, *, pin: bytes | None = None, with_deposit: bool = False) -> PersoPlan:
    public = PublicData(AREA, card_no, None, None)
    profile = PurseProfile(public, HolderData(1, "张三", "440300199001011234", 1), pin=pin, with_deposit=with_deposit)
    return purse_plan(profile, keys.versions(), algorithm=keys.algorithm)


def module_plan(keys: Keys, terminal_no: int = TERMINAL_NO) -> PersoPlan:
    return sam_plan(SamPublicData(77), terminal_no, keys.versions(), algorithm=keys.algorithm)


def run(reader: Reader, commands: Generator[Exchange, Response, Any]) -> Any:
    """Drive personalisation commands over a reader; the generator's result."""
    try:
        step = next(commands)
        while True:
            step = commands.send(exchange(reader, step.command))
    except StopIteration as done:
        return done.value


def make_card(
    card_no: int = CARD_NO, *, algorithm: Algorithm = Algorithm.DES3, pin: bytes | None = None, with_deposit: bool = False,
    **arguments: Any,
) -> VirtualCard:  # fmt: skip
    """A personalised card in memory, powered down."""
    card = VirtualCard.in_memory(transport_key=TRANSPORT, **arguments)
    card.state.algorithm = algorithm
    card._store.commit(card.state.image())
    reader = LocalReader(card)
    reader.connect()
    keys = card_keys(card_no, algorithm)
    run(reader, personalise(card_plan(keys, card_no, pin=pin, with_deposit=with_deposit), keys))
    reader.disconnect()
    return card


def make_sam(algorithm: Algorithm = Algorithm.DES3) -> VirtualSam:
    """A personalised SAM in memory, powered down."""
    sam = VirtualSam.in_memory(transport_key=TRANSPORT)
    sam.state.algorithm = algorithm
    sam._store.commit(sam.state.image())
    reader = LocalReader(sam)
    reader.connect()
    keys = Keys(algorithm=algorithm)
    run(reader, personalise(module_plan(keys), keys))
    reader.disconnect()
    return sam


def say(reader: Reader, text: str) -> str:
    """Hex there, hex back."""
    return reader.transmit(bytes.fromhex(text)).hex().upper()


def send(reader: Reader, command: Command) -> Response:
    return exchange(reader, command)
