"""Chip columns and loads on the native protocol: what is refused, how batches are merged, what a journal keeps."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from onecard.gateway import fuzz
from onecard.kernel.codes import Operation, Result
from onecard.protocol.native import NativeViolationError, append_records, check_load, check_records
from onecard.protocol.proto.records_pb2 import ChipDetails, ChipLoad, PayCodes, Records
from onecard.terminal.journal import ChipPart, Journal, JournalRecord, State, build_records

TERMINAL = 7
CARD = 1000010000000017
AT = 1_772_337_600_000_000
CHIP = ChipPart(3, 5000, 0x1001, 9, 6, 1, 0, 0xDEADBEEF, False)


def record(seq: int, *, chip: ChipPart | None = CHIP) -> JournalRecord:
    op = Operation.CHIP_PURCHASE if chip else Operation.ADVICE
    return JournalRecord(TERMINAL, seq, op, CARD, 500, AT, chip=chip)


def batch(*chips: bool) -> Records:
    return build_records([record(seq, chip=CHIP if chip else None) for seq, chip in enumerate(chips, 1)])


def test_right_chip_columns_pass() -> None:
    assert check_records(batch(False, True, True, False), {TERMINAL}) == 4
    assert not batch(False).HasField("chip")


@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (lambda r: r.ClearField("chip"), "chip.row"),
        (lambda r: r.chip.row.__setitem__(0, 0), "chip.row"),
        (lambda r: r.chip.row.__setitem__(1, 9), "chip.row out of range"),
        (lambda r: r.chip.row.__setitem__(0, -1), "chip.row out of range"),
        (lambda r: r.chip.row.reverse(), "chip.row does not rise"),
        (lambda r: r.chip.row.__setitem__(0, 2), "chip.row does not rise"),
        (lambda r: r.chip.row.pop(), "chip.row is not"),
        (lambda r: r.op.__setitem__(1, Operation.ADVICE), "chip.row is not"),
        (lambda r: r.chip.tac.pop(), "chip.tac"),
        (lambda r: r.chip.gray.append(True), "chip.gray"),
        (lambda r: r.chip.card_counter.__setitem__(0, 65_536), "chip.card_counter"),
        (lambda r: r.chip.sam_terminal_no.__setitem__(0, 1 << 48), "chip.sam_terminal_no"),
        (lambda r: r.chip.transaction_type.__setitem__(0, 2), "chip.transaction_type"),
        (lambda r: r.chip.key_version.__setitem__(0, 256), "chip.key_version"),
        (lambda r: r.amount_fen.__setitem__(1, 1 << 32), "record 1"),
        (lambda r: r.occurred_at_us.__setitem__(2, AT + 1), "record 2"),
        (lambda r: r.pay_codes.MergeFrom(PayCodes(row=[0])), "pay_codes"),
        (lambda r: r.pay_codes.MergeFrom(PayCodes(row=[4], code=[b""])), "pay_codes.row"),
    ],
)
def test_a_wrong_chip_column_is_named(spoil: Any, names: str) -> None:
    records = batch(False, True, True)
    spoil(records)
    with pytest.raises(NativeViolationError, match=names):
        check_records(records, {TERMINAL})


def test_chip_columns_without_a_chip_purchase_are_refused() -> None:
    records = batch(False)
    records.chip.MergeFrom(ChipDetails(row=[0], card_counter=[1]))
    with pytest.raises(NativeViolationError, match=r"chip\.row"):
        check_records(records, {TERMINAL})


def test_merged_batches_keep_their_rows_together() -> None:
    whole = Records()
    parts = [batch(False, True), batch(False), batch(True, True)]
    parts[2].pay_codes.MergeFrom(PayCodes(row=[1], code=[b"x"]))
    for part in parts:
        append_records(whole, part)
    assert list(whole.chip.row) == [1, 3, 4]
    assert list(whole.pay_codes.row) == [4]
    assert [whole.op[row] for row in whole.chip.row] == [Operation.CHIP_PURCHASE] * 3
    assert len(whole.chip.tac) == 3


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"terminal_id": 8}, Result.TERMINAL_NOT_ALLOWED),
        ({"step": 0}, Result.FORMAT),
        ({"terminal_seq": 0}, Result.FORMAT),
        ({"amount_fen": 0}, Result.FORMAT),
        ({"amount_fen": 1 << 32}, Result.FORMAT),
        ({"transaction_type": 6}, Result.FORMAT),
        ({"sam_terminal_no": 1 << 48}, Result.FORMAT),
        ({"online_counter": 65_536}, Result.FORMAT),
        ({"occurred_at_us": 0}, Result.FORMAT),
    ],
)
def test_a_wrong_load_is_refused_by_its_field(change: dict[str, int], code: Result) -> None:
    right = {
        "step": 1, "terminal_id": TERMINAL, "terminal_seq": 1, "card_no": CARD, "amount_fen": 100, "occurred_at_us": AT,
        "transaction_type": 2, "sam_terminal_no": 1,
    }  # fmt: skip
    check_load(ChipLoad(**right), {TERMINAL})  # type: ignore[arg-type]
    with pytest.raises(NativeViolationError) as refused:
        check_load(ChipLoad(**(right | change)), {TERMINAL})  # type: ignore[arg-type]
    assert refused.value.code is code


def test_a_journal_keeps_the_chips_part_and_forgets_it_with_the_record() -> None:
    journal = Journal(":memory:")
    stored = [record(1), record(2, chip=None), record(3)]
    journal.store(stored)
    assert journal.waiting(TERMINAL, State.OPEN) == stored
    assert journal.find(TERMINAL, 3) == stored[2]
    journal.answer([(TERMINAL, 1, 0, 10, 99)])
    journal.trim(TERMINAL, 4)
    assert [(kept.terminal_seq, kept.chip) for kept in journal.records(TERMINAL)] == [(2, None), (3, CHIP)]
    built = build_records(journal.records(TERMINAL))
    assert list(built.chip.row) == [1]
    assert (built.chip.card_counter[0], built.chip.tac[0], built.chip.gray[0]) == (3, 0xDEADBEEF, False)
    journal.close()


def test_a_journal_from_before_chips_opens_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    old = sqlite3.connect(path)
    old.execute(
        "CREATE TABLE record (terminal_id INTEGER, terminal_seq INTEGER, op INTEGER, card_no INTEGER, amount_fen INTEGER,"
        " occurred_at_us INTEGER, orig_seq INTEGER, state INTEGER, code INTEGER, balance_fen INTEGER, transfer_id INTEGER,"
        " PRIMARY KEY (terminal_id, terminal_seq)) WITHOUT ROWID"
    )
    old.execute("INSERT INTO record VALUES (?, 1, 2, ?, 500, ?, 0, 0, NULL, 0, 0)", (TERMINAL, CARD, AT))
    old.commit()
    old.close()
    journal = Journal(path)
    journal.store([record(2)])
    assert [(kept.terminal_seq, kept.chip) for kept in journal.waiting(TERMINAL, State.OPEN)] == [(1, None), (2, CHIP)]
    journal.close()


def test_random_bytes_find_nothing_in_the_new_frames() -> None:
    report = fuzz.run(seconds=1.5, seed=20260504)
    assert report.finding is None, report.error
    assert report.inputs > 100
