"""What a driver's simulator.py gives the kit: the device's side, to be made to sell, cut off and asked what it knows.

`simulator.py` exports ``open_peer(seat) -> Peer``. That of a line driver also exports ``build_exchange(seat, seq) -> bytes``:
what a device sends in one exchange, from its first byte, without TLS.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from onecard.kernel.codes import Operation
from onecard.terminal.tls import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """One terminal of the test line as the platform knows it."""

    terminal_id: int
    tid: str
    mid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Where a peer sits. `host` and `port` are the gateway's for line drivers, and unused by ports."""

    folder: Path
    terminals: tuple[Terminal, ...]
    card_no: int
    seed: int
    host: str = "127.0.0.1"
    port: int = 0
    identity: Identity | None = None
    master_key: bytes = b""
    mac_key: bytes = b""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a device shows as done: the platform must have it exactly once. `terminal_seq` 0: the device does not know it."""

    terminal_id: int
    terminal_seq: int
    op: Operation
    amount_fen: int


@dataclass(slots=True)
class PortFacts:
    """How a port reaches the peer: the parts of PortSettings that the peer decides."""

    transport: str = ""
    terminals: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


class Peer(Protocol):
    """The devices of one line or port. Raises Unavailable where something the machine lacks is needed (a broker)."""

    async def start(self) -> PortFacts: ...

    async def sell(self, count: int) -> list[Receipt]:
        """Make so many transactions, one after another at each device; what the devices then hold for done."""

    async def repeat(self) -> None:
        """Send what was last sent once more, as a device does that missed the answer."""

    async def stop(self) -> None: ...


class PortPeer(Peer, Protocol):
    """The devices of a port: the kit can cut them off between any two bytes."""

    async def cut(self, after_bytes: int) -> None:
        """Break the connection when so many more bytes have gone by, and let it come back by itself."""

    async def slow(self, *, is_slow: bool) -> None:
        """Answer as late as the protocol just allows, or as usual."""

    async def exchange_bytes(self) -> int:
        """How many bytes one sale takes on the wire, measured."""

    async def upgrade(self, image: bytes) -> bytes:
        """For the capability `upgrade`: what the device holds after the driver was told to send it `image`."""
