"""Who is let in, who is not, and how fast a change cuts a line off (G2, O4)."""

import asyncio
import socket
import ssl
from datetime import timedelta

import pytest

from onecard.gateway.admission import AdmissionList
from onecard.gateway.settings import AdmissionLimits
from onecard.kernel.clock import to_epoch_us
from onecard.kernel.codes import Result
from onecard.protocol.native import build_frame, parse_platform_frame
from onecard.protocol.proto.app_pb2 import AdmissionEvent, Line, LineTerminal, Refusal
from onecard.protocol.proto.device_pb2 import DeviceFrame, Hello
from onecard.terminal.errors import LineDown, LineRefused
from onecard.terminal.native import NativeClient
from tests.gateway.harness import House, until
from tests.gateway.pki import Authority
from tests.gateway.test_native import records

HELLO = build_frame(DeviceFrame(hello=Hello(protocol_version=1)))


async def test_a_certificate_of_the_platform_that_is_not_listed_is_refused_with_a_reason_and_logged(house: House, caplog):
    issued = house.issue(7)
    gateway = await house.start()
    with pytest.raises(LineRefused) as refusal:
        await house.native(7).connect()
    assert refusal.value.result == Result.TERMINAL_NOT_ALLOWED
    assert gateway.counters.refused == {"not_listed": 1}
    assert issued.fingerprint.hex() in caplog.text
    assert "127.0.0.1" in caplog.text


async def test_a_certificate_of_another_authority_does_not_get_through_the_handshake(house: House, tmp_path):
    stranger = Authority(tmp_path / "other", "other CA").issue("stranger").identity
    house.list_line(1)
    gateway = await house.start()
    identity = type(stranger)(house.authority.ca, stranger.certificate, stranger.key)
    with pytest.raises(LineDown):
        await NativeClient("127.0.0.1", house.port("native"), identity).connect()
    await until(lambda: gateway.counters.refused)
    assert gateway.counters.refused == {"certificate_untrusted": 1}
    async with house.native(1) as client:
        assert list((await client.submit(records(10, [1]))).code) == [0]


async def test_no_certificate_at_all_is_refused(house: House):
    gateway = await house.start()
    context = house.issue(1).identity.context()
    bare = type(context)(context.protocol)
    bare.load_verify_locations(house.authority.ca)
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port("native"), ssl=bare, server_hostname="localhost")
    with pytest.raises(OSError):  # the alert arrives with the first read of TLS 1.3
        while await reader.read(100):
            pass
        raise ConnectionResetError
    writer.close()
    await until(lambda: gateway.counters.refused)
    assert gateway.counters.refused == {"certificate_missing": 1}


async def test_tls_1_2_is_refused(house: House):
    gateway = await house.start()
    context = house.issue(1).identity.context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", house.port("native"), ssl=context, server_hostname="localhost")
    await until(lambda: gateway.counters.refused)
    assert gateway.counters.refused == {"handshake_failed": 1}


@pytest.mark.parametrize(
    ("why", "result"),
    [
        (Refusal.REVOKED, Result.TERMINAL_NOT_ALLOWED),
        (Refusal.UNIT_SUSPENDED, Result.UNIT_SUSPENDED),
        (Refusal.UNIT_EXPIRED, Result.UNIT_EXPIRED),
        (Refusal.OPERATOR_SUSPENDED, Result.UNIT_SUSPENDED),
    ],
)
async def test_a_change_of_the_list_cuts_open_lines_off_and_keeps_them_out(house: House, why, result):
    house.list_line(1)
    house.list_line(2)
    await house.start()
    client, other = house.native(1), house.native(2)
    await client.connect()
    await other.connect()
    house.list_line(1, refusal=why)
    await until(lambda: not client.is_open)
    with pytest.raises(LineRefused) as refusal:
        await client.connect()
    assert refusal.value.result == result
    assert list((await other.submit(records(20, [1]))).code) == [0]


async def test_a_line_taken_off_the_list_is_cut_off_on_both_ports(house: House):
    house.list_line(1)
    gateway = await house.start()
    client, pos = house.native(1), house.pos(1)
    await client.connect()
    await pos.sign_on()
    house.app.unlist_line(1)
    await until(lambda: gateway.lines == 0)
    assert gateway.counters.closed["cut_off_terminal_not_allowed"] == 2


async def test_the_gateway_itself_ends_a_line_when_its_time_is_up(house: House):
    until_us = to_epoch_us(house.clock.now() + timedelta(hours=1))
    house.list_line(1, valid_until_us=until_us)
    gateway = await house.start()
    client = house.native(1)
    await client.connect()
    house.clock.advance(timedelta(hours=1))
    await until(lambda: not client.is_open)
    assert gateway.counters.closed["cut_off_unit_expired"] == 1
    with pytest.raises(LineRefused) as refusal:
        await client.connect()
    assert refusal.value.result == Result.UNIT_EXPIRED


async def test_extending_the_validity_lets_the_line_in_again(house: House):
    now_us = to_epoch_us(house.clock.now())
    house.list_line(1, valid_until_us=now_us)
    gateway = await house.start()
    client = house.native(1)
    with pytest.raises(LineRefused):
        await client.connect()
    house.list_line(1, valid_until_us=now_us + 10_000_000)
    await until(lambda: gateway.admission.get(1).valid_until_us > now_us)
    await client.connect()


async def test_a_terminal_added_to_a_line_may_speak_without_a_reconnect_and_one_taken_away_may_not(house: House):
    house.list_line(1, {10: "00000010"}, front_end=True)
    gateway = await house.start()
    client = house.native(1)
    await client.connect()
    house.list_line(1, {10: "00000010", 11: "00000011"}, front_end=True)
    await until(lambda: len(gateway.admission.get(1).terminals) == 2)
    assert list((await client.submit(records(11, [1]))).code) == [0]
    house.list_line(1, {10: "00000010"}, front_end=True)
    await until(lambda: len(gateway.admission.get(1).terminals) == 1)
    with pytest.raises(LineRefused) as refusal:
        await client.submit(records(11, [2]))
    assert refusal.value.result == Result.TERMINAL_NOT_ALLOWED


async def test_without_the_list_lines_stay_and_money_is_unavailable_until_it_is_back(house: House):
    house.list_line(1)
    limits = AdmissionLimits(silence_s=0.5, posting_s=0.6)
    gateway = await house.start(admission=limits)
    client = house.native(1)
    await client.connect()
    assert gateway.is_ready()
    await house.app.stop()
    await until(lambda: not gateway.is_ready())
    assert list((await client.submit(records(10, [1]))).code) == [Result.UNAVAILABLE]
    assert gateway.lines == 1
    await house.app.start(f"unix:{house.folder}/app.sock")
    await until(gateway.is_ready)
    assert list((await client.submit(records(10, [1]))).code) == [0]


async def test_with_a_list_that_is_too_old_nobody_new_is_let_in(house: House):
    house.list_line(1)
    gateway = await house.start(admission=AdmissionLimits(silence_s=0.3, posting_s=0.4, entry_s=0.5))
    await house.app.stop()
    await until(lambda: not gateway.is_ready())
    await asyncio.sleep(0.3)
    with pytest.raises(LineRefused) as refusal:
        await house.native(1).connect()
    assert refusal.value.result == Result.UNAVAILABLE


def speak_hello(port: int, context: ssl.SSLContext, session: ssl.SSLSession | None) -> tuple[str, bool, ssl.SSLSession | None]:
    """Connect, say Hello: the kind of the answer, whether the session was resumed, and the session."""
    with (
        socket.create_connection(("127.0.0.1", port), 5) as raw,
        context.wrap_socket(raw, server_hostname="localhost", session=session) as line,
    ):
        line.sendall(HELLO)
        frame = parse_platform_frame(line.recv(65536)[4:])
        return frame.WhichOneof("body"), bool(line.session_reused), line.session


async def test_a_resumed_tls_session_is_admitted_by_the_list_again(house: House):
    house.list_line(1)
    gateway = await house.start()
    context = house.issue(1).identity.context()
    body, resumed, session = await asyncio.to_thread(speak_hello, house.port("native"), context, None)
    assert (body, resumed) == ("welcome", False)
    body, resumed, session = await asyncio.to_thread(speak_hello, house.port("native"), context, session)
    assert (body, resumed) == ("welcome", True)
    house.list_line(1, refusal=Refusal.REVOKED)
    await until(lambda: gateway.admission.get(1).refusal is not None)
    body, resumed, _ = await asyncio.to_thread(speak_hello, house.port("native"), context, session)
    assert (body, resumed) == ("closing", True)


async def test_a_straight_terminal_that_comes_back_pushes_its_half_dead_connections_out(house: House):
    house.list_line(1)
    gateway = await house.start()
    clients = [house.native(1) for _ in range(6)]
    for client in clients:
        await client.connect()
    await until(lambda: gateway.lines == 4)
    assert gateway.counters.closed["replaced"] == 2
    assert clients[-1].is_open
    assert not clients[0].is_open


def test_a_sequence_number_that_has_risen_is_known_and_no_change_of_the_line():
    listed = AdmissionList()
    for known_seq, changed in ((5, {1}), (9, set())):
        terminal = LineTerminal(terminal_id=10, tid="00000010", known_seq=known_seq)
        event = AdmissionEvent(lines=[Line(line_id=1, certificate_sha256=b"f", terminals=[terminal])], snapshot_end=True)
        listed.begin_snapshot()
        assert listed.apply(event) == changed
        assert listed.find(b"f").known_seqs == {10: known_seq}
