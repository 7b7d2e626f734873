"""Every command of a purse card and its answer as values: `build` functions give a Command, answers `parse` from Response data.

Byte layouts are those of standards 1.5–1.9. A parser raises ValueError where the length is another.
SAM commands are in samcommands.py.
"""

from dataclasses import dataclass
from enum import IntEnum, unique

from onecard.protocol.purse.apdu import Command
from onecard.protocol.purse.ciphers import MAC_BYTES, Algorithm
from onecard.protocol.purse.proofs import Load, terminal_bytes


@unique
class PurseKind(IntEnum):
    """Which purse of the card: 电子存折 ED (asks for the PIN) or 电子钱包 EP."""

    DEPOSIT = 1
    PURSE = 2


@unique
class Block(IntEnum):
    """P2 of APPLICATION BLOCK."""

    TEMPORARY = 0
    FOR_GOOD = 1


def _sized(data: bytes, size: int, name: str) -> bytes:
    if len(data) != size:
        raise ValueError(f"{name}: {len(data)} bytes instead of {size}")
    return data


# ---- files


def select_name(name: bytes) -> Command:
    """SELECT an application by its AID, or the directory of applications by its name."""
    return Command(0x00, 0xA4, 0x04, 0x00, name, 256)


def select_file(file_id: int) -> Command:
    """SELECT by file number."""
    return Command(0x00, 0xA4, 0x00, 0x00, file_id.to_bytes(2, "big"), 256)


def read_binary(sfi: int, size: int, *, offset: int = 0) -> Command:
    """READ BINARY of a file by its short identifier."""
    return Command(0x00, 0xB0, 0x80 | sfi, offset, le=size)


def read_record(sfi: int, number: int, size: int) -> Command:
    """READ RECORD; 1 is the newest of a log."""
    return Command(0x00, 0xB2, number, sfi << 3 | 0x04, le=size)


def update_binary(sfi: int, data: bytes, *, offset: int = 0) -> Command:
    """UPDATE BINARY without secure messaging."""
    return Command(0x00, 0xD6, 0x80 | sfi, offset, data)


def update_binary_header(sfi: int, *, offset: int = 0) -> bytes:
    """The header of UPDATE BINARY with secure messaging: `secured` makes the command of it."""
    return bytes((0x04, 0xD6, 0x80 | sfi, offset))


def update_record(sfi: int, number: int, data: bytes) -> Command:
    """UPDATE RECORD without secure messaging."""
    return Command(0x00, 0xDC, number, sfi << 3 | 0x04, data)


def secured(header: bytes, body: bytes, mac: bytes) -> Command:
    """A command with its line protection MAC at the end."""
    return Command.of(header, body + _sized(mac, MAC_BYTES, "MAC"))


# ---- security


def get_challenge(size: int) -> Command:
    """GET CHALLENGE of 4, 8 or 16 bytes."""
    return Command(0x00, 0x84, 0x00, 0x00, le=size)


def external_authenticate(answer: bytes, *, key_id: int = 0) -> Command:
    """EXTERNAL AUTHENTICATE."""
    return Command(0x00, 0x82, 0x00, key_id, answer)


def verify(pin: bytes, *, key_id: int = 0) -> Command:
    """VERIFY a PIN of 2…8 bytes."""
    return Command(0x00, 0x20, 0x00, key_id, pin)


def change_pin(old: bytes, new: bytes, *, key_id: int = 0) -> Command:
    """CHANGE PIN by who knows the old one."""
    return Command(0x80, 0x5E, 0x01, key_id, old + b"\xff" + new)


def unblock_pin_header(*, key_id: int = 0) -> bytes:
    """PIN UNBLOCK: the body is the new PIN, ciphered under the unblock key, the MAC under the same key."""
    return bytes((0x84, 0x24, 0x00, key_id))


def block_application_header(kind: Block) -> bytes:
    """APPLICATION BLOCK; its MAC is by the block key."""
    return bytes((0x84, 0x1E, 0x00, kind))


UNBLOCK_APPLICATION_HEADER = b"\x84\x18\x00\x00"
BLOCK_CARD_HEADER = b"\x84\x16\x00\x00"


# ---- money


def get_balance(kind: PurseKind = PurseKind.PURSE) -> Command:
    """GET BALANCE."""
    return Command(0x80, 0x5C, 0x00, kind, le=4)


def parse_balance(data: bytes) -> int:
    """The balance in fen."""
    return int.from_bytes(_sized(data, 4, "balance"), "big")


def _initialize(p1: int, kind: int, key_index: int, *, amount_fen: int, terminal_no: int, le: int) -> Command:
    body = bytes((key_index,)) + amount_fen.to_bytes(4, "big") + terminal_bytes(terminal_no)
    return Command(0x80, 0x50, p1, kind, body, le)


def initialize_for_purchase(
    amount_fen: int, terminal_no: int, *, key_index: int = 1, kind: PurseKind = PurseKind.PURSE, composite: bool = False
) -> Command:
    """INITIALIZE FOR PURCHASE, or FOR CAPP PURCHASE (复合消费)."""
    p1 = 0x03 if composite else 0x01
    return _initialize(p1, kind, key_index, amount_fen=amount_fen, terminal_no=terminal_no, le=15)


@dataclass(frozen=True, slots=True)
class PurchaseInit:
    """balance 4 | offline sequence 2 | overdraft limit 3 | key version 1 | algorithm 1 | random 4."""

    balance_fen: int
    counter: int
    overdraft_fen: int
    key_version: int
    algorithm: Algorithm
    random: bytes

    def __bytes__(self) -> bytes:
        head = self.balance_fen.to_bytes(4, "big") + self.counter.to_bytes(2, "big") + self.overdraft_fen.to_bytes(3, "big")
        return head + bytes((self.key_version, self.algorithm)) + self.random

    @classmethod
    def parse(cls, data: bytes) -> "PurchaseInit":
        """The answer's data. Raises ValueError also for an unknown algorithm."""
        _sized(data, 15, "INITIALIZE FOR PURCHASE")
        return cls(
            balance_fen=int.from_bytes(data[:4], "big"),
            counter=int.from_bytes(data[4:6], "big"),
            overdraft_fen=int.from_bytes(data[6:9], "big"),
            key_version=data[9],
            algorithm=Algorithm(data[10]),
            random=data[11:15],
        )


def cache_record(sfi: int, record: bytes, *, record_id: int = 0) -> Command:
    """UPDATE CAPP DATA CACHE: written together with the debit. Identifier 0 adds a record to a cyclic file."""
    return Command(0x80, 0xDC, record_id, sfi << 3, record)


def debit_for_purchase(terminal_seq: int, moment: bytes, mac1: bytes) -> Command:
    """DEBIT FOR PURCHASE."""
    body = terminal_seq.to_bytes(4, "big") + _sized(moment, 7, "moment") + _sized(mac1, MAC_BYTES, "MAC1")
    return Command(0x80, 0x54, 0x01, 0x00, body, 8)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a chip proves a debit with. DEBIT answers TAC | MAC2, GET TRANSACTION PROVE the other way round."""

    tac: bytes
    mac2: bytes

    def debit_answer(self) -> bytes:
        """TAC | MAC2."""
        return self.tac + self.mac2

    def prove_answer(self) -> bytes:
        """MAC2 | TAC."""
        return self.mac2 + self.tac

    @classmethod
    def parse_debit(cls, data: bytes) -> "Proof":
        """Of DEBIT FOR PURCHASE."""
        _sized(data, 8, "DEBIT")
        return cls(tac=data[:4], mac2=data[4:])

    @classmethod
    def parse_prove(cls, data: bytes) -> "Proof":
        """Of GET TRANSACTION PROVE."""
        _sized(data, 8, "GET TRANSACTION PROVE")
        return cls(tac=data[4:], mac2=data[:4])


def get_transaction_prove(transaction_type: int, counter: int) -> Command:
    """GET TRANSACTION PROVE; `counter` is the sequence before the transaction (the command carries it plus one)."""
    return Command(0x80, 0x5A, 0x00, transaction_type, (counter + 1 & 0xFFFF).to_bytes(2, "big"), 8)


def initialize_for_load(amount_fen: int, terminal_no: int, *, key_index: int = 1, kind: PurseKind = PurseKind.PURSE) -> Command:
    """INITIALIZE FOR LOAD."""
    return _initialize(0x00, kind, key_index, amount_fen=amount_fen, terminal_no=terminal_no, le=16)


def initialize_for_unload(amount_fen: int, terminal_no: int, *, key_index: int = 1, kind: PurseKind = PurseKind.PURSE) -> Command:
    """INITIALIZE FOR UNLOAD."""
    return _initialize(0x05, kind, key_index, amount_fen=amount_fen, terminal_no=terminal_no, le=16)


@dataclass(frozen=True, slots=True)
class LoadInit:
    """old balance 4 | online sequence 2 | key version 1 | algorithm 1 | random 4 | MAC1 4."""

    balance_fen: int
    counter: int
    key_version: int
    algorithm: Algorithm
    random: bytes
    mac1: bytes

    def __bytes__(self) -> bytes:
        head = self.balance_fen.to_bytes(4, "big") + self.counter.to_bytes(2, "big")
        return head + bytes((self.key_version, self.algorithm)) + self.random + self.mac1

    @classmethod
    def parse(cls, data: bytes) -> "LoadInit":
        """The answer's data. Raises ValueError also for an unknown algorithm."""
        _sized(data, 16, "INITIALIZE FOR LOAD")
        return cls(
            balance_fen=int.from_bytes(data[:4], "big"),
            counter=int.from_bytes(data[4:6], "big"),
            key_version=data[6],
            algorithm=Algorithm(data[7]),
            random=data[8:12],
            mac1=data[12:16],
        )

    def load(self, amount_fen: int, transaction_type: int, *, terminal_no: int, moment: bytes = b"") -> Load:
        """What the load's proofs are made over."""
        return Load(amount_fen, transaction_type, terminal_no, self.balance_fen, self.counter, moment)


def credit_for_load(moment: bytes, mac2: bytes) -> Command:
    """CREDIT FOR LOAD; the answer is the TAC."""
    return Command(0x80, 0x52, 0x00, 0x00, _sized(moment, 7, "moment") + _sized(mac2, MAC_BYTES, "MAC2"), 4)


def debit_for_unload(moment: bytes, mac2: bytes) -> Command:
    """DEBIT FOR UNLOAD; the answer is MAC3."""
    return Command(0x80, 0x54, 0x03, 0x00, _sized(moment, 7, "moment") + _sized(mac2, MAC_BYTES, "MAC2"), 4)


def parse_tac(data: bytes) -> bytes:
    """The 4 bytes of CREDIT FOR LOAD."""
    return _sized(data, MAC_BYTES, "TAC")
