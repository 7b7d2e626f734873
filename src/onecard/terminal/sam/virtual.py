"""The commands of the virtual PSAM: MAC1 and MAC2 of purchases, ciphers and MACs under a card's derived key.

A key's type byte is its usage: diversification levels in the upper three bits, purpose in the lower five
(2 purchase, 4 TAC, 5 MAC).
"""

import hmac
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from onecard.protocol.purse import proofs
from onecard.protocol.purse.apdu import Command, Status
from onecard.protocol.purse.ciphers import MAC_BYTES, Algorithm, cbc_mac, encrypt_ecb, retail_mac
from onecard.protocol.purse.diversify import FACTOR_BYTES, diversify_path
from onecard.protocol.purse.files import FileId
from onecard.protocol.purse.perso_sam import PURPOSE_PURCHASE
from onecard.protocol.purse.proofs import Purchase, TransactionType
from onecard.protocol.purse.samcommands import SamPurchase
from onecard.terminal.card import fileops, keyops
from onecard.terminal.card.state import Key, blank_state
from onecard.terminal.card.store import FileStore, MemoryStore, Store
from onecard.terminal.card.system import ChipSystem, Handlers, Random, Refused

ATR: Final = b"\x3b\x09" + b"\x80OC-SAM\x01\x00"
_LAST_SEQ: Final = 0xFFFF_FFFF
_TYPES: Final = (TransactionType.ED_PURCHASE, TransactionType.EP_PURCHASE, TransactionType.COMPOSITE)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the SAM holds between two commands: of a purchase its MAC2, of a cipher its key."""

    algorithm: Algorithm
    key: bytes
    mac2: bytes = b""


def init_for_purchase(chip: ChipSystem, command: Command) -> bytes:
    """80 70: the next terminal sequence and MAC1. The sequence counts on even if nothing comes of the purchase."""
    try:
        asked = SamPurchase.parse(command.data)
    except ValueError:
        raise Refused(Status.WRONG_LENGTH) from None
    chip.require_room(command, 8)
    if asked.transaction_type not in _TYPES:
        raise Refused(Status.WRONG_DATA)
    factors = [asked.area, asked.card] if asked.area else [asked.card]
    key = _purchase_key(chip, asked, levels=len(factors))
    if chip.state.transaction_seq >= _LAST_SEQ:
        raise Refused(Status.COUNTER_EXHAUSTED)
    chip.state.transaction_seq += 1
    seq, algorithm = chip.state.transaction_seq, Algorithm(asked.algorithm)
    purchase = Purchase(asked.amount_fen, asked.transaction_type, _terminal_no(chip), seq, asked.moment)
    card_key = diversify_path(algorithm, key.secret, factors)
    session = proofs.purchase_session(algorithm, card_key, random=asked.random, card_counter=asked.counter, terminal_seq=seq)
    chip.session.prepared = Prepared(algorithm, session, proofs.purchase_mac2(algorithm, session, asked.amount_fen))
    return seq.to_bytes(4, "big") + proofs.mac4(algorithm, session, purchase.mac1_data())


def _purchase_key(chip: ChipSystem, asked: SamPurchase, *, levels: int) -> Key:
    wanted = (levels << 5 | PURPOSE_PURCHASE, asked.key_version, asked.algorithm)
    for key in chip.directory.keys:
        if (key.kind, key.first, key.second) == wanted and key.second in Algorithm._value2member_map_:
            return key
    raise Refused(Status.KEY_INDEX_UNKNOWN)


def _terminal_no(chip: ChipSystem) -> int:
    file = chip.state.master.file(FileId.HOLDER)
    if file is None or len(file.records[0]) != 12:
        raise Refused(Status.CONDITIONS_NOT_SATISFIED)
    return int(file.records[0], 16)


def credit(chip: ChipSystem, command: Command) -> bytes:
    """80 72: the card's MAC2 of the purchase prepared last; also one fetched later by GET TRANSACTION PROVE."""
    prepared = chip.session.prepared
    if not isinstance(prepared, Prepared) or not prepared.mac2:
        raise Refused(Status.CONDITIONS_NOT_SATISFIED)
    if len(command.data) != MAC_BYTES:
        raise Refused(Status.WRONG_LENGTH)
    if not hmac.compare_digest(command.data, prepared.mac2):
        raise Refused(Status.MAC_WRONG)
    chip.session.prepared = None
    return b""


def init_for_cipher(chip: ChipSystem, command: Command) -> bytes:
    """80 1A: P1 is the key's usage byte, P2 its number; the body the factors, card first."""
    key = chip.directory.key(command.p1, command.p2)
    levels = command.p1 >> 5
    if key is None or command.p1 & 0x1F == PURPOSE_PURCHASE or key.second not in Algorithm._value2member_map_:
        raise Refused(Status.KEY_INDEX_UNKNOWN)
    if len(command.data) != levels * FACTOR_BYTES:
        raise Refused(Status.WRONG_LENGTH)
    factors = [command.data[at : at + FACTOR_BYTES] for at in range(0, len(command.data), FACTOR_BYTES)]
    algorithm = Algorithm(key.second)
    chip.session.prepared = Prepared(algorithm, diversify_path(algorithm, key.secret, reversed(factors)))
    return b""


def _prepared_key(chip: ChipSystem) -> Prepared:
    prepared = chip.session.prepared
    if not isinstance(prepared, Prepared) or prepared.mac2:
        raise Refused(Status.CONDITIONS_NOT_SATISFIED)
    return prepared


def cipher(chip: ChipSystem, command: Command) -> bytes:
    """80 FA: P1 00 enciphers whole blocks, P1 05 makes a MAC from an IV and data."""
    prepared = _prepared_key(chip)
    size = prepared.algorithm.block_bytes
    if command.p1 == 0x00:
        if not command.data or len(command.data) % size:
            raise Refused(Status.WRONG_LENGTH)
        return encrypt_ecb(prepared.algorithm, prepared.key, command.data)
    if command.p1 != 0x05:
        raise Refused(Status.WRONG_P1P2)
    if len(command.data) <= size:
        raise Refused(Status.WRONG_LENGTH)
    iv, data = command.data[:size], command.data[size:]
    if prepared.algorithm is Algorithm.DES3:
        return retail_mac(prepared.key, data, iv=iv)[:MAC_BYTES]
    return cbc_mac(prepared.algorithm, prepared.key, data, iv=iv)[:MAC_BYTES]


def check_authentication_code(chip: ChipSystem, command: Command) -> bytes:
    """80 CA: factors and a code of 4 bytes; the code is a MAC over the card's factor under the prepared key (unverified)."""
    prepared = _prepared_key(chip)
    if len(command.data) not in (FACTOR_BYTES + MAC_BYTES, 2 * FACTOR_BYTES + MAC_BYTES):
        raise Refused(Status.WRONG_LENGTH)
    expected = cbc_mac(prepared.algorithm, prepared.key, command.data[:FACTOR_BYTES])[:MAC_BYTES]
    if not hmac.compare_digest(command.data[-MAC_BYTES:], expected):
        raise Refused(Status.MAC_WRONG)
    return b""


class VirtualSam(ChipSystem):
    """A PSAM. `VirtualSam.create(store, transport_key=…)` makes a blank one; the sequence goes on where the store left it."""

    handlers: ClassVar[Handlers] = {
        **fileops.HANDLERS,
        **keyops.HANDLERS,
        (0x80, 0x70): init_for_purchase,
        (0x80, 0x72): credit,
        (0x80, 0x1A): init_for_cipher,
        (0x80, 0xFA): cipher,
        (0x80, 0xCA): check_authentication_code,
    }
    while_blocked: ClassVar[frozenset[tuple[int, int]]] = keyops.WHILE_BLOCKED

    @classmethod
    def create(
        cls, store: Store, *, transport_key: bytes, algorithm: Algorithm = Algorithm.DES3, random: Random = secrets.token_bytes
    ) -> "VirtualSam":
        """A blank SAM as the maker delivers it."""
        store.commit(blank_state(atr=ATR, uid=b"", algorithm=algorithm, transport_key=transport_key).image())
        return cls(store, random=random)

    @classmethod
    def in_memory(cls, *, transport_key: bytes, random: Random = secrets.token_bytes) -> "VirtualSam":
        """A blank SAM that lives as long as the process."""
        return cls.create(MemoryStore(), transport_key=transport_key, random=random)

    @classmethod
    def open(cls, path: Path, *, durable: bool = True) -> "VirtualSam":
        """The SAM in a file. Raises FileNotFoundError."""
        return cls(FileStore(path, durable=durable))
