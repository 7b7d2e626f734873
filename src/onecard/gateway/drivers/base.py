"""What a driver is, and what the gateway offers it.

A driver turns the bytes of one protocol into records and answers back into bytes. It never sees TLS, sockets, certificates or
the application server: it gets a `Wire` to its device and the `Services` of the gateway, and makes a `Session` per connection.
A new maker is a new folder with a manifest.toml and a driver.py that exports DRIVER (G4; docs/drivers.md). A device
that is not at the end of a TLS line, but on a bus or behind a broker, is served by a `PortDriver` (docs/adr/0070).
"""

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from onecard.gateway.admission import AdmittedLine
from onecard.gateway.apps import AppServers
from onecard.gateway.metrics import Counters
from onecard.gateway.settings import LineLimits
from onecard.gateway.uplink import Uplink
from onecard.kernel.clock import Clock, to_epoch_us
from onecard.kernel.codes import Result


class Wire(Protocol):
    """The connection as a session sees it."""

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


@dataclass(slots=True)
class Services:
    """What the gateway does for sessions."""

    uplink: Uplink
    apps: AppServers
    counters: Counters
    clock: Clock
    limits: LineLimits
    spawn: "Spawn"
    name: str = ""
    """The gateway's own, told to the application server."""
    heard: dict[int, float] = field(default_factory=dict)
    """Loop time at which a terminal was last heard of."""

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
