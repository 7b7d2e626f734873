"""What happened that is not money: kept in the journal until the platform has it. Money goes first, and has the disk first."""

import asyncio
import logging
import secrets
import sqlite3
from collections.abc import Callable, Sequence

from onecard.fep import book
from onecard.fep.journal import Journal, JournalFull
from onecard.fep.rescue import TOLD_AS
from onecard.kernel.codes import Result
from onecard.kernel.events import EventKind
from onecard.protocol.proto.device_pb2 import DeviceEvent

_log = logging.getLogger(__name__)
MAX_DETAIL = 500
_MAX_OWN = 2000


class Events:
    """`add` for the front-end's own; `take` for those of its devices, which are answered once they are on the disk."""

    def __init__(self, journal: Journal, *, now_us: Callable[[], int], on_stored: Callable[[], None]) -> None:
        self.waiting = 0
        """In the journal; about right, and exact when the line has been up."""
        self.dropped = 0
        self._journal = journal
        self._now_us = now_us
        self._on_stored = on_stored
        self._own: list[DeviceEvent] = []
        self._storing: asyncio.Task[None] | None = None

    @staticmethod
    def build(kind: EventKind, detail: str, at_us: int, *, terminal_id: int = 0, card_no: int = 0) -> DeviceEvent:
        """An event with its random number."""
        return DeviceEvent(
            event_id=secrets.token_bytes(16), kind=int(kind), detail=detail[:MAX_DETAIL], occurred_at_us=at_us,
            terminal_id=terminal_id, card_no=card_no,
        )  # fmt: skip

    def add(self, kind: EventKind, detail: str, *, terminal_id: int = 0) -> None:
        """Something has happened at the front-end. Kept in memory while the disk is full; the oldest stay."""
        _log.info("event %s: %s", kind.name, detail)
        self.add_built(self.build(kind, detail, self._now_us(), terminal_id=terminal_id))

    def add_built(self, event: DeviceEvent) -> None:
        """The same for an event that is built already."""
        if len(self._own) >= _MAX_OWN:
            self.dropped += 1
            return
        self._own.append(event)
        self.flush()

    async def tell_rescue(self) -> None:
        """The event of a rescue, stored as the journal's note of it is dropped: killed before, the next start tells it."""

        def tell(db: sqlite3.Connection) -> None:
            text = book.read_setting(db, TOLD_AS)
            if isinstance(text, bytes):
                event = self.build(EventKind.ERROR, text.decode(), self._now_us())
                book.add_events(db, [(event.event_id, event.SerializeToString())])
                book.write_setting(db, TOLD_AS, None)

        try:
            await self._journal.run(tell)
        except JournalFull:
            _log.error("the disk is full: the next start tells of the rescue")

    def flush(self) -> None:
        """Store what is in memory."""
        if self._own and (self._storing is None or self._storing.done()):
            self._storing = asyncio.get_running_loop().create_task(self._store_own())

    async def take(self, events: Sequence[DeviceEvent]) -> Result:
        """Events of devices: APPROVED once they are on the disk, BUSY when there is no room for events."""
        rows = [(event.event_id, event.SerializeToString()) for event in events]
        if self.waiting + len(rows) > book.MAX_EVENTS:
            return Result.BUSY
        try:
            await self._journal.run(lambda db: book.add_events(db, rows))
        except JournalFull:
            return Result.BUSY
        self.waiting += len(rows)
        self._on_stored()
        return Result.APPROVED

    async def settle(self) -> None:
        """Wait until what is in memory is stored, or can't be."""
        if self._storing is not None:
            await asyncio.gather(self._storing, return_exceptions=True)

    async def _store_own(self) -> None:
        while self._own:
            batch = list(self._own)
            if await self.take(batch) is not Result.APPROVED:
                return
            del self._own[: len(batch)]
