"""The client of the native protocol: one line of a terminal or front-end, batches in flight within the platform's window.

It reconnects by itself, with a jittered wait. A submit not answered when the line broke raises LineDown: the caller keeps
its records in a journal and submits them again with the same sequence numbers.
"""

import asyncio
import contextlib
import random
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onecard.kernel.clock import Clock, SystemClock, to_epoch_us
from onecard.kernel.codes import Result
from onecard.protocol.native import HEARTBEAT_SECONDS, PROTOCOL_VERSION, build_frame
from onecard.protocol.proto.device_pb2 import (
    ChipLoadRequest,
    DeviceEvent,
    DeviceFrame,
    Events,
    Fetch,
    FetchReply,
    Heartbeat,
    Hello,
    LeaseReply,
    LeaseRequest,
    LineState,
    PlatformFrame,
    SignedOn,
    SignOnAsk,
    Submit,
    Tasks,
    Totals,
    TotalsAsk,
    Welcome,
)
from onecard.protocol.proto.records_pb2 import Answers, ChipLoad, ChipLoadAnswer, PayCodeKeys, Records
from onecard.terminal.errors import CertificateRefused, LineDown, LineRefused
from onecard.terminal.nativeline import OpenLine, await_welcome, down, not_opened
from onecard.terminal.tls import ANY_HOST, Backoff, Identity, close_line, open_line
from onecard.terminal.webstream import WebStream

ANSWER_S = 20.0
_STEADY_S = 30.0
"""A line that has been up for so long has worked: the next wait for it is a short one."""


@dataclass(frozen=True, slots=True)
class Device:
    """How the device presents itself in Hello."""

    maker: str = "onecard"
    model: str = "simulator"
    firmware: str = "1"
    hardware: str = ""
    """The hardware id that roll-outs name."""
    serial: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Who is told what the platform says unasked. Called from the event loop; must not raise."""

    on_up: Callable[[Welcome], None] | None = None
    """With every Welcome: when the line opens, and when its terminals have changed."""
    on_down: Callable[[LineDown | LineRefused], None] | None = None
    on_tasks: Callable[[Tasks], None] | None = None
    on_line_state: Callable[[LineState], None] | None = None
    """To terminals behind a front-end: whether it is off line."""
    status: Callable[[], Heartbeat] | None = None
    """Makes each heartbeat (its clock is filled in here). The first is sent right after `on_up`; Hello takes its versions too."""


class NativeClient:
    """`async with NativeClient(…) as line: answers = await line.submit(records)`."""

    def __init__(
        self, host: str, port: int, identity: Identity, *, device: Device | None = None, clock: Clock | None = None,
        backoff: Backoff | None = None, server_hostname: str = ANY_HOST, answer_s: float = ANSWER_S,
        heartbeat_s: float = HEARTBEAT_SECONDS / 2, on_pay_code_keys: Callable[[Mapping[int, bytes]], None] | None = None,
        listeners: Listeners | None = None,
    ) -> None:  # fmt: skip
        """`on_pay_code_keys`, as CodeMemory.set_keys, gets the keys of payment codes when a line opens and when they change.

        `server_hostname` is a name that the server's certificate must be for; its common name is checked besides (tls.py).
        """
        self._host = host
        self._port = port
        self._context = identity.context()
        self._front_end = identity.front_end
        self._device = device or Device()
        self._clock = clock or SystemClock()
        self._backoff = backoff or Backoff()
        self._server_hostname = server_hostname
        self._answer_s = answer_s
        self.heartbeat_s = heartbeat_s
        """Between heartbeats; may be changed at any time and counts from the next one."""
        self._on_pay_code_keys = on_pay_code_keys
        self._listeners = listeners or Listeners()
        self._line: OpenLine | None = None
        self._opening = asyncio.Lock()
        self._last_submit = 0
        self._last_stream = 0
        self._refused: LineRefused | CertificateRefused | None = None
        self._closed = asyncio.Event()
        self._closed.set()
        self.backlog = 0
        """Records the owner holds unsent; told to the platform with each heartbeat (unless `status` makes it)."""
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
    def refused(self) -> LineRefused | CertificateRefused | None:
        """Why the last attempt was refused or who answered instead; None while the line is up, or merely down."""
        return self._refused if self._line is None else None

    @property
    def terminals(self) -> dict[int, str]:
        """The terminals the platform lets speak over this line: id to TID. Empty before the first connection."""
        return {ref.terminal_id: ref.tid for ref in self._line.welcome.terminals} if self._line else {}

    @property
    def known_seqs(self) -> dict[int, int]:
        """The highest sequence number the platform knows of each terminal: for `Journal.begin_above`, before the first record."""
        return {ref.terminal_id: ref.known_seq for ref in self._line.welcome.terminals} if self._line else {}

    async def connect(self) -> Welcome:
        """Open the line unless it is open. Raises LineDown, LineRefused."""
        async with self._opening:
            if self._line is None:
                line = self._line = await self._open()
                self._closed.clear()
                self._welcomed(line.welcome)
                return line.welcome
            return self._line.welcome

    async def keep_open(self) -> None:
        """Open the line, and open it again whenever it breaks or is refused, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self.connect()
                since = loop.time()
                await self._closed.wait()
                if loop.time() - since > _STEADY_S:
                    self._backoff.reset()
            except (LineDown, LineRefused):
                pass
            await self._backoff.wait()

    async def submit(self, records: Records) -> Answers:
        """Send up to 1000 records, wait for their answers. Opens the line if it is down. Raises LineDown, LineRefused."""
        answer = await self._ask(lambda submit_id: DeviceFrame(submit=Submit(submit_id=submit_id, records=records)))
        answers: Answers = answer.answers
        return answers

    async def load_chip(self, load: ChipLoad) -> ChipLoadAnswer:
        """One step of a load. Any step may be sent again, under the same sequence number. Raises LineDown, LineRefused."""
        reply = await self._ask(lambda submit_id: DeviceFrame(chip_load=ChipLoadRequest(submit_id=submit_id, load=load)))
        answer: ChipLoadAnswer = reply.answer
        return answer

    async def send_events(self, events: Sequence[DeviceEvent]) -> Result:
        """Up to 1000 events. APPROVED: the platform has stored them; FORMAT: it never will. Raises LineDown, LineRefused."""
        answer = await self._ask(lambda submit_id: DeviceFrame(events=Events(submit_id=submit_id, events=events)))
        return Result(answer.code)

    async def fetch(self, name: str, offset: int, length: int) -> FetchReply:
        """A part of a file of the signed repository; code NO_ORIGINAL when there is none. Raises LineDown, LineRefused."""
        ask = Fetch(name=name, offset=offset, length=length)
        reply: FetchReply = await self._ask(lambda submit_id: DeviceFrame(fetch=_numbered(ask, submit_id)))
        return reply

    async def ask_lease(self) -> LeaseReply:
        """The newest lease of this line. Raises LineDown, LineRefused."""
        reply: LeaseReply = await self._ask(lambda submit_id: DeviceFrame(lease=LeaseRequest(submit_id=submit_id)))
        return reply

    async def sign_on(self, terminal_id: int) -> SignedOn:
        """Working keys for an ISO 8583 terminal behind this front-end. Raises LineDown, LineRefused."""
        ask = SignOnAsk(terminal_id=terminal_id)
        reply: SignedOn = await self._ask(lambda submit_id: DeviceFrame(sign_on=_numbered(ask, submit_id)))
        return reply

    async def totals(self, terminal_id: int, batch_no: int) -> Totals:
        """What the platform has of a settlement batch of such a terminal. Raises LineDown, LineRefused."""
        ask = TotalsAsk(terminal_id=terminal_id, batch_no=batch_no)
        reply: Totals = await self._ask(lambda submit_id: DeviceFrame(totals=_numbered(ask, submit_id)))
        return reply

    def open_web(self, method: str, target: str, headers: Iterable[tuple[str, str]], *, end: bool) -> WebStream:
        """A request of a workstation's browser to the web tier; `end` when it has no body. Raises LineDown, LineRefused."""
        line = self._line
        if line is None:
            raise self._refused or down("not connected")
        self._last_stream += 1
        stream = WebStream(line, self._last_stream)
        stream.begin(method, target, headers, end=end)
        return stream

    async def _ask(self, build: Callable[[int], DeviceFrame]) -> Any:
        """Send a frame within the window and wait for its answer."""
        await self.connect()
        line = self._line
        if line is None:
            raise self._refused or down("the line broke")
        async with line.window:
            if line is not self._line:
                raise self._refused or down("the line broke")
            self._last_submit += 1
            submit_id = self._last_submit
            answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            line.waiting[submit_id] = answer
            try:
                line.send(build(submit_id))
                async with asyncio.timeout(self._answer_s):
                    await line.writer.drain()
                    return await answer
            except TimeoutError:
                self._break(line, down("no answer in time"))
                raise down("no answer in time") from None
            except OSError as error:
                raise down(str(error)) from None
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
            self._break(line, down("closed"))
            await asyncio.gather(*line.tasks, return_exceptions=True)
            await close_line(line.writer)

    async def _open(self) -> OpenLine:
        try:
            line = await self._attempt()
        except (LineDown, LineRefused) as error:
            self._refused = error if isinstance(error, LineRefused | CertificateRefused) else None
            raise
        self._refused = None
        return line

    async def _attempt(self) -> OpenLine:
        try:
            reader, writer = await open_line(
                self._host, self._port, self._context, server_hostname=self._server_hostname, front_end=self._front_end
            )
        except (OSError, ssl.SSLError, TimeoutError) as error:
            raise not_opened(error) from None
        try:
            writer.write(build_frame(DeviceFrame(hello=self._hello())))
            welcome = await await_welcome(reader)
        except (LineDown, LineRefused):
            await close_line(writer)
            raise
        except (OSError, ssl.SSLError, TimeoutError, ValueError) as error:
            await close_line(writer)
            raise not_opened(error) from None
        line = OpenLine(writer, welcome, asyncio.Semaphore(max(1, welcome.window)), self._unasked)
        line.tasks = [asyncio.create_task(self._read(line, reader)), asyncio.create_task(self._beat(line))]
        return line

    def _hello(self) -> Hello:
        device, status = self._device, self._listeners.status
        return Hello(
            protocol_version=PROTOCOL_VERSION,
            maker=device.maker,
            model=device.model,
            firmware=device.firmware,
            hardware=device.hardware,
            serial=device.serial,
            device_clock_us=to_epoch_us(self._clock.now()),
            versions=status().versions if status is not None else (),
        )

    async def _read(self, line: OpenLine, reader: asyncio.StreamReader) -> None:
        error: LineDown | LineRefused = down("closed")
        try:
            await line.read(reader)
        except LineRefused as refusal:
            error = self._refused = refusal
        except LineDown as broken:
            error = broken
        finally:
            self._break(line, error)

    def _unasked(self, frame: PlatformFrame) -> None:
        listeners = self._listeners
        match frame.WhichOneof("body"):
            case "welcome":
                self._welcomed(frame.welcome)
            case "pay_code_keys":
                self._take_keys(frame.pay_code_keys)
            case "tasks" if listeners.on_tasks is not None:
                listeners.on_tasks(frame.tasks)
            case "line_state" if listeners.on_line_state is not None:
                listeners.on_line_state(frame.line_state)

    def _welcomed(self, welcome: Welcome) -> None:
        if welcome.HasField("pay_code_keys"):
            self._take_keys(welcome.pay_code_keys)
        if self._listeners.on_up is not None:
            self._listeners.on_up(welcome)

    def _take_keys(self, keys: PayCodeKeys) -> None:
        if self._on_pay_code_keys is not None:
            self._on_pay_code_keys({key.key_no: key.public_key for key in keys.keys})

    async def _beat(self, line: OpenLine) -> None:
        status = self._listeners.status
        if status is None:
            await self._wait_beat()
        while True:
            beat = status() if status is not None else Heartbeat(backlog=self.backlog, oldest_unsent_us=self.oldest_unsent_us)
            beat.device_clock_us = to_epoch_us(self._clock.now())
            line.send(DeviceFrame(heartbeat=beat))
            with contextlib.suppress(OSError):
                await line.writer.drain()
            await self._wait_beat()

    async def _wait_beat(self) -> None:
        # Never in step with others, however they came to be connected.
        await asyncio.sleep(self.heartbeat_s * random.uniform(0.8, 1.0))  # noqa: S311 - spreading, not a secret

    def _break(self, line: OpenLine, error: LineDown | LineRefused) -> None:
        was_open = self._line is line
        if was_open:
            self._line = None
        line.end(error)
        if was_open:
            self._closed.set()
            if self._listeners.on_down is not None:
                self._listeners.on_down(error)


def _numbered(ask: Any, submit_id: int) -> Any:
    ask.submit_id = submit_id
    return ask
