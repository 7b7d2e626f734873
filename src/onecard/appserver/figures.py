"""Leaves the live figures of this application server for the management centre, every two seconds.

A chart, not a promise: when the data centre is away the figures of that time are lost, and nothing else waits for them.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

import psycopg

from onecard.appserver.collector import Collector
from onecard.appserver.meter import Meter
from onecard.kernel.clock import Clock
from onecard.kernel.codes import Operation, Result
from onecard.services.monitoring.api import Figures, UnitFigure, record

log = logging.getLogger(__name__)
INTERVAL_S = 2.0
_FORGET_EVERY = 30

UnitsOf = Callable[[Counter[int]], Sequence[UnitFigure]]


class FigureWriter:
    """A task with a connection of its own."""

    def __init__(
        self,
        server: str,
        *,
        meter: Meter,
        collector: Collector,
        units_of: UnitsOf,
        connect: Callable[[], Awaitable[psycopg.AsyncConnection[Any]]],
        clock: Clock,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._server = server
        self._meter = meter
        self._collector = collector
        self._units_of = units_of
        self._connect = connect
        self._clock = clock
        self._interval_s = interval_s
        self._mark()

    async def run(self) -> None:
        """Writes until it is cancelled."""
        connection: psycopg.AsyncConnection[Any] | None = None
        written = 0
        try:
            while True:
                await asyncio.sleep(self._interval_s)
                figures, units = self._interval()
                try:
                    connection = connection or await self._connect()
                    await record(connection, figures, units=units, forget=written % _FORGET_EVERY == 0)
                    written += 1
                except (psycopg.Error, OSError) as error:
                    log.warning("live figures not written: %s", str(error).strip())
                    if connection is not None:
                        with suppress(psycopg.Error, OSError):
                            await connection.close()
                    connection = None
        finally:
            if connection is not None:
                await connection.close()

    def _mark(self) -> None:
        meter = self._meter
        self._since = monotonic()
        self._latencies = list(meter.latency_us.counts)
        self._operations = meter.operations.copy()
        self._results = meter.results.copy()
        self._merchants = meter.approved_by_merchant.copy()
        self._batches = sum(meter.batch_rows.counts)
        self._busy = self._collector.busy_answers

    def _interval(self) -> tuple[Figures, Sequence[UnitFigure]]:
        """What happened since the last time."""
        meter, collector = self._meter, self._collector
        operations, results = meter.operations - self._operations, meter.results - self._results
        latencies = meter.latency_us.since(self._latencies)
        approved = results[Result.APPROVED]
        purchases, advices = operations[Operation.PURCHASE], operations[Operation.ADVICE]
        figures = Figures(
            server=self._server,
            at=self._clock.now(),
            interval_ms=int((monotonic() - self._since) * 1000),
            purchases=purchases,
            advices=advices,
            others=operations.total() - purchases - advices,
            approved=approved,
            refused=results.total() - approved,
            busy=collector.busy_answers - self._busy,
            latency_p50_us=meter.latency_us.quantile(latencies, 50),
            latency_p99_us=meter.latency_us.quantile(latencies, 99),
            batches=sum(meter.batch_rows.counts) - self._batches,
            queue_rows=collector.depth(),
            oldest_unposted_ms=int(collector.oldest_age_s() * 1000),
        )
        units = self._units_of(meter.approved_by_merchant - self._merchants)
        self._mark()
        return figures, units
