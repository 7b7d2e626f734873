"""The money side of devices that keep no journal themselves (readers, meters): the driver is their outermost device.

Ids are made here and stored before they are sent (N2). A record that says what has happened (ADVICE, COMMIT, RELEASE) is repeated
until the platform answers it; one that asks (PURCHASE, HOLD) and got no answer is reversed before the terminal asks again.
"""

import asyncio
import contextlib
import logging
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from onecard.gateway.drivers.base import LineNow, Services
from onecard.kernel.codes import Operation, Result
from onecard.protocol.native import constant_answers
from onecard.protocol.proto.records_pb2 import Answers
from onecard.terminal.journal import Journal, JournalRecord, State, build_records

__all__ = ["JournalRecord", "Till", "delivering"]
_log = logging.getLogger(__name__)
_ASKS = frozenset((Operation.PURCHASE, Operation.HOLD, Operation.BALANCE))
_NOT_DECIDED = frozenset((Result.BUSY, Result.UNAVAILABLE))
_RETRY_S = (0.2, 1.0)
_BATCH = 200
_KEPT = 200


class Till:
    """The terminals of one port: one journal, one sequence each. Used from the event loop only."""

    def __init__(self, folder: Path, *, line: LineNow, services: Services, durable: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.journal = Journal(folder / "journal.db", durable=durable)
        self._line = line
        self._services = services
        self._asking: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._owing = asyncio.Event()
        self._terminals: set[int] = set()
        self._begun: dict[int, int] = {}
        """What the platform had of each terminal when its numbers here were last compared with that."""
        self._idle = asyncio.Event()

    def close(self) -> None:
        """Close the journal."""
        self.journal.close()

    def adopt(self, terminals: frozenset[int]) -> None:
        """Name the terminals: what they asked when the power failed is uncertain now, and what they owe will be delivered."""
        self._terminals |= terminals
        for terminal_id in terminals:
            for record in self.journal.waiting(terminal_id, State.OPEN, limit=100_000):
                if record.op in _ASKS:
                    self.journal.mark(terminal_id, record.terminal_seq, State.UNCERTAIN)
        self._owing.set()

    def now_us(self) -> int:
        """The platform's time."""
        return self._services.now_us()

    def hear(self, terminal_id: int) -> None:
        """Count a device as on line."""
        self._services.heard[terminal_id] = asyncio.get_running_loop().time()

    async def ask(self, op: Operation, terminal_id: int, *, card_no: int, amount_fen: int) -> JournalRecord:
        """One question, answered now or not at all: `code` is None when there is no answer and the record is being reversed."""
        async with self._asking[terminal_id]:
            if not await self._reverse(terminal_id):
                return JournalRecord(terminal_id, 0, int(op), card_no, amount_fen, self.now_us())
            record = self._make(op, terminal_id, card_no=card_no, amount_fen=amount_fen)
            answers = await self._submit([record])
            if Result(answers.code[0]) in _NOT_DECIDED:
                self.journal.mark(terminal_id, record.terminal_seq, State.UNCERTAIN)
                self._owe()
                return record
            self._close([record], answers)
            return self._kept(record)

    async def offer(self, op: Operation, terminal_id: int, *, card_no: int, amount_fen: int) -> JournalRecord:
        """As `ask`, but an approval is not settled: the caller shows it to the holder, then calls `confirm`, or `undo`.

        Until then it counts as without an answer: a power failure in between reverses it, and nobody pays for a closed gate.
        """
        async with self._asking[terminal_id]:
            if not await self._reverse(terminal_id):
                return JournalRecord(terminal_id, 0, int(op), card_no, amount_fen, self.now_us())
            record = self._make(op, terminal_id, card_no=card_no, amount_fen=amount_fen)
            answers = await self._submit([record])
            code = Result(answers.code[0])
            if code in _NOT_DECIDED:
                self.undo(record)
                return record
            if code is not Result.APPROVED:
                self._close([record], answers)
            return replace(record, code=int(code), balance_fen=answers.balance_fen[0], transfer_id=answers.transfer_id[0])

    def confirm(self, offered: JournalRecord) -> None:
        """The holder has got what was paid for."""
        assert offered.code is not None
        closing = (offered.terminal_id, offered.terminal_seq, offered.code, offered.balance_fen, offered.transfer_id)
        self.journal.answer([closing])

    def undo(self, offered: JournalRecord) -> None:
        """It could not be shown: it is reversed before the terminal asks again, at the latest."""
        self.journal.mark(offered.terminal_id, offered.terminal_seq, State.UNCERTAIN)
        self._owe()

    def tell(self, op: Operation, terminal_id: int, *, card_no: int, amount_fen: int, orig_seq: int = 0) -> JournalRecord:
        """Store what has happened; it is delivered now or later, once. Returns at once."""
        record = self._make(op, terminal_id, card_no=card_no, amount_fen=amount_fen, orig_seq=orig_seq)
        self._owe()
        return record

    def trim(self, terminal_id: int) -> None:
        """Forget what is long answered. The caller has ended every hold but the last."""
        records = self.journal.records(terminal_id)
        if len(records) > 2 * _KEPT:
            self.journal.trim(terminal_id, records[-_KEPT].terminal_seq)

    async def deliver(self) -> None:
        """Send what is owed, over and over, until cancelled."""
        while True:
            await self._owing.wait()
            self._owing.clear()
            if await self._deliver_once():
                self._idle.set()
                continue
            self._owing.set()
            await asyncio.sleep(random.uniform(*_RETRY_S))  # noqa: S311 - spreading, not a secret

    async def settled(self) -> None:
        """Wait until nothing is owed."""
        while not self._idle.is_set():
            await self._idle.wait()

    def _owe(self) -> None:
        self._idle.clear()
        self._owing.set()

    async def _deliver_once(self) -> bool:
        done = True
        for terminal_id in self._terminals:
            async with self._asking[terminal_id]:
                done &= await self._reverse(terminal_id)
            while waiting := self._told(terminal_id):
                answers = await self._submit(waiting)
                decided = [i for i, code in enumerate(answers.code) if Result(code) not in _NOT_DECIDED]
                self._close([waiting[i] for i in decided], answers, rows=decided)
                if len(decided) < len(waiting):
                    done = False
                    break
        return done

    def _told(self, terminal_id: int) -> list[JournalRecord]:
        found = self.journal.waiting(terminal_id, State.OPEN, limit=_BATCH)
        return [record for record in found if record.op not in _ASKS]

    async def _reverse(self, terminal_id: int) -> bool:
        """Undo what is uncertain. True when nothing is uncertain any more."""
        for record in self.journal.waiting(terminal_id, State.UNCERTAIN, limit=_BATCH):
            reversal = JournalRecord(
                terminal_id,
                record.terminal_seq,
                int(Operation.REVERSAL),
                record.card_no,
                record.amount_fen,
                record.occurred_at_us,
            )
            answers = await self._submit([reversal])
            if Result(answers.code[0]) in _NOT_DECIDED:
                self._owe()
                return False
            closing = (terminal_id, record.terminal_seq, int(Result.REVERSED), 0, answers.transfer_id[0])
            self.journal.answer([closing])
        return True

    def _make(self, op: Operation, terminal_id: int, *, card_no: int, amount_fen: int, orig_seq: int = 0) -> JournalRecord:
        line = self._line()
        if line is not None and terminal_id in line.terminal_ids:
            known = line.known_seqs.get(terminal_id, 0)
            if known > self._begun.get(terminal_id, -1):
                self.journal.begin_above({terminal_id: max(known, self._services.seqs.get(terminal_id, 0))})
                self._begun[terminal_id] = known
        seq = self.journal.next_seq(terminal_id)
        record = JournalRecord(terminal_id, seq, int(op), card_no, amount_fen, self.now_us(), orig_seq)
        self.journal.store([record])
        return record

    def _kept(self, record: JournalRecord) -> JournalRecord:
        kept = self.journal.find(record.terminal_id, record.terminal_seq)
        assert kept is not None
        return kept

    def _close(self, records: list[JournalRecord], answers: Answers, *, rows: list[int] | None = None) -> None:
        rows = list(range(len(records))) if rows is None else rows
        for record, row in zip(records, rows, strict=True):
            code = answers.code[row]
            closing = (record.terminal_id, record.terminal_seq, code, answers.balance_fen[row], answers.transfer_id[row])
            self.journal.answer([closing])
            if record.op not in _ASKS and code != Result.APPROVED:
                _log.warning("%s %d of terminal %d: %s", Operation(record.op).name, record.terminal_seq, record.terminal_id, code)

    async def _submit(self, records: list[JournalRecord]) -> Answers:
        """The answers; UNAVAILABLE while the line is cut off, so that records wait for its return."""
        line = self._line()
        if line is None or not line.terminal_ids >= {record.terminal_id for record in records}:
            return constant_answers(len(records), Result.UNAVAILABLE)
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answers] = loop.create_future()
        since = loop.time()

        def done(answers: Answers) -> None:
            self._services.counters.results.update(answers.code)
            self._services.counters.latency.observe(loop.time() - since, times=len(answers.code))
            if not answered.done():
                answered.set_result(answers)

        refusal = self._services.uplink.submit_many(line.line_id, build_records(records), count=len(records), done=done)
        if refusal is not None:
            return constant_answers(len(records), refusal)
        return await answered


@contextlib.asynccontextmanager
async def delivering(till: Till) -> AsyncIterator[Till]:
    """Delivers what is owed while the block runs; the journal is closed at its end."""
    task = asyncio.create_task(till.deliver())
    try:
        yield till
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        till.close()
