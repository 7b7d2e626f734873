"""The way of chip purchases: a bounded queue of their own, verified and posted in a thread, so that the event loop stays free.

A batch is answered whole or, where the vault is locked or the database away, UNAVAILABLE: then nothing of it is known, and the
terminals send it again. An error that is none of these is one record's: the batch is halved until that one stands alone.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from time import monotonic_ns
from typing import NamedTuple

from onecard.appserver.calls import PendingCall
from onecard.kernel.codes import Result
from onecard.kernel.errors import Unavailable
from onecard.protocol.proto.records_pb2 import ChipLoad, Records
from onecard.services.chip.records import ChipRecord
from onecard.services.chip.steps import LoadRequest

log = logging.getLogger(__name__)

Answer = tuple[int, int, int, int]
TakeIn = Callable[[list[ChipRecord]], Awaitable[Sequence[Answer]]]
"""Records → (code, balance, transfer, conflict field) each. Raises Unavailable where nothing is known."""
OnBatch = Callable[[Sequence[ChipRecord], Sequence[Answer]], None]


class ChipRow(NamedTuple):
    """A record and where its answer goes."""

    record: ChipRecord
    call: PendingCall
    place: int


def chip_entries(records: Records) -> dict[int, int] | None:
    """Row of a record → its entry in the chip columns; None where these are not of one length or their rows do not rise."""
    chip = records.chip
    rows = chip.row
    columns = (
        chip.card_counter, chip.balance_before_fen, chip.sam_terminal_no, chip.sam_seq, chip.transaction_type, chip.key_version,
        chip.algorithm, chip.tac, chip.gray,
    )  # fmt: skip
    if any(len(column) != len(rows) for column in columns) or list(rows) != sorted(set(rows)):
        return None
    return {row: entry for entry, row in enumerate(rows)}


def load_request(asked: ChipLoad) -> LoadRequest:
    """A step of a load as the service takes it."""
    return LoadRequest(
        step=asked.step, terminal_id=asked.terminal_id, terminal_seq=asked.terminal_seq, card_no=asked.card_no,
        amount_fen=asked.amount_fen, occurred_at_us=asked.occurred_at_us, transaction_type=asked.transaction_type,
        sam_no=asked.sam_terminal_no, old_balance_fen=asked.old_balance_fen, online_counter=asked.online_counter,
        key_version=asked.key_version, algorithm=asked.algorithm, random=asked.random, mac1=asked.mac1, tac=asked.tac,
    )  # fmt: skip


class ChipPath:
    """The queue and its one worker."""

    def __init__(self, take_in: TakeIn, *, queue_rows: int, batch_rows: int, on_batch: OnBatch) -> None:
        self._take_in = take_in
        self._bound = queue_rows
        self._batch = batch_rows
        self._on_batch = on_batch
        self._rows: deque[ChipRow] = deque()
        self._in_hand: Sequence[ChipRow] = ()
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self.busy_answers = 0

    def post(self, rows: Sequence[ChipRow]) -> None:
        """Queues rows; those for which there is no room are answered BUSY."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="chip purchases")
        room = max(self._bound - len(self._rows), 0)
        self._rows.extend(rows[:room])
        for row in rows[room:]:
            self.busy_answers += 1
            row.call.answer(row.place, Result.BUSY)
        if self._rows:
            self._idle.clear()
            self._work.set()

    def depth(self) -> int:
        """Rows that are queued or being taken in."""
        return len(self._rows) + len(self._in_hand)

    def oldest_age_s(self) -> float:
        """Age of the oldest row not answered yet; 0 when there is none."""
        first = self._in_hand[0] if self._in_hand else self._rows[0] if self._rows else None
        return (monotonic_ns() - first.call.arrived_ns) / 1e9 if first else 0.0

    async def drained(self) -> None:
        """Returns when everything taken in has been answered."""
        await self._idle.wait()

    async def stop(self) -> None:
        """Ends the worker; what is still queued is answered UNAVAILABLE."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        _answer_all([*self._in_hand, *self._rows], Result.UNAVAILABLE)
        self._rows.clear()

    async def _run(self) -> None:
        while True:
            if not self._rows:
                self._idle.set()
                self._work.clear()
                await self._work.wait()
            rows = [self._rows.popleft() for _ in range(min(self._batch, len(self._rows)))]
            self._in_hand = rows
            try:
                await self._answer(rows)
            except Exception:
                log.exception("chip purchases: unexpected error")  # a worker that dies would leave the records without one
                _answer_all(rows, Result.UNAVAILABLE)
            self._in_hand = ()

    async def _answer(self, rows: Sequence[ChipRow]) -> None:
        try:
            answers = await self._take_in([row.record for row in rows])
        except Unavailable as error:
            log.warning("chip purchases: %d answered UNAVAILABLE: %s", len(rows), error.en)
            _answer_all(rows, Result.UNAVAILABLE)
        except Exception:
            if len(rows) > 1:
                await self._answer(rows[: len(rows) // 2])
                await self._answer(rows[len(rows) // 2 :])
                return
            record = rows[0].record
            log.exception("chip purchase %d/%d cannot be taken in", record.terminal_id, record.terminal_seq)
            _answer_all(rows, Result.UNAVAILABLE)
        else:
            for row, (code, balance, transfer, field) in zip(rows, answers, strict=True):
                call, index = row.call, row.place
                call.balances[index], call.transfers[index], call.fields[index] = balance, transfer, field
                call.answer(index, code)
            self._on_batch([row.record for row in rows], answers)


def _answer_all(rows: Sequence[ChipRow], code: int) -> None:
    for row in rows:
        if row.call.is_waiting(row.place):
            row.call.answer(row.place, code)
