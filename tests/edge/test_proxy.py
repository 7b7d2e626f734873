"""The workstation's browser through the front-end: whole, only to the consoles of a unit, and a clear page while it is down."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from onecard.fep.proxy import MAX_BODY_BYTES, WorkstationProxy
from onecard.terminal.errors import LineDown


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


def through(line: Line, work: Callable[[Talk, WorkstationProxy], Awaitable[None]]) -> None:
    """Runs `work` with a way to send bytes and read the answer until the proxy closes."""

    async def main() -> None:
        line.may_answer.set()
        proxy = WorkstationProxy(line, host="127.0.0.1", port=0, tls=None)
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


def test_a_body_goes_up_whole_however_it_was_cut():
    line, body = Line(), b"x" * 300_000

    async def work(talk: Talk, _: WorkstationProxy) -> None:
        head = b"POST /workstation/save HTTP/1.1\r\nHost: f\r\nConnection: close\r\n"
        await talk(head + b"Content-Length: 300000\r\n\r\n" + body)
        chunks = b"".join(
            b"%x\r\n%b\r\n" % (len(body[at : at + 70_001]), body[at : at + 70_001]) for at in range(0, 300_000, 70_001)
        )
        await talk(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
        refused = await talk(head + b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 70_000) + b"x" * (MAX_BODY_BYTES + 70_000))
        assert refused == b"" or refused.startswith(b"HTTP/1.1 413")

    through(line, work)
    assert [(stream.sent, stream.ended) for stream in line.streams] == [(body, True)] * 2
    assert [headers["content-length"] for _, _, headers in line.asked] == ["300000"] * 2
    assert not any("transfer-encoding" in headers for _, _, headers in line.asked)


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
        assert answer.startswith(b"HTTP/1.1 503") and "脱机".encode() in answer

    through(line, work)


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
