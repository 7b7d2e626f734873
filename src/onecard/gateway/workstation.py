"""Workstations behind front-ends (G1): requests of their browsers, handed to the web tier with the proof of whose line it was.

Only the unit's own console is reached this way (`/workstation/`, and the static files it needs). Each request is a connection to
the web tier; both directions keep to the window of device.proto, so that a slow browser holds up neither the line nor us.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import unquote

import h11

from onecard.gateway.admission import AdmittedLine
from onecard.gateway.metrics import Counters
from onecard.kernel.clock import Clock, to_epoch_us
from onecard.protocol import lineunit
from onecard.protocol.devicechecks import refused_head
from onecard.protocol.native import NativeViolationError
from onecard.protocol.proto.device_pb2 import HttpHeader, HttpRequest, HttpResponse

_log = logging.getLogger(__name__)
WINDOW_BYTES = 262_144
PART_BYTES = 65_536
_STREAMS_A_LINE = 32
_STREAMS = 512
_PROGRESS_S = 60.0
_METHODS = frozenset(("GET", "HEAD", "POST"))
_TARGET = re.compile(r"/(?:workstation|static)/[!-~]*")
_TRICKS = re.compile(r"\.\.|//|\\|%2e|%2f|%5c|%00", re.IGNORECASE)
_OURS = re.compile(
    r"connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|forwarded|proxy-.*|x-onecard-.*|x-forwarded-(?!proto$).*"
    r"|x-real-ip|.*_.*"  # WSGI makes no difference between _ and -
)
_HOP = frozenset(("connection", "keep-alive", "transfer-encoding", "upgrade", "trailer", "proxy-authenticate", "date", "server"))
_TEXTS = {
    400: "请求无效 Bad request", 404: "没有此页 Not found", 405: "不允许 Not allowed", 431: "请求头过大 Headers too large",
    502: "管理中心无应答 The centre does not answer",
}  # fmt: skip
Send = Callable[[HttpResponse], None]
Spawn = Callable[[Coroutine[Any, Any, None]], None]


class Workstations:
    """An HttpPort (drivers/base.py). `web` is ``unix:/path`` or ``host:port``."""

    def __init__(self, web: str, secret: bytes, *, clock: Clock, counters: Counters, spawn: Spawn) -> None:
        assert secret, "without a secret anybody could claim to be a unit's workstation"
        self.secret = secret
        self.clock = clock
        self.counters = counters
        self.spawn = spawn
        self.open = 0
        self._web = web

    def open_line(self, line: AdmittedLine, send: Send) -> "_Line":
        return _Line(self, line, send)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """To the web tier. Raises OSError."""
        if self._web.startswith("unix:"):
            return await asyncio.open_unix_connection(self._web.removeprefix("unix:"))
        host, _, port = self._web.rpartition(":")
        return await asyncio.open_connection(host, int(port))

    def prove(self, line: AdmittedLine, method: str, target: str) -> str:
        """The header that says whose line this is."""
        now_s = to_epoch_us(self.clock.now()) // 1_000_000
        origin = lineunit.LineUnit(line.unit_id, line.line_id)
        path, mark, query = target.partition("?")
        plain = unquote(path) + mark + query  # as the web tier sees it
        return lineunit.build_line_unit(self.secret, origin, method=method, target=plain, now_s=now_s)


class _Line:
    """The requests of one connection."""

    def __init__(self, port: Workstations, line: AdmittedLine, send: Send) -> None:
        self.port = port
        self.line = line
        self.send = send
        self.streams: dict[int, _Stream] = {}

    def take(self, request: HttpRequest) -> None:
        stream = self.streams.get(request.stream_id)
        if not request.method:
            if stream is not None:
                stream.take(request)
            return  # else: a rest of what has been answered already
        if stream is not None:
            raise NativeViolationError("http.stream_id is in use")
        status = refusal_of(request)
        if not status and (len(self.streams) >= _STREAMS_A_LINE or self.port.open >= _STREAMS):
            status = 503
        if status:
            self.send(_plain(request.stream_id, status))
            return
        self.port.counters.web_requests += 1
        self.port.open += 1
        stream = self.streams[request.stream_id] = _Stream(self, request)
        self.port.spawn(stream.run())

    def closed(self) -> None:
        for stream in list(self.streams.values()):
            stream.abort()

    def ended(self, stream_id: int) -> None:
        """A stream is over."""
        self.port.open -= 1
        del self.streams[stream_id]


class _Stream:
    """One request and its answer."""

    def __init__(self, owner: _Line, first: HttpRequest) -> None:
        self._owner = owner
        self._first = first
        self._parts: asyncio.Queue[HttpRequest] = asyncio.Queue()
        self._unread = 0
        self._credit = WINDOW_BYTES
        self._more = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._aborted = False
        self._answering = False
        self._put(first)

    def take(self, request: HttpRequest) -> None:
        """A later part."""
        if request.abort:
            self.abort()
            return
        if request.credit:
            self._credit += request.credit
            self._more.set()
        if request.body or request.end:
            self._put(request)

    def abort(self) -> None:
        """The browser has gone, or its line."""
        self._aborted = True
        if self._task is not None:
            self._task.cancel()

    async def run(self) -> None:
        """From the first part to the end of the answer."""
        self._task = asyncio.current_task()
        try:
            if not self._aborted:
                await self._exchange()
        except (OSError, TimeoutError, h11.ProtocolError) as error:
            _log.warning("web tier: %s", str(error) or type(error).__name__)
            # In the middle of an answer there is nothing left to say: the end without the rest shows by its length.
            self._owner.send(_plain(self._first.stream_id, 0 if self._answering else 502))
        except asyncio.CancelledError:
            if not self._aborted:
                raise
        finally:
            self._owner.ended(self._first.stream_id)

    def _put(self, part: HttpRequest) -> None:
        self._unread += len(part.body)
        if self._unread > WINDOW_BYTES:
            raise NativeViolationError("http: more of a request than its window")
        self._parts.put_nowait(part)

    async def _exchange(self) -> None:
        reader, writer = await self._owner.port.connect()
        peer = h11.Connection(h11.CLIENT)
        # Beside the answer: the web tier may answer before it has read everything.
        sending = asyncio.create_task(self._send_request(peer, writer))
        try:
            await self._pass_answer(peer, reader)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _send_request(self, peer: h11.Connection, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(peer.send(self._request()) or b"")
            end = False
            while not end:
                part = await self._parts.get()
                end = part.end
                if part.body:
                    writer.write(peer.send(h11.Data(data=part.body)) or b"")
                    await writer.drain()
                    self._unread -= len(part.body)
                    if not end:
                        self._owner.send(HttpResponse(stream_id=part.stream_id, credit=len(part.body)))
            writer.write(peer.send(h11.EndOfMessage()) or b"")
            await writer.drain()
        except (OSError, h11.LocalProtocolError):
            writer.close()  # whoever waits for the answer sees the end
            raise

    def _request(self) -> h11.Request:
        first = self._first
        headers = [(h.name, h.value) for h in first.headers if not _OURS.fullmatch(h.name.lower())]
        names = {name.lower() for name, _ in headers}
        if "host" not in names:
            headers.append(("Host", "localhost"))
        if not first.end and "content-length" not in names:
            headers.append(("Transfer-Encoding", "chunked"))
        headers.append((lineunit.HEADER, self._owner.port.prove(self._owner.line, first.method, first.target)))
        headers.append(("Connection", "close"))
        return h11.Request(method=first.method, target=first.target, headers=headers)

    async def _pass_answer(self, peer: h11.Connection, reader: asyncio.StreamReader) -> None:
        stream_id = self._first.stream_id
        while True:
            event = peer.next_event()
            if event is h11.NEED_DATA:
                async with asyncio.timeout(_PROGRESS_S):
                    peer.receive_data(await reader.read(PART_BYTES))
            elif isinstance(event, h11.Response):
                headers = [
                    HttpHeader(name=name.decode("latin-1"), value=value.decode("latin-1"))
                    for name, value in event.headers
                    if name.decode("latin-1") not in _HOP
                ]
                self._owner.send(HttpResponse(stream_id=stream_id, status=event.status_code, headers=headers))
                self._answering = True
            elif isinstance(event, h11.Data):
                await self._pass_body(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                self._owner.send(HttpResponse(stream_id=stream_id, end=True))
                return
            elif not isinstance(event, h11.InformationalResponse):
                raise h11.RemoteProtocolError("the web tier closed the connection")

    async def _pass_body(self, data: bytes) -> None:
        while data:
            while self._credit <= 0:
                self._more.clear()
                async with asyncio.timeout(_PROGRESS_S):
                    await self._more.wait()
            size = min(len(data), PART_BYTES, self._credit)
            self._credit -= size
            self._owner.send(HttpResponse(stream_id=self._first.stream_id, body=data[:size]))
            data = data[size:]


def refusal_of(request: HttpRequest) -> int:
    """The status of a request that is not for this way; 0 if it may pass."""
    if request.method not in _METHODS:
        return 405
    path = request.target.partition("?")[0]
    if not _TARGET.fullmatch(request.target) or _TRICKS.search(path):
        return 404
    return refused_head(request.target, ((header.name, header.value) for header in request.headers))


def _plain(stream_id: int, status: int) -> HttpResponse:
    """A whole answer of our own; the mere end of one with status 0."""
    if not status:
        return HttpResponse(stream_id=stream_id, end=True)
    headers = [HttpHeader(name="content-type", value="text/plain; charset=utf-8")]
    body = _TEXTS.get(status, "请稍后再试 Try again").encode()
    return HttpResponse(stream_id=stream_id, status=status, headers=headers, body=body, end=True)
