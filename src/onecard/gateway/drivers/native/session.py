"""One native line: Hello, then Submits within the window and heartbeats. Records pass through in columns, never one by one."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from onecard.gateway.admission import AdmittedLine
from onecard.gateway.drivers.base import HttpLine, Services, Wire
from onecard.gateway.drivers.native import asks
from onecard.kernel.codes import Result
from onecard.protocol.devicechecks import check_events, check_fetch, check_heartbeat, check_hello, check_http
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
    ChipLoadRequest,
    DeviceFrame,
    Events,
    EventsAnswer,
    Fetch,
    Heartbeat,
    HeartbeatAnswer,
    Hello,
    HttpRequest,
    HttpResponse,
    LeaseRequest,
    PlatformFrame,
    SignOnAsk,
    Submit,
    SubmitAnswer,
    TotalsAsk,
)
from onecard.protocol.proto.records_pb2 import Answers, PayCodeKeys

WINDOW = 8
"""Submits and other asks a device may have unanswered."""
_IDLE_S = 2.5 * HEARTBEAT_SECONDS


class NativeSession:
    """A Session (see drivers/base.py)."""

    __slots__ = (
        "_behind",
        "_buffer",
        "_closed",
        "_greeted",
        "_held",
        "_http",
        "_keys",
        "_line",
        "_loop",
        "_open",
        "_services",
        "_wire",
    )

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
        self._http: HttpLine | None = None
        self._behind: frozenset[int] = frozenset()
        self._loop = asyncio.get_running_loop()

    @property
    def is_partial(self) -> bool:
        return not self._held and self._buffer.pending > 0

    def received(self, data: bytes) -> None:
        self._buffer.feed(data)
        self._drain()

    def line_changed(self, line: AdmittedLine) -> None:
        others = line.seats != self._line.seats
        self._line = line
        if others and self._greeted and not self._closed:
            self._welcome()

    def tell(self, frame: PlatformFrame) -> None:
        if self._greeted and not self._closed:
            self._wire.send(build_frame(frame))

    def closed(self) -> None:
        self._closed = True
        if self._http is not None:
            self._http.closed()

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
        if body == "hello" and not self._greeted:
            self._hello(frame.hello)
        elif body is None:
            raise NativeViolationError("empty frame")
        elif not self._greeted or body == "hello":
            raise NativeViolationError("Hello must come first, and once")
        elif body == "submit":
            self._submit(frame.submit)
        elif body == "heartbeat":
            self._heartbeat(frame.heartbeat)
        elif body == "events":
            self._events(frame.events)
        elif body == "http":
            self._web(frame.http)
        else:
            self._ask(body, frame)

    def _hello(self, hello: Hello) -> None:
        if hello.protocol_version != PROTOCOL_VERSION:
            raise NativeViolationError(f"protocol version {hello.protocol_version}, {PROTOCOL_VERSION} is spoken here")
        check_hello(hello)
        self._greeted = True
        if not self._line.is_front_end:
            self._hear(self._line.terminal_ids)
        self._services.reports.hello(self._line, hello, address=self._wire.peer)
        self._keys = self._services.platform.pay_code_keys
        self._welcome()
        state, tasks = self._services.platform.line_state(), self._services.platform.tasks(self._line.line_id)
        if state is not None:
            self._wire.send(build_frame(PlatformFrame(line_state=state)))
        if tasks is not None:
            self._wire.send(build_frame(PlatformFrame(tasks=tasks)))

    def _welcome(self) -> None:
        line, now_us = self._line, self._services.now_us()
        known = self._services.known_seqs(line)
        self._wire.send(
            build_welcome(line.line_id, WINDOW, clock_us=now_us, terminals=line.seats, keys=self._keys, known_seqs=known)
        )

    def _heartbeat(self, heartbeat: Heartbeat) -> None:
        check_heartbeat(heartbeat, self._line.terminal_ids)
        if self._line.is_front_end:
            self._hear_behind(heartbeat)
        else:
            self._hear(self._line.terminal_ids)
        self._services.reports.heartbeat(self._line, heartbeat, address=self._wire.peer)
        now_us = self._services.now_us()
        self._wire.send(build_frame(PlatformFrame(heartbeat=HeartbeatAnswer(platform_clock_us=now_us))))

    def _tell_keys(self) -> None:
        """Other keys of payment codes: told with the next frame of each device, so that not all are told in one moment."""
        self._keys = self._services.platform.pay_code_keys
        if self._keys is not None:
            self._wire.send(build_pay_code_keys(self._keys))

    def _submit(self, submit: Submit) -> None:
        submit_id = submit.submit_id
        self._check_id(submit_id)
        records = submit.records
        count = check_records(records, self._line.terminal_ids)
        terminals = set(records.terminal_id)
        self._hear(terminals)
        if len(terminals) == 1:
            # Of one terminal; what comes from many at once is a front-end's, which knows its own numbers.
            self._services.note_seq(next(iter(terminals)), max(records.terminal_seq))
        done = partial(self._answered, submit_id, self._loop.time())
        self._open.add(submit_id)
        refusal = self._services.uplink.submit_many(self._line.line_id, records, count=count, done=done)
        if refusal is not None:
            done(constant_answers(count, refusal))

    def _events(self, events: Events) -> None:
        submit_id = events.submit_id
        self._check_id(submit_id)
        checked = check_events(events.events, self._line.terminal_ids)
        done = partial(self._stored, submit_id)
        self._open.add(submit_id)
        refusal: Result | None = checked
        if checked is Result.APPROVED:
            refusal = self._services.reports.submit_events(self._line.line_id, list(events.events), done)
        if refusal is not None:
            done(refusal)

    def _stored(self, submit_id: int, code: Result) -> None:
        self._settle(submit_id, PlatformFrame(events=EventsAnswer(submit_id=submit_id, code=code)))

    def _web(self, request: HttpRequest) -> None:
        if self._services.http is None or not self._line.is_front_end:
            raise NativeViolationError("no workstations are served over this line", Result.TERMINAL_NOT_ALLOWED)
        check_http(request)
        if self._http is None:
            self._http = self._services.http.open_line(self._line, self._answer_web)
        self._http.take(request)

    def _answer_web(self, response: HttpResponse) -> None:
        if not self._closed:
            self._wire.send(build_frame(PlatformFrame(http=response)))

    def _ask(self, body: str, frame: DeviceFrame) -> None:
        """Loads and the like go up at once and by themselves: they are rare, and a load has a holder who waits."""
        ask: ChipLoadRequest | Fetch | LeaseRequest | SignOnAsk | TotalsAsk = getattr(frame, body)
        submit_id, line, platform = ask.submit_id, self._line, self._services.platform
        self._check_id(submit_id)
        work: Callable[[], Awaitable[PlatformFrame]]
        if isinstance(ask, ChipLoadRequest):
            check_load(ask.load, line.terminal_ids)
            self._hear({ask.load.terminal_id})
            work = partial(asks.load, platform, self._services.uplink, line.line_id, submit_id=submit_id, step=ask.load)
        elif isinstance(ask, Fetch):
            check_fetch(ask)
            work = partial(asks.fetch, platform, line, ask)
        elif isinstance(ask, LeaseRequest):
            work = partial(asks.lease, platform, line.line_id, submit_id=submit_id)
        elif isinstance(ask, SignOnAsk):
            self._check_own(ask.terminal_id)
            work = partial(asks.sign_on, platform, line.line_id, ask)
        elif isinstance(ask, TotalsAsk):
            self._check_own(ask.terminal_id)
            work = partial(asks.totals, platform, line.line_id, ask)
        else:
            raise NativeViolationError(f"{body} is for the enrolment port")
        self._open.add(submit_id)
        self._services.spawn(self._asked(submit_id, work))

    async def _asked(self, submit_id: int, work: Callable[[], Awaitable[PlatformFrame]]) -> None:
        since = self._loop.time()
        answer = await work()
        if answer.HasField("chip_load"):
            self._services.counters.loads[answer.chip_load.answer.code] += 1
            self._services.counters.latency.observe(self._loop.time() - since)
        self._settle(submit_id, answer)

    def _check_id(self, submit_id: int) -> None:
        if submit_id == 0 or submit_id in self._open:
            raise NativeViolationError("submit_id is zero or not answered yet")

    def _check_own(self, terminal_id: int) -> None:
        if not self._line.is_front_end or terminal_id not in self._line.terminal_ids:
            raise NativeViolationError("a terminal that is not of this line", Result.TERMINAL_NOT_ALLOWED)

    def _answered(self, submit_id: int, since: float, answers: Answers) -> None:
        codes = answers.code
        self._services.counters.results.update(codes)
        self._services.counters.latency.observe(self._loop.time() - since, times=len(codes))
        self._settle(submit_id, PlatformFrame(answer=SubmitAnswer(submit_id=submit_id, answers=answers)))

    def _settle(self, submit_id: int, answer: PlatformFrame) -> None:
        self._open.discard(submit_id)
        if self._closed:
            return
        self._wire.send(build_frame(answer))
        if self._held:
            self._drain()

    def _hear_behind(self, heartbeat: Heartbeat) -> None:
        """Only what has changed is said: a device that was on line and is not named still is."""
        if heartbeat.devices:
            told = {device.terminal_id: device.online for device in heartbeat.devices}
            self._behind = (self._behind - told.keys()) | {terminal_id for terminal_id, online in told.items() if online}
        if self._behind:
            self._hear(self._behind & self._line.terminal_ids)

    def _hear(self, terminals: set[int] | frozenset[int]) -> None:
        self._services.heard.update(dict.fromkeys(terminals, self._loop.time()))

    def _close(self, code: Result, reason: str) -> None:
        self._closed = True
        self._wire.refuse(code, reason, label="violation")
