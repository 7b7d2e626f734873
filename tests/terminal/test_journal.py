"""The terminal's durable memory."""

import sqlite3

import pytest

from onecard.kernel.codes import Operation
from onecard.terminal.journal import Journal, JournalRecord, State


def record(seq: int, op: Operation = Operation.PURCHASE) -> JournalRecord:
    return JournalRecord(1, seq, int(op), 42, 100, 1_000)


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    yield journal
    journal.close()


def test_what_was_stored_is_there_after_a_restart(tmp_path):
    first = Journal(tmp_path / "journal.db")
    first.store([record(1), record(2)])
    assert [first.next_seq(1) for _ in range(3)] == [1, 2, 3]
    first.close()
    second = Journal(tmp_path / "journal.db")
    assert [r.terminal_seq for r in second.waiting(1, State.OPEN)] == [1, 2]
    assert second.next_seq(1) == 4
    second.close()


def test_numbers_begin_above_what_the_platform_knows_and_never_go_back(journal):
    journal.begin_above({1: 40, 2: 0})
    assert [journal.next_seq(1), journal.next_seq(2)] == [41, 1]
    journal.begin_above({1: 30})
    assert journal.next_seq(1) == 42
    journal.begin_above({1: 42})
    assert journal.next_seq(1) == 43


def test_a_sequence_number_is_never_stored_twice_and_the_group_stays_whole(journal):
    journal.store([record(5)])
    with pytest.raises(sqlite3.IntegrityError):
        journal.store([record(6), record(5)])
    assert [r.terminal_seq for r in journal.records(1)] == [5]


def test_an_answer_closes_a_record(journal):
    journal.store([record(1), record(2)])
    journal.answer([(1, 1, 0, 900, 77)])
    assert [r.terminal_seq for r in journal.waiting(1, State.OPEN)] == [2]
    closed = journal.find(1, 1)
    assert (closed.state, closed.code, closed.balance_fen, closed.transfer_id) == (State.CLOSED, 0, 900, 77)
    assert closed.is_approved


def test_an_uncertain_record_waits_for_its_reversal(journal):
    journal.store([record(1)])
    journal.mark(1, 1, State.UNCERTAIN)
    assert [r.terminal_seq for r in journal.waiting(1, State.UNCERTAIN)] == [1]
    assert journal.waiting(1, State.OPEN) == []


def test_terminals_of_one_file_do_not_see_each_other(journal):
    journal.store([record(1), JournalRecord(2, 1, 1, 42, 100, 1_000)])
    assert len(journal.waiting(1, State.OPEN)) == len(journal.waiting(2, State.OPEN)) == 1
    journal.write_setting(1, "batch", 7)
    assert (journal.read_setting(1, "batch"), journal.read_setting(2, "batch", 3)) == (7, 3)


def test_offline_records_are_found_apart(journal):
    journal.store([record(1), record(2, Operation.ADVICE)])
    assert [r.terminal_seq for r in journal.waiting(1, State.OPEN, op=Operation.ADVICE)] == [2]
