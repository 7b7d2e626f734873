"""What gateways ask for devices: reports, files, leases, one-time codes, tasks with the authorised list; on a real database."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import grpc
import pytest

from onecard.kernel.clock import to_epoch_us
from onecard.kernel.codes import Result
from onecard.kernel.events import EventKind
from onecard.protocol.lease import parse_lease
from onecard.protocol.proto import app_pb2
from onecard.protocol.proto.device_pb2 import DeviceEvent, Enrol, Enrolled, Heartbeat, Hello
from tests.appserver.conftest import Client, in_thread, until

EVENT_ID = bytes(range(16))


def now_us() -> int:
    return to_epoch_us(datetime.now(UTC))


async def test_states_and_events_are_stored_once_each(client: Client) -> None:
    town = client.town
    event = DeviceEvent(event_id=EVENT_ID, kind=EventKind.DISK_LOW, occurred_at_us=now_us(), detail="4 %")
    report = app_pb2.DeviceReport(
        gateway="g1",
        lines=[
            app_pb2.LineStatus(
                line_id=town.unit_line,
                heard_at_us=now_us(),
                address="10.0.0.1:5000",
                hello=Hello(maker="acme", model="F1", firmware="1.0", serial="S1"),
                heartbeat=Heartbeat(backlog=4, last_error="none"),
            )
        ],
        events=[app_pb2.LineEvents(line_id=town.unit_line, events=[event])],
    )
    for _ in range(2):
        await client.stub.ReportDevices(report, timeout=20)
    assert town.execute("SELECT line_id, address, backlog FROM devices_devicestatus WHERE terminal_id IS NULL") == [
        (town.unit_line, "10.0.0.1:5000", 4)
    ]
    assert town.execute("SELECT line_id, kind, detail FROM devices_storedevent WHERE kind = %s", EventKind.DISK_LOW) == [
        (town.unit_line, int(EventKind.DISK_LOW), "4 %")
    ]


async def test_who_was_refused_stands_in_the_list_of_attempts(client: Client) -> None:
    refused = app_pb2.RefusedHandshake(at_us=now_us(), address="192.0.2.7", reason="certificate_missing", times=3)
    await client.stub.ReportDevices(app_pb2.DeviceReport(gateway="g1", refused=[refused]), timeout=20)
    rows = client.town.execute("SELECT address, reason, times FROM devices_refusedattempt")
    assert rows == [("192.0.2.7", "certificate_missing", 3)]


async def test_a_file_that_is_not_there_is_said_to_be_so(client: Client) -> None:
    reply = await client.stub.FetchFile(app_pb2.FetchFileCall(line_id=1, name="metadata/timestamp.json", length=100), timeout=20)
    assert reply.code == Result.NO_ORIGINAL


async def test_a_lease_is_given_to_a_front_end_and_to_nobody_else(client: Client) -> None:
    town = client.town
    reply = await client.stub.GetLease(app_pb2.GetLeaseCall(line_id=town.unit_line), timeout=20)
    assert reply.code == Result.APPROVED
    lease = parse_lease(reply.lease)
    assert (lease.line_id, lease.unit_id) == (town.unit_line, town.unit)
    assert reply.signature
    assert reply.certificate_der
    refused = await client.stub.GetLease(app_pb2.GetLeaseCall(line_id=town.line), timeout=20)
    assert refused.code == Result.TERMINAL_NOT_ALLOWED


async def test_a_one_time_code_opens_once_for_one_key(client: Client) -> None:
    from onecard.services.actors import Actor
    from onecard.services.devices import api

    town = client.town
    admin = Actor("admin", frozenset({"*"}))
    made = await in_thread(lambda: api.make_enrolment_code(line_id=town.unit_line, actor=admin))
    _, request = api.build_request()
    _, other = api.build_request()

    async def enrol(code: str, csr_pem: bytes) -> Enrolled:
        ask = Enrol(code=code, csr_pem=csr_pem, hosts=["fep.school.example"])
        reply: Enrolled = await client.stub.EnrolDevice(
            app_pb2.EnrolDeviceCall(gateway="g1", address="192.0.2.9:4000", enrol=ask), timeout=20
        )
        return reply

    assert (await enrol("AAAA-BBBB-CCCC-DDDD", request)).code == Result.TERMINAL_NOT_ALLOWED
    assert (await enrol(made.code, b"nonsense")).code == Result.FORMAT
    first, again = await enrol(made.code, request), await enrol(made.code, request)
    assert (first.code, first.line_id, first.terminal_id) == (Result.APPROVED, town.unit_line, 0)
    assert first.certificate_pem == again.certificate_pem
    assert b"BEGIN CERTIFICATE" in first.ca_pem
    assert (await enrol(made.code, other)).code == Result.TERMINAL_NOT_ALLOWED
    assert town.execute("SELECT times FROM devices_refusedattempt WHERE address = '192.0.2.9'") == [(2,)]
    await until(lambda: client.server.hub.lines[town.unit_line].certificate_sha256 != b"\2" * 32)


async def _events(client: Client) -> AsyncIterator[app_pb2.AdmissionEvent]:
    async for event in client.stub.WatchAdmission(app_pb2.WatchAdmissionRequest(gateway="test")):
        yield event


async def test_the_list_brings_leases_and_data_and_tells_when_they_change(client: Client) -> None:
    town = client.town
    serials: dict[int, int] = {}
    versions: dict[str, int] = {}
    current: dict[int, dict[str, int]] = {}

    async def follow() -> None:
        async for event in _events(client):
            for tasks in event.tasks:
                serials[tasks.line_id] = tasks.lease_serial
                current[tasks.line_id] = {version.name: version.version for version in tasks.current}
            if event.HasField("data"):
                versions.update({version.name: version.version for version in event.data.current})

    following = asyncio.create_task(follow())
    await until(lambda: serials == {town.unit_line: 1})
    await client.stub.GetLease(app_pb2.GetLeaseCall(line_id=town.unit_line), timeout=20)
    town.execute("UPDATE operators_unit SET valid_until = valid_until + interval '1 day'")
    await until(lambda: serials[town.unit_line] == 2)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


@pytest.mark.parametrize("payload", ["data", "7", "nonsense"])
async def test_a_notice_of_any_form_makes_the_keeper_look(client: Client, payload: str) -> None:
    looks: list[object] = []
    keeper = client.server._task_keeper
    look = keeper._look

    async def counted(line_ids: object) -> object:
        looks.append(line_ids)
        return await look(line_ids)

    await until(lambda: keeper.loads > 0)
    keeper._look = counted
    client.town.execute("SELECT pg_notify('rollouts', %s)", payload)
    await until(lambda: bool(looks))
    assert looks[0] == {"data": set(), "7": {7}, "nonsense": None}[payload]


async def test_reports_are_refused_while_the_server_ends(client: Client) -> None:
    client.server.service.draining.set()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await client.stub.ReportDevices(app_pb2.DeviceReport(gateway="g1"), timeout=20)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    client.server.service.draining.clear()
