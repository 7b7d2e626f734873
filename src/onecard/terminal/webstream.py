"""One request of a workstation's browser over the line of its front-end, and its answer, each within the other's window."""

import asyncio
from collections.abc import AsyncIterator, Iterable

from onecard.protocol.proto.device_pb2 import DeviceFrame, HttpHeader, HttpRequest, HttpResponse
from onecard.terminal.nativeline import OpenLine, down

WINDOW_BYTES = 262_144
"""Bytes of a request, and of an answer, that may be on the way unasked."""
PART_BYTES = 65_536
_AGAIN_BYTES = WINDOW_BYTES // 4


class WebStream:
    """`send` the rest of the request, await `head`, then read `body`; `abort` when the browser has gone. Used once."""

    def __init__(self, line: OpenLine, stream_id: int) -> None:
        self._line = line
        self._id = stream_id
        self._parts: asyncio.Queue[HttpResponse | None] = asyncio.Queue()
        self._head: HttpResponse | None = None
        self._credit = WINDOW_BYTES
        self._more = asyncio.Event()
        self._read = 0
        self._ended = False
        line.streams[stream_id] = self._told

    def begin(self, method: str, target: str, headers: Iterable[tuple[str, str]], *, end: bool) -> None:
        """Send the first part."""
        named = [HttpHeader(name=name, value=value) for name, value in headers]
        self._line.send(DeviceFrame(http=HttpRequest(stream_id=self._id, method=method, target=target, headers=named, end=end)))

    async def send(self, body: bytes, *, end: bool = False) -> None:
        """A part of the request's body. Waits while the web tier does not take it. Raises LineDown."""
        if not body and end:
            self._line.send(DeviceFrame(http=HttpRequest(stream_id=self._id, end=True)))
        while body:
            while self._credit <= 0:
                if self._ended:
                    return  # answered before all of it was read: the rest is of no use
                self._more.clear()
                await self._more.wait()
            part, body = body[: min(PART_BYTES, self._credit)], body[min(PART_BYTES, self._credit) :]
            self._credit -= len(part)
            self._line.send(DeviceFrame(http=HttpRequest(stream_id=self._id, body=part, end=end and not body)))
            await _drained(self._line)

    async def head(self) -> tuple[int, list[tuple[str, str]]]:
        """Status and headers of the answer. Raises LineDown."""
        if self._head is None:
            self._head = await self._next()
        return self._head.status, [(header.name, header.value) for header in self._head.headers]

    async def body(self) -> AsyncIterator[bytes]:
        """The answer's body in parts. Raises LineDown when the line breaks before its end."""
        await self.head()
        part = self._head
        while part is not None:
            if part.body:
                yield part.body
                self._was_read(len(part.body))
            part = None if part.end else await self._next()

    def abort(self) -> None:
        """Give up; nothing if the answer is whole."""
        if self._line.streams.pop(self._id, None) is not None and not self._line.writer.is_closing():
            self._line.send(DeviceFrame(http=HttpRequest(stream_id=self._id, abort=True)))

    async def _next(self) -> HttpResponse:
        part = await self._parts.get()
        if part is None:
            raise down("the line broke")
        return part

    def _told(self, part: HttpResponse | None) -> None:
        if part is None:
            self._ended = True
        else:
            self._credit += part.credit
            if part.end:
                self._ended = True
                self._line.streams.pop(self._id, None)
        self._more.set()
        if part is None or part.status or part.body or part.end:
            self._parts.put_nowait(part)

    def _was_read(self, size: int) -> None:
        self._read += size
        if self._read >= _AGAIN_BYTES and not self._ended:
            self._line.send(DeviceFrame(http=HttpRequest(stream_id=self._id, credit=self._read)))
            self._read = 0


async def _drained(line: OpenLine) -> None:
    try:
        await line.writer.drain()
    except OSError as error:
        raise down(str(error)) from None
