"""The journal's file: what was answered survives a power cut at any byte, a damaged file and a full disk (G3)."""

import shutil
import sqlite3

import pytest

from onecard.fep import book
from onecard.fep.journal import Journal, JournalFull
from onecard.fep.records import Asked
from onecard.kernel.codes import Operation

NOW = 1_780_000_000_000_000


def advice(seq: int) -> Asked:
    return Asked(int(Operation.ADVICE), 71, seq, 1000010000000017, 100, NOW)


def put(db: sqlite3.Connection, seq: int) -> None:
    book.remember(db, advice(seq), 0, NOW)
    book.enqueue(db, advice(seq), NOW, due_fen=100)


def stored(path) -> list[int]:
    journal = Journal(path)
    try:
        rows = journal._db.execute("SELECT terminal_seq FROM record ORDER BY place").fetchall()
        answers = journal._db.execute("SELECT count(*) FROM answered").fetchone()[0]
        assert answers == len(rows), "half a transaction"
        return [row[0] for row in rows]
    finally:
        journal.close()


async def test_a_power_cut_at_any_byte_keeps_every_record_that_was_on_the_disk(tmp_path):
    path = tmp_path / "journal.db"
    journal, lengths = Journal(path), []
    wal = tmp_path / "journal.db-wal"
    for seq in range(1, 31):
        await journal.run(lambda db, seq=seq: put(db, seq))
        lengths.append(wal.stat().st_size)
    sizes = sorted({0, 31, *lengths, *(length - 1 for length in lengths), *(length - 2000 for length in lengths)})
    for size in sizes:
        cut = tmp_path / f"cut-{size}"
        cut.mkdir()
        shutil.copy(path, cut / "journal.db")
        (cut / "journal.db-wal").write_bytes(wal.read_bytes()[:size])
        on_disk = sum(1 for length in lengths if length <= size)
        assert stored(cut / "journal.db")[:on_disk] == list(range(1, on_disk + 1))
        shutil.rmtree(cut)
    journal.close()


async def test_power_loss_is_noticed_and_an_orderly_end_is_none(tmp_path):
    path = tmp_path / "journal.db"
    journal = Journal(path)
    assert not journal.lost_power
    await journal.run(lambda db: put(db, 1))
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", f"{tmp_path}/copy.db{suffix}")
    journal.close()
    reopened, copy = Journal(path), Journal(tmp_path / "copy.db")
    assert (reopened.lost_power, copy.lost_power) == (False, True)
    reopened.close()
    copy.close()


async def test_a_file_that_is_no_database_is_kept_aside(tmp_path):
    path = tmp_path / "journal.db"
    path.write_bytes(b"not a journal " * 1000)
    journal = Journal(path)
    assert journal.set_aside is not None
    await journal.run(lambda db: put(db, 1))
    journal.close()
    assert stored(path) == [1]


async def test_a_full_disk_refuses_the_record_and_keeps_those_before(tmp_path):
    path = tmp_path / "journal.db"
    journal = Journal(path, max_pages=60)
    full = []
    journal.on_full = lambda: full.append(True)
    seq = 0
    with pytest.raises(JournalFull):
        for seq in range(1, 10_000):
            await journal.run(lambda db, seq=seq: put(db, seq))
    assert full
    batch = await journal.run(lambda db: book.next_batch(db, 200, without=()))
    await journal.run(lambda db: book.acknowledge(db, [(queued, 0) for queued in batch], NOW))
    await journal.run(lambda db: db.execute("DELETE FROM answered WHERE terminal_seq <= 200"))
    await journal.run(lambda db: put(db, seq))
    journal.close()
    assert stored(path) == list(range(201, seq + 1))


async def test_one_piece_of_work_that_fails_takes_no_other_along(tmp_path):
    import asyncio

    journal = Journal(tmp_path / "journal.db")
    await journal.run(lambda db: put(db, 5))
    results = await asyncio.gather(*(journal.run(lambda db, seq=seq: put(db, seq)) for seq in (4, 5, 6)), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), sqlite3.IntegrityError, type(None)]
    journal.close()
    assert stored(tmp_path / "journal.db") == [5, 4, 6]
