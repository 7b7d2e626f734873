"""What the management centre sees of a gateway every two seconds: lines and terminals on line, rate, latency, refusals."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from onecard.gateway.apps import AppServers
from onecard.gateway.drivers.base import Services
from onecard.gateway.errors import PlatformError
from onecard.protocol.proto.app_pb2 import LineReport, LineReportReply
from onecard.protocol.proto.app_pb2_grpc import ApplicationStub

_HEARD_S = 120.0


class FigureSender:
    """`run` is its task; `lines` gives the lines that are open now."""

    def __init__(self, apps: AppServers, services: Services, *, interval_s: float, lines: Callable[[], list[int]]) -> None:
        self._apps = apps
        self._services = services
        self._interval_s = interval_s
        self._lines = lines

    async def run(self) -> None:
        """Report until cancelled; a report that nobody takes is followed by the next."""
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self._apps.call(partial(_send, self._report()), deadline_s=self._interval_s)
            except PlatformError:
                continue

    def _report(self) -> LineReport:
        counters, heard = self._services.counters, self._services.heard
        count, p50, p99 = counters.latency.take_interval()
        horizon = asyncio.get_running_loop().time() - _HEARD_S
        for terminal_id in [number for number, at in heard.items() if at < horizon]:
            del heard[terminal_id]
        return LineReport(
            gateway=self._services.name,
            online_line_id=self._lines(),
            online_terminal_id=list(heard),
            refused_handshakes=sum(counters.refused.values()),
            requests_per_second=count / self._interval_s,
            latency_p50_ms=p50,
            latency_p99_ms=p99,
        )


def _send(report: LineReport, stub: ApplicationStub, timeout: float) -> Awaitable[LineReportReply]:
    reply: Awaitable[LineReportReply] = stub.ReportLines(report, timeout=timeout)
    return reply
