"""The client of the native protocol: one line of a terminal or front-end, batches in flight within the platform's window.

It reconnects by itself, with a jittered wait. A submit not answered when the line broke raises LineDown: the caller keeps
its records in a journal and submits them again with the same sequence numbers.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from onecard.kernel.clock import Clock, SystemClock, to_epoch_us
from onecard.protocol.framing import FrameError
from onecard.protocol.native import (
    HEARTBEAT_SECONDS,
    PROTOCOL_VERSION,
    NativeViolationError,
    build_frame,
    frame_buffer,
    parse_platform_frame,
)
from onecard.protocol.proto.device_pb2 import (
    ChipLoadRequest,
    Closing,
    DeviceFrame,
    Heartbeat,
    Hello,
    PlatformFrame,
    Submit,
    Welcome,
)
from onecard.protocol.proto.records_pb2 import Answers, ChipLoad, ChipLoadAnswer, PayCodeKeys, Records
from onecard.terminal.errors import LineDown, LineRefused
from onecard.terminal.tls import CONNECT_S, Backoff, Identity, close_line, open_line

_READ_BYTES = 65_536
ANSWER_S = 20.0


@dataclass(frozen=True, slots=True)
class Device:
    """How the device presents itself in Hello."""

    maker: str = "onecard"
    model: str = "simulator"
    firmware: str = "1"


@dataclass(slots=True)
class _Line:
    writer: asyncio.StreamWriter
    welcome: Welcome
    window: asyncio.Semaphore
    waiting: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    """By submit id: the answers of a Submit, or the answer to a step of a load."""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class NativeClient:
    """`async with NativeClient(…) as line: answers = await line.submit(records)`."""

    def __init__(
        self, host: str, port: int, identity: Identity, *, device: Device | None = None, clock: Clock | None = None,
        backoff: Backoff | None = None, server_hostname: str = "localhost", answer_s: float = ANSWER_S,
        heartbeat_s: float = HEARTBEAT_SECONDS / 2, on_pay_code_keys: Callable[[Mapping[int, bytes]], None] | None = None,
    ) -> None:  # fmt: skip
        """`on_pay_code_keys`, as CodeMemory.set_keys, gets the keys of payment codes when a line opens and when they change."""
        self._host = host
        self._port = port
        self._context = identity.context()
        self._device = device or Device()
        self._clock = clock or SystemClock()
        self._backoff = backoff or Backoff()
        self._server_hostname = server_hostname
        self._answer_s = answer_s
        self._heartbeat_s = heartbeat_s
        self._on_pay_code_keys = on_pay_code_keys
        self._line: _Line | None = None
        self._opening = asyncio.Lock()
        self._last_submit = 0
        self._refused: LineRefused | None = None
        self.backlog = 0
        """Records the owner holds unsent; told to the platform with each heartbeat."""
        self.oldest_unsent_us = 0

    async def __aenter__(self) -> "NativeClient":
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def is_open(self) -> bool:
        """Whether the line is up now."""
        return self._line is not None

    @property
    def terminals(self) -> dict[int, str]:
        """The terminals the platform lets speak over this line: id to TID. Empty before the first connection."""
        return {ref.terminal_id: ref.tid for ref in self._line.welcome.terminals} if self._line else {}

    async def connect(self) -> Welcome:
        """Open the line unless it is open. Raises LineDown, LineRefused."""
        async with self._opening:
            if self._line is None:
                self._line = await self._open()
            return self._line.welcome

    async def submit(self, records: Records) -> Answers:
        """Send up to 1000 records, wait for their answers. Opens the line if it is down. Raises LineDown, LineRefused."""
        answers = await self._ask(lambda submit_id: DeviceFrame(submit=Submit(submit_id=submit_id, records=records)))
        assert isinstance(answers, Answers)
        return answers

    async def load_chip(self, load: ChipLoad) -> ChipLoadAnswer:
        """One step of a load. Any step may be sent again, under the same sequence number. Raises LineDown, LineRefused."""
        answer = await self._ask(lambda submit_id: DeviceFrame(chip_load=ChipLoadRequest(submit_id=submit_id, load=load)))
        assert isinstance(answer, ChipLoadAnswer)
        return answer

    async def _ask(self, build: Callable[[int], DeviceFrame]) -> Answers | ChipLoadAnswer:
        """Send a frame within the window and wait for its answer."""
        await self.connect()
        line = self._line
        if line is None:
            raise self._refused or _down("the line broke")
        async with line.window:
            if line is not self._line:
                raise self._refused or _down("the line broke")
            self._last_submit += 1
            submit_id = self._last_submit
            answer: asyncio.Future[Answers | ChipLoadAnswer] = asyncio.get_running_loop().create_future()
            line.waiting[submit_id] = answer
            try:
                line.writer.write(build_frame(build(submit_id)))
                async with asyncio.timeout(self._answer_s):
                    await line.writer.drain()
                    return await answer
            except TimeoutError:
                self._break(line, _down("no answer in time"))
                raise _down("no answer in time") from None
            except OSError as error:
                raise _down(str(error)) from None
            finally:
                line.waiting.pop(submit_id, None)

    async def submit_surely(self, records: Records) -> Answers:
        """`submit`, repeated over reconnects until there is an answer. Safe because of the sequence numbers.

        Raises LineRefused.
        """
        while True:
            try:
                answers = await self.submit(records)
                self._backoff.reset()
                return answers
            except LineDown:
                await self._backoff.wait()

    async def close(self) -> None:
        """Close the line; what is not answered raises LineDown at its caller."""
        line = self._line
        if line is not None:
            self._break(line, _down("closed"))
            await asyncio.gather(*line.tasks, return_exceptions=True)
            await close_line(line.writer)

    async def _open(self) -> _Line:
        self._refused = None
        try:
            reader, writer = await open_line(self._host, self._port, self._context, server_hostname=self._server_hostname)
        except (OSError, ssl.SSLError, TimeoutError) as error:
            raise _down(str(error) or type(error).__name__) from None
        hello = Hello(
            protocol_version=PROTOCOL_VERSION,
            maker=self._device.maker,
            model=self._device.model,
            firmware=self._device.firmware,
            device_clock_us=to_epoch_us(self._clock.now()),
        )
        try:
            writer.write(build_frame(DeviceFrame(hello=hello)))
            async with asyncio.timeout(CONNECT_S):
                welcome = await _await_welcome(reader)
        except (LineDown, LineRefused):
            await close_line(writer)
            raise
        except (OSError, ssl.SSLError, TimeoutError) as error:
            await close_line(writer)
            raise _down(str(error) or "no Welcome") from None
        if welcome.HasField("pay_code_keys"):
            self._take_keys(welcome.pay_code_keys)
        line = _Line(writer, welcome, asyncio.Semaphore(max(1, welcome.window)))
        line.tasks = [asyncio.create_task(self._read(line, reader)), asyncio.create_task(self._beat(line))]
        return line

    async def _read(self, line: _Line, reader: asyncio.StreamReader) -> None:
        buffer = frame_buffer()
        error: LineDown | LineRefused = _down("the platform closed the line")
        try:
            while data := await reader.read(_READ_BYTES):
                buffer.feed(data)
                while (raw := buffer.next_frame()) is not None:
                    frame = parse_platform_frame(raw)
                    if frame.WhichOneof("body") == "closing":
                        raise _refused(frame.closing)
                    if frame.WhichOneof("body") == "pay_code_keys":
                        self._take_keys(frame.pay_code_keys)
                    else:
                        _deliver(line, frame)
        except LineRefused as refusal:
            error = self._refused = refusal
        except (OSError, ssl.SSLError, FrameError, NativeViolationError) as broken:
            error = _down(str(broken))
        finally:
            self._break(line, error)

    def _take_keys(self, keys: PayCodeKeys) -> None:
        if self._on_pay_code_keys is not None:
            self._on_pay_code_keys({key.key_no: key.public_key for key in keys.keys})

    async def _beat(self, line: _Line) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            beat = Heartbeat(
                device_clock_us=to_epoch_us(self._clock.now()), backlog=self.backlog, oldest_unsent_us=self.oldest_unsent_us
            )
            line.writer.write(build_frame(DeviceFrame(heartbeat=beat)))
            with contextlib.suppress(OSError):
                await line.writer.drain()

    def _break(self, line: _Line, error: LineDown | LineRefused) -> None:
        if self._line is line:
            self._line = None
        for answer in line.waiting.values():
            if not answer.done():
                answer.set_exception(error)
        line.waiting.clear()
        line.writer.close()
        for task in line.tasks:
            if task is not asyncio.current_task():
                task.cancel()


async def _await_welcome(reader: asyncio.StreamReader) -> Welcome:
    prefix = await _exactly(reader, 4)
    frame = parse_platform_frame(await _exactly(reader, int.from_bytes(prefix, "big")))
    if frame.WhichOneof("body") == "closing":
        raise _refused(frame.closing)
    if frame.WhichOneof("body") != "welcome":
        raise _down("no Welcome")
    return frame.welcome


async def _exactly(reader: asyncio.StreamReader, size: int) -> bytes:
    try:
        return await reader.readexactly(size)
    except asyncio.IncompleteReadError:
        raise _down("the platform closed the line before its Welcome") from None


def _deliver(line: _Line, frame: PlatformFrame) -> None:
    content: Answers | ChipLoadAnswer
    match frame.WhichOneof("body"):
        case "answer":
            submit_id, content = frame.answer.submit_id, frame.answer.answers
        case "chip_load":
            submit_id, content = frame.chip_load.submit_id, frame.chip_load.answer
        case _:
            return
    answer = line.waiting.get(submit_id)
    if answer is not None and not answer.done():
        answer.set_result(content)


def _down(why: str) -> LineDown:
    return LineDown(f"线路中断：{why}", f"The line is down: {why}")


def _refused(closing: Closing) -> LineRefused:
    return LineRefused(closing.code, closing.reason)
