"""One listening port: takes connections no faster than the limits allow and gives each its TLS and its Connection."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from onecard.gateway.metrics import Counters
from onecard.gateway.settings import AcceptLimits, LineLimits
from onecard.gateway.tls import TlsConnection, TlsContexts, TlsHandler, shared_read_buffer

_TICK_S = 0.02


class AcceptGate:
    """Lets `per_second` connections begin their handshake; the others wait in line, unread, and at last are dropped.

    A handshake costs a millisecond of processor. When a gateway restarts, all its lines come back at once, and without the gate
    those that are in would wait behind those that are not.
    """

    def __init__(self, limits: AcceptLimits, counters: Counters) -> None:
        self._limits = limits
        self._counters = counters
        self._tokens = float(limits.per_second)
        self._waiting: deque[TlsConnection] = deque()
        self._loop = asyncio.get_running_loop()
        self._filled_at = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self.open = 0

    def enter(self, connection: TlsConnection) -> None:
        """Let the connection begin now, later, or never."""
        self.open += 1
        self._refill()
        if self.open > self._limits.connections or len(self._waiting) >= self._limits.waiting:
            self._counters.refused["too_many"] += 1
            connection.transport.abort()
        elif self._tokens >= 1 and not self._waiting:
            self._tokens -= 1
        else:
            connection.parked = True
            self._waiting.append(connection)
            if self._timer is None:
                self._timer = self._loop.call_later(_TICK_S, self._tick)

    def leave(self) -> None:
        """A connection has ended."""
        self.open -= 1

    def close(self) -> None:
        """Drop who waits."""
        if self._timer is not None:
            self._timer.cancel()
        while self._waiting:
            self._waiting.popleft().transport.abort()

    def _refill(self) -> None:
        now = self._loop.time()
        rate = self._limits.per_second
        self._tokens = min(float(rate), self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now

    def _tick(self) -> None:
        self._timer = None
        self._refill()
        while self._waiting and self._tokens >= 1:
            connection = self._waiting.popleft()
            if not connection.transport.is_closing():
                self._tokens -= 1
                connection.unpark()
        if self._waiting:
            self._timer = self._loop.call_later(_TICK_S, self._tick)


class Peer(TlsHandler, Protocol):
    """Who sits on an accepted connection."""

    tls: TlsConnection
    peer: str
    """Address and port."""


class _Accepted(TlsConnection):
    """A TlsConnection that passes the gate."""

    __slots__ = ("_connection", "_gate", "_write_buffer")

    def __init__(
        self, contexts: TlsContexts, connection: Peer, *, shared: memoryview, gate: AcceptGate, write_buffer: int
    ) -> None:
        super().__init__(contexts, connection, shared=shared)
        self._connection = connection
        self._gate = gate
        self._write_buffer = write_buffer
        connection.tls = self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername") or ("unknown", 0)
        self._connection.peer = f"{peer[0]}:{peer[1]}"
        self.transport.set_write_buffer_limits(high=self._write_buffer)
        self._gate.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gate.leave()
        super().connection_lost(exc)


class Listener:
    """A bound port. `make_connection` gives who sits on each accepted connection."""

    def __init__(
        self, contexts: TlsContexts, make_connection: Callable[[], Peer], *, accept: AcceptLimits, line: LineLimits,
        counters: Counters,
    ) -> None:  # fmt: skip
        self._contexts = contexts
        self._make_connection = make_connection
        self._accept = accept
        self._line = line
        self._counters = counters
        self._shared = shared_read_buffer()
        self._gate = AcceptGate(accept, counters)
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> int:
        """Listen; the port, which matters when 0 was asked for."""
        self._server = await asyncio.get_running_loop().create_server(
            self._accepted, host, port, backlog=self._accept.backlog, reuse_address=True
        )
        name: tuple[str, int] = self._server.sockets[0].getsockname()
        return name[1]

    @property
    def connections(self) -> int:
        """Sockets open, handshakes included."""
        return self._gate.open

    def stop_accepting(self) -> None:
        """Close the port; open connections stay."""
        self._gate.close()
        if self._server is not None:
            self._server.close()

    def _accepted(self) -> asyncio.BufferedProtocol:
        self._counters.accepted += 1
        return _Accepted(
            self._contexts,
            self._make_connection(),
            shared=self._shared,
            gate=self._gate,
            write_buffer=self._line.write_buffer_bytes,
        )
