"""One browser's connection to the front-end: whole, bounded requests go on over the line, everything else is answered here."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import h11

from onecard.kernel.errors import OneCardError
from onecard.protocol.devicechecks import MAX_HEADER_BYTES, refused_head

log = logging.getLogger(__name__)
Headers = Iterable[tuple[str, str]]

MAX_BODY_BYTES = 65_536
"""The console's forms are a few hundred bytes."""
BUFFER_BYTES = 16_384
PATHS = ("/workstation/", "/static/")
_METHODS = frozenset({"GET", "HEAD", "POST"})
# RFC 9110 7.6.1, and what says who asks: the platform decides that by the line.
_NOT_FORWARDED = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"}
    | {"transfer-encoding", "upgrade", "expect", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}
    | {"x-onecard-line-unit"}
)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a browser may take, in seconds."""

    handshake: float = 10.0
    idle: float = 15.0
    """Between requests, and before the first."""
    request: float = 10.0
    """For a whole request, from its first byte."""
    answer: float = 60.0
    """For the web tier's next part, and for the browser to take it."""
    whole: float = 180.0
    """For a whole answer."""


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


@dataclass(frozen=True, slots=True)
class _Asked:
    """A whole request, as it goes on."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes


class Conversation:
    """One browser connection."""

    def __init__(
        self, line: WebLine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, scheme: str, patience: Patience,
        page: Callable[[int], bytes],
    ) -> None:  # fmt: skip
        """`page` is what a browser is shown with a status of our own."""
        self._line = line
        self._reader = reader
        self._writer = writer
        self._scheme = scheme
        self._patience = patience
        self._page = page
        self._is_head = False
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=2 * MAX_HEADER_BYTES)

    async def run(self) -> None:
        while await self._has_begun():
            try:
                async with asyncio.timeout(self._patience.request):
                    asked = await self._request()
            except h11.RemoteProtocolError as error:
                asked = error.error_status_hint
            except TimeoutError:
                asked = 408
            if isinstance(asked, int):
                await self._refuse(asked)
                return
            await self._forward(asked)
            if self._http.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
                return
            self._http.start_next_cycle()

    async def _has_begun(self) -> bool:
        """Waits for the first byte of a request."""
        if self._http.trailing_data[0]:
            return True
        async with asyncio.timeout(self._patience.idle):
            data = await self._reader.read(BUFFER_BYTES)
        self._http.receive_data(data)
        return bool(data)

    async def _request(self) -> _Asked | int:
        """A whole request, or the status of one that does not go any further."""
        request = await self._next()
        if not isinstance(request, h11.Request):
            raise ConnectionResetError("the browser has gone")
        method, target = request.method.decode(), request.target.decode("latin-1")
        self._is_head = method == "HEAD"
        refusal = self._refusal(method, target) or _too_long(request)
        if refusal:
            return refusal
        if self._http.they_are_waiting_for_100_continue:
            await self._write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
        body = await self._whole_body()
        if body is None:
            return 413
        headers = self._forwarded(request, len(body))
        # What the gateway would not pass on is answered here: the line is there for the unit's money.
        return refused_head(target, headers) or _Asked(method, target, headers, body)

    def _refusal(self, method: str, target: str) -> int:
        """The status of a request that is not for this way; 0 if it may go on."""
        if method not in _METHODS:
            return 405
        path = target.partition("?")[0]
        # The web tier holds the same; here it spares the line, and shows a stranger on the unit's network nothing else.
        if not target.isascii() or not path.startswith(PATHS) or ".." in path or "//" in path or "%" in path or "\\" in path:
            return 302 if path == "/" else 404
        return 0 if self._line.is_up else 503

    def _forwarded(self, request: h11.Request, length: int) -> list[tuple[str, str]]:
        named = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers]
        dropped = _NOT_FORWARDED | {
            token.strip().lower() for name, value in named if name == "connection" for token in value.split(",")
        }
        kept = [(name, value) for name, value in named if name not in dropped | {"content-length"}]
        if length or request.method == b"POST":
            kept.append(("content-length", str(length)))
        return [*kept, ("x-forwarded-proto", self._scheme)]

    async def _whole_body(self) -> bytes | None:
        body = bytearray()
        while True:
            event = await self._next()
            if isinstance(event, h11.Data):
                body += event.data
                if len(body) > MAX_BODY_BYTES:
                    return None
            elif isinstance(event, h11.EndOfMessage):
                return bytes(body)
            else:
                raise ConnectionResetError("the browser has gone")

    async def _forward(self, asked: _Asked) -> None:
        stream: WebStream | None = None
        try:
            async with asyncio.timeout(self._patience.answer):
                stream = self._line.open_web(asked.method, asked.target, asked.headers, end=not asked.body)
                if asked.body:
                    await stream.send(asked.body, end=True)
                status, named = await stream.head()
            answer = [(name, value) for name, value in named if name.lower() not in _NOT_FORWARDED]
            async with asyncio.timeout(self._patience.whole):
                await self._pass_on(stream, status, answer)
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
                async with asyncio.timeout(self._patience.answer):
                    part = await anext(parts)
            except StopAsyncIteration:
                break
            await self._write(self._http.send(h11.Data(data=part)))
        await self._write(self._http.send(h11.EndOfMessage()))

    async def _refuse(self, status: int) -> None:
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        page = b"" if self._is_head else self._page(status)
        headers = [("content-type", "text/html; charset=utf-8"), ("content-length", str(len(page)))]
        headers += [("cache-control", "no-store"), ("connection", "close")]
        if status == 302:
            headers.append(("location", PATHS[0]))
        await self._write(self._http.send(h11.Response(status_code=status, headers=headers)))
        await self._write(self._http.send(h11.Data(data=page)))
        await self._write(self._http.send(h11.EndOfMessage()))

    async def _next(self) -> object:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            self._http.receive_data(await self._reader.read(BUFFER_BYTES))

    async def _write(self, data: bytes | None) -> None:
        if data:
            self._writer.write(data)
            async with asyncio.timeout(self._patience.answer):
                await self._writer.drain()


def _too_long(request: h11.Request) -> int:
    """413 where the length is told; where it is not, it is counted."""
    lengths = [value for name, value in request.headers if name == b"content-length"]
    return 413 if lengths and int(lengths[0][:20]) > MAX_BODY_BYTES else 0
