"""What lines should have, kept current: read anew when somebody says NOTIFY, handed to the gateways with the authorised list.

A connection of its own listens on channel `rollouts` (payload `data`, or a line's number) and on `directory`, where new lines and
units show. Whatever was missed is found by the whole look that follows each connection, and once a minute in any case.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from time import monotonic

import psycopg

from onecard.appserver.admission import AdmissionHub
from onecard.appserver.devicedesk import Standing
from onecard.services.operators.directory import CHANNEL as DIRECTORY
from onecard.services.operators.directory import parse_change

log = logging.getLogger(__name__)
_ROLLOUTS = "rollouts"
_TICK_S = 1.0
_GATHER_S = 0.05
_MANY = 5000
_ANSWER_S = 30.0
_RECONNECT_S = 0.5
_RELOAD_EVERY_S = 60.0
_ALL = None


class TaskKeeper:
    """`run` is its task."""

    def __init__(self, dsn: str, *, hub: AdmissionHub, look: Callable[[Collection[int] | None], Awaitable[Standing]]) -> None:
        self._dsn = dsn
        self._hub = hub
        self._look = look
        self.loads = 0

    async def run(self) -> None:
        """Follows the changes until it is cancelled."""
        while True:
            try:
                await self._follow()
            except (psycopg.Error, OSError, TimeoutError) as error:
                log.warning("tasks: connection lost (%s), loading anew", str(error).strip().splitlines()[:1])
            except Exception:
                # The domains behind `look` are not the money path: whatever is wrong there, the list goes on without news.
                log.exception("tasks: not read, trying again")
            await asyncio.sleep(_RECONNECT_S)

    async def _follow(self) -> None:
        async with asyncio.timeout(_ANSWER_S):
            connection = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, application_name="onecard tasks")
        try:
            async with asyncio.timeout(_ANSWER_S):
                await connection.execute(f"LISTEN {_ROLLOUTS}")
                await connection.execute(f"LISTEN {DIRECTORY}")
            await self._refresh(_ALL)
            reload_at = monotonic() + _RELOAD_EVERY_S
            while monotonic() < reload_at:
                lines = await _next_lines(connection)
                async with asyncio.timeout(_ANSWER_S):
                    if lines == set():
                        await connection.execute("SELECT 1")  # an answer is what shows that the connection still lives
                    else:
                        await self._refresh(lines)
        finally:
            with suppress(psycopg.Error, OSError):
                await connection.close()

    async def _refresh(self, lines: Collection[int] | None) -> None:
        """Look at these lines, or all, and at the platform's data; -1 stands for the data alone."""
        asked = None if lines is None else {line for line in lines if line > 0}
        found = await self._look(asked)
        self._hub.set_tasks(found.data, found.lines, asked=asked)
        self.loads += lines is None


_DATA = -1


async def _next_lines(connection: psycopg.AsyncConnection[object]) -> set[int] | None:
    """The lines that notices of the next moment name, after a second at the latest; None: look at all."""
    lines: set[int] = set()
    whole = False
    for timeout_s, count in ((_TICK_S, 1), (_GATHER_S, _MANY)):
        async for notice in connection.notifies(timeout=timeout_s, stop_after=count):
            named = _named(notice.channel, notice.payload)
            whole |= named is None
            lines |= named or set()
        if not lines and not whole:
            return set()
    return None if whole else lines


def _named(channel: str, payload: str) -> set[int] | None:
    """The lines of a notice; None when it may concern any."""
    if channel == _ROLLOUTS:
        if payload == "data":
            return {_DATA}
        return {int(payload)} if payload.isascii() and payload.isdigit() else None
    try:
        change = parse_change(payload)
    except ValueError:
        return None
    if change.table == "line" and change.id is not None:
        return {change.id}
    # A terminal moves no tasks of its own; its line is named beside it.
    return None if change.table in ("*", "line", "unit", "operator") else set()
