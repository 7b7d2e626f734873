"""Following the platform: lists, rules and roll-outs that Tasks name, and the lease, fetched as soon as it works (D2, O4)."""

import asyncio
import logging
import random
from typing import TYPE_CHECKING

from onecard.kernel.errors import InvalidInput, OneCardError
from onecard.kernel.events import EventKind
from onecard.protocol.lease import Step
from onecard.protocol.proto.device_pb2 import Tasks

if TYPE_CHECKING:
    from onecard.fep.fep import Fep

_log = logging.getLogger(__name__)
_AGAIN_S = (3.0, 8.0)
_LEASE_EVERY_S = 3600.0


class Follow:
    """`take` from the line; `run` is its task."""

    def __init__(self, fep: "Fep") -> None:
        self._fep = fep
        self._tasks: Tasks | None = None
        self._wanted = asyncio.Event()
        self._lease_asked_at = float("-inf")

    def take(self, tasks: Tasks) -> None:
        """What the devices of this line should have now."""
        self._tasks = tasks
        self._wanted.set()

    def wake(self) -> None:
        """The line is up."""
        self._wanted.set()

    async def run(self) -> None:
        """Fetch what is named, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_LEASE_EVERY_S):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            if not self._fep.line.is_up:
                continue
            try:
                done = await self._lease() and await self._data()
            except OneCardError as error:
                _log.info("follow: %s", error.en)
                done = False
            if not done:
                asyncio.get_running_loop().call_later(random.uniform(*_AGAIN_S), self._wanted.set)  # noqa: S311 - spreading

    async def _data(self) -> bool:
        if self._tasks is None:
            return True
        data = self._fep.data
        before = data.denied.version
        done = await data.follow(self._tasks)
        if data.denied.version != before:
            self._fep.line.report()  # the platform waits for the word of those that have a list first
        return done

    async def _lease(self) -> bool:
        """Ask for the lease where it is not the newest; before the data, because it says of which unit those are."""
        fep, now = self._fep, asyncio.get_running_loop().time()
        named = self._tasks.lease_serial if self._tasks is not None else 0
        is_due = fep.lease.step() is not Step.OK or now - self._lease_asked_at >= _LEASE_EVERY_S
        if fep.lease.serial and named in (0, fep.lease.serial) and not is_due:
            return True
        reply = await fep.line.ask.ask_lease()
        self._lease_asked_at = now
        try:
            if fep.lease.take(reply):
                _log.info("follow: lease %d is in force", fep.lease.serial)
                fep.health.look_at_lease()
        except InvalidInput as error:
            fep.events.add(EventKind.ERROR, error.en)
        except OSError as error:
            fep.events.add(EventKind.ERROR, f"the lease could not be stored: {error}")
            return False
        return True
