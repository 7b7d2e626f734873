"""The money side of one terminal: every record is stored before it is sent, and what is owed goes up before anything new.

What asks (PURCHASE, HOLD, VOID, REFUND) and gets no answer is reversed before the terminal sends anything else. What says that
something has happened (ADVICE, COMMIT, RELEASE, TOPUP with the notes in the box, CHIP_PURCHASE) is repeated until it is answered.
After a power cut the journal tells which is which.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Final, Protocol

from onecard.kernel.clock import Clock, to_epoch_us
from onecard.kernel.codes import RESULT_TEXT, Operation, Result
from onecard.kernel.events import EventKind
from onecard.protocol.native import constant_answers
from onecard.protocol.proto.records_pb2 import Answers, Records
from onecard.terminal.errors import LineDown, LineRefused
from onecard.terminal.journal import JournalRecord, State, build_records
from onecard.terminal.kinds.data import DeviceData
from onecard.terminal.kinds.journal import DeviceJournal
from onecard.terminal.kinds.limits import Sale, day_start_us, decide

ASKS: Final = frozenset((Operation.PURCHASE, Operation.HOLD, Operation.VOID, Operation.REFUND))
_NOT_DECIDED: Final = frozenset((Result.BUSY, Result.UNAVAILABLE))
_BATCH: Final = 200
_KEPT: Final = 5000


class Line(Protocol):
    """What the teller needs of a NativeClient."""

    backlog: int
    oldest_unsent_us: int

    @property
    def is_open(self) -> bool: ...

    async def submit(self, records: Records) -> Answers: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the terminal shows. `result` is None when no answer came: the record is owed a reversal, or is repeated."""

    seq: int
    op: Operation
    card_no: int
    amount_fen: int
    result: Result | None
    balance_fen: int = 0
    offline: bool = False

    @property
    def is_approved(self) -> bool:
        return self.result is Result.APPROVED


class Teller:
    """See the module. Not for several threads; a question and the delivery of what is owed never cross."""

    def __init__(self, terminal_id: int, *, journal: DeviceJournal, data: DeviceData, line: Line, clock: Clock) -> None:
        self.terminal_id = terminal_id
        self.journal = journal
        self._data = data
        self._line = line
        self._clock = clock
        self._sending = asyncio.Lock()
        self.power_was_lost_with: list[JournalRecord] = []
        """What was asked and not answered when the power failed."""
        for record in journal.waiting(terminal_id, State.OPEN, limit=1_000_000):
            if record.op in ASKS:
                journal.mark(terminal_id, record.terminal_seq, State.UNCERTAIN)
                self.power_was_lost_with.append(record)
        self._count()

    def now_us(self) -> int:
        """The terminal's time."""
        return to_epoch_us(self._clock.now())

    # ---- with a customer

    async def can_ask(self) -> bool:
        """Whether the line is up and nothing uncertain stands before a new question; what has to go first goes now."""
        if not self._line.is_open:
            return False
        async with self._sending:
            return await self._reverse_all()

    async def pay(self, card_no: int, amount_fen: int) -> Outcome:
        """A purchase: on line, or within the limits where the platform cannot be asked."""
        if await self.can_ask():
            record = self.make(Operation.PURCHASE, card_no, amount_fen)
            return await self._ask(record)
        return self.pay_offline(card_no, amount_fen)

    def pay_offline(self, card_no: int, amount_fen: int) -> Outcome:
        """A purchase by this terminal's own decision, stored as an advice before this returns."""
        result = self.may_sell_offline(card_no, amount_fen)
        if result is not Result.APPROVED:
            return Outcome(0, Operation.ADVICE, card_no, amount_fen, result, offline=True)
        record = self.make(Operation.ADVICE, card_no, amount_fen)
        return Outcome(record.terminal_seq, Operation.ADVICE, card_no, amount_fen, Result.APPROVED, offline=True)

    def may_sell_offline(self, card_no: int, amount_fen: int) -> Result:
        """The terminal's own decision; nothing is stored."""
        now = self.now_us()
        spent = self.journal.spent(self.terminal_id, card_no, since_us=day_start_us(now))
        sale = Sale(self.terminal_id, card_no, amount_fen, now, spent, self.journal.unsent_fen(self.terminal_id))
        data = self._data
        return decide(sale, denied=data.denied, own=data.parameters.offline, rules=data.rules, cards=data.cards)

    async def ask(self, op: Operation, card_no: int, amount_fen: int, *, orig_seq: int = 0) -> Outcome:
        """A question that only the platform can answer. UNAVAILABLE without sending anything where it cannot be asked."""
        if not await self.can_ask():
            return Outcome(0, op, card_no, amount_fen, Result.UNAVAILABLE)
        return await self._ask(self.make(op, card_no, amount_fen, orig_seq=orig_seq))

    async def send(self, record: JournalRecord) -> Outcome:
        """Send a record that asks and is already stored (a payment code's)."""
        if not await self.can_ask():
            self._close(record, int(Result.REVERSED))  # it never left
            return replace(_outcome(record, Result.UNAVAILABLE), seq=0)
        return await self._ask(record)

    async def balance(self, card_no: int) -> Outcome:
        """Ask for a balance; nothing is stored, because nothing moves."""
        seq = self.journal.next_seq(self.terminal_id)
        record = JournalRecord(self.terminal_id, seq, Operation.BALANCE, card_no, 0, self.now_us())
        if not self._line.is_open:
            return _outcome(record, Result.UNAVAILABLE)
        async with self._sending:
            answers = await self._submit([record])
        return replace(_outcome(record, Result(answers.code[0])), balance_fen=answers.balance_fen[0])

    async def tell_now(self, record: JournalRecord) -> Outcome:
        """Send a record that says what has happened, and wait for its answer; without one it is repeated from now on."""
        await self.deliver()
        kept = self.journal.find(self.terminal_id, record.terminal_seq)
        assert kept is not None
        if kept.code is None:
            return _outcome(kept, None)
        return replace(_outcome(kept, Result(kept.code)), balance_fen=kept.balance_fen)

    def make(self, op: Operation, card_no: int, amount_fen: int, *, orig_seq: int = 0, seq: int = 0) -> JournalRecord:
        """Store a record under a new number, or under one that was set aside for it."""
        seq = seq or self.journal.next_seq(self.terminal_id)
        record = JournalRecord(self.terminal_id, seq, int(op), card_no, amount_fen, self.now_us(), orig_seq)
        self.journal.store([record])
        self._count()
        return record

    # ---- what is owed

    async def deliver(self) -> bool:
        """Reversals, then what has happened, oldest first. True when nothing is owed any more."""
        while True:
            async with self._sending:
                if not await self._reverse_all():
                    return False
                waiting = self._told()
                if not waiting:
                    return True
                if not await self._send_batch(waiting):
                    return False

    @property
    def unsent(self) -> int:
        """Records that the platform has not answered."""
        return self.journal.unsent(self.terminal_id)[0]

    async def _ask(self, record: JournalRecord) -> Outcome:
        async with self._sending:
            answers = await self._submit([record])
        code = Result(answers.code[0])
        if code is Result.UNAVAILABLE:
            self.journal.mark(self.terminal_id, record.terminal_seq, State.UNCERTAIN)
            self._count()
            return _outcome(record, None)
        self._close(record, int(code), balance_fen=answers.balance_fen[0], transfer_id=answers.transfer_id[0])
        return replace(_outcome(record, code), balance_fen=answers.balance_fen[0])

    async def _reverse_all(self) -> bool:
        for record in self.journal.waiting(self.terminal_id, State.UNCERTAIN, limit=_BATCH):
            answers = await self._submit([replace(record, op=int(Operation.REVERSAL), orig_seq=0)])
            if Result(answers.code[0]) in _NOT_DECIDED:
                return False
            self._close(record, int(Result.REVERSED), transfer_id=answers.transfer_id[0])
        return True

    def _told(self) -> list[JournalRecord]:
        found = self.journal.waiting(self.terminal_id, State.OPEN, limit=_BATCH)
        return [record for record in found if record.op not in ASKS]

    async def _send_batch(self, waiting: list[JournalRecord]) -> bool:
        answers = await self._submit(waiting)
        for record, code, balance, transfer in zip(waiting, answers.code, answers.balance_fen, answers.transfer_id, strict=True):
            if Result(code) in _NOT_DECIDED:
                continue
            self._close(record, code, balance_fen=balance, transfer_id=transfer)
            if code not in (Result.APPROVED, Result.REVERSED):
                text = RESULT_TEXT[Result(code)]
                detail = f"{Operation(record.op).name} {record.terminal_seq}: {text.zh} {text.en}"
                self.journal.note(
                    EventKind.RECORD_REFUSED, terminal_id=self.terminal_id, at_us=self.now_us(), card_no=record.card_no,
                    detail=detail,
                )  # fmt: skip
        self._trim()
        return not any(Result(code) in _NOT_DECIDED for code in answers.code)

    def _trim(self) -> None:
        below = self.journal.last_seq(self.terminal_id) - _KEPT
        if below > 0:
            self.journal.trim(self.terminal_id, below)
            self.journal.trim_receipts(below)

    async def _submit(self, records: list[JournalRecord]) -> Answers:
        """The answers; UNAVAILABLE for all where none came."""
        if self._line.is_open:
            try:
                return await self._line.submit(build_records(records))
            except (LineDown, LineRefused):
                pass
        return constant_answers(len(records), Result.UNAVAILABLE)

    def _close(self, record: JournalRecord, code: int, *, balance_fen: int = 0, transfer_id: int = 0) -> None:
        self.journal.answer([(self.terminal_id, record.terminal_seq, code, balance_fen, transfer_id)])
        self._count()

    def _count(self) -> None:
        self._line.backlog, self._line.oldest_unsent_us = self.journal.unsent(self.terminal_id)


def _outcome(record: JournalRecord, result: Result | None) -> Outcome:
    return Outcome(record.terminal_seq, Operation(record.op), record.card_no, record.amount_fen, result)
