"""Chip purses from Python: purchases posted as columns, loads and unloads one by one; exactly once by key like all posting."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

import psycopg

from onecard.ledger.posting import PostingAnswers

_POST = "SELECT o_code, o_balance, o_transfer, o_field FROM ledger.post_chip(%s::smallint" + ", %s::bigint[]" * 10 + ")"
_LOAD = (
    "SELECT o_code, coalesce(o_balance, 0), coalesce(o_transfer, 0), coalesce(o_field, 0), %s::bigint"
    " FROM ledger.load_chip(%s, %s, %s, %s, %s, %s, %s::bigint)"
)
_UNDO = "SELECT o_code, coalesce(o_balance, 0), coalesce(o_transfer, 0), 0, 0 FROM ledger.undo_chip_load(%s, %s, %s, %s, %s)"
_UNLOAD = (
    "SELECT o_code, coalesce(o_balance, 0), coalesce(o_transfer, 0), 0, coalesce(o_amount, 0)"
    " FROM ledger.unload_chip(%s, %s, %s, %s::bigint, %s, %s)"
)


@dataclass(slots=True)
class ChipColumns:
    """Chip purchases of one lane, a list per field, all of one length; every key (terminal, seq) once.

    `merchant` is the book account credited, `occurred_us` microseconds since 1970 UTC, `business_date` days since 2000-01-01,
    `precheck` the smallest Result found so far (0: none), `released` 1 where two people have decided to post it.
    """

    terminal: list[int] = field(default_factory=list)
    seq: list[int] = field(default_factory=list)
    card: list[int] = field(default_factory=list)
    merchant: list[int] = field(default_factory=list)
    purse_order: list[int] = field(default_factory=list)
    amount: list[int] = field(default_factory=list)
    occurred_us: list[int] = field(default_factory=list)
    business_date: list[int] = field(default_factory=list)
    precheck: list[int] = field(default_factory=list)
    released: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.terminal)

    def columns(self) -> tuple[list[int], ...]:
        """The lists in the order of the posting function's arguments."""
        return (
            self.terminal, self.seq, self.card, self.merchant, self.purse_order, self.amount, self.occurred_us,
            self.business_date, self.precheck, self.released,
        )  # fmt: skip


class LoadAnswer(NamedTuple):
    """`code` is kernel.codes.Result, `balance_fen` of the public purse afterwards, `field` kernel.codes.ConflictField."""

    code: int
    balance_fen: int
    transfer_id: int
    field: int
    amount_fen: int


def post_chip(connection: psycopg.Connection[Any], lane: int, columns: ChipColumns) -> PostingAnswers:
    """Posts chip purchases of one lane within the caller's transaction; it is the caller who repeats after a UniqueViolation."""
    if not len(columns):
        return PostingAnswers([], [], [], [])
    row = connection.execute(_POST, (lane, *columns.columns())).fetchone()
    assert row is not None
    return PostingAnswers(*row)


def load_chip(
    connection: psycopg.Connection[Any],
    key: tuple[int, int],
    card_no: int,
    *,
    amount_fen: int,
    occurred_at: datetime,
    business_date: date,
    payer: int | None = None,
) -> LoadAnswer:
    """Moves money from the card's public purse (or the book account `payer`) to its chip purse, once by key (terminal, seq)."""
    return _call(connection, _LOAD, (amount_fen, *key, card_no, amount_fen, occurred_at, business_date, payer))


def undo_chip_load(
    connection: psycopg.Connection[Any], key: tuple[int, int], card_no: int, *, occurred_at: datetime, business_date: date
) -> LoadAnswer:
    """Gives the money of the load with that key back, once. NO_ORIGINAL where there is no such load, or a refused one."""
    return _call(connection, _UNDO, (*key, card_no, occurred_at, business_date))


def unload_chip(
    connection: psycopg.Connection[Any],
    key: tuple[int, int],
    card_no: int,
    *,
    amount_fen: int | None,
    occurred_at: datetime,
    business_date: date,
) -> LoadAnswer:
    """Moves `amount_fen`, or all there is, from the chip purse to the account's public purse, once by key."""
    return _call(connection, _UNLOAD, (*key, card_no, amount_fen, occurred_at, business_date))


def open_chip_purse(connection: psycopg.Connection[Any], card_no: int) -> None:
    """Makes the chip purse of a card, at zero, where there is none. Raises psycopg.errors.NoDataFound for an unknown card."""
    connection.execute("SELECT ledger.open_chip_purse(%s)", (card_no,))


def _call(connection: psycopg.Connection[Any], query: str, arguments: Sequence[Any]) -> LoadAnswer:
    row = connection.execute(query, arguments).fetchone()
    assert row is not None
    return LoadAnswer(*row)
