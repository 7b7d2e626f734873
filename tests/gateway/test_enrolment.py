"""The enrolment port, and what is told of those who did not get in; over real TLS sockets."""

import asyncio
import hashlib
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from onecard.gateway.enrolment import TryLimit
from onecard.gateway.settings import EnrolLimits
from onecard.kernel.codes import Result
from onecard.protocol.native import build_frame, parse_platform_frame
from onecard.protocol.proto.device_pb2 import DeviceFrame, Enrol, Hello, PlatformFrame
from onecard.terminal.errors import LineDown, LineRefused
from onecard.terminal.native import NativeClient
from tests.gateway.harness import House, until
from tests.gateway.pki import Authority


def stranger() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def knock(house: House, frame: DeviceFrame | bytes) -> PlatformFrame:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port("enrol"), ssl=stranger())
    writer.write(frame if isinstance(frame, bytes) else build_frame(frame))
    try:
        size = int.from_bytes(await reader.readexactly(4), "big")
        answer = parse_platform_frame(await reader.readexactly(size))
        assert await reader.read() == b""
        return answer
    finally:
        writer.close()


def ask(code: str = "GOOD") -> DeviceFrame:
    return DeviceFrame(enrol=Enrol(submit_id=4, code=code, csr_pem=b"CSR", hosts=["fep.school"]))


async def test_a_code_and_a_request_are_answered_with_a_certificate(house: House):
    await house.start(enrol_port=0)
    answer = (await knock(house, ask())).enrolled
    assert (answer.submit_id, answer.code, answer.certificate_pem, answer.ca_pem, answer.line_id) == (4, 0, b"PEM", b"CA", 7)
    (call,) = house.app.enrolled
    assert call.address.startswith("127.0.0.1:")
    assert (call.enrol.csr_pem, list(call.enrol.hosts)) == (b"CSR", ["fep.school"])
    assert house.gateway.counters.enrolments == {0: 1}


async def test_a_bad_code_is_answered_with_the_reason(house: House):
    await house.start(enrol_port=0)
    answer = (await knock(house, ask("BAD"))).enrolled
    assert (answer.code, answer.reason) == (Result.TERMINAL_NOT_ALLOWED, "G2: no such code")


async def test_the_authority_is_in_the_chain_so_that_its_hash_can_be_checked(house: House):
    await house.start(enrol_port=0)
    _, writer = await asyncio.open_connection("127.0.0.1", house.port("enrol"), ssl=stranger())
    peer = writer.get_extra_info("ssl_object")
    chain = [hashlib.sha256(bytes(one.public_bytes(2))).hexdigest() for one in peer._sslobj.get_unverified_chain()]
    ca = x509.load_pem_x509_certificate(house.authority.ca.read_bytes())
    assert hashlib.sha256(ca.public_bytes(Encoding.DER)).hexdigest() in chain
    writer.close()


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (DeviceFrame(hello=Hello(protocol_version=1)), "one Enrol"),
        (DeviceFrame(enrol=Enrol(code="GOOD")), "signing request"),
        (DeviceFrame(enrol=Enrol(code="x" * 101, csr_pem=b"x")), "code"),
        (DeviceFrame(enrol=Enrol(code="GOOD", csr_pem=b"x", hosts=["h"] * 21)), "hosts"),
        (b"\x00\x10\x00\x00", "frame of 1048576"),
        (b"\x00\x00\x00\x03abc", "not a DeviceFrame"),
    ],
)
async def test_anything_else_on_that_port_is_refused(house: House, frame, reason):
    await house.start(enrol_port=0)
    assert reason in (await knock(house, frame)).closing.reason
    assert house.app.enrolled == []


async def test_an_address_that_tries_too_often_has_to_wait(house: House):
    await house.start(enrol_port=0, enrol=EnrolLimits(per_host=2, again_s=1000))
    answers = [await knock(house, ask("BAD")) for _ in range(3)]
    assert [answer.WhichOneof("body") for answer in answers] == ["enrolled", "enrolled", "closing"]
    assert answers[-1].closing.code == Result.BUSY
    assert len(house.app.enrolled) == 2


async def test_who_says_nothing_is_dropped(house: House):
    gateway = await house.start(enrol_port=0, enrol=EnrolLimits(connection_s=0.2))
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port("enrol"), ssl=stranger())
    assert await reader.read() == b""
    await until(lambda: gateway.counters.refused["enrol_too_slow"] == 1)
    writer.close()


async def test_without_a_port_there_is_none(house: House):
    gateway = await house.start()
    assert "enrol" not in gateway.ports


def test_tries_come_back_with_time():
    now = 0.0
    limit = TryLimit(EnrolLimits(per_host=2, again_s=10, hosts=2), lambda: now)
    assert [limit.take("a") for _ in range(3)] == [True, True, False]
    assert limit.take("b")
    now = 10.0
    assert [limit.take("a") for _ in range(2)] == [True, False]
    limit.take("b"), limit.take("c")
    assert len(limit._hosts) == 2


# who did not get in


def refused(house: House):
    return [entry for report in house.app.device_reports for entry in report.refused]


def der_of(issued) -> bytes:
    return x509.load_pem_x509_certificate(issued.identity.certificate.read_bytes()).public_bytes(Encoding.DER)


async def test_a_certificate_that_is_not_listed_is_reported_with_its_address(house: House):
    await house.start()
    issued = house.issue(1)
    for _ in range(2):
        with pytest.raises(LineRefused):
            await house.native(1).connect()
    await until(lambda: sum(entry.times for entry in refused(house)) == 2)
    entry = refused(house)[0]
    assert (entry.address, entry.reason) == ("127.0.0.1", "not_listed")
    assert entry.certificate_der == der_of(issued)
    assert entry.at_us == 1_772_337_600_000_000


async def test_a_certificate_of_another_authority_is_reported_too(house: House, tmp_path):
    await house.start()
    foreign = Authority(tmp_path / "foreign", "foreign CA").issue("intruder")
    with pytest.raises(LineDown):
        client = NativeClient("127.0.0.1", house.port("native"), _trusting(foreign.identity, house))
        await client.connect()
    await until(lambda: refused(house))
    (entry,) = refused(house)
    assert (entry.address, entry.reason) == ("127.0.0.1", "certificate_untrusted")
    assert entry.certificate_der == der_of(foreign)


async def test_who_shows_no_certificate_is_reported_without_one(house: House):
    await house.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port("native"), ssl=stranger())
    with pytest.raises((ssl.SSLError, OSError)):
        writer.write(b"x")
        await reader.readexactly(1)
    await until(lambda: refused(house))
    assert (refused(house)[0].reason, refused(house)[0].certificate_der) == ("certificate_missing", b"")
    writer.close()


async def test_a_revoked_line_is_reported_as_one_that_is_not_listed(house: House):
    house.list_line(1, refusal=1)
    await house.start()
    with pytest.raises(LineRefused):
        await house.native(1).connect()
    await until(lambda: refused(house))
    assert refused(house)[0].reason == "not_listed"


def _trusting(identity, house: House):
    from onecard.terminal.tls import Identity

    return Identity(house.authority.ca, identity.certificate, identity.key)
