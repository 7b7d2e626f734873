"""From the chip's journal to the platform: purchases into the native journal, loads over a native line (P5, N2).

A sale's number is the terminal's sequence number of the native protocol (`Journal.next_seq`), so handing it over twice stores it
once. A load's number is one as well, and all its steps go under it; any step may be sent again.
"""

import asyncio
from dataclasses import fields
from typing import Final

from onecard.kernel.clock import from_epoch_us, to_epoch_us
from onecard.kernel.codes import Operation, Result
from onecard.protocol.proto.records_pb2 import ChipLoad, ChipLoadAnswer
from onecard.terminal.chipjournal import ChipJournal, LoadReport, LoadRequest, LoadState, Sale
from onecard.terminal.chipload import LoadGrant
from onecard.terminal.errors import LineDown
from onecard.terminal.journal import ChipPart, Journal, JournalRecord
from onecard.terminal.native import NativeClient

_PART: Final = tuple(field.name for field in fields(ChipPart))
_NOT_DECIDED: Final = (Result.BUSY, Result.UNAVAILABLE)
"""Answers after which the same step is sent again later."""


def hand_over(chips: ChipJournal, journal: Journal, *, terminal_id: int, terminal_no: int) -> list[JournalRecord]:
    """Move settled sales into the terminal's journal, from where they go up like any record; those stored now."""
    sales = chips.outbox(terminal_no)
    records = [_record(sale, terminal_id) for sale in sales if journal.find(terminal_id, sale.sale_no) is None]
    if records:
        journal.store(records)
    chips.taken(sales)
    return records


def _record(sale: Sale, terminal_id: int) -> JournalRecord:
    part = ChipPart(**{name: getattr(sale.record, name) for name in _PART})
    return JournalRecord(
        terminal_id=terminal_id, terminal_seq=sale.sale_no, op=int(Operation.CHIP_PURCHASE), card_no=sale.record.card_no,
        amount_fen=sale.record.amount_fen, occurred_at_us=to_epoch_us(sale.record.occurred_at), chip=part,
    )  # fmt: skip


class NativeLoadHost:
    """The platform behind a native line, for `load` running in a thread beside the event loop of the line.

    `request` and `report` raise LineDown when the line does not answer, also for an answer that decides nothing.
    """

    def __init__(
        self, line: NativeClient, loop: asyncio.AbstractEventLoop, *, terminal_id: int, attempts: int = 3, answer_s: float = 60.0
    ) -> None:
        self._line = line
        self._loop = loop
        self._terminal_id = terminal_id
        self._attempts = attempts
        self._answer_s = answer_s

    def request(self, request: LoadRequest) -> LoadGrant | None:
        """See LoadHost."""
        answer = self._ask(build_load(ChipLoad.REQUEST, request, self._terminal_id))
        if answer.code != Result.APPROVED:
            return None
        return LoadGrant(answer.mac2.to_bytes(4, "big"), from_epoch_us(answer.host_time_us))

    def report(self, report: LoadReport) -> None:
        """See LoadHost. Whatever the platform decides is its to keep; only silence is sent again."""
        step = ChipLoad.CONFIRM if report.state is LoadState.WRITTEN else ChipLoad.NOT_WRITTEN
        self._ask(build_load(step, report.request, self._terminal_id, tac=report.tac))

    def _ask(self, message: ChipLoad) -> ChipLoadAnswer:
        for _ in range(self._attempts - 1):
            try:
                return self._ask_once(message)
            except LineDown:
                continue
        return self._ask_once(message)

    def _ask_once(self, message: ChipLoad) -> ChipLoadAnswer:
        future = asyncio.run_coroutine_threadsafe(self._line.load_chip(message), self._loop)
        answer = future.result(self._answer_s)
        if answer.code in _NOT_DECIDED:
            raise LineDown("平台忙，请稍后再试", "The platform is busy")
        return answer


def build_load(step: ChipLoad.Step, request: LoadRequest, terminal_id: int, *, tac: int = 0) -> ChipLoad:
    """A step of a load on the wire."""
    return ChipLoad(
        step=step, terminal_id=terminal_id, terminal_seq=request.load_no, card_no=request.card_no, amount_fen=request.amount_fen,
        occurred_at_us=to_epoch_us(request.occurred_at), transaction_type=request.transaction_type,
        sam_terminal_no=request.sam_terminal_no, old_balance_fen=request.old_balance_fen, online_counter=request.online_counter,
        key_version=request.key_version, algorithm=request.algorithm, random=request.random, mac1=request.mac1, tac=tac,
    )  # fmt: skip
