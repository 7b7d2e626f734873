"""A workstation's browser over the line of its front-end, to a web tier on a real socket."""

import asyncio
import contextlib

import h11
import pytest

from onecard.kernel.codes import Result
from onecard.protocol.lineunit import HEADER, LineUnit, build_line_unit, parse_line_unit
from onecard.protocol.native import build_frame
from onecard.protocol.proto.device_pb2 import DeviceFrame, Hello, HttpRequest
from onecard.terminal.errors import LineDown, LineRefused
from tests.gateway.harness import House, until
from tests.gateway.test_native import records

SECRET = b"between gateway and web tier"
NOW_S = 1_772_337_600


class Web:
    """Answers each request by what its path says; keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.broken = 0
        self.sent = 0
        self.server: asyncio.Server | None = None

    async def start(self, path: str) -> None:
        self.server = await asyncio.start_unix_server(self._serve, path)

    async def stop(self) -> None:
        if self.server is not None:
            self.server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = h11.Connection(h11.SERVER)
        body, request = b"", None
        with contextlib.suppress(OSError, h11.RemoteProtocolError):
            while True:
                event = peer.next_event()
                if event is h11.NEED_DATA:
                    data = await reader.read(65_536)
                    peer.receive_data(data)
                elif isinstance(event, h11.Request):
                    request = event
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    await self._answer(peer, request, body, writer)
                    break
                else:
                    self.broken += 1
                    break
        writer.close()

    async def _answer(self, peer, request, body, writer) -> None:
        target = request.target.decode()
        headers = {name.decode(): value.decode() for name, value in request.headers}
        self.requests.append((request.method.decode(), target, headers, body))
        if target.startswith("/workstation/large"):
            writer.write(peer.send(h11.Response(status_code=200, headers=[("content-length", "4000000")])))
            for _ in range(400):
                writer.write(peer.send(h11.Data(data=bytes(10_000))))
                await writer.drain()
                self.sent += 10_000
        elif target.startswith("/workstation/cut"):
            writer.write(peer.send(h11.Response(status_code=200, headers=[("content-length", "100")])))
            writer.write(peer.send(h11.Data(data=b"half")))
            return
        else:
            cookies = [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("connection", "close")]
            writer.write(peer.send(h11.Response(status_code=201, headers=[*cookies, ("content-length", str(len(body)))])))
            writer.write(peer.send(h11.Data(data=body)))
        writer.write(peer.send(h11.EndOfMessage()))
        await writer.drain()


@pytest.fixture
async def web(house: House):
    web = Web()
    await web.start(f"{house.folder}/web.sock")
    house.list_line(1, {10: "00000010"}, front_end=True)
    yield web
    await web.stop()


async def start(house: House, **more):
    return await house.start(web=f"unix:{house.folder}/web.sock", web_secret=SECRET, **more)


async def whole(stream) -> tuple[int, list[tuple[str, str]], bytes]:
    status, headers = await stream.head()
    return status, headers, b"".join([part async for part in stream.body()])


async def test_a_page_is_answered_and_the_web_tier_knows_whose_line_it_was(house: House, web: Web):
    await start(house)
    async with house.native(1) as client:
        headers = [("Host", "fep.school:8480"), ("Accept", "text/html"), ("Cookie", "s=1")]
        status, answered, body = await whole(client.open_web("GET", "/workstation/?page=2", headers, end=True))
    assert (status, body) == (201, b"")
    assert [value for name, value in answered if name == "set-cookie"] == ["a=1", "b=2"]
    assert "connection" not in dict(answered)
    method, target, seen, _ = web.requests[0]
    assert (method, target, seen["host"], seen["cookie"]) == ("GET", "/workstation/?page=2", "fep.school:8480", "s=1")
    origin = parse_line_unit(SECRET, seen[HEADER.lower()], method=method, target=target, now_s=NOW_S)
    assert origin == LineUnit(unit_id=1, line_id=1)
    assert house.gateway.counters.web_requests == 1


async def test_what_a_front_end_claims_to_be_does_not_reach_the_web_tier(house: House, web: Web):
    await start(house)
    claims = [
        (HEADER, "9.9.1.00"), ("X_OneCard_Line_Unit", "9.9.1.00"), ("x-forwarded-for", "10.0.0.1"), ("X-Real-IP", "1.1.1.1"),
        ("Forwarded", "for=1"), ("X-Forwarded-Proto", "https"), ("Accept", "*/*"),
    ]  # fmt: skip
    async with house.native(1) as client:
        await whole(client.open_web("GET", "/workstation/", claims, end=True))
    _, target, seen, _ = web.requests[0]
    assert parse_line_unit(SECRET, seen[HEADER.lower()], method="GET", target=target, now_s=NOW_S).unit_id == 1
    assert set(seen) == {HEADER.lower(), "x-forwarded-proto", "accept", "host", "connection"}


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/centre/", 404),
        ("GET", "/workstation/../centre/", 404),
        ("GET", "/workstation/%2e%2e/centre/", 404),
        ("GET", "/workstation//evil", 404),
        ("GET", "/workstation/a b", 404),
        ("GET", "http://elsewhere/workstation/", 404),
        ("DELETE", "/workstation/", 405),
        ("CONNECT", "/workstation/", 405),
    ],
)
async def test_only_the_units_own_console_is_reached(house: House, web: Web, method, target, status):
    await start(house)
    async with house.native(1) as client:
        assert (await whole(client.open_web(method, target, [], end=True)))[0] == status
    assert web.requests == []


@pytest.mark.parametrize("named", [True, False])
async def test_a_form_larger_than_the_window_goes_through_whole(house: House, web: Web, named):
    await start(house)
    form = bytes(range(256)) * 4000  # 1,024,000 bytes
    async with house.native(1) as client:
        headers = [("Content-Length", str(len(form)))] if named else []
        stream = client.open_web("POST", "/workstation/import", headers, end=False)

        async def send() -> None:
            await stream.send(form[:500_000])
            await stream.send(form[500_000:], end=True)

        sending = asyncio.create_task(send())
        status, _, body = await whole(stream)
        await sending
    assert (status, body) == (201, form)
    assert web.requests[0][3] == form


async def test_a_browser_that_does_not_read_holds_up_neither_the_line_nor_much_memory(house: House, web: Web):
    await start(house)
    async with house.native(1) as client:
        stream = client.open_web("GET", "/workstation/large", [], end=True)
        await stream.head()
        await until(lambda: stream._parts.qsize() > 3)
        assert list((await client.submit(records(10, [1]))).code) == [0]
        held = sum(len(part.body) for part in list(stream._parts._queue))
        assert held <= 262_144
        assert web.sent < 2_000_000
        assert sum([len(part) async for part in stream.body()]) == 4_000_000


async def test_an_answer_that_breaks_off_ends_short_and_the_line_stays(house: House, web: Web):
    await start(house)
    async with house.native(1) as client:
        status, headers, body = await whole(client.open_web("GET", "/workstation/cut", [], end=True))
        assert (status, dict(headers)["content-length"], body) == (200, "100", b"half")
        assert client.is_open


async def test_while_the_web_tier_is_away_browsers_are_told(house: House, web: Web):
    await web.stop()
    await start(house)
    async with house.native(1) as client:
        status, _, body = await whole(client.open_web("GET", "/workstation/", [], end=True))
    assert status == 502
    assert b"does not answer" in body


async def test_a_browser_that_goes_away_ends_the_request(house: House, web: Web):
    gateway = await start(house)
    async with house.native(1) as client:
        stream = client.open_web("GET", "/workstation/large", [], end=True)
        await stream.head()
        stream.abort()
        await until(lambda: gateway.services.http.open == 0)
        assert client.is_open


async def test_a_line_that_breaks_ends_its_requests_on_both_sides(house: House, web: Web):
    gateway = await start(house)
    client = house.native(1)
    await client.connect()
    stream = client.open_web("GET", "/workstation/large", [], end=True)
    await stream.head()
    await client.close()
    with pytest.raises(LineDown):
        await whole(stream)
    await until(lambda: gateway.services.http.open == 0)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([HttpRequest(stream_id=0, method="GET", target="/workstation/")], "stream_id"),
        ([HttpRequest(stream_id=1, method="GET", target="/workstation/large")] * 2, "in use"),
        ([HttpRequest(stream_id=1, target="/x")], "without a method"),
        ([HttpRequest(stream_id=1, body=bytes(262_145))], "http.body"),
    ],
)
async def test_a_request_that_breaks_the_protocol_closes_the_line(house: House, web: Web, parts, reason):
    await start(house)
    reader, writer = await house.raw("native", 1)
    writer.write(build_frame(DeviceFrame(hello=Hello(protocol_version=1))))
    writer.write(b"".join(build_frame(DeviceFrame(http=part)) for part in parts))
    assert reason in (await reader.read()).decode("utf-8", "replace")
    assert house.gateway.counters.closed["violation"] == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("a\r\nb", "c")], 400),
        ([("a", "c\r\nd: e")], 400),
        ([("a", "\x01")], 400),
        ([("a b", "c")], 400),
        ([("", "c")], 400),
        ([(f"x-{number}", "y") for number in range(65)], 431),
        ([("Cookie", "c" * 20_000)], 431),
    ],
)
async def test_what_a_browser_sends_is_refused_to_the_browser_and_the_line_stays(house: House, web: Web, headers, status):
    await start(house)
    async with house.native(1) as client:
        stream = client.open_web("POST", "/workstation/", headers, end=False)
        await stream.send(b"x" * 1000, end=True)
        assert (await whole(stream))[0] == status
        assert (await whole(client.open_web("GET", "/workstation/", [("Cookie", "c" * 16_000)], end=True)))[0] == 201
        assert list((await client.submit(records(10, [1]))).code) == [0]
    assert len(web.requests) == 1
    assert not house.gateway.counters.closed["violation"]


async def test_without_a_web_tier_workstations_are_not_served(house: House):
    house.list_line(1, front_end=True)
    await house.start()
    client = house.native(1)
    await client.connect()
    stream = client.open_web("GET", "/workstation/", [], end=True)
    with pytest.raises(LineDown):
        await stream.head()
    with pytest.raises((LineDown, LineRefused)):
        client.open_web("GET", "/workstation/", [], end=True)
    assert client._refused.result == Result.TERMINAL_NOT_ALLOWED


def test_the_proof_holds_for_one_request_and_a_minute():
    value = build_line_unit(SECRET, LineUnit(7, 9), method="GET", target="/workstation/", now_s=1000)
    assert parse_line_unit(SECRET, value, method="GET", target="/workstation/", now_s=1060) == LineUnit(7, 9)
    for changed in (
        {"method": "POST"}, {"target": "/workstation/x"}, {"now_s": 1061}, {"now_s": 939}, {"secret": b"other"},
        {"value": "8" + value[1:]}, {"value": ""}, {"value": "a.b.c.d"}, {"value": value + ".x"},
    ):  # fmt: skip
        asked = {"secret": SECRET, "value": value, "method": "GET", "target": "/workstation/", "now_s": 1000} | changed
        with pytest.raises(ValueError, match=r"header|secret|old"):
            parse_line_unit(asked.pop("secret"), asked.pop("value"), **asked)
