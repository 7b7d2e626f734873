"""What the fuzzer's sessions stand on: ports that answer at once, and fail the run when a session lets wrong things through."""

import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from onecard.gateway.admission import AdmittedLine, Seat
from onecard.gateway.drivers.base import CodeDone, ManyDone, OneDone, Row, Services
from onecard.gateway.fuzzcorpus import MID, TERMINAL, TID
from onecard.gateway.metrics import Counters
from onecard.gateway.settings import LineLimits
from onecard.gateway.workstation import refusal_of
from onecard.kernel.clock import SystemClock
from onecard.kernel.codes import Operation, Result
from onecard.protocol.devicechecks import EVENT_ID_BYTES, MAX_DETAIL, MAX_FETCH_BYTES
from onecard.protocol.proto.device_pb2 import (
    DeviceEvent,
    FetchReply,
    Heartbeat,
    Hello,
    HttpRequest,
    HttpResponse,
    LeaseReply,
    LineState,
    SignedOn,
    Tasks,
    Totals,
)
from onecard.protocol.proto.records_pb2 import Answers, ChipLoad, ChipLoadAnswer, Records


class _Uplink:
    """Answers at once, with any result."""

    halted = False

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def submit_one(self, line_id: int, row: Row, done: OneDone) -> Result | None:
        if not all(0 <= value < 2**63 for value in row):
            raise AssertionError(f"a record that does not fit its columns: {row}")
        done(int(self._rng.choice(list(Result))), self._rng.randrange(-(10**6), 10**9), self._rng.randrange(2**61), 0)
        return None

    def submit_many(self, line_id: int, records: Records, *, count: int, done: ManyDone) -> Result | None:
        codes = [int(self._rng.choice(list(Result))) for _ in range(count)]
        if records.HasField("chip") and [records.op[row] for row in records.chip.row] != [Operation.CHIP_PURCHASE] * len(
            records.chip.row
        ):
            raise AssertionError("chip columns that name other records")
        zeros = [0] * count
        done(Answers(code=codes, balance_fen=zeros, transfer_id=zeros, conflict_field=zeros))
        return None


class _Platform:
    """Answers at once; holds what it is asked to be what a session may let through."""

    pay_code_keys = None

    def tasks(self, line_id: int) -> Tasks:
        return Tasks(lease_serial=1)

    def line_state(self) -> LineState:
        return LineState(offline=True)

    async def load_chip(self, line_id: int, load: ChipLoad, *, deadline_s: float) -> ChipLoadAnswer:
        if load.terminal_id != TERMINAL:
            raise AssertionError("a load of another's terminal")
        return ChipLoadAnswer(code=Result.APPROVED)

    async def sign_on(self, line_id: int, terminal_id: int, *, deadline_s: float) -> SignedOn:
        if terminal_id != TERMINAL:
            raise AssertionError("a sign-on of another's terminal")
        return SignedOn(mac_key=bytes(8), de62=bytes(60), batch_no=1)

    async def totals(self, line_id: int, terminal_id: int, *, batch_no: int, deadline_s: float) -> Totals:
        if terminal_id != TERMINAL:
            raise AssertionError("the totals of another's terminal")
        return Totals()

    async def fetch(self, line: AdmittedLine, name: str, *, offset: int, length: int) -> FetchReply:
        if (
            ".." in name.split("/")
            or "\0" in name
            or not name.startswith(("metadata/", "targets/"))
            or not 0 < length <= MAX_FETCH_BYTES
        ):
            raise AssertionError(f"a file that is none: {name!r}, {length} bytes")
        return FetchReply(total=length, data=b"data")

    async def lease(self, line_id: int) -> LeaseReply:
        return LeaseReply(lease=b"lease")


class _Reports:
    """Takes everything and stores it at once; holds it to be what a database can store."""

    def hello(self, line: AdmittedLine, hello: Hello, *, address: str) -> None:
        _storable(hello.maker, hello.model, hello.firmware, hello.hardware, hello.serial)

    def heartbeat(self, line: AdmittedLine, heartbeat: Heartbeat, *, address: str) -> None:
        _storable(heartbeat.last_error, *(version.name for version in heartbeat.versions))
        for device in heartbeat.devices:
            _storable(device.last_error, device.maker, device.serial, *(version.name for version in device.versions))
            if device.terminal_id not in line.terminal_ids:
                raise AssertionError("the state of another's terminal")

    def submit_events(self, line_id: int, events: Sequence[DeviceEvent], done: CodeDone) -> Result | None:
        for event in events:
            _storable(event.detail)
            if len(event.event_id) != EVENT_ID_BYTES or event.terminal_id not in (0, TERMINAL):
                raise AssertionError("an event that can't be kept")
        done(Result.APPROVED)
        return None


class _Web:
    """The browsers of one session, answered at once."""

    def __init__(self, send: Callable[[HttpResponse], None]) -> None:
        self._send = send

    def take(self, request: HttpRequest) -> None:
        status = refusal_of(request) if request.method else 0
        lines = [f"{header.name}: {header.value}" for header in request.headers]
        if not status and any("\r" in line or "\n" in line or "\0" in line or line.startswith(":") for line in lines):
            raise AssertionError("a header that ends early")
        self._send(HttpResponse(stream_id=request.stream_id, status=status or 200, end=True))

    def closed(self) -> None:
        pass


class _Http:
    """A way to the web tier."""

    def open_line(self, line: AdmittedLine, send: Callable[[HttpResponse], None]) -> _Web:
        return _Web(send)


def _storable(*texts: str) -> None:
    if any("\0" in text or len(text) > MAX_DETAIL for text in texts):
        raise AssertionError("a text that no column can hold")


def services(rng: random.Random) -> Services:
    """All of it, for one target."""

    def at_once(work: Coroutine[Any, Any, None]) -> None:
        try:
            work.send(None)
        except StopIteration:
            return
        work.close()  # it waits for something that never comes here

    return Services(
        uplink=_Uplink(rng),
        platform=_Platform(),
        reports=_Reports(),
        counters=Counters(),
        clock=SystemClock(),
        limits=LineLimits(),
        spawn=at_once,
        http=_Http(),
    )


def _line(*, front_end: bool) -> AdmittedLine:
    seats = (Seat(TERMINAL, TID, MID, b"", ""),)
    return AdmittedLine(1, b"", "fuzz", front_end, None, 0, {TID + MID: TERMINAL}, frozenset([TERMINAL]), seats)


LINE = _line(front_end=False)
FRONT_END = _line(front_end=True)
