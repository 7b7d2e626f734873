"""A damaged journal: every row that can be read goes on, whatever is killed or full meanwhile (G3)."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from onecard.fep import book
from onecard.fep.journal import Journal
from onecard.fep.records import Asked
from onecard.fep.rescue import RescueFull
from onecard.kernel.codes import Operation
from onecard.kernel.events import EventKind
from onecard.protocol.proto.device_pb2 import DeviceEvent

NOW = 1_780_000_000_000_000
PAGE = 4096
COUNT = 5000
_CHILD = """
import os, sys
from pathlib import Path
path, last, inside = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "inside"
from onecard.fep import rescue, salvage
from onecard.fep.journal import Journal
steps = 0
def step():
    global steps
    steps += 1
    if steps == last:
        os._exit(137)
if inside:
    save = salvage._Table.save
    def killed(table, new):
        save(table, new)
        step()
    salvage._Table.save = killed
else:
    sys.addaudithook(lambda event, args: step() if event in ("os.rename", "os.remove", "sqlite3.connect", "open") else None)
journal = Journal(path)
os._exit(0)
"""


def advice(seq: int) -> Asked:
    return Asked(int(Operation.ADVICE), 71, seq, 1000010000000017, 100, NOW + seq)


async def fill(path, count: int = COUNT, *, refused: int = 0) -> None:
    journal = Journal(path)

    def put(db):
        for seq in range(1, count + 1):
            book.remember(db, advice(seq), 0, NOW)
            book.enqueue(db, advice(seq), NOW, due_fen=100)

    await journal.run(put)
    if refused:
        batch = await journal.run(lambda db: book.next_batch(db, refused, without=()))
        await journal.run(lambda db: book.acknowledge(db, [(queued, 30) for queued in batch], NOW))
    journal.close()


def leaves(path, table: str) -> list[int]:
    """Pages of a table or an index, in the order of its rows."""
    with closing(sqlite3.connect(path)) as database:
        text = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path"
        return [row[0] for row in database.execute(text, (table,))]


def spoil(path, *pages: int) -> None:
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * PAGE)
            file.write(b"\xff" * PAGE)


def rows_on(path, page: int) -> int:
    content = path.read_bytes()[(page - 1) * PAGE : page * PAGE]
    return int.from_bytes(content[3:5], "big")


async def read(path, text: str) -> tuple[Journal, list]:
    journal = Journal(path)
    return journal, await journal.run(lambda db: db.execute(text).fetchall())


async def told(path) -> str:
    journal, rows = await read(path, "SELECT value FROM setting WHERE name = 'rescued'")
    journal.close()
    return rows[0][0].decode()


@pytest.mark.parametrize("places", [(10,), (0,), (-1,), (5, 6, 40), (3, 20, 50, -1), (0, 30, -1)])
async def test_only_the_rows_of_damaged_pages_are_missing(tmp_path, places):
    path = tmp_path / "journal.db"
    await fill(path)
    pages = [leaves(path, "record")[place] for place in places]
    gone = sum(rows_on(path, page) for page in pages)
    spoil(path, *pages)
    content = path.read_bytes()
    journal, rows = await read(path, "SELECT terminal_seq FROM record ORDER BY place")
    answers = await journal.run(lambda db: db.execute("SELECT count(*) FROM answered").fetchone()[0])
    due = await journal.run(lambda db: db.execute("SELECT due_fen FROM terminal").fetchone()[0])
    journal.close()
    assert len(rows) == COUNT - gone
    assert gone > 10
    assert answers == COUNT
    assert due == 100 * len(rows), "the terminal's limit would stay used for ever"
    assert journal.set_aside == tmp_path / "journal.db.damaged-1"
    assert journal.set_aside.read_bytes() == content
    missing = sorted(set(range(1, COUNT + 1)) - {row[0] for row in rows})
    text = await told(path)
    assert f"{len(rows)} records on their way up were saved, {gone} can't be read: terminal 71 {missing[0]} to" in text


async def test_with_the_index_damaged_too_the_numbering_says_where_to_look_and_how_many_may_be_missing(tmp_path):
    path = tmp_path / "journal.db"
    await fill(path)
    pages = [leaves(path, "record")[place] for place in (4, 30, -1)]
    gone = sum(rows_on(path, page) for page in pages)
    spoil(path, *pages, *(leaves(path, "record_terminal")[place] for place in (2, 9)))
    journal, rows = await read(path, "SELECT terminal_seq FROM record")
    journal.close()
    assert len(rows) == COUNT - gone
    assert f"up to {gone} may be missing" in await told(path)


async def test_the_answers_of_a_damaged_page_are_all_that_is_forgotten(tmp_path):
    path = tmp_path / "journal.db"
    await fill(path)
    pages = [leaves(path, "answered")[place] for place in (3, 20, 40)]
    gone = sum(rows_on(path, page) for page in pages)
    spoil(path, *pages)
    journal, rows = await read(path, "SELECT count(*) FROM answered")
    journal.close()
    assert rows == [(COUNT - gone,)]
    assert "5000 records on their way up were saved, none is missing" in await told(path)


async def test_what_a_power_cut_left_beside_the_file_is_rescued_with_it(tmp_path):
    path = tmp_path / "live.db"
    await fill(path, 1000)
    journal = Journal(path)
    await journal.run(lambda db: [book.enqueue(db, advice(seq), NOW) for seq in range(1001, 1101)])
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", f"{tmp_path}/journal.db{suffix}")
    journal.close()
    path = tmp_path / "journal.db"
    page = leaves(tmp_path / "live.db", "record")[2]
    gone = rows_on(path, page)
    spoil(path, page)
    before = {suffix: (tmp_path / f"journal.db{suffix}").read_bytes() for suffix in ("", "-wal")}
    journal, rows = await read(path, "SELECT terminal_seq FROM record")
    journal.close()
    assert len(rows) == 1100 - gone
    assert {suffix: (tmp_path / f"journal.db.damaged-1{suffix}").read_bytes() for suffix in ("", "-wal")} == before


@pytest.mark.parametrize("where", ["inside", "between"])
async def test_a_rescue_that_is_killed_at_any_step_is_done_by_the_next_start(tmp_path, where):
    source = tmp_path / "source.db"
    await fill(source, 500)
    spoil(source, leaves(source, "answered_at")[0])
    content = source.read_bytes()
    for step in range(1, 60):
        path = tmp_path / f"{step}" / "journal.db"
        path.parent.mkdir()
        path.write_bytes(content)
        words = [sys.executable, "-c", _CHILD, str(path), str(step), where]
        ended = (await asyncio.to_thread(subprocess.run, words, check=False)).returncode
        assert ended in (0, 137)
        journal, rows = await read(path, "SELECT terminal_seq FROM record ORDER BY place")
        journal.close()
        assert [row[0] for row in rows] == list(range(1, 501)), f"killed at step {step}"
        assert "none is missing" in await told(path)
        assert [found.name for found in path.parent.glob("*.rescue*")] == []
        assert (path.parent / "journal.db.damaged-1").read_bytes() == content
        if ended == 0:
            break
    assert step > 8
    assert ended == 0


async def test_a_rescue_that_finds_no_room_leaves_the_file_as_it_was_and_says_so(tmp_path):
    path = tmp_path / "journal.db"
    await fill(path, 2000)
    spoil(path, leaves(path, "answered_at")[0])
    content = path.read_bytes()
    asked = []
    for _ in range(2):
        with pytest.raises(RescueFull, match=r"journal\.db is damaged.*no room"):
            Journal(path, max_pages=40, make_room=lambda: asked.append(path.with_name("journal.db.rescue").exists()))
        assert path.read_bytes() == content
        assert not list(tmp_path.glob("*.rescue")) + list(tmp_path.glob("*.damaged-*"))
    assert asked == [False, False], "room is made before anything is written"
    journal, rows = await read(path, "SELECT count(*) FROM record")
    journal.close()
    assert rows == [(2000,)]


async def test_numbers_go_on_after_a_rescue_and_a_refused_record_can_be_put_down(tmp_path):
    path = tmp_path / "journal.db"
    await fill(path, 300, refused=300)
    spoil(path, leaves(path, "answered_at")[0])
    journal = Journal(path)
    await journal.run(lambda db: book.enqueue(db, advice(301), NOW))
    batch = await journal.run(lambda db: book.next_batch(db, 10, without=()))
    assert [queued.place for queued in batch] == [301]
    await journal.run(lambda db: book.acknowledge(db, [(queued, 30) for queued in batch], NOW))
    assert await journal.run(book.oldest_us) == 0
    assert len(await journal.run(lambda db: book.refused_rows(db, 1000))) == 301
    journal.close()


async def test_the_platform_hears_what_is_missing_and_the_ballast_is_given_up_first(unit, monkeypatch):
    from onecard.fep import rescue

    await unit.start(port=1)
    await unit.fep.journal.run(lambda db: [book.enqueue(db, advice(seq), NOW) for seq in range(1, 1001)])
    path, ballast = unit.home / "journal.db", unit.home / "ballast"
    await unit.fep.stop()
    page = leaves(path, "record")[4]
    gone = rows_on(path, page)
    spoil(path, page)
    seen = []
    copy = rescue._copy
    monkeypatch.setattr(rescue, "_copy", lambda *args: seen.append(ballast.exists()) or copy(*args))
    assert ballast.exists()
    await unit.start(port=1)
    assert seen == [False]
    await unit.fep.events.settle()
    rows = await unit.fep.journal.run(lambda db: db.execute("SELECT body FROM event").fetchall())
    events = [DeviceEvent.FromString(body) for (body,) in rows]
    assert [
        (event.kind, f"{gone} can't be read: terminal 71" in event.detail) for event in events if "damaged" in event.detail
    ] == [(EventKind.ERROR, True)]
    assert unit.fep.intake.waiting == {71: 1000 - gone}
