"""What the application server does for devices through Django, in threads beside the event loop: reports, files, leases …

Each kind has a thread of its own, so that a big file holds up no report and a report no lease.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from onecard.appserver.desk import disconnect, once_more
from onecard.kernel.clock import Clock
from onecard.kernel.codes import Result
from onecard.kernel.errors import InvalidInput, OneCardError, RuleViolated
from onecard.protocol.proto import app_pb2, device_pb2

log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Standing:
    """What lines should have, as of one look at the database."""

    data: list[device_pb2.DataVersion]
    lines: dict[int, app_pb2.LineTasks]
    """Those asked for that have something."""


class DeviceDesk:
    """Calls the api of services/devices and services/rollouts. Django must be set up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._reporting = ThreadPoolExecutor(1, thread_name_prefix="device-report")
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="file")
        self._leasing = ThreadPoolExecutor(1, thread_name_prefix="lease")
        self._enrolling = ThreadPoolExecutor(1, thread_name_prefix="enrol")
        self._looking = ThreadPoolExecutor(1, thread_name_prefix="tasks")

    async def take_report(self, report: app_pb2.DeviceReport) -> None:
        """Stores states, events and who was refused. Harmless when it comes again."""

        def work() -> None:
            from onecard.services.devices import api

            if report.lines or report.events:
                api.take_report(report, now=self._clock.now())
            if report.refused:
                api.note_refused(list(report.refused), clock=self._clock)

        await self._do(self._reporting, work)

    async def fetch(self, call: app_pb2.FetchFileCall) -> device_pb2.FetchReply:
        """A part of a file of the signed repository."""

        def work() -> device_pb2.FetchReply:
            from onecard.services.rollouts import api

            part = api.read_file(call.name, call.offset, call.length, line_id=call.line_id or None)
            if part is None:
                return device_pb2.FetchReply(code=Result.NO_ORIGINAL)
            return device_pb2.FetchReply(code=Result.APPROVED, total=part.total, data=part.data)

        return await self._do(self._reading, work)

    async def lease(self, line_id: int) -> device_pb2.LeaseReply:
        """The lease a line should have; TERMINAL_NOT_ALLOWED for one that may have none."""

        def work() -> device_pb2.LeaseReply:
            from onecard.services.devices import api

            signed = api.issue_lease(line_id, now=self._clock.now())
            if signed is None:
                return device_pb2.LeaseReply(code=Result.TERMINAL_NOT_ALLOWED)
            return device_pb2.LeaseReply(
                code=Result.APPROVED, lease=signed.lease, signature=signed.signature, certificate_der=signed.certificate_der
            )

        return await self._do(self._leasing, work)

    async def enrol(self, call: app_pb2.EnrolDeviceCall) -> device_pb2.Enrolled:
        """A certificate for a one-time code, or why there is none, in words that say no more than a stranger may know."""

        def work() -> device_pb2.Enrolled:
            from onecard.services.devices import api

            ask = call.enrol
            try:
                enrolled = api.enrol_by_code(
                    ask.code, ask.csr_pem, hosts=list(ask.hosts), address=call.address, clock=self._clock
                )
            except RuleViolated as error:
                return device_pb2.Enrolled(code=Result.TERMINAL_NOT_ALLOWED, reason=str(error))
            except InvalidInput as error:
                return device_pb2.Enrolled(code=Result.FORMAT, reason=str(error))
            except OneCardError as error:
                log.warning("enrolment: %s", error.en)
                return device_pb2.Enrolled(code=Result.UNAVAILABLE, reason="稍后再试 / try again later")
            return device_pb2.Enrolled(
                code=Result.APPROVED,
                certificate_pem=enrolled.certificate_pem,
                ca_pem=enrolled.ca_pem,
                line_id=enrolled.line_id,
                terminal_id=enrolled.terminal_id,
            )

        return await self._do(self._enrolling, work)

    async def standing(self, line_ids: Collection[int] | None) -> Standing:
        """What the platform publishes, and what these lines (None: all) should have."""

        def work() -> Standing:
            from onecard.services.devices import api as devices
            from onecard.services.rollouts import api as rollouts

            lines = rollouts.line_tasks(line_ids)
            wants_lines = line_ids is None or len(line_ids) > 0
            serials = devices.lease_serials(now=self._clock.now()) if wants_lines else {}
            for line_id, serial in serials.items():
                if line_ids is None or line_id in line_ids:
                    lines.setdefault(line_id, app_pb2.LineTasks(line_id=line_id)).lease_serial = serial
            return Standing(rollouts.platform_data(), lines)

        return await self._do(self._looking, work)

    def close(self) -> None:
        """Ends the threads and their connections."""
        for thread in (self._reporting, self._reading, self._leasing, self._enrolling, self._looking):
            thread.submit(disconnect)
            thread.shutdown()

    async def _do(self, thread: ThreadPoolExecutor, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(thread, once_more, work)
