"""What is not money on its way up (`ReportPort`): states and events of devices, and who was refused, in batches.

States are the newest only: a later heartbeat takes the place of one that has not gone up yet. Events go up whole and in order;
whoever gave them is answered APPROVED once an application server has stored them, and keeps them until then.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from onecard.gateway.admission import AdmittedLine
from onecard.gateway.apps import AppServers
from onecard.gateway.drivers.base import CodeDone
from onecard.gateway.errors import AppUnavailableError, PlatformError
from onecard.gateway.metrics import Counters
from onecard.gateway.settings import ReportLimits
from onecard.kernel.clock import Clock, to_epoch_us
from onecard.kernel.codes import Result
from onecard.protocol.proto.app_pb2 import DeviceReport, LineEvents, LineStatus, RefusedHandshake
from onecard.protocol.proto.device_pb2 import DeviceEvent, Heartbeat, Hello

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Waiting:
    line_id: int
    events: Sequence[DeviceEvent]
    done: CodeDone


class Reporter:
    """A ReportPort (drivers/base.py); `run` is its task."""

    def __init__(self, apps: AppServers, *, gateway: str, clock: Clock, limits: ReportLimits, counters: Counters) -> None:
        self._apps = apps
        self._gateway = gateway
        self._clock = clock
        self._limits = limits
        self._counters = counters
        self._states: dict[int, LineStatus] = {}
        self._events: deque[_Waiting] = deque()
        self._refused: dict[tuple[str, str, bytes], RefusedHandshake] = {}
        self._wanted = asyncio.Event()
        self.waiting_events = 0

    def hello(self, line: AdmittedLine, hello: Hello, *, address: str) -> None:
        state = self._state(line.line_id, address, hello.device_clock_us)
        state.hello.CopyFrom(hello)

    def heartbeat(self, line: AdmittedLine, heartbeat: Heartbeat, *, address: str) -> None:
        state = self._state(line.line_id, address, heartbeat.device_clock_us)
        if state.heartbeat.devices:
            newest = {device.terminal_id for device in heartbeat.devices}
            heartbeat.devices.extend(device for device in state.heartbeat.devices if device.terminal_id not in newest)
        state.heartbeat.CopyFrom(heartbeat)

    def submit_events(self, line_id: int, events: Sequence[DeviceEvent], done: CodeDone) -> Result | None:
        if self.waiting_events + len(events) > self._limits.waiting_events:
            return Result.BUSY
        self._events.append(_Waiting(line_id, events, done))
        self.waiting_events += len(events)
        self._wanted.set()
        return None

    def refused(self, address: str, reason: str, *, certificate_der: bytes = b"") -> None:
        """Somebody did not get in. The same host, reason and certificate again is a number, not another row."""
        host = address.rpartition(":")[0]
        key = host, reason, certificate_der
        known = self._refused.get(key)
        if known is None:
            if len(self._refused) >= self._limits.refused:
                return
            known = self._refused[key] = RefusedHandshake(address=host, reason=reason, certificate_der=certificate_der)
        known.times += 1
        known.at_us = to_epoch_us(self._clock.now())

    async def run(self) -> None:
        """Send what there is: states every interval, events soon."""
        while True:
            try:
                async with asyncio.timeout(self._limits.states_s):
                    await self._wanted.wait()
                    await asyncio.sleep(self._limits.linger_s)
            except TimeoutError:
                pass
            self._wanted.clear()
            while await self._send():
                pass

    async def drain(self, timeout_s: float) -> None:
        """Send what waits, at most so long; events that nobody else keeps are lost otherwise."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._events or self._states or self._refused:
                    if not await self._send():
                        await asyncio.sleep(self._limits.linger_s)

    async def _send(self) -> bool:
        """One report; whether there is more to send now."""
        report, taken = self._take()
        if not (report.lines or report.events or report.refused):
            return False
        code = Result.UNAVAILABLE
        try:
            await self._apps.call(
                lambda stub, timeout: stub.ReportDevices(report, timeout=timeout), deadline_s=self._limits.call_s
            )
            code = Result.APPROVED
        except PlatformError as error:
            code = Result.UNAVAILABLE if isinstance(error, AppUnavailableError) else Result.BUSY
            self._put_back(report)
        finally:
            self._answer(taken, code)
        return code is Result.APPROVED and bool(self._events or self._states)

    def _take(self) -> tuple[DeviceReport, list[_Waiting]]:
        report = DeviceReport(gateway=self._gateway, refused=self._refused.values())
        self._refused.clear()
        for line_id in list(self._states)[: self._limits.batch]:
            report.lines.append(self._states.pop(line_id))
        taken: list[_Waiting] = []
        count = 0
        while self._events and (not taken or count + len(self._events[0].events) <= self._limits.batch):
            waiting = self._events.popleft()
            count += len(waiting.events)
            report.events.append(LineEvents(line_id=waiting.line_id, events=waiting.events))
            taken.append(waiting)
        self.waiting_events -= count
        return report, taken

    def _put_back(self, report: DeviceReport) -> None:
        """What was not stored goes up next time, unless it is known better by now."""
        for status in report.lines:
            newer = self._states.get(status.line_id)
            if newer is None:
                self._states[status.line_id] = status
            elif status.HasField("hello") and not newer.HasField("hello"):
                newer.hello.CopyFrom(status.hello)
        for refused in report.refused:
            known = self._refused.setdefault((refused.address, refused.reason, refused.certificate_der), refused)
            if known is not refused:
                known.times += refused.times

    def _answer(self, taken: list[_Waiting], code: Result) -> None:
        for waiting in taken:
            if code is Result.APPROVED:
                self._counters.events += len(waiting.events)
            try:
                waiting.done(code)
            except Exception:
                _log.exception("answer to events could not be delivered")

    def _state(self, line_id: int, address: str, device_clock_us: int) -> LineStatus:
        state = self._states.get(line_id)
        if state is None:
            state = self._states[line_id] = LineStatus(line_id=line_id)
        now_us = to_epoch_us(self._clock.now())
        state.heard_at_us = now_us
        state.address = address
        state.clock_offset_us = device_clock_us - now_us if device_clock_us else 0
        return state
