"""The collector: sorts what is in flight by lane, one bounded queue and one worker a lane, and answers enquiries beside them.

Its batches are what makes posting cheap (architecture, decision 2): while a lane's batch is being committed, everything that
arrives for the lane gathers into the next one.
"""

import asyncio
from collections.abc import Callable
from time import monotonic_ns

from onecard.appserver.calls import Row, scatter_code
from onecard.appserver.queue import LaneQueue
from onecard.appserver.worker import Connect, Execute, OnBatch, Worker, WorkerLimits
from onecard.kernel.codes import Result

Posting = dict[int, list[Row]]


class Collector:
    """Workers of the lanes that have been asked for, and one for enquiries. A lane's worker connects when its first row comes."""

    def __init__(
        self,
        execute_for: Callable[[int], Execute],
        *,
        enquire: Execute,
        queue_rows: int,
        limits: WorkerLimits,
        connect: Connect,
        on_batch: OnBatch,
    ) -> None:
        self._execute_for = execute_for
        self._queue_rows = queue_rows
        self._limits = limits
        self._connect = connect
        self._on_batch = on_batch
        self._workers: dict[int, Worker] = {}
        self._enquiries = self._worker("enquiries", enquire)
        self.busy_answers = 0

    def _worker(self, name: str, execute: Execute) -> Worker:
        worker = Worker(
            name,
            LaneQueue(self._queue_rows),
            connect=self._connect,
            execute=execute,
            limits=self._limits,
            on_batch=self._on_batch,
        )
        worker.start()
        return worker

    def post(self, rows_by_lane: Posting) -> None:
        """Queues rows for their lanes; rows for which there is no room are answered BUSY."""
        for lane, rows in rows_by_lane.items():
            worker = self._workers.get(lane)
            if worker is None:
                worker = self._workers[lane] = self._worker(f"lane {lane}", self._execute_for(lane))
            self._put(worker, rows)

    def enquire(self, rows: list[Row]) -> None:
        """Queues enquiries."""
        self._put(self._enquiries, rows)

    def _put(self, worker: Worker, rows: list[Row]) -> None:
        refused = worker.queue.put(rows)
        if refused:
            self.busy_answers += len(refused)
            scatter_code(refused, Result.BUSY)
        worker.wake()

    def depth(self) -> int:
        """Rows that are queued or in a batch on its way."""
        return sum(len(worker.queue) + len(worker.in_hand) for worker in self._all())

    def oldest_age_s(self) -> float:
        """Age of the oldest record that is not answered yet, in seconds; 0 when there is none."""
        oldest = [at for worker in self._all() if (at := worker.oldest_ns()) is not None]
        return (monotonic_ns() - min(oldest)) / 1e9 if oldest else 0.0

    async def drain(self, *, timeout_s: float) -> bool:
        """Waits until everything taken in is answered; False when the time was not enough."""
        try:
            async with asyncio.timeout(timeout_s):
                for worker in self._all():
                    await worker.drained()
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """Ends every worker."""
        for worker in self._all():
            await worker.stop()

    def _all(self) -> list[Worker]:
        return [*self._workers.values(), self._enquiries]
