"""The directory in memory, kept current: every terminal with what a posting needs, and the authorised list of lines.

A connection of its own listens on channel `directory`. It listens before it loads, so that no change falls between; when the
connection was lost everything is loaded anew, because nobody says what was missed. Every few minutes it is loaded anew anyway.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

import psycopg

from onecard.appserver.admission import AdmissionHub
from onecard.appserver.admit import TerminalPost
from onecard.appserver.dates import DayTable
from onecard.kernel.clock import Clock, to_epoch_us
from onecard.services.devices.admission import AdmissionChanges, admission_changes_async, admission_snapshot
from onecard.services.monitoring.api import UnitFigure
from onecard.services.operators.directory import CHANNEL, Change, TerminalEntry, load, parse_change, reload_async

log = logging.getLogger(__name__)
_FUNDING_BOOK_BASE = 500_000_000
_TICK_S = 1.0
_GATHER_S = 0.01
_ANSWER_S = 5.0
_RECONNECT_S = 0.2
_RELOAD_EVERY_S = 300.0
_MANY = 1000


class PostTable(dict[int, TerminalPost]):
    """Terminal id → what a posting needs, made when it is first asked for. Emptied every second: validity ends by itself (O4)."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.entries: dict[int, TerminalEntry] = {}
        self._clock = clock

    def resolve(self, terminal_id: int) -> TerminalPost | None:
        """The terminal, None when there is none of that number."""
        post = self.get(terminal_id)
        if post is None:
            entry = self.entries.get(terminal_id)
            if entry is None:
                return None
            post = self[terminal_id] = TerminalPost(
                line_id=entry.line_id,
                merchant=entry.merchant_book,
                unit=entry.unit_id,
                purse_order=entry.purse_order,
                precheck=int(entry.precheck_at(to_epoch_us(self._clock.now()))),
                funding=_FUNDING_BOOK_BASE + entry.operator_id,
                meals=entry.meals,
            )
        return post


class DirectoryKeeper:
    """Keeps the table and the authorised list; `run` is its task."""

    def __init__(self, dsn: str, *, hub: AdmissionHub, days: DayTable, clock: Clock) -> None:
        self.posts = PostTable(clock)
        self.loaded = asyncio.Event()
        self.loads = 0
        self._dsn = dsn
        self._hub = hub
        self._days = days
        self._clock = clock
        self._current_at = float("-inf")
        self._owners: dict[int, tuple[int, int]] = {}

    def age_s(self) -> float:
        """Seconds since the directory was last known to be current."""
        return monotonic() - self._current_at

    def units_of(self, approved_by_merchant: Counter[int]) -> Sequence[UnitFigure]:
        """Counts by merchant account as counts by operator and unit."""
        sums: Counter[tuple[int, int]] = Counter()
        for merchant, count in approved_by_merchant.items():
            owner = self._owners.get(merchant)
            if owner is not None:
                sums[owner] += count
        return [UnitFigure(operator, unit, count) for (operator, unit), count in sums.items()]

    async def run(self) -> None:
        """Follows the changes until it is cancelled."""
        while True:
            try:
                await self._follow()
            except (psycopg.Error, OSError, TimeoutError) as error:
                log.warning("directory: connection lost (%s), loading anew", str(error).strip().splitlines()[:1])
            await asyncio.sleep(_RECONNECT_S)

    async def _follow(self) -> None:
        async with asyncio.timeout(_ANSWER_S):
            connection = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, application_name="onecard directory")
        try:
            async with asyncio.timeout(_ANSWER_S):
                await connection.execute(f"LISTEN {CHANNEL}")
            await self._load_all()
            reload_at = monotonic() + _RELOAD_EVERY_S
            while monotonic() < reload_at:
                changes = await _next_changes(connection)
                async with asyncio.timeout(_ANSWER_S):
                    # Also without a change: an answer within seconds is what shows that the connection still lives.
                    await self._apply(connection, changes)
                self._is_current()
        finally:
            with suppress(psycopg.Error, OSError):
                await connection.close()

    async def _load_all(self) -> None:
        """Loads everything in a thread: building tens of thousands of entries would hold up the answers of the others."""
        at = self._clock.now()

        def read() -> tuple[list[TerminalEntry], Any]:
            with psycopg.connect(self._dsn, autocommit=True, connect_timeout=5) as connection:
                return load(connection), admission_snapshot(connection, at=at)

        entries, lines = await asyncio.to_thread(read)
        self._replace(entries)
        self._hub.apply(AdmissionChanges(full=True, lines=lines))
        self.loads += 1
        self._is_current()
        self.loaded.set()
        log.info("directory loaded: %d terminals, %d lines", len(entries), len(lines))

    def _replace(self, entries: Iterable[TerminalEntry]) -> None:
        self.posts.entries = {entry.terminal_id: entry for entry in entries}
        self._owners = {entry.merchant_book: (entry.operator_id, entry.owner_unit_id) for entry in self.posts.entries.values()}
        self.posts.clear()

    async def _apply(self, connection: psycopg.AsyncConnection[Any], changes: Sequence[Change]) -> None:
        self.posts.clear()
        cursor = await connection.execute("SELECT cut_time FROM settlement_calendar")
        for (cut_time,) in await cursor.fetchall():
            self._days.set_cut_time(cut_time)
        if not changes:
            return
        if any(change.id is None for change in changes):
            await self._load_all()
            return
        reload = await reload_async(connection, changes)
        admission = await admission_changes_async(connection, changes, at=self._clock.now())
        if reload.full:
            self._replace(reload.entries)
        else:
            for entry in reload.entries:
                self.posts.entries[entry.terminal_id] = entry
                self._owners[entry.merchant_book] = (entry.operator_id, entry.owner_unit_id)
            for terminal_id in reload.removed:
                self.posts.entries.pop(terminal_id, None)
        self.posts.clear()
        self._hub.apply(admission)

    def _is_current(self) -> None:
        self._current_at = monotonic()
        self._hub.is_current()


async def _next_changes(connection: psycopg.AsyncConnection[Any]) -> list[Change]:
    """The changes of the next moment, after a second at the latest; several that come together are one reload."""
    changes: dict[Change, None] = {}
    async for notice in connection.notifies(timeout=_TICK_S, stop_after=1):
        changes[_parse(notice.payload)] = None
    if changes:
        async for notice in connection.notifies(timeout=_GATHER_S, stop_after=_MANY):
            changes[_parse(notice.payload)] = None
    return list(changes)


def _parse(payload: str) -> Change:
    try:
        return parse_change(payload)
    except ValueError:
        log.warning("directory: notice %r not understood, loading everything", payload)
        return Change("*", None)
