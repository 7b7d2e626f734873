"""The purse commands of the virtual card: balance, purchase, composite purchase, load, unload, and the proof after a tear.

A debit or credit changes balance, counter, log, cached records and the kept proof in one commit (system.py). The security
state of the application is dropped after each of them.
"""

import hmac
from dataclasses import dataclass

from onecard.protocol.purse import proofs
from onecard.protocol.purse.apdu import Command, Status
from onecard.protocol.purse.ciphers import Algorithm
from onecard.protocol.purse.commands import LoadInit, Proof, PurchaseInit, PurseKind
from onecard.protocol.purse.files import LogRecord
from onecard.protocol.purse.proofs import Load, Purchase, TransactionType
from onecard.terminal.card.fileops import CYCLIC, push_record
from onecard.terminal.card.state import File, Key, Purse
from onecard.terminal.card.system import ChipSystem, Handlers, Refused

TAC, UNLOAD, PURCHASE, LOAD = 0x34, 0x3D, 0x3E, 0x3F
_LOADING, _PURCHASING, _COMPOSITE, _UNLOADING = 0x00, 0x01, 0x03, 0x05
_MOST_FEN = 0xFFFF_FFFF
_LAST_COUNTER = 0xFFFF
_PIN_LEVEL = 1
_OFFLINE, _ONLINE = "offline", "online"


@dataclass(frozen=True, slots=True)
class Pending:
    """A transaction between its INITIALIZE and its DEBIT or CREDIT."""

    mode: int
    purse_no: int
    key: Key
    tac_key: Key
    amount_fen: int
    transaction_type: int
    terminal_no: int
    random: bytes

    @property
    def algorithm(self) -> Algorithm:
        """Of the key."""
        return Algorithm(self.key.second)


def get_balance(chip: ChipSystem, command: Command) -> bytes:
    """80 5C."""
    return _purse(chip, command.p2).balance.to_bytes(4, "big")


def initialize(chip: ChipSystem, command: Command) -> bytes:
    """80 50: P1 00 load, 01 purchase, 03 composite purchase, 05 unload."""
    if command.p1 not in _MODES:
        raise Refused(Status.WRONG_P1P2)
    if len(command.data) != 11:
        raise Refused(Status.WRONG_LENGTH)
    purse, kind = _purse(chip, command.p2), PurseKind(command.p2)
    key_type, types, size = _MODES[command.p1]
    chip.require_room(command, size)
    key, amount = _key(chip, key_type, command.data[0]), int.from_bytes(command.data[1:5], "big")
    pending = Pending(
        mode=command.p1,
        purse_no=purse.number,
        key=key,
        tac_key=_tac_key(chip, key),
        amount_fen=amount,
        transaction_type=types[kind is PurseKind.PURSE],
        terminal_no=int.from_bytes(command.data[5:11], "big"),
        random=chip.random(4),
    )
    _check_begin(chip, purse, pending)
    chip.session.transaction, chip.session.cache = pending, []
    if command.p1 in (_PURCHASING, _COMPOSITE):
        return bytes(PurchaseInit(purse.balance, purse.offline_counter, 0, key.first, pending.algorithm, pending.random))
    load = Load(amount, pending.transaction_type, pending.terminal_no, purse.balance, purse.online_counter)
    mac1 = proofs.mac4(pending.algorithm, _online_session(pending, purse), load.mac1_data())
    return bytes(LoadInit(purse.balance, purse.online_counter, key.first, pending.algorithm, pending.random, mac1))


_MODES = {
    _LOADING: (LOAD, (TransactionType.ED_LOAD, TransactionType.EP_LOAD), 16),
    _PURCHASING: (PURCHASE, (TransactionType.ED_PURCHASE, TransactionType.EP_PURCHASE), 15),
    _COMPOSITE: (PURCHASE, (TransactionType.COMPOSITE, TransactionType.COMPOSITE), 15),
    _UNLOADING: (UNLOAD, (TransactionType.UNLOAD, TransactionType.UNLOAD), 16),
}
"""P1 of INITIALIZE → key type, transaction type of the deposit and of the purse, bytes of the answer."""


def _check_begin(chip: ChipSystem, purse: Purse, pending: Pending) -> None:
    if purse.number == PurseKind.DEPOSIT and chip.level(chip.directory.number) < _PIN_LEVEL:
        raise Refused(Status.SECURITY_NOT_SATISFIED)
    if pending.mode == _LOADING:
        if purse.balance + pending.amount_fen > _MOST_FEN:
            raise Refused(Status.CONDITIONS_NOT_SATISFIED)
    elif pending.amount_fen > purse.balance:
        raise Refused(Status.INSUFFICIENT_BALANCE)
    is_offline = pending.mode in (_PURCHASING, _COMPOSITE)
    if (purse.offline_counter if is_offline else purse.online_counter) >= _LAST_COUNTER:
        raise Refused(Status.COUNTER_EXHAUSTED)


def debit(chip: ChipSystem, command: Command) -> bytes:
    """80 54: P1 01 for a purchase, 03 for an unload."""
    return debit_for_unload(chip, command) if command.p1 == 0x03 else debit_for_purchase(chip, command)


def debit_for_purchase(chip: ChipSystem, command: Command) -> bytes:
    """80 54 01: the terminal proves itself by MAC1; money, counter, log and cached records change together."""
    pending = _pending(chip, command, (_PURCHASING, _COMPOSITE), size=15, answer=8)
    purse = _purse(chip, pending.purse_no)
    terminal_seq, moment = int.from_bytes(command.data[:4], "big"), command.data[4:11]
    purchase = Purchase(pending.amount_fen, pending.transaction_type, pending.terminal_no, terminal_seq, moment)
    session = proofs.purchase_session(
        pending.algorithm,
        pending.key.secret,
        random=pending.random,
        card_counter=purse.offline_counter,
        terminal_seq=terminal_seq,
    )
    cache = _finish(chip, command.data[11:], proofs.mac4(pending.algorithm, session, purchase.mac1_data()))
    proof = Proof(
        tac=proofs.tac(Algorithm(pending.tac_key.second), pending.tac_key.secret, purchase.tac_data()),
        mac2=proofs.purchase_mac2(pending.algorithm, session, pending.amount_fen),
    )
    _log(chip, purse, pending, counter=purse.offline_counter, moment=moment)
    for number, record_id, record in cache:
        _write_cached(chip.need_file(chip.directory.file(number)), record_id, record)
    purse.balance -= pending.amount_fen
    purse.offline_counter += 1
    _keep_proof(purse, _OFFLINE, pending.transaction_type, proof)
    return proof.debit_answer()


def credit_for_load(chip: ChipSystem, command: Command) -> bytes:
    """80 52: the host proves itself by MAC2."""
    pending = _pending(chip, command, (_LOADING,), size=11, answer=4)
    purse, moment = _purse(chip, pending.purse_no), command.data[:7]
    load = Load(pending.amount_fen, pending.transaction_type, pending.terminal_no, purse.balance, purse.online_counter, moment)
    mac2 = proofs.mac4(pending.algorithm, _online_session(pending, purse), load.mac2_data())
    _finish(chip, command.data[7:], mac2)
    tac = proofs.tac(Algorithm(pending.tac_key.second), pending.tac_key.secret, load.tac_data())
    _log(chip, purse, pending, counter=purse.online_counter, moment=moment)
    purse.balance += pending.amount_fen
    purse.online_counter += 1
    _keep_proof(purse, _ONLINE, pending.transaction_type, Proof(tac=tac, mac2=mac2))
    return tac


def debit_for_unload(chip: ChipSystem, command: Command) -> bytes:
    """80 54 03: MAC3 over what a load's TAC is over, with the balance after the unload (unverified)."""
    pending = _pending(chip, command, (_UNLOADING,), size=11, answer=4)
    purse, moment = _purse(chip, pending.purse_no), command.data[:7]
    load = Load(pending.amount_fen, pending.transaction_type, pending.terminal_no, purse.balance, purse.online_counter, moment)
    mac2 = proofs.mac4(pending.algorithm, _online_session(pending, purse), load.mac2_data())
    _finish(chip, command.data[7:], mac2)
    head = (purse.balance - pending.amount_fen).to_bytes(4, "big") + purse.online_counter.to_bytes(2, "big")
    mac3 = proofs.tac(Algorithm(pending.tac_key.second), pending.tac_key.secret, head + load.mac2_data())
    _log(chip, purse, pending, counter=purse.online_counter, moment=moment)
    purse.balance -= pending.amount_fen
    purse.online_counter += 1
    _keep_proof(purse, _ONLINE, pending.transaction_type, Proof(tac=mac3, mac2=mac2))
    return mac3


def update_cache(chip: ChipSystem, command: Command) -> bytes:
    """80 DC: a record that the DEBIT of a composite purchase will write. P1 is its identifier, 00 a new one of a cyclic file."""
    pending = chip.session.transaction
    if not isinstance(pending, Pending) or pending.mode != _COMPOSITE:
        raise Refused(Status.CONDITIONS_NOT_SATISFIED)
    file = chip.need_file(chip.directory.file_by_sfi(command.p2 >> 3))
    _cached_index(file, command.p1, command.data)
    chip.session.cache.append((file.number, command.p1, command.data))
    return b""


def _cached_index(file: File, record_id: int, record: bytes) -> int | None:
    """Which record is meant: None for a new one. Raises Refused."""
    if file.shape == CYCLIC and record_id == 0:
        if len(record) != file.size:
            raise Refused(Status.WRONG_LENGTH)
        return None
    for index, old in enumerate(file.records):
        if old[:2] == f"{record_id:02x}":
            if len(record) * 2 != len(old):
                raise Refused(Status.WRONG_LENGTH)
            return index
    raise Refused(Status.RECORD_NOT_FOUND)


def _write_cached(file: File, record_id: int, record: bytes) -> None:
    index = _cached_index(file, record_id, record)
    if index is None:
        push_record(file, record)
    else:
        file.records[index] = record.hex()


def get_proof(chip: ChipSystem, command: Command) -> bytes:
    """80 5A: MAC2 and TAC of the transaction whose counter plus one is asked for, while it is the last of its kind."""
    if len(command.data) != 2:
        raise Refused(Status.WRONG_LENGTH)
    is_deposit = command.p2 in (TransactionType.ED_LOAD, TransactionType.ED_PURCHASE)
    purse = _purse(chip, PurseKind.DEPOSIT if is_deposit else PurseKind.PURSE)
    wanted = f"{command.p2:02x}{command.data.hex()}"
    for kept in purse.proofs.values():
        if kept.startswith(wanted):
            return bytes.fromhex(kept[len(wanted) :])
    raise Refused(Status.NO_PROOF)


# ---- what they share


def _purse(chip: ChipSystem, kind: int) -> Purse:
    if kind not in PurseKind._value2member_map_:
        raise Refused(Status.WRONG_P1P2)
    purse = chip.directory.purse(kind)
    if purse is None:
        raise Refused(Status.FILE_NOT_FOUND)
    return purse


def _key(chip: ChipSystem, kind: int, number: int) -> Key:
    key = chip.directory.key(kind, number)
    if key is None or key.second not in Algorithm._value2member_map_:
        raise Refused(Status.KEY_INDEX_UNKNOWN)
    chip.require(key.usage)
    return key


def _tac_key(chip: ChipSystem, key: Key) -> Key:
    """That of the same number, else number 00."""
    return _key(chip, TAC, key.number if chip.directory.key(TAC, key.number) else 0)


def _pending(chip: ChipSystem, command: Command, modes: tuple[int, ...], *, size: int, answer: int) -> Pending:
    pending = chip.session.transaction
    if not isinstance(pending, Pending) or pending.mode not in modes:
        raise Refused(Status.CONDITIONS_NOT_SATISFIED)
    if len(command.data) != size:
        raise Refused(Status.WRONG_LENGTH)
    chip.require_room(command, answer)
    return pending


def _finish(chip: ChipSystem, mac: bytes, expected: bytes) -> list[tuple[int, int, bytes]]:
    """End the transaction, whatever comes of it: its cached records, if the MAC is right. Raises Refused 9302."""
    cache, chip.session.cache, chip.session.transaction = chip.session.cache, [], None
    if not hmac.compare_digest(mac, expected):
        raise Refused(Status.MAC_WRONG)
    chip.session.levels[chip.directory.number] = 0
    return cache


def _online_session(pending: Pending, purse: Purse) -> bytes:
    return proofs.load_session(pending.algorithm, pending.key.secret, random=pending.random, online_counter=purse.online_counter)


def _log(chip: ChipSystem, purse: Purse, pending: Pending, *, counter: int, moment: bytes) -> None:
    file = chip.directory.file_by_sfi(purse.log & 0x1F)
    if file is not None and file.shape == CYCLIC:
        push_record(file, bytes(LogRecord(counter, pending.amount_fen, pending.transaction_type, pending.terminal_no, moment)))


def _keep_proof(purse: Purse, kind: str, transaction_type: int, proof: Proof) -> None:
    counter = purse.offline_counter if kind == _OFFLINE else purse.online_counter
    purse.proofs[kind] = f"{transaction_type:02x}{counter:04x}{proof.prove_answer().hex()}"


HANDLERS: Handlers = {
    (0x80, 0x5C): get_balance,
    (0x80, 0x50): initialize,
    (0x80, 0x54): debit,
    (0x80, 0x52): credit_for_load,
    (0x80, 0xDC): update_cache,
    (0x80, 0x5A): get_proof,
}
CONTINUING = frozenset({(0x80, 0x54), (0x80, 0x52), (0x80, 0xDC)})
