"""What a driver is, and what the gateway offers it.

A driver turns the bytes of one protocol into records and answers back into bytes. It never sees TLS, sockets, certificates or
the platform: it gets a `Wire` to its device and the `Services` of whoever runs it (a gateway, a front-end), and makes a `Session`
per connection. Nothing here needs gRPC: a front-end runs the same drivers over its own line.
A new maker is a new folder with a manifest.toml and a driver.py that exports DRIVER (G4; docs/drivers.md). A device
that is not at the end of a TLS line, but on a bus or behind a broker, is served by a `PortDriver` (docs/adr/0070).
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from onecard.gateway.admission import AdmittedLine
from onecard.gateway.metrics import Counters
from onecard.gateway.settings import LineLimits
from onecard.kernel.clock import Clock, to_epoch_us
from onecard.kernel.codes import Result
from onecard.protocol.proto.device_pb2 import (
    DeviceEvent,
    FetchReply,
    Heartbeat,
    Hello,
    HttpRequest,
    HttpResponse,
    LeaseReply,
    LineState,
    PlatformFrame,
    SignedOn,
    Tasks,
    Totals,
)
from onecard.protocol.proto.records_pb2 import Answers, ChipLoad, ChipLoadAnswer, PayCodeKeys, Records

Row = tuple[int, int, int, int, int, int, int, int]
"""The columns of one record, in the order of Records."""
OneDone = Callable[[int, int, int, int], None]
"""Code, balance, transfer id, conflict field."""
ManyDone = Callable[[Answers], None]
CodeDone = Callable[[Result], None]


class Wire(Protocol):
    """The connection as a session sees it."""

    @property
    def peer(self) -> str:
        """The device's address and port, for people."""

    def send(self, data: bytes) -> None:
        """Send bytes to the device."""

    def hold(self) -> None:
        """Read nothing more from the device for now (its window is full)."""

    def release(self) -> None:
        """Read again."""

    def refuse(self, code: Result, reason: str, *, label: str) -> None:
        """Close the line for cause: the driver's farewell is sent, `label` is counted."""


class Session(Protocol):
    """One device line. Every method returns at once."""

    def received(self, data: bytes) -> None:
        """Bytes from the device, cut anywhere."""

    def line_changed(self, line: AdmittedLine) -> None:
        """The list's entry is another now, still admitted."""

    def tell(self, frame: PlatformFrame) -> None:
        """Something the device did not ask for (Tasks, LineState); dropped where its protocol has no such message."""

    def closed(self) -> None:
        """The connection is gone; answers that come later are dropped."""

    @property
    def is_partial(self) -> bool:
        """Whether a frame has begun and is not whole."""

    @property
    def idle_limit_s(self) -> float:
        """How long the device may say nothing."""


class Driver(Protocol):
    """One protocol."""

    @property
    def name(self) -> str: ...

    def open_session(self, wire: Wire, line: AdmittedLine, services: "Services") -> Session:
        """A session for a line that has been admitted."""

    def build_farewell(self, code: Result, reason: str) -> bytes:
        """The typed last words before the gateway closes a line; empty where the protocol has none."""


class UplinkPort(Protocol):
    """Where records go: to the application servers from a gateway, to the line or its own decision from a front-end."""

    @property
    def halted(self) -> bool:
        """Set while nothing may be posted: everything is answered UNAVAILABLE."""

    def submit_one(self, line_id: int, row: Row, done: OneDone) -> Result | None:
        """Take one record; `done` gets its answer. A Result when it is not taken, and then `done` is not called."""

    def submit_many(self, line_id: int, records: Records, *, count: int, done: ManyDone) -> Result | None:
        """Take `count` records in columns. Otherwise as `submit_one`."""


class PlatformPort(Protocol):
    """What sessions ask for beside posting. Every coroutine raises AppUnavailableError or AppBusyError (gateway/errors.py)."""

    @property
    def pay_code_keys(self) -> PayCodeKeys | None:
        """The keys of payment codes; None until they are known. Another object when they have changed."""

    def tasks(self, line_id: int) -> Tasks | None:
        """What the devices of a line should have; None while that is not known."""

    def line_state(self) -> LineState | None:
        """Whether this side is off line, told to devices after Welcome; None from a gateway."""

    async def load_chip(self, line_id: int, load: ChipLoad, *, deadline_s: float) -> ChipLoadAnswer:
        """One step of a load."""

    async def sign_on(self, line_id: int, terminal_id: int, *, deadline_s: float) -> SignedOn:
        """Working keys and a batch for an ISO 8583 terminal; `submit_id` is the caller's to fill in."""

    async def totals(self, line_id: int, terminal_id: int, *, batch_no: int, deadline_s: float) -> Totals:
        """What the platform has of a settlement batch; `submit_id` is the caller's to fill in."""

    async def fetch(self, line: AdmittedLine, name: str, *, offset: int, length: int) -> FetchReply:
        """A part of a file of the signed repository; code NO_ORIGINAL when there is no such file for this line.

        The reply may be shared with others: not the caller's to change.
        """

    async def lease(self, line_id: int) -> LeaseReply:
        """The newest lease of a line."""


class ReportPort(Protocol):
    """Where goes what is not money: states and events of devices."""

    def hello(self, line: AdmittedLine, hello: Hello, *, address: str) -> None:
        """A device has presented itself."""

    def heartbeat(self, line: AdmittedLine, heartbeat: Heartbeat, *, address: str) -> None:
        """A device says how it is. The message is the taker's to keep."""

    def submit_events(self, line_id: int, events: Sequence[DeviceEvent], done: CodeDone) -> Result | None:
        """Take events; `done` gets APPROVED once they are stored for good. A Result when they are not taken."""


class HttpLine(Protocol):
    """The workstation browsers behind one connection."""

    def take(self, request: HttpRequest) -> None:
        """A part of a request. Raises NativeViolationError when it makes no sense."""

    def closed(self) -> None:
        """The connection is gone."""


class SeqBook(Protocol):
    """Numbers by terminal id; a gateway's is a plain dict, a front-end's reads its journal's numbers."""

    def get(self, terminal_id: int, default: int, /) -> int: ...

    def __setitem__(self, terminal_id: int, seq: int, /) -> None: ...


class HttpPort(Protocol):
    """The way to the web tier; only a gateway has one."""

    def open_line(self, line: AdmittedLine, send: Callable[[HttpResponse], None]) -> HttpLine:
        """For one connection of a front-end, made with its first request."""


@dataclass(slots=True)
class Services:
    """What the gateway or front-end does for sessions."""

    uplink: UplinkPort
    platform: PlatformPort
    reports: ReportPort
    counters: Counters
    clock: Clock
    limits: LineLimits
    spawn: "Spawn"
    name: str = ""
    """Whose services these are, for people."""
    http: HttpPort | None = None
    heard: dict[int, float] = field(default_factory=dict)
    """Loop time at which a terminal was last heard of."""
    seqs: "SeqBook" = field(default_factory=dict[int, int])
    """The highest sequence number heard here of a terminal, by its id."""
    access: Callable[[int, int], Result] | None = None
    """Whether a terminal's door opens to a card, by rules and lists kept here (a front-end's); None: the platform is asked."""

    def events(self, line_id: int, *events: DeviceEvent) -> None:
        """For port drivers: events of their devices (ACCESS_*, ATTENDANCE, METER_READING, UPDATE_*), kept until they are stored.

        Each has 16 random bytes as its `event_id`. Events that can't be kept any more are counted as `events_dropped`.
        """

        def answered(code: Result) -> None:
            if code is not Result.APPROVED:
                self.events(line_id, *events)

        if self.reports.submit_events(line_id, events, answered) is not None:
            self.counters.events_dropped += len(events)

    def note_seq(self, terminal_id: int, seq: int) -> None:
        """A terminal has used a number."""
        if seq > self.seqs.get(terminal_id, 0):
            self.seqs[terminal_id] = seq

    def known_seqs(self, line: AdmittedLine) -> dict[int, int]:
        """The highest number known of each terminal of a line: what the platform had when it listed it, or heard here since."""
        listed, heard = line.known_seqs, self.seqs
        return {number: max(listed.get(number, 0), heard.get(number, 0)) for number in line.terminal_ids}

    def now_us(self) -> int:
        """Microseconds since 1970 by the platform's clock."""
        return to_epoch_us(self.clock.now())


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSettings:
    """One port of an attachment file: which bus or broker, and who is on it."""

    name: str
    driver: str
    transport: str
    """``serial:/dev/ttyS0?baud=9600``, ``pty:/dev/pts/3``, ``tcp:host:port``, ``mqtt:host:port``, ``mqtts:host:port``."""
    terminals: Mapping[str, int]
    """The platform's terminal id by the device's address or name on the bus."""
    state_dir: Path
    """Where the port keeps its journal; nobody else's."""
    options: Mapping[str, Any] = field(default_factory=dict)
    quirks: frozenset[str] = frozenset()


class Port(Protocol):
    """A bus or a broker with its devices, while its line is admitted."""

    async def run(self) -> None:
        """Serve until cancelled; leaves nothing open behind it. Raises OneCardError if the settings can't be used."""

    def status(self) -> Mapping[str, bool]:
        """Which devices are on line, by address or name."""


class PortDriver(Protocol):
    """One protocol on a bus or a broker. `line` gives the admitted line of the moment, or None when it is cut off."""

    @property
    def name(self) -> str: ...

    def open_port(self, settings: PortSettings, line: "LineNow", services: "Services") -> Port:
        """A port; nothing is opened before `run`. Raises InvalidInput naming what is wrong in the settings."""


class LineNow(Protocol):
    """The admitted line behind a port, asked anew for every record, so that a cut-off is in force at once."""

    def __call__(self) -> AdmittedLine | None: ...


class Spawn(Protocol):
    """Runs a coroutine that nobody waits for; the gateway keeps it and cancels it when it stops."""

    def __call__(self, work: Coroutine[Any, Any, None]) -> None: ...
