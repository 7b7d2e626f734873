"""The workstation's browser through the front-end: whole, only to the consoles of a unit, and a clear page while it is down."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from onecard.fep.browser import MAX_BODY_BYTES, Patience
from onecard.fep.proxy import MAX_PER_ADDRESS, WorkstationProxy
from onecard.gateway.tls import server_contexts
from onecard.kernel.codes import Result
from onecard.terminal.errors import LineDown
from tests.gateway.pki import Authority


def down() -> LineDown:
    return LineDown("断", "down")


@dataclass
class Stream:
    """The web tier's side of one request."""

    line: "Line"
    sent: bytes = b""
    ended: bool = False
    aborted: bool = False

    async def send(self, body: bytes, *, end: bool = False) -> None:
        self.sent += body
        self.ended = end

    async def head(self) -> tuple[int, list[tuple[str, str]]]:
        if self.line.breaks == "head":
            raise down()
        await self.line.may_answer.wait()
        return 200, [
            ("content-type", "text/plain"),
            ("connection", "close"),
            ("content-length", str(sum(map(len, self.line.parts)))),
        ]

    async def body(self) -> AsyncIterator[bytes]:
        for place, part in enumerate(self.line.parts):
            if self.line.breaks == "body" and place:
                raise down()
            yield part

    def abort(self) -> None:
        self.aborted = True


@dataclass
class Line:
    """A line whose web tier answers every request alike."""

    is_up: bool = True
    parts: list[bytes] = field(default_factory=lambda: [b"hello ", b"world"])
    breaks: str = ""
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)

    def open_web(self, method, target, headers, *, end) -> Stream:
        if not self.is_up:
            raise down()
        self.asked.append((method, target, dict(headers)))
        self.streams.append(Stream(self, ended=end))
        self.was_asked.set()
        return self.streams[-1]


Talk = Callable[[bytes], Awaitable[bytes]]


def through(line: Line, work: Callable[[Talk, WorkstationProxy], Awaitable[None]], **how: Any) -> None:
    """Runs `work` with a way to send bytes and read the answer until the proxy closes."""

    async def main() -> None:
        line.may_answer.set()
        proxy = WorkstationProxy(line, host="127.0.0.1", port=0, **{"tls": None, **how})
        await proxy.start()

        async def talk(request: bytes) -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(request)
            try:
                return await reader.read()
            finally:
                writer.close()

        try:
            async with asyncio.timeout(10):
                await work(talk, proxy)
        finally:
            await proxy.stop()

    asyncio.run(main())


def get(target: str, *extra: str) -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: fep:8480", "Connection: close", *extra, "", ""]).encode()


def test_a_page_comes_whole_and_what_the_browser_claims_stays_behind():
    line = Line()

    async def work(talk: Talk, _: WorkstationProxy) -> None:
        answer = await talk(
            get("/workstation/?a=1", "Cookie: c=d", "X-OneCard-Line-Unit: 9.9.9.x", "X-Forwarded-For: 1.2.3.4", "Upgrade: h2c")
        )
        assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"\r\n\r\nhello world")

    through(line, work)
    ((method, target, headers),) = line.asked
    assert (method, target) == ("GET", "/workstation/?a=1")
    assert headers == {"host": "fep:8480", "cookie": "c=d", "x-forwarded-proto": "http"}
    assert line.streams[0].aborted  # harmless after the end, and always said


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/", b"302"),
        ("/centre/", b"404"),
        ("/api/v1/x", b"404"),
        ("/workstation/../centre/", b"404"),
        ("/workstation//centre/", b"404"),
        ("/workstation/%2e%2e/centre/", b"404"),
        ("/workstation", b"404"),
        ("http://other/workstation/", b"404"),
        ("*", b"404"),
    ],
)
def test_only_the_units_own_console_is_reached(target, status):
    line = Line()

    async def work(talk: Talk, _: WorkstationProxy) -> None:
        assert (await talk(get(target))).split(b" ")[1] == status

    through(line, work)
    assert line.asked == []


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"DELETE /workstation/ HTTP/1.1\r\nHost: f\r\n\r\n", b"405"),
        (b"CONNECT other:443 HTTP/1.1\r\nHost: f\r\n\r\n", b"405"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /workstation/ HTTP/1.1\r\n\r\n", b"400"),
        (b"POST /workstation/ HTTP/1.1\r\nHost: f\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"GET /workstation/ HTTP/1.1\r\nHost: f\r\nX: " + b"y" * 70_000, b"431"),
    ],
)
def test_what_is_no_request_is_answered_and_closed(request_bytes, status):
    line = Line()

    async def work(talk: Talk, _: WorkstationProxy) -> None:
        assert (await talk(request_bytes)).split(b" ")[1] == status

    through(line, work)
    assert line.asked == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([f"X-{number}: y" for number in range(70)], b"431"),
        (["Cookie: " + "c" * 20_000], b"431"),
        (["X: a\x01b"], b"400"),
        (["X-Long-" + "n" * 200 + ": y"], b"400"),
    ],
)
def test_what_the_gateway_would_not_take_is_answered_here_and_never_sent(headers, status):
    line = Line()

    async def work(talk: Talk, _: WorkstationProxy) -> None:
        assert (await talk(get("/workstation/", *headers))).split(b" ")[1] == status
        assert (await talk(get("/workstation/", "Cookie: " + "c" * 16_000))).startswith(b"HTTP/1.1 200")

    through(line, work)
    assert len(line.asked) == 1


def test_a_body_goes_up_whole_however_it_was_cut():
    line, body = Line(), b"x" * 60_000

    async def work(talk: Talk, _: WorkstationProxy) -> None:
        head = b"POST /workstation/save HTTP/1.1\r\nHost: f\r\nConnection: close\r\n"
        await talk(head + b"Content-Length: 60000\r\n\r\n" + body)
        chunks = b"".join(
            b"%x\r\n%b\r\n" % (len(body[at : at + 17_001]), body[at : at + 17_001]) for at in range(0, 60_000, 17_001)
        )
        await talk(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")

    through(line, work)
    assert [(stream.sent, stream.ended) for stream in line.streams] == [(body, True)] * 2
    assert [headers["content-length"] for _, _, headers in line.asked] == ["60000"] * 2
    assert not any("transfer-encoding" in headers for _, _, headers in line.asked)


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 65537\r\n\r\n",
        b"Content-Length: 99999999999999999999\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + (b"4000\r\n" + bytes(0x4000) + b"\r\n") * 5,
    ],
)
def test_a_body_larger_than_a_form_is_not_kept(rest):
    line = Line()

    async def work(talk: Talk, _: WorkstationProxy) -> None:
        refused = await talk(b"POST /workstation/save HTTP/1.1\r\nHost: f\r\n" + rest)
        assert refused.startswith(b"HTTP/1.1 413")

    assert MAX_BODY_BYTES == 65_536
    through(line, work)
    assert line.asked == []


@pytest.mark.parametrize(
    "begin", [b"GET /workstation/ HTTP/1.1\r\n", b"POST /workstation/ HTTP/1.1\r\nHost: f\r\nContent-Length: 60000\r\n\r\n"]
)
def test_a_request_that_never_ends_has_its_time_however_often_something_comes(begin):
    line = Line()

    async def work(_: Talk, proxy: WorkstationProxy) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(begin)
        answer = asyncio.create_task(reader.read())
        while not answer.done():
            writer.write(b"x")
            await asyncio.wait({answer}, timeout=0.05)
        writer.close()
        assert (await answer).startswith(b"HTTP/1.1 408")

    through(line, work, patience=Patience(request=0.3))


async def hold(proxy: WorkstationProxy, count: int, *, begin: bytes) -> list[asyncio.StreamWriter]:
    held = []
    for _ in range(count):
        _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(begin)
        held.append(writer)
    return held


async def let_go(held: list[asyncio.StreamWriter]) -> None:
    for writer in held:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for writer in held), return_exceptions=True)


def test_one_address_shuts_nobody_else_out_and_is_let_in_again_when_it_lets_go():
    line = Line()

    async def work(talk: Talk, proxy: WorkstationProxy) -> None:
        held = await hold(proxy, MAX_PER_ADDRESS, begin=b"GET /workstation/ HTTP/1.1\r\n")
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await reader.read() == b""
        other, sender = await asyncio.open_connection("127.0.0.1", proxy.port, local_addr=("127.0.0.2", 0))
        sender.write(get("/workstation/"))
        assert (await other.read()).startswith(b"HTTP/1.1 200")
        await let_go([*held, writer, sender])
        while proxy._open:
            await asyncio.wait(proxy._open)
        assert (await talk(get("/workstation/"))).startswith(b"HTTP/1.1 200")

    through(line, work)


def test_who_does_not_finish_a_handshake_counts_and_is_dropped(tmp_path):
    issued = Authority(tmp_path).issue("line-1").identity
    tls = server_contexts(issued.certificate, issued.key, ca=None).handshake

    async def work(_: Talk, proxy: WorkstationProxy) -> None:
        held = await hold(proxy, MAX_PER_ADDRESS, begin=b"")
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        while proxy._open:
            await asyncio.wait(proxy._open)
        client = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        served, sender = await asyncio.open_connection("127.0.0.1", proxy.port, ssl=client, server_hostname="localhost")
        sender.write(get("/workstation/"))
        assert (await served.read()).startswith(b"HTTP/1.1 200")
        await let_go([*held, writer, sender])

    line = Line()
    through(line, work, tls=tls, patience=Patience(handshake=0.5))
    assert line.asked[0][2]["x-forwarded-proto"] == "https"


def test_several_requests_share_a_connection():
    line = Line()

    async def work(talk: Talk, _: WorkstationProxy) -> None:
        one = b"GET /static/a.css HTTP/1.1\r\nHost: f\r\n\r\n"
        answer = await talk(one + one + get("/workstation/"))
        assert answer.count(b"HTTP/1.1 200") == 3

    through(line, work)
    assert len(line.asked) == 3


def test_a_line_that_is_down_gives_a_page_that_says_so():
    line = Line(is_up=False)

    async def work(talk: Talk, _: WorkstationProxy) -> None:
        answer = await talk(get("/workstation/"))
        assert answer.startswith(b"HTTP/1.1 503") and "终端继续营业".encode() in answer
        head = await talk(get("/workstation/").replace(b"GET", b"HEAD"))
        assert head.startswith(b"HTTP/1.1 503") and head.endswith(b"\r\n\r\n")

    through(line, work)


def test_where_terminals_do_not_sell_the_page_does_not_say_that_they_do():
    line = Line(is_up=False)

    async def work(talk: Talk, _: WorkstationProxy) -> None:
        page = (await talk(get("/workstation/"))).decode()
        assert "终端不能消费：接入单位已到期" in page and "do not sell: Unit expired" in page
        assert "继续营业" not in page and "go on selling" not in page

    through(line, work, no_sales=lambda: Result.UNIT_EXPIRED)


@pytest.mark.parametrize(("breaks", "begins"), [("head", b"HTTP/1.1 503"), ("body", b"HTTP/1.1 200")])
def test_a_line_that_breaks_meanwhile_never_gives_a_page_that_looks_whole(breaks, begins):
    line = Line(breaks=breaks)

    async def work(talk: Talk, _: WorkstationProxy) -> None:
        answer = await talk(get("/workstation/"))
        assert answer.startswith(begins) and not answer.endswith(b"world")

    through(line, work)


def test_a_stop_ends_what_is_open():
    line = Line()

    async def work(talk: Talk, proxy: WorkstationProxy) -> None:
        line.may_answer.clear()
        waiting = asyncio.create_task(talk(get("/workstation/")))
        await line.was_asked.wait()
        await proxy.stop()
        assert await waiting == b"" and line.streams[0].aborted

    through(line, work)
