"""What the application server does through Django, a few times a minute and in threads: sign-ons and the gateways' reports."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from onecard.protocol.proto import app_pb2

_T = TypeVar("_T")


class DjangoDesk:
    """Calls the services' api in threads of its own, each with its own connection. Django must be set up."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads

    async def sign_on(self, terminal_id: int) -> tuple[bytes, bytes, int]:
        """New working keys for a terminal. Raises NotFound."""

        def work() -> tuple[bytes, bytes, int]:
            from onecard.services.devices import api

            keys = api.sign_on(terminal_id)
            return keys.mac_key, keys.de62, keys.batch_no

        return await self._run(work)

    async def report(self, report: app_pb2.LineReport) -> None:
        """Notes what a gateway sees of its lines."""

        def work() -> None:
            from onecard.services.devices import api

            api.report_lines(report)

        await self._run(work)

    async def _run(self, work: Callable[[], _T]) -> _T:
        def guarded() -> _T:
            from django.db import close_old_connections

            close_old_connections()
            try:
                return work()
            finally:
                close_old_connections()

        return await asyncio.get_running_loop().run_in_executor(self._threads, guarded)
