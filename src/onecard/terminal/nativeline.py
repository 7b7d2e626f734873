"""One open line of the native protocol, from its Welcome to its end: what waits for an answer, and what comes unasked."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from onecard.protocol.framing import FrameError
from onecard.protocol.native import NativeViolationError, build_frame, frame_buffer, parse_platform_frame
from onecard.protocol.proto.device_pb2 import Closing, DeviceFrame, HttpResponse, PlatformFrame, Welcome
from onecard.terminal.errors import CertificateRefused, LineDown, LineRefused
from onecard.terminal.tls import CONNECT_S

_READ_BYTES = 65_536
_ANSWERS = ("answer", "chip_load", "events", "fetch", "lease", "signed_on", "totals")
Unasked = Callable[[PlatformFrame], None]


@dataclass(slots=True)
class OpenLine:
    """`waiting` is by submit id, `streams` by stream id."""

    writer: asyncio.StreamWriter
    welcome: Welcome
    window: asyncio.Semaphore
    unasked: Unasked
    waiting: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    streams: dict[int, Callable[[HttpResponse | None], None]] = field(default_factory=dict)
    """Told of each part of an answer; of None when the line has broken."""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def send(self, frame: DeviceFrame) -> None:
        """Send a frame; nothing once the line is closing."""
        self.writer.write(build_frame(frame))

    async def read(self, reader: asyncio.StreamReader) -> NoReturn:
        """Deliver what comes until the line ends. Raises LineDown, LineRefused."""
        buffer = frame_buffer()
        try:
            while data := await reader.read(_READ_BYTES):
                buffer.feed(data)
                while (raw := buffer.next_frame()) is not None:
                    self._take(parse_platform_frame(raw))
        except (OSError, ssl.SSLError, FrameError, NativeViolationError) as broken:
            raise down(str(broken)) from None
        raise down("the platform closed the line")

    def end(self, error: LineDown | LineRefused) -> None:
        """Tell everybody who waits, and close."""
        for answer in self.waiting.values():
            if not answer.done():
                answer.set_exception(error)
        self.waiting.clear()
        streams, self.streams = self.streams, {}
        for told in streams.values():
            told(None)
        self.writer.close()
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()

    def _take(self, frame: PlatformFrame) -> None:
        body = frame.WhichOneof("body")
        if body == "closing":
            raise refused(frame.closing)
        if body in _ANSWERS:
            content = getattr(frame, body)
            answer = self.waiting.get(content.submit_id)
            if answer is not None and not answer.done():
                answer.set_result(content)
        elif body == "http":
            told = self.streams.get(frame.http.stream_id)
            if told is not None:
                told(frame.http)
        else:
            if body == "welcome":
                self.welcome = frame.welcome
            self.unasked(frame)


async def await_welcome(reader: asyncio.StreamReader) -> Welcome:
    """The first frame of a line. Raises LineDown, LineRefused, TimeoutError, OSError."""
    async with asyncio.timeout(CONNECT_S):
        prefix = await _exactly(reader, 4)
        frame = parse_platform_frame(await _exactly(reader, int.from_bytes(prefix, "big")))
    if frame.WhichOneof("body") == "closing":
        raise refused(frame.closing)
    if frame.WhichOneof("body") != "welcome":
        raise down("no Welcome")
    return frame.welcome


async def _exactly(reader: asyncio.StreamReader, size: int) -> bytes:
    try:
        return await reader.readexactly(size)
    except asyncio.IncompleteReadError:
        raise down("the platform closed the line before its Welcome") from None


def down(why: str) -> LineDown:
    """The error of a line that is down."""
    return LineDown(f"线路中断：{why}", f"The line is down: {why}")


def not_opened(error: Exception) -> LineDown:
    """The error of a line that could not be opened. An alert about our certificate is no mere loss: it will come again."""
    why = str(error) or type(error).__name__
    reason = str(getattr(error, "reason", None) or "") if isinstance(error, ssl.SSLError) else ""
    is_ours = "_ALERT_" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason or "ACCESS_DENIED" in reason)
    return CertificateRefused(reason) if is_ours else down(why)


def refused(closing: Closing) -> LineRefused:
    """The error of a line that the platform closed for cause."""
    return LineRefused(closing.code, closing.reason)
