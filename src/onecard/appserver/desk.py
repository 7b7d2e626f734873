"""What the application server does through Django, in threads beside the event loop: sign-ons and the gateways' reports."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from onecard.protocol.proto import app_pb2

_T = TypeVar("_T")


class DjangoDesk:
    """Calls the services' api, each kind of work in a thread and on a connection of its own. Django must be set up."""

    def __init__(self) -> None:
        self._signing = ThreadPoolExecutor(1, thread_name_prefix="sign-on")
        self._reporting = ThreadPoolExecutor(1, thread_name_prefix="report")

    async def sign_on(self, terminal_id: int) -> tuple[bytes, bytes, int]:
        """New working keys for a terminal. Raises NotFound."""

        def work() -> tuple[bytes, bytes, int]:
            from onecard.services.devices import api

            keys = api.sign_on(terminal_id)
            return keys.mac_key, keys.de62, keys.batch_no

        return await _in_thread(self._signing, work)

    async def report(self, report: app_pb2.LineReport) -> None:
        """Notes what a gateway sees of its lines."""

        def work() -> None:
            from onecard.services.devices import api

            api.report_lines(report)

        await _in_thread(self._reporting, work)

    def close(self) -> None:
        """Ends the threads and their connections."""
        for thread in (self._signing, self._reporting):
            thread.submit(disconnect)
            thread.shutdown()


async def _in_thread(thread: ThreadPoolExecutor, work: Callable[[], _T]) -> _T:
    return await asyncio.get_running_loop().run_in_executor(thread, once_more, work)


def once_more(work: Callable[[], _T]) -> _T:
    """Does the work; a second time on a new connection where the old one turns out to be dead."""
    from django.db import InterfaceError, OperationalError

    try:
        return work()
    except (InterfaceError, OperationalError):
        disconnect()
        return work()


def disconnect() -> None:
    """Closes the connections of the calling thread."""
    from django.db import connections

    connections.close_all()
