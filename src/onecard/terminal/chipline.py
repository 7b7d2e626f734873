"""Between a terminal's chips and its line: settled sales into the journal that is uploaded, steps of loads as they travel.

The number of a sale or a load is its sequence number on the line, taken from `Journal.next_seq` before the card is touched. So a
sale that is handed over twice, because the power went in between, is stored once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import fields

from onecard.kernel.clock import from_epoch_us, to_epoch_us
from onecard.kernel.codes import Operation, Result
from onecard.protocol.proto.records_pb2 import ChipLoad, ChipLoadAnswer
from onecard.terminal.chipjournal import ChipJournal, LoadReport, LoadRequest, LoadState, Sale
from onecard.terminal.chipload import LoadGrant
from onecard.terminal.errors import LineDown
from onecard.terminal.journal import ChipPart, Journal, JournalRecord

_NOT_NOW = frozenset((Result.BUSY, Result.UNAVAILABLE))
_ANSWER_S = 60.0
_PART = tuple(field.name for field in fields(ChipPart))
_SAME = (
    "card_no", "amount_fen", "transaction_type", "sam_terminal_no", "old_balance_fen", "online_counter", "key_version",
    "algorithm", "random", "mac1",
)  # fmt: skip


def journal_record(sale: Sale, terminal_id: int) -> JournalRecord:
    """A settled sale as the journal stores it for its upload."""
    record = sale.record
    part = ChipPart(**{name: getattr(record, name) for name in _PART})
    at = to_epoch_us(record.occurred_at)
    return JournalRecord(terminal_id, sale.sale_no, Operation.CHIP_PURCHASE, record.card_no, record.amount_fen, at, chip=part)


def hand_over(chips: ChipJournal, journal: Journal, *, terminal_no: int, terminal_id: int) -> int:
    """Moves settled sales from the chips' journal to the one that is uploaded; returns how many."""
    sales = chips.outbox(terminal_no)
    journal.store(journal_record(sale, terminal_id) for sale in sales if journal.find(terminal_id, sale.sale_no) is None)
    chips.taken(sales)
    return len(sales)


def build_load(request: LoadRequest, terminal_id: int, step: ChipLoad.Step, *, tac: int = 0) -> ChipLoad:
    """A step of a load as it travels."""
    load = ChipLoad(step=step, terminal_id=terminal_id, terminal_seq=request.load_no, tac=tac)
    load.occurred_at_us = to_epoch_us(request.occurred_at)
    for name in _SAME:
        setattr(load, name, getattr(request, name))
    return load


class LineLoadHost:
    """The platform behind a line as a load sees it (chipload.LoadHost); called from a thread that is not the line's loop.

    `send` is `NativeClient.load_chip`. `refused` keeps the Result of the last refusal, for the holder.
    """

    def __init__(
        self, send: Callable[[ChipLoad], Awaitable[ChipLoadAnswer]], loop: asyncio.AbstractEventLoop, *, terminal_id: int,
        attempts: int = 3,
    ) -> None:  # fmt: skip
        self._send = send
        self._loop = loop
        self._terminal_id = terminal_id
        self._attempts = attempts
        self.refused: int = Result.APPROVED

    def request(self, request: LoadRequest) -> LoadGrant | None:
        """Asks for MAC2. None: refused. Raises LineDown where it is not known whether money was taken."""
        answer = self._ask(build_load(request, self._terminal_id, ChipLoad.REQUEST))
        self.refused = answer.code
        if answer.code != Result.APPROVED:
            return None
        return LoadGrant(answer.mac2.to_bytes(4, "big"), from_epoch_us(answer.host_time_us))

    def report(self, report: LoadReport) -> None:
        """Tells what became of a load. Without its TAC the chip's later answer tells it, whether it was written or not.

        Whatever is answered but "not now" is the platform's to settle from then on.
        """
        step = ChipLoad.CONFIRM if report.state is LoadState.WRITTEN else ChipLoad.NOT_WRITTEN
        self._ask(build_load(report.request, self._terminal_id, step, tac=report.tac))

    def _ask(self, load: ChipLoad) -> ChipLoadAnswer:
        for _ in range(self._attempts - 1):
            try:
                return self._ask_once(load)
            except LineDown:
                continue
        return self._ask_once(load)

    def _ask_once(self, load: ChipLoad) -> ChipLoadAnswer:
        async def send() -> ChipLoadAnswer:
            return await self._send(load)

        answer = asyncio.run_coroutine_threadsafe(send(), self._loop).result(_ANSWER_S)
        if answer.code in _NOT_NOW:
            raise LineDown("平台暂不可用", "the platform cannot answer now")
        return answer
