"""What is not money over a native line: states, events, files, leases, sign-ons, tasks; over real TLS sockets."""

import asyncio
import itertools

import grpc
import pytest

from onecard.gateway.settings import LineLimits, TellLimits
from onecard.kernel.codes import Result
from onecard.kernel.events import EventKind
from onecard.protocol.native import build_frame
from onecard.protocol.proto.app_pb2 import LineTasks, TerminalTotalsReply
from onecard.protocol.proto.device_pb2 import (
    DataVersion,
    DeviceEvent,
    DeviceFrame,
    DeviceState,
    Events,
    Fetch,
    Heartbeat,
    Hello,
    HttpRequest,
    SequenceHole,
    SignOnAsk,
    Task,
)
from onecard.terminal.errors import LineRefused
from onecard.terminal.native import Device, Listeners
from tests.gateway.harness import House, until
from tests.gateway.test_native import records

_ids = itertools.count(1)


def event(terminal_id: int = 0, kind: int = EventKind.OFFLINE_BEGAN, **more) -> DeviceEvent:
    content = {"event_id": next(_ids).to_bytes(16, "big"), "occurred_at_us": 1_772_337_600_000_000} | more
    return DeviceEvent(terminal_id=terminal_id, kind=kind, **content)


def reported(house: House, what: str):
    return [entry for report in house.app.device_reports for entry in getattr(report, what)]


async def test_a_device_is_reported_with_its_hello_its_address_and_its_clock(house: House):
    house.list_line(1)
    await house.start()
    device = Device(maker="acme", model="A1", firmware="2.0", hardware="acme-a1", serial="S-9")
    beat = Heartbeat(
        backlog=3, oldest_unsent_us=5, last_error="no paper", disk_free_permille=412, lease_serial=2,
        versions=[DataVersion(name="deny", version=7)], holes=[SequenceHole(terminal_id=10, from_seq=4, through_seq=6)],
    )  # fmt: skip
    client = house.native(1, device=device, listeners=Listeners(status=lambda: beat))
    async with client:
        await until(lambda: any(status.HasField("heartbeat") for status in reported(house, "lines")))
    first, last = reported(house, "lines")[0], reported(house, "lines")[-1]
    assert (first.hello.maker, first.hello.hardware, first.hello.serial) == ("acme", "acme-a1", "S-9")
    assert first.hello.versions[0].name == "deny"
    assert (last.line_id, last.heartbeat.backlog, last.heartbeat.last_error) == (1, 3, "no paper")
    assert last.heartbeat.holes[0].through_seq == 6
    assert last.address.startswith("127.0.0.1:")
    assert last.clock_offset_us == 0


async def test_states_of_devices_behind_a_front_end_are_merged_until_they_are_reported(house: House):
    house.list_line(1, {10: "00000010", 11: "00000011"}, front_end=True)
    await house.start()
    house.app.fail_reports = grpc.StatusCode.UNAVAILABLE
    _, writer = await house.raw("native", 1)
    writer.write(build_frame(DeviceFrame(hello=Hello(protocol_version=1, serial="F"))))
    for state in (
        DeviceState(terminal_id=10, online=True, backlog=1),
        DeviceState(terminal_id=11, online=True),
        DeviceState(terminal_id=10, online=True, backlog=9),
    ):
        writer.write(build_frame(DeviceFrame(heartbeat=Heartbeat(backlog=state.backlog, devices=[state]))))
    await until(lambda: house.gateway.counters.frames["native"] == 4)
    house.app.fail_reports = None
    await until(lambda: reported(house, "lines"))
    status = reported(house, "lines")[0]
    assert status.hello.serial == "F"
    assert {(device.terminal_id, device.backlog) for device in status.heartbeat.devices} == {(10, 9), (11, 0)}
    house.app.reported.clear()
    await house.app.reported.wait()
    assert set(house.app.reports[-1].online_terminal_id) == {10, 11}
    house.gateway.services.heard.clear()
    gone = DeviceState(terminal_id=10, online=False)
    writer.write(build_frame(DeviceFrame(heartbeat=Heartbeat(devices=[gone]))))
    await until(lambda: house.gateway.services.heard.keys() == {11})


async def test_a_terminal_that_only_sends_heartbeats_is_heard_of(house: House):
    house.list_line(1, {10: "00000010"})
    await house.start()
    _, writer = await house.raw("native", 1)
    writer.write(build_frame(DeviceFrame(hello=Hello(protocol_version=1))))
    heard = house.gateway.services.heard
    await until(lambda: 10 in heard)
    heard.clear()  # as after a long while
    writer.write(build_frame(DeviceFrame(heartbeat=Heartbeat())))
    await until(lambda: heard.keys() == {10})


async def test_events_are_answered_only_when_they_are_stored(house: House):
    house.list_line(1)
    await house.start()
    async with house.native(1) as client:
        house.app.fail_reports = grpc.StatusCode.INTERNAL
        sent = [event(), event(10, EventKind.TAMPER, detail="lid")]
        assert await client.send_events(sent) is Result.UNAVAILABLE
        house.app.fail_reports = None
        assert await client.send_events(sent) is Result.APPROVED
    (stored,) = reported(house, "events")
    assert stored.line_id == 1
    assert list(stored.events) == sent
    assert house.gateway.counters.events == 2


async def test_an_event_of_an_unknown_kind_is_refused_and_the_line_stays(house: House):
    house.list_line(1)
    await house.start()
    async with house.native(1) as client:
        assert await client.send_events([event(kind=9999)]) is Result.FORMAT
        assert await client.send_events([event()]) is Result.APPROVED


async def test_events_of_ports_are_kept_until_they_are_stored(house: House):
    gateway = await house.start()
    house.app.fail_reports = grpc.StatusCode.UNAVAILABLE
    gateway.services.events(5, event(50, EventKind.ACCESS_GRANTED, card_no=1))
    await until(lambda: gateway.counters.app_failures >= 2)
    house.app.fail_reports = None
    await until(lambda: reported(house, "events"))
    assert reported(house, "events")[0].line_id == 5
    assert gateway.counters.events_dropped == 0


async def test_events_of_ports_are_handed_in_before_the_gateway_ends(house: House):
    gateway = await house.start()
    gateway.services.events(5, event(50, EventKind.ATTENDANCE))
    await gateway.stop()
    house.gateway = None
    assert len(reported(house, "events")) == 1


async def test_a_file_comes_in_parts_and_is_asked_for_once_for_all_lines(house: House):
    content = bytes(range(256)) * 3000  # 768,000 bytes: three blocks
    house.app.files["targets/firmware/pos/1.bin"] = content
    for line_id in range(1, 9):
        house.list_line(line_id)
    await house.start()
    clients = [house.native(line_id) for line_id in range(1, 9)]

    async def whole(client) -> bytes:
        got = b""
        while (part := await client.fetch("targets/firmware/pos/1.bin", len(got), 300_000)).data:
            assert part.total == len(content)
            got += part.data
        return got

    house.app.file_gate.clear()
    loading = [asyncio.create_task(whole(client)) for client in clients]
    await until(lambda: house.app.fetched)
    house.app.file_gate.set()
    assert await asyncio.gather(*loading) == [content] * 8
    assert sorted(house.app.fetched) == [("targets/firmware/pos/1.bin", block * 262_144) for block in range(3)]


async def test_a_file_is_fetched_while_a_record_of_the_same_line_is_held_unanswered(house: House):
    house.list_line(1)
    house.app.files["metadata/timestamp.json"] = b"v1"
    await house.start()
    async with house.native(1) as client:
        house.app.gate.clear()
        held = asyncio.create_task(client.submit(records(10, [1])))
        await until(lambda: house.app.batches)
        async with asyncio.timeout(1):
            assert (await client.fetch("metadata/timestamp.json", 0, 100)).data == b"v1"
        assert not held.done()
        house.app.gate.set()
        assert (await held).code == [Result.APPROVED]


async def test_a_file_that_is_not_there_yet_is_found_when_it_is(house: House):
    house.list_line(1)
    await house.start()
    async with house.native(1) as client:
        assert (await client.fetch("metadata/timestamp.json", 0, 1000)).code == Result.NO_ORIGINAL
        house.app.files["metadata/timestamp.json"] = b"v1"
        house.app.publish({"timestamp": 1})
        await until(lambda: house.gateway.book.tasks(1) is not None)
        assert (await client.fetch("metadata/timestamp.json", 0, 1000)).data == b"v1"
        house.app.files["metadata/timestamp.json"] = b"v2"
        house.app.publish({"timestamp": 2})
        await until(lambda: house.gateway.book.tasks(1).current[0].version == 2)
        assert (await client.fetch("metadata/timestamp.json", 0, 1000)).data == b"v2"


async def test_a_units_data_is_for_its_own_lines_only_also_from_memory(house: House):
    house.list_line(1)
    house.list_line(2)
    house.app.lines[2].unit_id = 2
    house.app.files |= {"targets/cards/1/a.5.bin": b"cards of one", "targets/parameters/2/a.1.json": b"of line 2"}
    await house.start()
    async with house.native(1) as own, house.native(2) as other:
        assert (await own.fetch("targets/cards/1/a.5.bin", 0, 100)).data == b"cards of one"
        assert (await other.fetch("targets/cards/1/a.5.bin", 0, 100)).code == Result.NO_ORIGINAL
        assert (await own.fetch("targets/parameters/2/a.1.json", 0, 100)).code == Result.NO_ORIGINAL
        assert (await other.fetch("targets/parameters/2/a.1.json", 0, 100)).data == b"of line 2"


async def test_memory_for_files_is_bounded(house: House):
    house.list_line(1)
    for number in range(20):
        house.app.files[f"targets/f{number}.bin"] = bytes(10_000)
    gateway = await house.start(files_cache_bytes=50_000)
    async with house.native(1) as client:
        for number in range(20):
            assert len((await client.fetch(f"targets/f{number}.bin", 0, 20_000)).data) == 10_000
    assert 0 < gateway.files.bytes <= 50_000


async def test_while_no_server_answers_asks_are_unavailable(house: House):
    house.list_line(1, front_end=True)
    await house.start()
    async with house.native(1) as client:
        house.app.fail_reports = grpc.StatusCode.INTERNAL
        replies = await asyncio.gather(client.fetch("targets/x.bin", 0, 1), client.ask_lease())
        assert [reply.code for reply in replies] == [Result.UNAVAILABLE] * 2
        house.app.fail_reports = grpc.StatusCode.RESOURCE_EXHAUSTED
        replies = await asyncio.gather(client.fetch("targets/x.bin", 0, 1), client.ask_lease())
        assert [reply.code for reply in replies] == [Result.BUSY] * 2


async def test_a_front_end_gets_its_lease_and_signs_its_terminals_on(house: House):
    house.list_line(3, {30: "00000030"}, front_end=True)
    house.app.totals = TerminalTotalsReply(debit_fen=700, debit_count=2, credit_fen=100, credit_count=1)
    await house.start()
    async with house.native(3) as client:
        assert (await client.ask_lease()).lease == b"lease of 3"
        signed = await client.sign_on(30)
        assert (len(signed.mac_key), len(signed.de62), signed.batch_no) == (8, 60, 1)
        totals = await client.totals(30, 1)
        assert (totals.debit_fen, totals.debit_count, totals.credit_fen, totals.credit_count) == (700, 2, 100, 1)


async def test_tasks_come_after_welcome_and_when_they_change(house: House):
    house.list_line(1)
    house.list_line(2)
    house.app.set_tasks(1, LineTasks(line_id=1, current=[DataVersion(name="rules", version=3)], lease_serial=4))
    house.app.publish({"deny": 9})
    await house.start()
    seen, other = [], []
    client = house.native(1, listeners=Listeners(on_tasks=seen.append))
    async with client, house.native(2, listeners=Listeners(on_tasks=other.append)):
        await until(lambda: seen and other)
        assert {(v.name, v.version) for v in seen[-1].current} == {("deny", 9), ("rules", 3)}
        assert (seen[-1].lease_serial, other[-1].lease_serial) == (4, 0)
        task = Task(action_id=5, kind="firmware", target="firmware/x.bin", version=2)
        house.app.set_tasks(1, LineTasks(line_id=1, lease_serial=4, tasks=[task]))
        await until(lambda: len(seen) == 2)
        assert list(seen[-1].tasks) == [task]
        house.app.publish({"deny": 10})
        await until(lambda: len(seen) == 3 and len(other) == 2)
        assert [(v.name, v.version) for v in other[-1].current] == [("deny", 10)]
        house.app.set_tasks(1, LineTasks(line_id=1, current=[DataVersion(name="deny", version=11)]))  # a canary of list 11
        await until(lambda: len(seen) == 4)
        assert [(v.name, v.version) for v in seen[-1].current] == [("deny", 11)]
        house.app.set_tasks(1, None)
        await until(lambda: len(seen) == 5)
        assert [(v.name, v.version) for v in seen[-1].current] == [("deny", 10)]
        assert not seen[-1].tasks
        assert len(other) == 2


async def test_tasks_that_ended_while_no_server_was_there_are_over_afterwards(house: House):
    house.list_line(1)
    house.app.publish({"deny": 1})
    house.app.set_tasks(1, LineTasks(line_id=1, tasks=[Task(action_id=5)]))
    await house.start()
    seen = []
    async with house.native(1, listeners=Listeners(on_tasks=seen.append)):
        await until(lambda: seen)
        await house.app.stop()
        house.app.tasks.clear()
        await house.app.start(f"unix:{house.folder}/app.sock")
        await until(lambda: len(seen) == 2, 10)
        assert not seen[-1].tasks
        assert seen[-1].current[0].version == 1


async def test_many_lines_are_told_over_a_while_and_each_once(house: House):
    for line_id in range(1, 41):
        house.list_line(line_id)
    house.app.publish({"deny": 1})
    await house.start(tell=TellLimits(per_second=40, spread_s=10))
    told: list[tuple[int, float]] = []
    loop = asyncio.get_running_loop()
    clients = [
        house.native(n, listeners=Listeners(on_tasks=lambda tasks, n=n: told.append((n, tasks.current[0].version, loop.time()))))
        for n in range(1, 41)
    ]
    await asyncio.gather(*(client.connect() for client in clients))
    await until(lambda: len(told) == 40)
    house.app.publish({"deny": 2})
    await until(lambda: len(told) == 80)
    news = [(n, at) for n, version, at in told[40:]]
    assert sorted(n for n, _ in news) == list(range(1, 41))
    assert news[-1][1] - news[0][1] > 0.5


async def test_a_front_end_learns_of_its_new_terminals_without_reconnecting(house: House):
    house.list_line(1, {10: "00000010"}, front_end=True)
    await house.start()
    welcomes = []
    async with house.native(1, listeners=Listeners(on_up=welcomes.append)) as client:
        house.list_line(1, {10: "00000010", 11: "00000011"}, front_end=True)
        await until(lambda: len(welcomes) == 2)
        assert client.terminals == {10: "00000010", 11: "00000011"}
        assert [ref.mid for ref in welcomes[-1].terminals] == ["M00000000000010", "M00000000000011"]


async def test_a_client_that_keeps_its_line_open_comes_back_by_itself(house: House):
    house.list_line(1)
    gateway = await house.start()
    ups, downs = [], []
    client = house.native(1, listeners=Listeners(on_up=ups.append, on_down=downs.append))
    keeping = asyncio.create_task(client.keep_open())
    await until(lambda: ups)
    for connection in list(gateway._connections):
        connection.tls.abort("test")
    await until(lambda: len(ups) == 2)
    assert len(downs) == 1
    keeping.cancel()


OK = event().event_id
VIOLATIONS = {
    "no events": (DeviceFrame(events=Events(submit_id=1)), "0 events"),
    "an event without an id": (DeviceFrame(events=Events(submit_id=1, events=[DeviceEvent(kind=1)])), "event_id"),
    "an event of another's terminal": (DeviceFrame(events=Events(submit_id=1, events=[event(77)])), "not of this line"),
    "a detail that is too long": (DeviceFrame(events=Events(submit_id=1, events=[event(detail="x" * 501)])), "detail"),
    "a detail with a zero byte": (DeviceFrame(events=Events(submit_id=1, events=[event(detail="a\0b")])), "detail"),
    "a progress above everything": (DeviceFrame(events=Events(submit_id=1, events=[event(progress_permille=1001)])), "range"),
    "a file outside": (DeviceFrame(fetch=Fetch(submit_id=1, name="targets/../secret", length=1)), "fetch.name"),
    "a hidden file": (DeviceFrame(fetch=Fetch(submit_id=1, name="metadata/.x", length=1)), "fetch.name"),
    "nothing of a file": (DeviceFrame(fetch=Fetch(submit_id=1, name="targets/x", length=0)), "fetch of 0 bytes"),
    "too much of a file": (DeviceFrame(fetch=Fetch(submit_id=1, name="targets/x", length=600_000)), "600000"),
    "a state of another's device": (
        DeviceFrame(heartbeat=Heartbeat(devices=[DeviceState(terminal_id=77)])),
        "not of this line",
    ),
    "a hole that ends before it begins": (
        DeviceFrame(heartbeat=Heartbeat(holes=[SequenceHole(terminal_id=10, from_seq=5, through_seq=4)])),
        "holes",
    ),
    "a version with half a hash": (
        DeviceFrame(heartbeat=Heartbeat(versions=[DataVersion(name="deny", sha256=b"half")])),
        "versions",
    ),
    "a sign-on by a straight terminal": (DeviceFrame(sign_on=SignOnAsk(submit_id=1, terminal_id=10)), "not of this line"),
    "a browser behind a straight terminal": (
        DeviceFrame(http=HttpRequest(stream_id=1, method="GET", target="/workstation/", end=True)),
        "workstations",
    ),
    "an id twice": (DeviceFrame(events=Events(submit_id=0, events=[event()])), "submit_id"),
}


@pytest.mark.parametrize("name", VIOLATIONS)
async def test_what_makes_no_sense_is_named_and_the_line_closed(house: House, name):
    frame, reason = VIOLATIONS[name]
    house.list_line(1)
    await house.start()
    reader, writer = await house.raw("native", 1)
    writer.write(build_frame(DeviceFrame(hello=Hello(protocol_version=1))) + build_frame(frame))
    closing = await _closing(reader)
    assert reason in closing.reason
    assert house.gateway.counters.closed["violation"] == 1
    assert reported(house, "events") == []


async def _closing(reader: asyncio.StreamReader):
    from onecard.protocol.native import parse_platform_frame

    while True:
        size = int.from_bytes(await reader.readexactly(4), "big")
        frame = parse_platform_frame(await reader.readexactly(size))
        if frame.HasField("closing"):
            return frame.closing


async def test_a_hello_with_a_text_that_is_too_long_is_refused(house: House):
    house.list_line(1)
    await house.start()
    with pytest.raises(LineRefused, match="serial"):
        await house.native(1, device=Device(serial="9" * 101)).connect()


async def test_asks_share_the_window_of_submits(house: House):
    house.list_line(1)
    house.app.files["targets/a.bin"] = b"a"
    await house.start(line=LineLimits())
    async with house.native(1) as client:
        replies = await asyncio.gather(*(client.fetch("targets/a.bin", 0, 1) for _ in range(50)))
    assert {reply.data for reply in replies} == {b"a"}
