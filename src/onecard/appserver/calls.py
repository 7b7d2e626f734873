"""One `Post` call while it is being worked on, and the row in which a record travels from the call to the ledger and back.

A row is a plain tuple: its first fourteen places are the columns of `ledger.post_batch` in their order, the last two say where
the answer goes. Nothing else is made per record: at tens of thousands a second every object counts.
"""

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic_ns
from typing import Final, NamedTuple

Row = tuple[int, int, int, int, int, int, int, int, int, int, int, int, int, int, "PendingCall", int]

OP: Final = 0
TERMINAL: Final = 1
SEQ: Final = 2
CARD: Final = 3
MERCHANT: Final = 4
UNIT: Final = 5
PURSE_ORDER: Final = 6
AMOUNT: Final = 7
OCCURRED: Final = 8
BUSINESS_DATE: Final = 9
MEAL: Final = 10
ORIG_TERMINAL: Final = 11
ORIG_SEQ: Final = 12
PRECHECK: Final = 13
CALL: Final = 14
INDEX: Final = 15
COLUMNS = 14
_PENDING = -1


class RowAnswers(NamedTuple):
    """Answers to a batch of rows, in the order of the rows."""

    code: Sequence[int]
    balance: Sequence[int]
    transfer: Sequence[int]
    field: Sequence[int]


class PendingCall:
    """The answers of one call as they come in; `done` is set when the last one is there."""

    __slots__ = ("arrived_ns", "balances", "codes", "done", "fields", "finished", "transfers", "waiting")

    def __init__(self, size: int, finished: Callable[["PendingCall"], None] | None = None) -> None:
        self.codes = [_PENDING] * size
        self.balances = [0] * size
        self.transfers = [0] * size
        self.fields = [0] * size
        self.waiting = size
        self.arrived_ns = monotonic_ns()
        self.finished = finished
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not size:
            self._finish()

    def answer(self, index: int, code: int) -> None:
        """Answers one record with a code alone."""
        self.codes[index] = code
        self.release(1)

    def is_waiting(self, index: int) -> bool:
        """Whether a record has no answer yet."""
        return self.codes[index] == _PENDING

    def release(self, count: int) -> None:
        """Counts records off that have their answer."""
        self.waiting -= count
        if not self.waiting:
            self._finish()

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
        if self.finished is not None:
            self.finished(self)


def scatter(rows: Sequence[Row], answers: RowAnswers) -> None:
    """Puts the answers of a batch back into the calls that its rows came from."""
    for row, code, balance, transfer, field in zip(rows, *answers, strict=True):
        call = row[14]
        index = row[15]
        call.codes[index] = code
        call.balances[index] = balance
        call.transfers[index] = transfer
        if field:
            call.fields[index] = field
        call.waiting -= 1
        if not call.waiting:
            call.release(0)


def scatter_code(rows: Sequence[Row], code: int) -> None:
    """Answers with one code every row that has no answer yet."""
    for row in rows:
        if row[14].codes[row[15]] == _PENDING:
            row[14].answer(row[15], code)
