"""The unit's workstation browser (G1): a small HTTP server at the unit; its requests go over the line to the web tier.

h11 checks what the browser sends; headers that concern one connection alone stay here. The web tier is told the line's proven
identity, nothing the browser says of itself. One request at a time a connection; a browser that goes away ends its request.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Protocol

import h11

from onecard.kernel.errors import OneCardError

log = logging.getLogger(__name__)
Headers = Iterable[tuple[str, str]]

MAX_BODY_BYTES = 8 << 20
IDLE_S = 75.0
ANSWER_S = 60.0
MAX_CONNECTIONS = 64
PATHS = ("/workstation/", "/static/")
_METHODS = frozenset({"GET", "HEAD", "POST"})
# RFC 9110 7.6.1, and what says who asks: the platform decides that by the line.
_NOT_FORWARDED = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"}
    | {"transfer-encoding", "upgrade", "expect", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}
    | {"x-onecard-line-unit"}
)
_OFFLINE_PAGE = (
    "<!doctype html><html lang=zh><meta charset=utf-8><title>脱机 / Off line</title>"
    "<h1>脱机 / Off line</h1><p>前置机与平台的线路已断开，恢复后请刷新本页。终端继续营业，记录已保存。"
    "<p>The line to the platform is down. Terminals go on selling; reload this page when the line is back."
).encode()


class WebStream(Protocol):
    """One request on its way (terminal.webstream). Every call raises OneCardError when the line goes down."""

    async def send(self, body: bytes, *, end: bool = False) -> None: ...
    async def head(self) -> tuple[int, list[tuple[str, str]]]: ...
    def body(self) -> AsyncIterator[bytes]: ...
    def abort(self) -> None: ...


class WebLine(Protocol):
    """The front-end's line, as a NativeClient has it."""

    @property
    def is_up(self) -> bool: ...
    def open_web(self, method: str, target: str, headers: Headers, *, end: bool) -> WebStream:
        """Begin a request; `end`: it has no body. Raises OneCardError when the line is down."""
        ...


class WorkstationProxy:
    """Listens for the unit's browsers. Plain HTTP is for loopback alone: the console's cookies are Secure."""

    def __init__(self, line: WebLine, *, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._line = line
        self._host = host
        self._port = port
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port in use, where 0 was asked for."""
        assert self._server is not None, "not started"
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Begin to listen. Raises OSError."""
        self._server = await asyncio.start_server(self._accept, self._host, self._port, ssl=self._tls, limit=65_536)

    async def stop(self) -> None:
        """Stop listening and end what is open."""
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def run(self) -> None:
        """Listen until cancelled."""
        await self.start()
        try:
            await asyncio.Event().wait()
        finally:
            await self.stop()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if len(self._open) <= MAX_CONNECTIONS:
                await _Conversation(self._line, reader, writer, secure=self._tls is not None).run()
        except (OSError, TimeoutError, h11.ProtocolError) as error:
            log.debug("fep: workstation: %s", error)
        finally:
            self._open.discard(task)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


class _Conversation:
    """One browser connection."""

    def __init__(self, line: WebLine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, secure: bool) -> None:
        self._line = line
        self._reader = reader
        self._writer = writer
        self._secure = secure
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=65_536)

    async def run(self) -> None:
        while self._http.states[h11.CLIENT] is not h11.MUST_CLOSE:
            try:
                event = await self._next(IDLE_S)
                if not isinstance(event, h11.Request):
                    return
                await self._answer(event)
            except h11.RemoteProtocolError as error:
                await self._refuse(error.error_status_hint)
                return
            if self._http.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
                return
            self._http.start_next_cycle()

    async def _answer(self, request: h11.Request) -> None:
        method, target = request.method.decode(), request.target.decode("latin-1")
        refusal = self._refusal(method, target)
        if refusal is None:
            if self._http.they_are_waiting_for_100_continue:
                await self._write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
            body = await self._whole_body()
            if body is None:
                refusal = 413
            else:
                await self._forward(method, target, self._forwarded(request, len(body)), body)
        if refusal is not None:
            await self._refuse(refusal)

    def _refusal(self, method: str, target: str) -> int | None:
        """The status of a request that does not go any further."""
        if method not in _METHODS:
            return 405
        path = target.partition("?")[0]
        # The web tier holds the same; here it spares the line, and shows a stranger on the unit's network nothing else.
        if not target.isascii() or not path.startswith(PATHS) or ".." in path or "//" in path or "%" in path or "\\" in path:
            return 302 if path == "/" else 404
        return None if self._line.is_up else 503

    def _forwarded(self, request: h11.Request, length: int) -> list[tuple[str, str]]:
        named = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers]
        dropped = _NOT_FORWARDED | {
            token.strip().lower() for name, value in named if name == "connection" for token in value.split(",")
        }
        kept = [(name, value) for name, value in named if name not in dropped | {"content-length"}]
        if length or request.method == b"POST":
            kept.append(("content-length", str(length)))
        return [*kept, ("x-forwarded-proto", "https" if self._secure else "http")]

    async def _whole_body(self) -> bytes | None:
        body = bytearray()
        while True:
            event = await self._next(IDLE_S)
            if isinstance(event, h11.Data):
                body += event.data
                if len(body) > MAX_BODY_BYTES:
                    return None
            elif isinstance(event, h11.EndOfMessage):
                return bytes(body)
            else:
                raise ConnectionResetError("the browser has gone")

    async def _forward(self, method: str, target: str, headers: Headers, body: bytes) -> None:
        stream: WebStream | None = None
        try:
            async with asyncio.timeout(ANSWER_S):
                stream = self._line.open_web(method, target, headers, end=not body)
                if body:
                    await stream.send(body, end=True)
                status, named = await stream.head()
            await self._pass_on(stream, status, [(name, value) for name, value in named if name.lower() not in _NOT_FORWARDED])
        except (OneCardError, TimeoutError, h11.LocalProtocolError) as error:
            log.info("fep: workstation request not answered: %s", error)
            if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
                raise ConnectionResetError("the answer was cut short") from error
            await self._refuse(503)
        finally:
            if stream is not None:
                stream.abort()

    async def _pass_on(self, stream: WebStream, status: int, headers: Headers) -> None:
        await self._write(self._http.send(h11.Response(status_code=status, headers=list(headers))))
        parts = aiter(stream.body())
        while True:
            try:
                async with asyncio.timeout(ANSWER_S):
                    part = await anext(parts)
            except StopAsyncIteration:
                break
            await self._write(self._http.send(h11.Data(data=part)))
        await self._write(self._http.send(h11.EndOfMessage()))

    async def _refuse(self, status: int) -> None:
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        page = _OFFLINE_PAGE if status == 503 else b""
        headers = [("content-type", "text/html; charset=utf-8"), ("content-length", str(len(page)))]
        headers += [("cache-control", "no-store"), ("connection", "close")]
        if status == 302:
            headers.append(("location", PATHS[0]))
        await self._write(self._http.send(h11.Response(status_code=status, headers=headers)))
        await self._write(self._http.send(h11.Data(data=page)) + self._http.send(h11.EndOfMessage()))

    async def _next(self, patience_s: float) -> object:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            async with asyncio.timeout(patience_s):
                self._http.receive_data(await self._reader.read(65_536))

    async def _write(self, data: bytes | None) -> None:
        if data:
            self._writer.write(data)
            async with asyncio.timeout(IDLE_S):
                await self._writer.drain()
