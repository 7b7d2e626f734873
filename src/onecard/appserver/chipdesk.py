"""Chips through Django, in threads beside the event loop: records taken in, and the steps of loads.

The vault is opened when it is first asked; while it is locked, or the database away, the answer is that nothing is known.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TypeVar

import psycopg

from onecard.kernel.clock import Clock
from onecard.kernel.errors import Unavailable
from onecard.services.chip.records import ChipRecord
from onecard.services.chip.steps import LoadReply, LoadRequest

_T = TypeVar("_T")


class ChipDesk:
    """One thread for records, one for loads, each with a connection of its own. Django must be set up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records = ThreadPoolExecutor(1, thread_name_prefix="chip")
        self._loads = ThreadPoolExecutor(1, thread_name_prefix="chip-load")

    async def take_in(self, records: list[ChipRecord]) -> Sequence[tuple[int, int, int, int]]:
        """The answers in the order of the records. Raises Unavailable."""

        def work() -> Sequence[tuple[int, int, int, int]]:
            from onecard.appserver.chipchecks import record_checks
            from onecard.services.chip import api

            return api.take_in(records, checks=record_checks(), now=self._clock.now())

        return await self._in_thread(self._records, work)

    async def load(self, request: LoadRequest, business_date: date) -> LoadReply:
        """One step of a load. Raises Unavailable."""

        def work() -> LoadReply:
            from onecard.appserver.chipchecks import load_checks
            from onecard.services.chip import api

            return api.load_step(request, checks=load_checks(), now=self._clock.now(), business_date=business_date)

        return await self._in_thread(self._loads, work)

    async def _in_thread(self, thread: ThreadPoolExecutor, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(thread, or_unavailable, work)

    def close(self) -> None:
        """Ends the threads and their connections."""
        for thread in (self._records, self._loads):
            thread.submit(disconnect)
            thread.shutdown()


def or_unavailable(work: Callable[[], _T]) -> _T:
    """Does the work, a second time on a new connection where the old one turns out to be dead."""
    from django.db import InterfaceError, OperationalError

    for attempt in range(2):
        try:
            return work()
        except (InterfaceError, OperationalError, psycopg.OperationalError, psycopg.InterfaceError) as error:
            disconnect()
            if attempt:
                raise Unavailable("数据中心暂不可用", "the data centre is away") from error
    raise AssertionError


def disconnect() -> None:
    """Closes the connections of this thread."""
    from django.db import connections

    connections.close_all()
