"""The collector: sorts what is in flight by lane, one bounded queue and one worker a lane, and answers enquiries beside them.

Its batches are what makes posting cheap (architecture, decision 2): while a lane's batch is being committed, everything that
arrives for the lane gathers into the next one.
"""

import asyncio
from collections.abc import Sequence
from time import monotonic_ns

from onecard.appserver.calls import Row, scatter_code
from onecard.appserver.queue import LaneQueue
from onecard.appserver.worker import Connect, Execute, OnBatch, SharedAccounts, Worker, WorkerLimits
from onecard.kernel.codes import Result
from onecard.kernel.numbers import MAX_LANE

Posting = dict[int, list[Row]]


class Collector:
    """Workers of all lanes that the data centre has, and one for enquiries."""

    def __init__(self, lanes: Sequence[int], *, queue_rows: int, limits: WorkerLimits, connect: Connect, on_batch: OnBatch) -> None:
        self._queue_rows = queue_rows
        self._limits = limits
        self._connect = connect
        self._on_batch = on_batch
        self.lanes = tuple(lanes)
        self.workers: dict[int, Worker] = {}
        self.enquiries: Worker | None = None
        self.busy_answers = 0
        # A card whose lane digits name no lane is unknown; any lane may find that out, and keep it under the record's key.
        self.lane_of = tuple(lane if lane in self.lanes else self.lanes[0] for lane in range(max(99, MAX_LANE) + 1))

    def add_lane(self, lane: int, execute: Execute, *, shared_accounts: SharedAccounts | None = None) -> None:
        """Makes the worker of a lane; it works after `start`."""
        self.workers[lane] = self._worker(f"lane {lane}", execute, shared_accounts)

    def add_enquiries(self, execute: Execute) -> None:
        """Makes the worker that answers enquiries, which post nothing."""
        self.enquiries = self._worker("enquiries", execute, None)

    def _worker(self, name: str, execute: Execute, shared_accounts: SharedAccounts | None) -> Worker:
        return Worker(
            name,
            LaneQueue(self._queue_rows),
            connect=self._connect,
            execute=execute,
            limits=self._limits,
            on_batch=self._on_batch,
            shared_accounts=shared_accounts,
        )

    async def start(self) -> None:
        """Connects every worker. Raises psycopg.OperationalError when the data centre can't be reached."""
        for worker in self._all():
            await worker.start()

    def post(self, rows_by_lane: Posting) -> None:
        """Queues rows for their lanes; rows for which there is no room are answered BUSY."""
        for lane, rows in rows_by_lane.items():
            self._put(self.workers[lane], rows)

    def enquire(self, rows: list[Row]) -> None:
        """Queues enquiries."""
        assert self.enquiries is not None
        self._put(self.enquiries, rows)

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
        enquiries = [] if self.enquiries is None else [self.enquiries]
        return [*self.workers.values(), *enquiries]
