"""A worker: takes batches from one queue and has each answered by one call to the database, on a connection of its own.

What goes wrong is sorted here, and nowhere else:

- the connection is lost during a call: whether the batch was committed is not known. The same batch is posted again on a new
  connection (exactly once by key makes that safe) until a deadline, then its rows are answered UNAVAILABLE;
- lock time-outs, deadlocks, serialisation failures: the batch was rolled back and is posted again;
- another lane used a key of the batch at the same moment: nothing was posted, and the next attempt sees the key;
- any other error is the fault of a row: the batch is halved until that row stands alone and is answered FORMAT.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic, monotonic_ns
from typing import Any

import psycopg
from psycopg import errors

from onecard.appserver.calls import CALL, SEQ, TERMINAL, Row, RowAnswers, scatter, scatter_code
from onecard.appserver.queue import LaneQueue
from onecard.kernel.codes import Result

log = logging.getLogger(__name__)

Connection = psycopg.AsyncConnection[Any]
Execute = Callable[[Connection, Sequence[Row]], Awaitable[RowAnswers]]
Connect = Callable[[], Awaitable[Connection]]
OnBatch = Callable[[Sequence[Row], RowAnswers, float], None]

_RETRIED = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.LockNotAvailable,
    errors.QueryCanceled,
    errors.InsufficientResources,
)
_RETRY_PAUSE_S = 0.02
_RECONNECT_PAUSE_S = 0.1
_COLLISIONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLimits:
    """What a worker may take and how long it tries."""

    batch_rows: int = 1000
    deadline_s: float = 6.0
    """How long a batch in doubt is tried again, and how long a row may wait behind one, before UNAVAILABLE.

    Shorter than a gateway's own patience.
    """


class Worker:
    """One queue, one connection, one task."""

    def __init__(
        self,
        name: str,
        queue: LaneQueue,
        *,
        connect: Connect,
        execute: Execute,
        limits: WorkerLimits,
        on_batch: OnBatch,
    ) -> None:
        self.name = name
        self.queue = queue
        self.in_hand: Sequence[Row] = ()
        self.connects = 0
        self._connect = connect
        self._execute = execute
        self._limits = limits
        self._on_batch = on_batch
        self._connection: Connection | None = None
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts to work; it connects when there is something to do."""
        self._task = asyncio.create_task(self._run(), name=f"worker {self.name}")

    def wake(self) -> None:
        """Says that there is something in the queue."""
        self._idle.clear()
        self._work.set()

    async def drained(self) -> None:
        """Returns when everything taken in has been answered."""
        await self._idle.wait()

    async def stop(self) -> None:
        """Ends the task; what is still queued is answered UNAVAILABLE."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        scatter_code(self.in_hand, Result.UNAVAILABLE)
        scatter_code(self.queue.take_older_than(monotonic_ns() + 1), Result.UNAVAILABLE)
        await self._disconnect()

    def oldest_ns(self) -> int | None:
        """When the call of the oldest row not answered yet arrived."""
        return self.in_hand[0][CALL].arrived_ns if self.in_hand else self.queue.oldest_ns()

    async def _run(self) -> None:
        queue, most = self.queue, self._limits.batch_rows
        while True:
            if not len(queue):
                self._idle.set()
                self._work.clear()
                await self._work.wait()
            rows = queue.take(most)
            self.in_hand = rows
            try:
                await self._answer(rows)
            except Exception:
                # A worker that dies would leave its lane without one: answer what can't be known and go on.
                log.exception("worker %s: unexpected error", self.name)
                self._give_up(rows)
            self.in_hand = ()

    async def _answer(self, rows: Sequence[Row]) -> None:
        """Answers a batch, whatever it takes."""
        deadline = monotonic() + self._limits.deadline_s
        started = monotonic()
        collisions = 0
        while True:
            try:
                connection = self._connection or await self._open()
                answers = await self._execute(connection, rows)
            except _RETRIED as error:
                log.warning("worker %s: %s, trying again", self.name, type(error).__name__)
                await asyncio.sleep(_RETRY_PAUSE_S)
            except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
                log.warning("worker %s: connection lost (%s), trying again", self.name, str(error).strip().splitlines()[:1])
                await self._disconnect()
                await asyncio.sleep(_RECONNECT_PAUSE_S)
            except psycopg.Error as error:
                if isinstance(error, errors.UniqueViolation) and collisions < _COLLISIONS:
                    collisions += 1
                    continue
                await self._bisect(rows, error)
                return
            else:
                scatter(rows, answers)
                self._on_batch(rows, answers, monotonic() - started)
                return
            if monotonic() > deadline:
                self._give_up(rows)
                return

    def _give_up(self, rows: Sequence[Row]) -> None:
        """Answers UNAVAILABLE to a batch, and to what has waited behind it for as long."""
        late = self.queue.take_older_than(monotonic_ns() - int(self._limits.deadline_s * 1e9))
        log.error("worker %s: %d rows answered UNAVAILABLE", self.name, len(rows) + len(late))
        # Not BUSY for those that never left the queue: an earlier copy of the same record may be the one in doubt.
        scatter_code(rows, Result.UNAVAILABLE)
        scatter_code(late, Result.UNAVAILABLE)

    async def _bisect(self, rows: Sequence[Row], error: psycopg.Error) -> None:
        """Finds the row that the database can't take and answers the others."""
        if len(rows) == 1:
            row = rows[0]
            log.error("terminal %d sequence %d can't be posted: %s: %s", row[TERMINAL], row[SEQ], error.sqlstate, error)
            scatter_code(rows, Result.FORMAT)
            return
        middle = len(rows) // 2
        await self._answer(rows[:middle])
        await self._answer(rows[middle:])

    async def _open(self) -> Connection:
        self._connection = await self._connect()
        self.connects += 1
        log.info("worker %s: connected", self.name)
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error, OSError):
                await connection.close()
