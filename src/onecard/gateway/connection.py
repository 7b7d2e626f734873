"""One connection between accept and close: the handshake's outcome, admission, the driver's session, and its time limits."""

import asyncio
import logging
from typing import Protocol

from onecard.gateway.admission import AdmittedLine
from onecard.gateway.drivers.base import Driver, Services, Session
from onecard.gateway.tls import TlsConnection
from onecard.kernel.codes import RESULT_TEXT, Result
from onecard.protocol.proto.device_pb2 import PlatformFrame

_log = logging.getLogger(__name__)


class Owner(Protocol):
    """What a connection asks whoever listens: a gateway or a front-end."""

    def admit(self, fingerprint: bytes) -> AdmittedLine | Result:
        """The line of a certificate, or why there is none."""

    def opened(self, connection: "Connection") -> None:
        """The line is open."""

    def refused(self, connection: "Connection", reason: str) -> None:
        """Somebody did not get in; `peer` and `tls.shown_certificate()` say who."""

    def gone(self, connection: "Connection") -> None:
        """The connection has ended, however far it had got."""


class Connection:
    """TlsHandler below, Wire above."""

    __slots__ = (
        "_driver",
        "_held",
        "_loop",
        "_owner",
        "_partial_since",
        "_services",
        "_session",
        "_stalled_since",
        "heard_at",
        "line",
        "peer",
        "started_at",
        "tls",
    )

    tls: TlsConnection

    def __init__(self, owner: Owner, driver: Driver, services: Services) -> None:
        self._owner = owner
        self._driver = driver
        self._services = services
        self._loop = asyncio.get_running_loop()
        self._session: Session | None = None
        self._held = False
        self._partial_since = 0.0
        self._stalled_since = 0.0
        self.line: AdmittedLine | None = None
        self.peer = ""
        self.started_at = self.heard_at = self._loop.time()

    # from below

    def secured(self, fingerprint: bytes) -> None:
        admitted = self._owner.admit(fingerprint)
        if isinstance(admitted, Result):
            label = "not_listed" if admitted is Result.TERMINAL_NOT_ALLOWED else admitted.name.lower()
            self._services.counters.refused[label] += 1
            _log.warning("refused %s line from %s: %s, certificate %s", self._driver.name, self.peer, label, fingerprint.hex())
            self._owner.refused(self, label)
            self._say_farewell(admitted, RESULT_TEXT[admitted].en)
            self.tls.close()
            return
        self.line = admitted
        self._session = self._driver.open_session(self, admitted, self._services)
        self._owner.opened(self)

    def received(self, data: bytes) -> None:
        session = self._session
        if session is None:
            return
        now = self.heard_at = self._loop.time()
        session.received(data)
        if session.is_partial:
            self._partial_since = self._partial_since or now
        else:
            self._partial_since = 0.0

    def write_paused(self, paused: bool) -> None:
        # A device that does not read its answers gets no more questions taken from it, so that its buffer stays bounded.
        self._stalled_since = self._loop.time() if paused else 0.0
        self._set_reading()

    def lost(self, reason: str) -> None:
        if self._session is None:
            if reason and self.line is None:
                self._services.counters.refused[reason] += 1
                _log.warning("no %s line from %s: %s", self._driver.name, self.peer, reason)
                if not self.tls.parked:  # else it was we who had no time: no attempt to report
                    self._owner.refused(self, reason)
        else:
            if reason:
                self._services.counters.closed[reason] += 1
                _log.info("closed %s line of %s: %s", self._driver.name, self.peer, reason)
            self._session.closed()
            self._session = None
        self._owner.gone(self)

    # from above

    def send(self, data: bytes) -> None:
        self.tls.write(data)

    def hold(self) -> None:
        if not self._held:
            self._held = True
            self._partial_since = 0.0
            self._set_reading()

    def release(self) -> None:
        if self._held:
            self._held = False
            self.heard_at = self._loop.time()
            self._set_reading()

    def refuse(self, code: Result, reason: str, *, label: str) -> None:
        self._say_farewell(code, reason)
        self.tls.close(label)

    # from the gateway

    def line_changed(self, line: AdmittedLine) -> None:
        """The list's entry is another now, still admitted."""
        self.line = line
        if self._session is not None:
            self._session.line_changed(line)

    def tell(self, frame: PlatformFrame) -> None:
        """Something for the device that it did not ask for."""
        if self._session is not None:
            self._session.tell(frame)

    def overdue(self, now: float) -> None:
        """Close the connection if it has outlived one of its limits."""
        limits = self._services.limits
        session = self._session
        if session is None:
            if now - self.started_at > limits.handshake_s:
                self.tls.abort("handshake_timeout")
        elif self._stalled_since and now - self._stalled_since > limits.write_stall_s:
            self.tls.abort("write_stalled")
        elif self._held or self._stalled_since:
            return
        elif self._partial_since and now - self._partial_since > limits.frame_s:
            self.refuse(Result.FORMAT, "the frame did not come to its end in time", label="frame_timeout")
        elif now - self.heard_at > session.idle_limit_s:
            self.refuse(Result.FORMAT, "nothing heard for too long", label="idle_timeout")

    def _say_farewell(self, code: Result, reason: str) -> None:
        farewell = self._driver.build_farewell(code, reason)
        if farewell:
            self.tls.write(farewell)

    def _set_reading(self) -> None:
        transport = self.tls.transport
        if self._held or self._stalled_since:
            transport.pause_reading()
        elif not transport.is_closing():
            transport.resume_reading()
