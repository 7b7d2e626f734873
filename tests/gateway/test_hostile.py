"""Hostile input: a typed refusal or a closed line, a metric, no crash, no leak, and others go on as if nothing were."""

import asyncio
import os
from pathlib import Path

import pytest

from onecard.gateway.settings import LineLimits, UplinkLimits
from onecard.kernel.codes import Result
from onecard.protocol.native import PROTOCOL_VERSION, build_frame, parse_platform_frame
from onecard.protocol.proto.device_pb2 import DeviceFrame, Heartbeat, Hello, PlatformFrame, Submit
from onecard.protocol.proto.records_pb2 import Records
from onecard.terminal.fastiso import FastPurchase
from tests.gateway.fake_app import mid_of
from tests.gateway.harness import CARD, NOW, House, until
from tests.gateway.test_native import records

HELLO = build_frame(DeviceFrame(hello=Hello(protocol_version=PROTOCOL_VERSION)))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def read_frame(reader: asyncio.StreamReader) -> PlatformFrame:
    size = int.from_bytes(await reader.readexactly(4), "big")
    return parse_platform_frame(await reader.readexactly(size))


async def expect_closing(reader: asyncio.StreamReader, code: Result) -> str:
    while (frame := await read_frame(reader)).WhichOneof("body") != "closing":
        pass
    assert frame.closing.code == code
    assert await reader.read() == b""
    return frame.closing.reason


async def expect_others_unaffected(house: House) -> None:
    house.list_line(99)
    await until(lambda: house.gateway.admission.get(99) is not None)
    async with house.native(99) as client:
        assert list((await client.submit(records(990, [house.gateway.counters.accepted]))).code) == [0]


def broken(**columns) -> Records:
    result = records(10, [1, 2])
    for name, values in columns.items():
        del getattr(result, name)[:]
        getattr(result, name).extend(values)
    return result


VIOLATIONS = {
    "no Hello first": (b"", DeviceFrame(submit=Submit(submit_id=1, records=records(10, [1]))), "Hello must come first"),
    "two Hellos": (HELLO, DeviceFrame(hello=Hello(protocol_version=1)), "Hello must come first, and once"),
    "another version": (b"", DeviceFrame(hello=Hello(protocol_version=9)), "protocol version 9"),
    "heartbeat before Hello": (b"", DeviceFrame(heartbeat=Heartbeat()), "Hello must come first"),
    "no records": (HELLO, DeviceFrame(submit=Submit(submit_id=1)), "0 records"),
    "too many records": (HELLO, DeviceFrame(submit=Submit(submit_id=1, records=records(10, range(1, 1002)))), "1001 records"),
    "no submit id": (HELLO, DeviceFrame(submit=Submit(records=records(10, [1]))), "submit_id"),
    "short column": (HELLO, DeviceFrame(submit=Submit(submit_id=1, records=broken(amount_fen=[1]))), "different length"),
    "long column": (HELLO, DeviceFrame(submit=Submit(submit_id=1, records=broken(orig_seq=[1] * 9))), "different length"),
    "unknown operation": (HELLO, DeviceFrame(submit=Submit(submit_id=1, records=broken(op=[2, 77]))), "operation"),
    "sequence zero": (HELLO, DeviceFrame(submit=Submit(submit_id=1, records=broken(terminal_seq=[1, 0]))), "terminal_seq"),
    "negative amount": (HELLO, DeviceFrame(submit=Submit(submit_id=1, records=broken(amount_fen=[1, -1]))), "amount_fen"),
    "huge amount": (HELLO, DeviceFrame(submit=Submit(submit_id=1, records=broken(amount_fen=[1, 10**12 + 1]))), "amount_fen"),
    "negative card": (HELLO, DeviceFrame(submit=Submit(submit_id=1, records=broken(card_no=[1, -1]))), "negative"),
    "moment in antiquity": (HELLO, DeviceFrame(submit=Submit(submit_id=1, records=broken(occurred_at_us=[1, 2]))), "occurred_at"),
    "empty frame body": (HELLO, DeviceFrame(), "empty frame"),
}


@pytest.mark.parametrize("name", VIOLATIONS)
async def test_a_native_violation_is_named_and_the_line_closed(house: House, name):
    before, frame, reason = VIOLATIONS[name]
    house.list_line(1)
    gateway = await house.start()
    reader, writer = await house.raw("native", 1)
    writer.write(before + (build_frame(frame) if frame.ByteSize() else b"\x00\x00\x00\x03\xfa\x01\x00"))
    assert reason in await expect_closing(reader, Result.FORMAT)
    assert gateway.counters.closed["violation"] == 1
    assert house.app.records == []


async def test_a_foreign_terminal_in_a_submit_is_refused_as_such(house: House):
    house.list_line(1)
    await house.start()
    reader, writer = await house.raw("native", 1)
    writer.write(HELLO + build_frame(DeviceFrame(submit=Submit(submit_id=1, records=records(777, [1])))))
    assert "not of this line" in await expect_closing(reader, Result.TERMINAL_NOT_ALLOWED)


@pytest.mark.parametrize("garbage", [b"\xff" * 64, b"\x00\x00\x00\x00", b"\x00\x00\x00\x05hello", os.urandom(4096)])
async def test_garbage_on_a_native_line_closes_it(house: House, garbage):
    house.list_line(1)
    await house.start()
    reader, writer = await house.raw("native", 1)
    writer.write(garbage if garbage[0] or len(garbage) < 100 else b"\xff" + garbage)
    await expect_closing(reader, Result.FORMAT)
    await expect_others_unaffected(house)


@pytest.mark.parametrize("garbage", [b"\x00\x00", b"\xff\xff", b"\x00\x05hello", b"\x00\x20" + b"\xff" * 32])
async def test_garbage_on_an_iso_line_closes_it(house: House, garbage):
    house.list_line(1)
    gateway = await house.start()
    reader, writer = await house.raw("iso8583", 1)
    writer.write(garbage)
    assert await reader.read() == b""
    assert gateway.counters.closed["violation"] == 1
    await expect_others_unaffected(house)


async def test_something_that_is_not_tls_is_dropped_and_counted(house: House):
    gateway = await house.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port("iso8583"))
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.read()
    writer.close()
    await until(lambda: gateway.counters.refused)
    assert gateway.counters.refused == {"handshake_failed": 1}


async def test_a_peer_that_never_shakes_hands_is_dropped(house: House):
    gateway = await house.start(line=LineLimits(handshake_s=0.2))
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port("native"))
    assert await reader.read() == b""
    writer.close()
    await until(lambda: gateway.counters.refused)
    assert gateway.counters.refused == {"handshake_timeout": 1}


async def test_a_frame_that_trickles_is_given_up(house: House):
    house.list_line(1)
    gateway = await house.start(line=LineLimits(frame_s=0.3))
    reader, writer = await house.raw("native", 1)
    writer.write(HELLO)
    await read_frame(reader)

    async def trickle() -> None:
        for byte in b"\x00\x00\x10\x00" + bytes(200):
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)

    slow = asyncio.create_task(trickle())
    assert "in time" in await expect_closing(reader, Result.FORMAT)
    slow.cancel()
    assert gateway.counters.closed["frame_timeout"] == 1


async def test_a_truncated_frame_and_a_cut_line_leave_nothing_behind(house: House):
    house.list_line(1)
    gateway = await house.start()
    reader, writer = await house.raw("native", 1)
    writer.write(HELLO + b"\x00\x00\x10\x00abc")
    await read_frame(reader)
    writer.transport.abort()
    await until(lambda: gateway.lines == 0)
    assert not gateway._connections


async def test_a_device_beyond_its_window_is_read_no_further_and_loses_nothing(house: House):
    house.list_line(1)
    await house.start(uplink=UplinkLimits(deadline_s=10))
    house.app.gate.clear()
    reader, writer = await house.raw("native", 1)
    writer.write(HELLO)
    for i in range(1, 41):
        writer.write(build_frame(DeviceFrame(submit=Submit(submit_id=i, records=records(10, [i])))))
    await read_frame(reader)
    await until(lambda: sum(len(b.line_id) for b in house.app.batches) == 8)
    await asyncio.sleep(0.1)
    assert sum(len(b.line_id) for b in house.app.batches) + house.gateway.uplink.waiting == 8
    house.app.gate.set()
    answered = {(await read_frame(reader)).answer.submit_id for _ in range(40)}
    assert answered == set(range(1, 41))


async def test_a_device_that_does_not_read_its_answers_is_dropped(house: House):
    house.list_line(1)
    gateway = await house.start(line=LineLimits(write_stall_s=0.3, write_buffer_bytes=1024))
    _, writer = await house.raw("native", 1)
    writer.transport.pause_reading()
    writer.write(HELLO)
    beat = build_frame(DeviceFrame(heartbeat=Heartbeat())) * 2000

    async def flood() -> None:
        try:
            while True:
                writer.write(beat)
                await writer.drain()
        except ConnectionError:
            pass

    flooding = asyncio.create_task(flood())
    await until(lambda: gateway.counters.closed["write_stalled"], 30)
    flooding.cancel()
    await asyncio.gather(flooding, return_exceptions=True)
    await expect_others_unaffected(house)


async def test_when_the_queue_is_full_the_answer_is_busy_at_once(house: House):
    house.list_line(1)
    await house.start(uplink=UplinkLimits(waiting_records=4, calls=1, deadline_s=10))
    house.app.gate.clear()
    async with house.native(1) as client:
        stuck = [asyncio.create_task(client.submit(records(10, range(1, 5))))]
        await until(lambda: house.app.batches)
        stuck.append(asyncio.create_task(client.submit(records(10, range(11, 15)))))
        await until(lambda: house.gateway.uplink.waiting == 4)
        assert list((await client.submit(records(10, [99]))).code) == [Result.BUSY]
        house.app.gate.set()
        assert [list(a.code) for a in await asyncio.gather(*stuck)] == [[0] * 4] * 2


async def test_what_never_left_the_queue_within_the_deadline_is_busy_and_what_left_is_unavailable(house: House):
    house.list_line(1)
    await house.start(uplink=UplinkLimits(calls=1, deadline_s=0.5))
    house.app.gate.clear()
    async with house.native(1) as client:
        sent = asyncio.create_task(client.submit(records(10, [1])))
        await until(lambda: house.app.batches)
        queued = asyncio.create_task(client.submit(records(10, [2])))
        codes = [list((await sent).code), list((await queued).code)]
    assert codes[0] == [Result.UNAVAILABLE]
    assert codes[1] in ([Result.BUSY], [Result.UNAVAILABLE])
    house.app.gate.set()


async def test_an_application_server_that_answers_the_wrong_number_of_records_is_not_believed(house: House):
    house.list_line(1)
    await house.start()
    original = house.app.Post

    async def short(request, context):
        reply = await original(request, context)
        del reply.answers.code[-1:]
        return reply

    house.app.Post = short
    await house.app.stop()
    await house.app.start(f"unix:{house.folder}/app.sock")
    async with house.native(1) as client:
        assert list((await client.submit(records(10, [1, 2]))).code) == [Result.UNAVAILABLE] * 2


async def test_hundreds_of_hostile_lines_leave_no_task_socket_or_line_behind(house: House):
    house.list_line(1, front_end=True)
    gateway = await house.start()
    await expect_others_unaffected(house)
    await until(lambda: not gateway._connections)
    tasks, fds = len(asyncio.all_tasks()), open_files()
    for _ in range(5):
        lines = await asyncio.gather(*(house.raw(driver, 1) for driver in ("native", "iso8583") for _ in range(20)))
        for number, (_, writer) in enumerate(lines):
            writer.write(os.urandom(number * 7 + 1))
        await asyncio.sleep(0.05)
        for _, writer in lines:
            writer.transport.abort()
        await until(lambda: not gateway._connections)
    await until(lambda: len(asyncio.all_tasks()) <= tasks and open_files() <= fds + 1)
    await expect_others_unaffected(house)


async def test_fast_hostile_pos_does_not_slow_the_others_into_errors(house: House):
    house.list_line(1)
    house.list_line(2)
    await house.start()
    await house.pos(1).sign_on()
    good = house.pos(2)
    await good.sign_on()
    reader, writer = await house.raw("iso8583", 1)
    wrong = FastPurchase("00000010", mid_of("00000010"), bytes(8)).build(1, CARD, 100, NOW)
    for _ in range(500):
        writer.write(wrong)
    outcomes = [await good.purchase(CARD, 100) for _ in range(5)]
    assert all(outcome.is_approved for outcome in outcomes)
    for _ in range(500):
        size = int.from_bytes(await reader.readexactly(2), "big")
        await reader.readexactly(size)
    assert house.gateway.counters.mac_wrong == 500
