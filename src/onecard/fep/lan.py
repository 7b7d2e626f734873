"""The unit's own network: terminals come over TLS with the certificates the platform has given them, and speak through the
gateway's drivers (G1, G2). Who may come is what the platform last said, also when the line is down."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from onecard.fep.settings import Enrolled, FepSettings
from onecard.gateway.admission import AdmittedLine, Seat
from onecard.gateway.connection import Connection
from onecard.gateway.drivers.base import Driver, Services
from onecard.gateway.drivers.iso8583.driver import IsoDriver
from onecard.gateway.drivers.native.driver import NativeDriver
from onecard.gateway.listener import Listener
from onecard.gateway.settings import AcceptLimits
from onecard.gateway.tls import server_contexts
from onecard.kernel.codes import RESULT_TEXT, Result
from onecard.protocol.proto.device_pb2 import PlatformFrame, Welcome

_log = logging.getLogger(__name__)
_SWEEP_S = 1.0
_ACCEPT = AcceptLimits(per_second=50, waiting=500, connections=1000, backlog=128)


class Lan:
    """An Owner of connections and of ports. `closed_for` says why no terminal may be served now."""

    def __init__(
        self, settings: FepSettings, enrolled: Enrolled, services: Services, *, closed_for: Callable[[], Result | None]
    ) -> None:
        self.services = services
        self.attached_lines: set[int] = set()
        self.ports: dict[str, int] = {}
        self._settings = settings
        self._enrolled = enrolled
        self._closed_for = closed_for
        self._listeners: list[Listener] = []
        self._connections: set[Connection] = set()
        self._lines: dict[bytes, AdmittedLine] = {}
        self.on_refused: Callable[[str, str], None] = lambda address, reason: None
        """Somebody has tried who may not."""

    # who may come

    @property
    def terminals(self) -> frozenset[int]:
        """Of this line."""
        own = self._lines.get(self._enrolled.fingerprint)
        return own.terminal_ids if own else frozenset()

    def line_of(self, line_id: int) -> AdmittedLine | None:
        """The admitted line that a session was opened with; its number is that of its first terminal."""
        return next((line for line in self._lines.values() if line.line_id == line_id), None)

    def certificate_of(self, terminal_id: int) -> bytes:
        """Fingerprint of a terminal's own certificate; empty: it has none."""
        own = self._lines.get(self._enrolled.fingerprint)
        return next((seat.certificate_sha256 for seat in own.seats if seat.terminal_id == terminal_id), b"") if own else b""

    def take(self, welcome: Welcome) -> None:
        """The line's terminals as the platform has them now: who is not among them any more is cut off."""
        seats = [Seat(ref.terminal_id, ref.tid, ref.mid, ref.certificate_sha256, ref.driver) for ref in welcome.terminals]
        by_certificate: dict[bytes, list[Seat]] = {}
        for seat in seats:
            if seat.certificate_sha256:
                by_certificate.setdefault(seat.certificate_sha256, []).append(seat)
        known = {ref.terminal_id: ref.known_seq for ref in welcome.terminals}
        lines = {
            key: _line(min(seat.terminal_id for seat in mine), key, mine, known=known) for key, mine in by_certificate.items()
        }
        # Ports name the front-end's own certificate, and may speak for every terminal of the line.
        lines[self._enrolled.fingerprint] = replace(
            _line(self._enrolled.line_id, self._enrolled.fingerprint, seats, known=known), is_front_end=True
        )
        self._lines = lines
        for connection in list(self._connections):
            self._recheck(connection)

    def admit(self, fingerprint: bytes) -> AdmittedLine | Result:
        line = self._lines.get(fingerprint)
        if line is None:
            return Result.TERMINAL_NOT_ALLOWED
        return self._closed_for() or line

    def opened(self, connection: Connection) -> None:
        line = connection.line
        assert line is not None
        mine = [one for one in self._connections if one.line is not None and one.line.fingerprint == line.fingerprint]
        allowed = self.services.limits.connections_per_terminal_line
        if len(mine) > allowed:
            oldest = min(mine, key=lambda one: one.started_at)
            oldest.refuse(Result.TERMINAL_NOT_ALLOWED, "another connection of this terminal took over", label="replaced")

    def refused(self, connection: Connection, reason: str) -> None:
        self.on_refused(connection.peer.rpartition(":")[0], reason)

    def gone(self, connection: Connection) -> None:
        self._connections.discard(connection)

    # life

    async def start(self) -> None:
        """Open the ports. Raises OSError if one is taken."""
        identity = self._settings.identity
        contexts = server_contexts(identity.certificate, identity.key, ca=identity.ca)
        drivers: dict[Driver, int] = {NativeDriver(): self._settings.native_port, IsoDriver(): self._settings.iso_port}
        for driver, port in drivers.items():
            listener = Listener(
                contexts,
                partial(self._connect, driver),
                accept=_ACCEPT,
                line=self.services.limits,
                counters=self.services.counters,
            )
            self._listeners.append(listener)
            self.ports[driver.name] = await listener.open(self._settings.host, port)
            _log.info("%s on %s:%d", driver.name, self._settings.host, self.ports[driver.name])

    async def run(self) -> None:
        """Watch time limits and who may be here, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = loop.time()
            for connection in list(self._connections):
                if connection.line is None or not self._recheck(connection):
                    connection.overdue(now)

    async def stop(self) -> None:
        """Close the ports and say good-bye."""
        for listener in self._listeners:
            listener.stop_accepting()
        for connection in list(self._connections):
            if connection.line is not None:
                connection.refuse(Result.UNAVAILABLE, "the front-end is closing; reconnect after a random wait", label="drain")
            else:
                connection.tls.abort("drain")
        deadline = asyncio.get_running_loop().time() + 3.0
        while self._connections and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - three seconds at most
            await asyncio.sleep(0.02)
        for connection in list(self._connections):
            connection.tls.abort("drain")

    def tell(self, frame: PlatformFrame) -> None:
        """Tell every terminal something it did not ask for."""
        for connection in list(self._connections):
            connection.tell(frame)

    def tell_each(self, build: Callable[[AdmittedLine], PlatformFrame]) -> None:
        """Tell every terminal something of its own."""
        for connection in list(self._connections):
            if connection.line is not None:
                connection.tell(build(connection.line))

    def present(self) -> set[int]:
        """Terminals with an open connection."""
        return {number for one in self._connections if one.line is not None for number in one.line.terminal_ids}

    def recheck(self) -> None:
        """The line was cut off, or is open again."""
        for connection in list(self._connections):
            self._recheck(connection)

    def _recheck(self, connection: Connection) -> bool:
        """Cut a connection off, or tell its session of its new terminals. True when it was cut off."""
        if connection.line is None:
            return False
        line = self._lines.get(connection.line.fingerprint)
        refusal = self._closed_for() if line is not None else Result.TERMINAL_NOT_ALLOWED
        if refusal is not None:
            connection.refuse(refusal, RESULT_TEXT[refusal].en, label="cut_off_" + refusal.name.lower())
            return True
        if line is not None and line != connection.line:
            connection.line_changed(line)
        return False

    def _connect(self, driver: Driver) -> Connection:
        connection = Connection(self, driver, self.services)
        self._connections.add(connection)
        return connection


def _line(line_id: int, fingerprint: bytes, seats: list[Seat], *, known: Mapping[int, int]) -> AdmittedLine:
    return AdmittedLine(
        line_id=line_id,
        fingerprint=fingerprint,
        name=", ".join(seat.tid for seat in seats[:3]),
        is_front_end=False,
        refusal=None,
        valid_until_us=0,
        terminals={seat.tid + seat.mid: seat.terminal_id for seat in seats},
        terminal_ids=frozenset(seat.terminal_id for seat in seats),
        seats=tuple(seats),
        known_seqs={seat.terminal_id: known.get(seat.terminal_id, 0) for seat in seats},
    )
