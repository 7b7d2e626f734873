"""Simulated native terminals behind one line: each behaves as a real one does, with a journal it writes before it sends.

A record whose answer did not come is uncertain: its reversal goes up before the terminal does anything new. What was made off
line is stored and uploaded in batches until it is answered.
"""

from collections.abc import Iterable, Sequence

from onecard.kernel.clock import Clock, SystemClock, to_epoch_us
from onecard.kernel.codes import Operation, Result
from onecard.protocol.proto.records_pb2 import Answers
from onecard.terminal.errors import LineDown, TerminalError
from onecard.terminal.journal import Journal, JournalRecord, State, build_records
from onecard.terminal.native import NativeClient

UPLOAD = 200
OFFLINE = (Operation.ADVICE, Operation.CHIP_PURCHASE)
"""What is made whether the line is up or not, and uploaded until it is answered."""
_UNKNOWN = frozenset({Result.UNAVAILABLE})
_NOT_NOW = frozenset({Result.BUSY, Result.UNAVAILABLE})


class NativeTerminals:
    """The terminals of one line. One thing at a time a terminal; different terminals may be used at once."""

    def __init__(self, client: NativeClient, journal: Journal, *, clock: Clock | None = None) -> None:
        self.client = client
        self._journal = journal
        self._clock = clock or SystemClock()
        self._begun = False

    async def begin(self) -> None:
        """Open the line once before the first number is given out: the journal may be new and the places used.

        Raises TerminalError while the line is down.
        """
        if not self._begun:
            await self.client.connect()
            self._journal.begin_above(self.client.known_seqs)
            self._begun = True

    def recover(self, terminal_ids: Iterable[int]) -> None:
        """After a power cut: what was under way on line is uncertain now."""
        for terminal in terminal_ids:
            for record in self._journal.waiting(terminal, State.OPEN):
                if record.op not in OFFLINE:
                    self._journal.mark(terminal, record.terminal_seq, State.UNCERTAIN)

    async def transact(
        self, op: Operation, terminal_id: int, *, card_no: int, amount_fen: int, orig_seq: int = 0, twice: bool = False
    ) -> JournalRecord:
        """One on-line record; its code is None when no answer came (it is to be reversed). `twice`: sent again after its answer.

        Raises TerminalError when a reversal that is owed can't be settled first, and before the line has been up once.
        """
        await self.begin()
        await self.reverse_pending(terminal_id)
        record = self._new(op, terminal_id, card_no, amount_fen=amount_fen, orig_seq=orig_seq)
        try:
            answers = await self.client.submit(build_records([record]))
            if twice:
                answers = await self.client.submit(build_records([record]))
        except TerminalError:
            answers = None
        if answers is None or answers.code[0] in _UNKNOWN:
            self._journal.mark(terminal_id, record.terminal_seq, State.UNCERTAIN)
        else:
            self._keep([record], answers)
        found = self._journal.find(terminal_id, record.terminal_seq)
        assert found is not None
        return found

    async def reverse(self, record: JournalRecord) -> None:
        """Send the reversal of a record once. Raises TerminalError while the platform does not decide it."""
        reversal = JournalRecord(
            record.terminal_id, record.terminal_seq, Operation.REVERSAL, record.card_no, record.amount_fen, record.occurred_at_us
        )
        answers = await self.client.submit(build_records([reversal]))
        if answers.code[0] in _NOT_NOW:
            raise LineDown("冲正未受理", "the reversal was not taken")
        self._journal.answer([(record.terminal_id, record.terminal_seq, int(Result.REVERSED), 0, 0)])

    async def reverse_pending(self, terminal_id: int) -> int:
        """Settle the reversals a terminal owes; how many. Raises TerminalError while one can't be."""
        owed = self._journal.waiting(terminal_id, State.UNCERTAIN)
        for record in owed:
            await self.reverse(record)
        return len(owed)

    def store_offline(self, terminal_id: int, card_no: int, amount_fen: int) -> JournalRecord:
        """A purchase made off line: stored, to be uploaded."""
        return self._new(Operation.ADVICE, terminal_id, card_no, amount_fen=amount_fen)

    async def upload(self, terminal_ids: Sequence[int], *, twice: bool = False) -> int:
        """Send up what was made off line; how many records were answered. Raises TerminalError when the line is down."""
        waiting = [record for terminal in terminal_ids for record in self._offline(terminal)]
        done = 0
        for start in range(0, len(waiting), UPLOAD):
            group = waiting[start : start + UPLOAD]
            records = build_records(group)
            answers = await self.client.submit(records)
            if twice:
                answers = await self.client.submit(records)
            done += self._keep(group, answers)
        return done

    def offline_count(self, terminal_ids: Sequence[int]) -> int:
        """How many records wait to be uploaded, at most 1000 counted a terminal."""
        return sum(len(self._offline(terminal)) for terminal in terminal_ids)

    def _offline(self, terminal_id: int) -> list[JournalRecord]:
        return [record for op in OFFLINE for record in self._journal.waiting(terminal_id, State.OPEN, op=op)]

    def _new(self, op: Operation, terminal_id: int, card_no: int, *, amount_fen: int, orig_seq: int = 0) -> JournalRecord:
        at = to_epoch_us(self._clock.now())
        seq = self._journal.next_seq(terminal_id)
        record = JournalRecord(terminal_id, seq, op, card_no, amount_fen, at, orig_seq)
        self._journal.store([record])
        return record

    def _keep(self, group: Sequence[JournalRecord], answers: Answers) -> int:
        """Close what was decided. An offline record not taken now stays open; an on-line one refused as busy is closed."""
        pairs = zip(group, answers.code, answers.balance_fen, answers.transfer_id, strict=True)
        closed = [
            (record.terminal_id, record.terminal_seq, code, balance, transfer)
            for record, code, balance, transfer in pairs
            if not (record.op in OFFLINE and code in _NOT_NOW)
        ]
        self._journal.answer(closed)
        return len(closed)
