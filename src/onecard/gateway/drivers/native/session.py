"""One native line: Hello, then Submits within the window and heartbeats. Records pass through in columns, never one by one."""

import asyncio
from functools import partial

from onecard.gateway.admission import AdmittedLine
from onecard.gateway.drivers.base import Services, Wire
from onecard.gateway.errors import AppBusyError, AppUnavailableError
from onecard.kernel.codes import Result
from onecard.protocol.framing import FrameError
from onecard.protocol.native import (
    HEARTBEAT_SECONDS,
    PROTOCOL_VERSION,
    NativeViolationError,
    build_frame,
    build_pay_code_keys,
    build_welcome,
    check_load,
    check_records,
    constant_answers,
    frame_buffer,
    parse_device_frame,
)
from onecard.protocol.proto.device_pb2 import (
    ChipLoadReply,
    ChipLoadRequest,
    HeartbeatAnswer,
    Hello,
    PlatformFrame,
    Submit,
    SubmitAnswer,
)
from onecard.protocol.proto.records_pb2 import Answers, ChipLoad, ChipLoadAnswer, PayCodeKeys

WINDOW = 8
"""Submits and loads a device may have unanswered."""
LOAD_S = 8.0
"""A step of a load is answered UNAVAILABLE after this; shorter than a terminal's own patience."""
_IDLE_S = 2.5 * HEARTBEAT_SECONDS


class NativeSession:
    """A Session (see drivers/base.py)."""

    __slots__ = ("_buffer", "_closed", "_greeted", "_held", "_keys", "_line", "_loop", "_open", "_services", "_wire")

    idle_limit_s = _IDLE_S

    def __init__(self, wire: Wire, line: AdmittedLine, services: Services) -> None:
        self._wire = wire
        self._line = line
        self._services = services
        self._buffer = frame_buffer()
        self._greeted = False
        self._held = False
        self._closed = False
        self._open: set[int] = set()
        self._keys: PayCodeKeys | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def is_partial(self) -> bool:
        return not self._held and self._buffer.pending > 0

    def received(self, data: bytes) -> None:
        self._buffer.feed(data)
        self._drain()

    def line_changed(self, line: AdmittedLine) -> None:
        self._line = line

    def tell(self, frame: PlatformFrame) -> None:
        if self._greeted and not self._closed:
            self._wire.send(build_frame(frame))

    def closed(self) -> None:
        self._closed = True

    def _drain(self) -> None:
        try:
            while not self._closed:
                if len(self._open) >= WINDOW:
                    self._held = True
                    self._wire.hold()
                    return
                frame = self._buffer.next_frame()
                if frame is None:
                    break
                self._take(frame)
        except NativeViolationError as violation:
            self._close(violation.code, violation.reason)
            return
        except FrameError as error:
            self._close(Result.FORMAT, str(error))
            return
        if self._held:
            self._held = False
            self._wire.release()

    def _take(self, raw: bytes) -> None:
        self._services.counters.frames["native"] += 1
        frame = parse_device_frame(raw)
        body = frame.WhichOneof("body")
        if self._greeted and self._keys is not self._services.platform.pay_code_keys:
            self._tell_keys()
        if body == "submit" and self._greeted:
            self._submit(frame.submit)
        elif body == "chip_load" and self._greeted:
            self._load(frame.chip_load)
        elif body == "heartbeat" and self._greeted:
            now_us = self._services.now_us()
            self._wire.send(build_frame(PlatformFrame(heartbeat=HeartbeatAnswer(platform_clock_us=now_us))))
        elif body == "hello" and not self._greeted:
            self._hello(frame.hello)
        else:
            raise NativeViolationError("Hello must come first, and once" if body else "empty frame")

    def _hello(self, hello: Hello) -> None:
        if hello.protocol_version != PROTOCOL_VERSION:
            raise NativeViolationError(f"protocol version {hello.protocol_version}, {PROTOCOL_VERSION} is spoken here")
        self._greeted = True
        if not self._line.is_front_end:
            self._hear(self._line.terminal_ids)
        self._keys = self._services.platform.pay_code_keys
        now_us = self._services.now_us()
        self._wire.send(build_welcome(self._line.line_id, WINDOW, clock_us=now_us, terminals=self._line.seats, keys=self._keys))

    def _tell_keys(self) -> None:
        """Other keys of payment codes: told with the next frame of each device, so that not all are told in one moment."""
        self._keys = self._services.platform.pay_code_keys
        if self._keys is not None:
            self._wire.send(build_pay_code_keys(self._keys))

    def _submit(self, submit: Submit) -> None:
        submit_id = submit.submit_id
        if submit_id == 0 or submit_id in self._open:
            raise NativeViolationError("submit_id is zero or not answered yet")
        records = submit.records
        count = check_records(records, self._line.terminal_ids)
        self._hear(set(records.terminal_id))
        done = partial(self._answered, submit_id, self._loop.time())
        self._open.add(submit_id)
        refusal = self._services.uplink.submit_many(self._line.line_id, records, count=count, done=done)
        if refusal is not None:
            done(constant_answers(count, refusal))

    def _load(self, request: ChipLoadRequest) -> None:
        """A load goes up at once and by itself: loads are rare, and a holder waits with the card in the reader."""
        submit_id = request.submit_id
        if submit_id == 0 or submit_id in self._open:
            raise NativeViolationError("submit_id is zero or not answered yet")
        check_load(request.load, self._line.terminal_ids)
        self._hear({request.load.terminal_id})
        self._open.add(submit_id)
        self._services.spawn(self._load_step(submit_id, request.load, self._loop.time()))

    async def _load_step(self, submit_id: int, load: ChipLoad, since: float) -> None:
        answer = ChipLoadAnswer(code=Result.UNAVAILABLE)
        try:
            if not self._services.uplink.halted:
                answer = await self._services.platform.load_chip(self._line.line_id, load, deadline_s=LOAD_S)
        except AppBusyError:
            answer = ChipLoadAnswer(code=Result.BUSY)
        except AppUnavailableError:
            pass
        finally:
            self._loaded(submit_id, since, answer)

    def _loaded(self, submit_id: int, since: float, answer: ChipLoadAnswer) -> None:
        self._services.counters.loads[answer.code] += 1
        self._services.counters.latency.observe(self._loop.time() - since)
        self._open.discard(submit_id)
        if self._closed:
            return
        self._wire.send(build_frame(PlatformFrame(chip_load=ChipLoadReply(submit_id=submit_id, answer=answer))))
        if self._held:
            self._drain()

    def _answered(self, submit_id: int, since: float, answers: Answers) -> None:
        codes = answers.code
        self._services.counters.results.update(codes)
        self._services.counters.latency.observe(self._loop.time() - since, times=len(codes))
        self._open.discard(submit_id)
        if self._closed:
            return
        self._wire.send(build_frame(PlatformFrame(answer=SubmitAnswer(submit_id=submit_id, answers=answers))))
        if self._held:
            self._drain()

    def _hear(self, terminals: set[int] | frozenset[int]) -> None:
        self._services.heard.update(dict.fromkeys(terminals, self._loop.time()))

    def _close(self, code: Result, reason: str) -> None:
        self._closed = True
        self._wire.refuse(code, reason, label="violation")
