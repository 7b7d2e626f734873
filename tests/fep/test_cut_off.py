"""Who may sell, and until when: cut off, the steps of a lease, terminals of other lines; and a disk that fills up (O4, G2)."""

import asyncio
import json
import os
import shutil
import subprocess
from contextlib import suppress

import pytest

from onecard.fep.disk import Disk, Room
from onecard.fep.settings import DiskLimits
from onecard.kernel.codes import Operation, Result
from onecard.kernel.events import EventKind
from onecard.protocol.lease import Step
from onecard.protocol.proto.app_pb2 import Refusal
from onecard.protocol.proto.device_pb2 import DeviceEvent
from onecard.terminal.errors import LineDown, LineRefused
from tests.fep.unit import ask, recall_terminals, record, sign_lease, write_lease
from tests.gateway.harness import until

P, A = Operation.PURCHASE, Operation.ADVICE


async def events_of(fep) -> list[int]:
    await fep.events.settle()
    rows = await fep.journal.run(lambda db: db.execute("SELECT body FROM event").fetchall())
    return [DeviceEvent.FromString(body).kind for (body,) in rows]


async def test_a_unit_that_has_expired_is_cut_off_within_five_seconds_and_comes_back_by_itself(unit):
    await unit.start_gateway()
    await unit.start()
    await until(lambda: unit.fep.line.is_up)
    terminal = unit.terminal()
    assert await ask(terminal, P, 1) == Result.APPROVED
    unit.list_line(refusal=Refusal.UNIT_EXPIRED)
    await until(lambda: not terminal.is_open, 5)
    with pytest.raises(LineRefused) as refused:
        await terminal.submit(record(P, 2))
    assert refused.value.result == Result.UNIT_EXPIRED
    unit.list_line()
    await until(lambda: unit.fep.line.is_up, 20)
    assert await ask(terminal, P, 3) == Result.APPROVED


async def test_a_front_end_that_was_cut_off_stays_so_after_a_restart_without_a_line(unit):
    await unit.start_gateway()
    await unit.start()
    await until(lambda: unit.fep.line.is_up)
    unit.list_line(refusal=Refusal.REVOKED)
    await until(lambda: unit.fep.cut_off is Result.TERMINAL_NOT_ALLOWED, 5)
    await unit.restart(port=1)
    with pytest.raises(LineRefused):
        await unit.terminal().submit(record(P, 1))


async def test_a_lease_that_has_run_out_stops_sales_and_the_journal_still_goes_up(unit, authority):
    await unit.start(port=1)
    unit.fep.lan.take(recall_terminals(unit))
    assert await ask(unit.terminal(), P, 1) == Result.APPROVED
    write_lease(unit.home, sign_lease(authority, ended=True))
    await unit.restart(port=1)
    assert unit.fep.lease.step() is Step.STOP
    with pytest.raises(LineRefused) as refused:
        await unit.terminal().submit(record(P, 2))
    assert refused.value.result == Result.UNIT_EXPIRED
    await unit.start_gateway()
    await unit.restart(port=unit.house.port("native"))
    await until(lambda: not unit.fep.intake.waiting)
    assert [row["terminal_seq"] for row in unit.house.app.records] == [1]


async def test_without_a_lease_nothing_is_sold_off_line(unit):
    (unit.home / "lease.json").unlink()
    await unit.start(port=1)
    unit.fep.lan.take(recall_terminals(unit))
    terminal = unit.terminal()
    assert await ask(terminal, P, 1) == Result.UNIT_EXPIRED
    assert await ask(terminal, A, 2) == Result.APPROVED  # what has happened is kept whatever the lease says


async def test_a_terminal_that_is_not_of_the_line_does_not_get_in_and_is_reported_once(unit):
    await unit.start(port=1)
    unit.fep.lan.take(recall_terminals(unit))
    for _ in range(3):
        with suppress(LineDown), pytest.raises(LineRefused):
            await unit.terminal(99).submit(record(P, 1, terminal=99))
    await asyncio.sleep(0)
    assert (await events_of(unit.fep)).count(EventKind.LINE_REFUSED) == 1


async def test_records_of_a_terminal_that_has_left_the_line_wait_and_do_not_break_it(unit):
    await unit.start(port=1)
    unit.fep.lan.take(recall_terminals(unit))
    assert await ask(unit.terminal(71), P, 1) == Result.APPROVED
    assert await ask(unit.terminal(72), P, 1, terminal=72) == Result.APPROVED
    await unit.start_gateway()
    unit.list_line({72: "00000072"})
    await unit.restart(port=unit.house.port("native"))
    await until(lambda: unit.fep.intake.waiting == {71: 1})
    assert unit.fep.line.is_up
    assert unit.fep.upload.stranded == {71}
    unit.list_line()
    await until(lambda: not unit.fep.intake.waiting)


async def test_a_record_the_platform_does_not_post_is_kept_for_people_and_reported(unit):
    await unit.start(port=1)
    unit.fep.lan.take(recall_terminals(unit))
    assert await ask(unit.terminal(), P, 1) == Result.APPROVED
    unit.house.app.answer = lambda row: (int(Result.UNKNOWN_CARD), 0, 0, 0)
    await unit.start_gateway()
    await unit.restart(port=unit.house.port("native"))
    await until(lambda: unit.fep.upload.refused == 1)
    await until(lambda: any(EventKind.RECORD_REFUSED in _kinds(report) for report in unit.house.app.device_reports))
    status = await _status(unit)
    assert [(row["terminal_seq"], row["code"]) for row in status["refused"]] == [(1, Result.UNKNOWN_CARD)]
    assert status["backlog"]["records"] == 0


def _kinds(report):
    return {event.kind for line in report.events for event in line.events}


async def _status(unit):
    from onecard.fep.status import serve_status

    server = await serve_status(unit.fep, 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"GET /status HTTP/1.1\r\n\r\n")
    body = (await reader.read()).partition(b"\r\n\r\n")[2]
    writer.close()
    server.close()
    return json.loads(body)


async def test_the_platform_hears_of_backlog_versions_holes_and_devices(unit):
    await unit.start(port=1)
    unit.fep.lan.take(recall_terminals(unit))
    terminal = unit.terminal()
    await ask(terminal, P, 1)
    await ask(terminal, P, 4)
    await unit.start_gateway()
    unit.house.app.gate.clear()
    await unit.restart(port=unit.house.port("native"))
    await unit.terminal().connect()

    def heard():
        for report in unit.house.app.device_reports:
            for line in report.lines:
                beat = line.heartbeat
                if beat.backlog == 2 and beat.holes and any(device.online for device in beat.devices):
                    return beat
        return None

    await until(lambda: heard() is not None, 10)
    beat = heard()
    assert [(hole.terminal_id, hole.from_seq, hole.through_seq) for hole in beat.holes] == [(71, 2, 3)]
    assert {one.name: one.version for one in beat.versions} == {"rules": 1, "deny": 3, "firmware": 1}
    assert beat.oldest_unsent_us > 0
    assert beat.lease_serial == 1
    assert 1 <= beat.disk_free_permille <= 1000
    unit.house.app.gate.set()
    await ask(unit.terminal(), P, 2)
    await ask(unit.terminal(), P, 3)
    assert unit.fep.numbers.holes() == []


async def test_a_disk_that_is_nearly_full_sells_nothing_off_line_and_keeps_what_has_happened(unit):
    await unit.start(port=1, disk=DiskLimits(low_bytes=1, low_permille=1, sales_bytes=1 << 60, ballast_bytes=4096))
    unit.fep.lan.take(recall_terminals(unit))
    terminal = unit.terminal()
    assert await ask(terminal, P, 1) == Result.BUSY
    assert await ask(terminal, A, 2) == Result.APPROVED
    assert unit.fep.intake.waiting == {71: 1}


def test_a_low_disk_is_told_before_anything_is_refused_and_the_ballast_is_given_up_last(tmp_path):
    rooms = iter([Room(1000, 10_000), Room(400, 10_000), Room(100, 10_000), Room(100, 10_000), Room(2000, 10_000)])
    limits = DiskLimits(low_bytes=500, low_permille=10, sales_bytes=200, ballast_bytes=64)
    room = [next(rooms)]
    disk = Disk(tmp_path, limits, room=lambda folder: room[0])
    assert (disk.is_low, disk.takes_sales, (tmp_path / "ballast").stat().st_size) == (False, True, 64)
    for expected in ((True, True), (True, False)):
        room[0] = next(rooms)
        disk.look()
        assert (disk.is_low, disk.takes_sales) == expected
    disk.full()
    room[0] = next(rooms)
    disk.look()
    assert not (tmp_path / "ballast").exists()
    room[0] = next(rooms)
    disk.look()
    assert (disk.is_low, disk.takes_sales, (tmp_path / "ballast").exists()) == (False, True, True)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of three megabytes."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(small)], check=True)
    yield small
    subprocess.run(["umount", "-l", str(small)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
async def test_on_a_disk_that_is_really_full_no_sale_is_answered_that_is_not_kept(unit, small_disk):
    shutil.copytree(unit.home, small_disk, dirs_exist_ok=True)
    unit.home = small_disk
    await unit.start(port=1, disk=DiskLimits(low_bytes=1, low_permille=1, sales_bytes=1, ballast_bytes=262_144))
    unit.fep.lan.take(recall_terminals(unit))
    terminal, seq = unit.terminal(), 0
    filler = small_disk / "filler"
    filler.write_bytes(bytes(1 << 20))
    while (code := await ask(terminal, P, seq + 1, 1)) == Result.APPROVED:
        seq += 1
    assert code == Result.BUSY
    assert seq > 10
    assert unit.fep.disk.is_low
    filler.unlink()
    await unit.start_gateway()
    await unit.restart(port=unit.house.port("native"))
    await until(lambda: not unit.fep.intake.waiting, 10)
    assert sorted(row["terminal_seq"] for row in unit.house.app.records) == list(range(1, seq + 1))
    await unit.stop()
    unit.fep = None
