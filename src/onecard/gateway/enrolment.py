"""The enrolment port (G2): a device that has no certificate yet brings a one-time code and a signing request, and gets one.

TLS without a client certificate; the platform's authority is in the chain, so that the device can check it against the hash it
was given with the code. One ask a connection, few a minute from one address: what is said here is said by strangers.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any

from onecard.gateway.apps import AppServers
from onecard.gateway.errors import PlatformError
from onecard.gateway.metrics import Counters
from onecard.gateway.settings import EnrolLimits
from onecard.gateway.tls import TlsConnection
from onecard.kernel.codes import RESULT_TEXT, Result
from onecard.protocol.devicechecks import MAX_CSR_BYTES, check_enrol
from onecard.protocol.framing import FrameBuffer, FrameError
from onecard.protocol.native import PREFIX_BYTES, NativeViolationError, build_closing, build_frame, parse_device_frame
from onecard.protocol.proto.app_pb2 import EnrolDeviceCall
from onecard.protocol.proto.device_pb2 import Enrol, Enrolled, PlatformFrame

_log = logging.getLogger(__name__)
_CALL_S = 10.0
_MAX_FRAME = MAX_CSR_BYTES + 8192


class TryLimit:
    """How many tries an address has left."""

    def __init__(self, limits: EnrolLimits, now: Callable[[], float]) -> None:
        self._limits = limits
        self._now = now
        self._hosts: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Tries left, and when that was."""

    def take(self, host: str) -> bool:
        """One try; False when the address has none left."""
        now = self._now()
        left, since = self._hosts.pop(host, (float(self._limits.per_host), now))
        left = min(float(self._limits.per_host), left + (now - since) / self._limits.again_s)
        self._hosts[host] = (left - 1 if left >= 1 else left, now)
        while len(self._hosts) > self._limits.hosts:
            self._hosts.popitem(last=False)
        return left >= 1

    def give_back(self, host: str) -> None:
        """The code was good: whoever installs a hundred terminals behind one address is no stranger."""
        if host in self._hosts:
            left, since = self._hosts[host]
            self._hosts[host] = (min(float(self._limits.per_host), left + 1), since)


class EnrolDesk:
    """What all connections of the port share."""

    def __init__(
        self, apps: AppServers, *, gateway: str, limits: EnrolLimits, counters: Counters,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:  # fmt: skip
        self.apps = apps
        self.gateway = gateway
        self.limits = limits
        self.counters = counters
        self.spawn = spawn
        self.tries = TryLimit(limits, asyncio.get_running_loop().time)
        self.connections: set[EnrolConnection] = set()

    def connect(self) -> "EnrolConnection":
        """A connection, from accept to close."""
        connection = EnrolConnection(self)
        self.connections.add(connection)
        return connection

    def close(self) -> None:
        """Drop all connections."""
        for connection in list(self.connections):
            connection.tls.abort("drain")


class EnrolConnection:
    """A Peer (listener.py): one Enrol, one Enrolled."""

    tls: TlsConnection

    def __init__(self, desk: EnrolDesk) -> None:
        self._desk = desk
        self._buffer = FrameBuffer(prefix_bytes=PREFIX_BYTES, max_frame=_MAX_FRAME)
        self._asked = False
        self._gone = False
        self._end = asyncio.get_running_loop().call_later(desk.limits.connection_s, self._too_slow)
        self.peer = ""

    def secured(self, fingerprint: bytes) -> None:
        pass

    def received(self, data: bytes) -> None:
        self._buffer.feed(data)
        try:
            frame = self._buffer.next_frame()
            if frame is None:
                return
            enrol = self._parse(frame)
        except (FrameError, NativeViolationError) as error:
            self._refuse(Result.FORMAT, str(error))
            return
        if not self._desk.tries.take(self.peer.rpartition(":")[0]):
            self._refuse(Result.BUSY, "too many tries from this address; wait a little")
            return
        self._asked = True
        self._desk.spawn(self._enrol(enrol))

    def write_paused(self, paused: bool) -> None:
        pass

    def lost(self, reason: str) -> None:
        self._gone = True
        self._end.cancel()
        self._desk.connections.discard(self)
        if reason:
            self._desk.counters.refused[f"enrol_{reason}"] += 1

    def _parse(self, frame: bytes) -> Enrol:
        parsed = parse_device_frame(frame)
        if self._asked or parsed.WhichOneof("body") != "enrol":
            raise NativeViolationError("one Enrol is all that is said on this port")
        check_enrol(parsed.enrol)
        return parsed.enrol

    async def _enrol(self, enrol: Enrol) -> None:
        call = EnrolDeviceCall(gateway=self._desk.gateway, address=self.peer, enrol=enrol)
        try:
            reply: Enrolled = await self._desk.apps.call(
                lambda stub, timeout: stub.EnrolDevice(call, timeout=timeout), deadline_s=_CALL_S
            )
        except PlatformError:
            reply = Enrolled(code=Result.UNAVAILABLE, reason=RESULT_TEXT[Result.UNAVAILABLE].en)
        reply.submit_id = enrol.submit_id
        self._desk.counters.enrolments[reply.code] += 1
        if reply.code == Result.APPROVED:
            self._desk.tries.give_back(self.peer.rpartition(":")[0])
        else:
            _log.warning("enrolment from %s: %s", self.peer, reply.reason)
        if not self._gone:
            self.tls.write(build_frame(PlatformFrame(enrolled=reply)))
            self.tls.close()

    def _refuse(self, code: Result, reason: str) -> None:
        self._desk.counters.refused["enrol_refused"] += 1
        self.tls.write(build_closing(int(code), reason))
        self.tls.close("refused")

    def _too_slow(self) -> None:
        self.tls.abort("too_slow")
