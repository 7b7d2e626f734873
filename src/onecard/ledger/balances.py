"""Reading money back: balances and statements. Pages and reports use these, so that no second sum exists."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from onecard.kernel.numbers import account_lane
from onecard.ledger.ids import id_at

# The chain of each purse is walked back from its newest transfer: no index on purses is kept for this (docs/adr). LIMIT 1 has
# each step look up one row, whatever the planner thinks of the table.
_STATEMENT = """
WITH RECURSIVE chain AS (
    SELECT p.unit_id, t.*, 1 AS step
      FROM ledger.purse p
     CROSS JOIN LATERAL (SELECT * FROM ledger.transfer q WHERE q.lane = %(lane)s AND q.id = p.last_transfer_id LIMIT 1) t
     WHERE p.account_no = %(account)s AND (%(unit)s::int IS NULL OR p.unit_id = %(unit)s)
     UNION ALL
    SELECT c.unit_id, t.*, c.step + (c.id < %(before)s)::int
      FROM chain c
     CROSS JOIN LATERAL (SELECT * FROM ledger.transfer q WHERE q.lane = %(lane)s AND q.id = c.prev_id LIMIT 1) t
     WHERE c.step + (c.id < %(before)s)::int <= %(limit)s
)
SELECT id AS transfer_id, ledger.id_time(id) AS posted_at, kind, unit_id,
       CASE WHEN credit > debit THEN amount_fen ELSE -amount_fen END AS amount_fen, balance_after AS balance_fen,
       least(debit, credit) AS counterpart, terminal_id, terminal_seq, card_no, link_id, orig_id, business_date, occurred_at
  FROM chain WHERE id < %(before)s
 ORDER BY id DESC LIMIT %(limit)s
"""

_CHIP_STATEMENT = """
WITH RECURSIVE chain AS (
    SELECT t.*, 1 AS step
      FROM ledger.chip_purse p
     CROSS JOIN LATERAL (SELECT * FROM ledger.transfer q WHERE q.lane = p.lane AND q.id = p.last_transfer_id LIMIT 1) t
     WHERE p.card_no = %(card)s
     UNION ALL
    SELECT t.*, c.step + (c.id < %(before)s)::int
      FROM chain c
     CROSS JOIN LATERAL (SELECT * FROM ledger.transfer q WHERE q.lane = c.lane AND q.id = c.prev_id LIMIT 1) t
     WHERE c.step + (c.id < %(before)s)::int <= %(limit)s
)
SELECT id AS transfer_id, ledger.id_time(id) AS posted_at, kind, 0 AS unit_id,
       CASE WHEN credit = %(card)s THEN amount_fen ELSE -amount_fen END AS amount_fen, balance_after AS balance_fen,
       CASE WHEN credit = %(card)s THEN debit ELSE credit END AS counterpart, terminal_id, terminal_seq, card_no,
       link_id, orig_id, business_date, occurred_at
  FROM chain WHERE id < %(before)s
 ORDER BY id DESC LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class ChipBalance:
    """The shadow account of a chip as it stands; below zero where a load or a record has not come in."""

    card_no: int
    account_no: int
    balance_fen: int
    seq: int


@dataclass(frozen=True, slots=True)
class PurseBalance:
    """A purse as it stands."""

    account_no: int
    unit_id: int
    balance_fen: int
    floor_fen: int


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One transfer of a purse; `amount_fen` is negative where money left it, `counterpart` the book account it went to."""

    transfer_id: int
    posted_at: datetime
    kind: int
    unit_id: int
    amount_fen: int
    balance_fen: int
    counterpart: int
    terminal_id: int
    terminal_seq: int
    card_no: int | None
    link_id: int | None
    orig_id: int | None
    business_date: date
    occurred_at: datetime


def purses(connection: psycopg.Connection[Any], account_no: int) -> list[PurseBalance]:
    """The purses of an account, the public one first."""
    with connection.cursor(row_factory=class_row(PurseBalance)) as cursor:
        return cursor.execute(
            "SELECT account_no, unit_id, balance_fen, floor_fen FROM ledger.purse WHERE account_no = %s ORDER BY unit_id",
            (account_no,),
        ).fetchall()


def book_balance(connection: psycopg.Connection[Any], account: int) -> int:
    """Credits less debits of a book account: its checkpoint and what came after."""
    return book_balances(connection, [account])[account]


def book_balances(connection: psycopg.Connection[Any], accounts: Sequence[int]) -> dict[int, int]:
    """`book_balance` of several accounts at one moment."""
    query = "SELECT account_id, balance_fen FROM ledger.book_balances(%s::bigint[])"
    return dict(connection.execute(query, (list(accounts),)).fetchall())


def checkpoint(connection: psycopg.Connection[Any]) -> int:
    """Brings the checkpoints of book accounts up to date; returns how many moved."""
    row = connection.execute("SELECT ledger.checkpoint()").fetchone()
    assert row is not None
    return int(row[0])


def statement(
    connection: psycopg.Connection[Any],
    account_no: int,
    *,
    as_of: datetime | None = None,
    unit_id: int | None = None,
    limit: int = 50,
    before_id: int | None = None,
) -> list[StatementLine]:
    """The newest `limit` transfers of an account's purses as they stood at `as_of` (posting time; None: now), newest first.

    `unit_id` chooses one purse (0: the public one); `before_id` goes on after a page whose last line had that id.
    """
    before = (1 << 63) - 1 if as_of is None else id_at(as_of) + (1 << 22)  # what was posted within that millisecond belongs to it
    if before_id is not None:
        before = min(before, before_id)
    values = {"lane": account_lane(account_no), "account": account_no, "unit": unit_id, "before": before, "limit": limit}
    with connection.cursor(row_factory=class_row(StatementLine)) as cursor:
        return cursor.execute(_STATEMENT, values).fetchall()


def balance_as_of(connection: psycopg.Connection[Any], account_no: int, unit_id: int, *, as_of: datetime) -> int:
    """What a purse held at a moment (posting time)."""
    lines = statement(connection, account_no, as_of=as_of, unit_id=unit_id, limit=1)
    return lines[0].balance_fen if lines else 0


def chip_balance(connection: psycopg.Connection[Any], card_no: int) -> ChipBalance | None:
    """What the journal says is inside the chip of a card; None where its purse was never used."""
    with connection.cursor(row_factory=class_row(ChipBalance)) as cursor:
        query = "SELECT card_no, account_no, balance_fen, seq FROM ledger.chip_purse WHERE card_no = %s"
        return cursor.execute(query, (card_no,)).fetchone()


def chip_statement(
    connection: psycopg.Connection[Any], card_no: int, *, limit: int = 50, before_id: int | None = None
) -> list[StatementLine]:
    """The newest `limit` transfers of a chip purse, newest first, in the order in which they came in."""
    values = {"card": card_no, "before": (1 << 63) - 1 if before_id is None else before_id, "limit": limit}
    with connection.cursor(row_factory=class_row(StatementLine)) as cursor:
        return cursor.execute(_CHIP_STATEMENT, values).fetchall()
