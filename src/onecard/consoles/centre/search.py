"""Search in the journal that stays quick at any size: every query goes down an index, takes a page and stops.

No COUNT, no OFFSET: pages follow one another by key, newest first by (id, lane). `ledger.transfer` is partitioned by id and its
primary key is (lane, id), so "the newest" is a page of every lane, merged. Measured at 10 million rows: docs/manual-centre.md.
"""
# ruff: noqa: S608 - the statements are put together from constants of this module; values go as parameters.

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from onecard.kernel.numbers import account_lane, purse_id
from onecard.ledger import ids
from onecard.ledger.accounts import BookKind, book_id
from onecard.ledger.balances import StatementLine
from onecard.services.purses import api as purses

PAGE = 50
_MAX_ID = 2**63 - 1
LAST_LANE = 99

_COLUMNS = """t.lane, t.id, t.kind, t.debit, t.credit, t.amount_fen, t.balance_after, t.terminal_id, t.terminal_seq,
    t.card_no, t.account_no, t.business_date, t.occurred_at"""

# A page of every lane that has rows, merged. `before` is one above the cursor on lanes that come after it at the same id.
_NEWEST = f"""
    SELECT t.* FROM ledger.lane AS l CROSS JOIN LATERAL (
        SELECT {_COLUMNS} FROM ledger.transfer AS t
        WHERE t.lane = l.lane AND t.id >= %(first)s AND t.id < %(before)s + (l.lane < %(before_lane)s)::int
        ORDER BY t.id DESC LIMIT %(limit)s
    ) AS t
    WHERE l.last_id > 0 ORDER BY t.id DESC, t.lane DESC LIMIT %(limit)s
"""
# The literal bound on the book account lets the planner use the partial indexes (credit, id) and (debit, id).
_OF_MERCHANT = " UNION ALL ".join(
    f"""(SELECT {_COLUMNS} FROM ledger.transfer AS t
        WHERE t.{side} = %(book)s AND t.{side} < 1000000000000 AND t.id >= %(first)s AND t.id <= %(before)s
          AND (t.id < %(before)s OR t.lane < %(before_lane)s)
        ORDER BY t.id DESC, t.lane DESC LIMIT %(limit)s)"""
    for side in ("credit", "debit")
)
_OF_MERCHANT = f"SELECT * FROM ({_OF_MERCHANT}) AS t ORDER BY id DESC, lane DESC LIMIT %(limit)s"
_BY_ID = f"""
    SELECT t.* FROM ledger.lane AS l CROSS JOIN LATERAL (
        SELECT {_COLUMNS} FROM ledger.transfer AS t
        WHERE t.lane = l.lane AND t.id >= %(id)s AND t.id < %(id)s + 64 AND (t.id = %(id)s OR t.link_id = %(id)s)
    ) AS t
    WHERE l.lane = %(lane)s OR %(lane)s IS NULL ORDER BY t.id, t.lane
"""
_RECORDS = """
    SELECT terminal_id, terminal_seq, phase, op, code, state, card_no, amount_fen, balance_after, occurred_at, posted_on,
           lane, transfer_id
    FROM ledger.posting_key
    WHERE terminal_id = %(terminal)s AND terminal_seq <= %(seq)s ORDER BY terminal_seq DESC, phase DESC LIMIT %(limit)s
"""


class Transfer(NamedTuple):
    """A row of the journal."""

    lane: int
    id: int
    kind: int
    debit: int
    credit: int
    amount_fen: int
    balance_after: int | None
    terminal_id: int
    terminal_seq: int
    card_no: int | None
    account_no: int | None
    business_date: Any
    occurred_at: datetime

    @property
    def posted_at(self) -> datetime:
        """The moment of posting, which the id carries."""
        return ids.id_time(self.id)


class Record(NamedTuple):
    """What a terminal sent, and the first answer it was given; refused ones too."""

    terminal_id: int
    terminal_seq: int
    phase: int
    op: int
    code: int
    state: int
    card_no: int | None
    amount_fen: int | None
    balance_after: int | None
    occurred_at: datetime | None
    posted_on: Any
    lane: int
    transfer_id: int | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins: rows older than this one."""

    id: int = _MAX_ID - 1
    lane: int = 0

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """A cursor from a page's address; anything else is the beginning."""
        row, _, lane = text.partition(".")
        if row.isdecimal() and lane.isdecimal() and int(row) < _MAX_ID and int(lane) <= LAST_LANE:
            return cls(int(row), int(lane))
        return cls()

    def __str__(self) -> str:
        return f"{self.id}.{self.lane}"


@dataclass(frozen=True, slots=True)
class Span:
    """Between two moments of posting, the first included; open where None."""

    since: datetime | None = None
    until: datetime | None = None

    @property
    def first(self) -> int:
        return 0 if self.since is None else ids.id_at(self.since)

    def clip(self, cursor: Cursor) -> Cursor:
        """The cursor, not later than the end of the span."""
        if self.until is None:
            return cursor
        return min(cursor, Cursor(ids.id_at(self.until)), key=lambda c: (c.id, c.lane))


def newest(span: Span, cursor: Cursor, *, limit: int = PAGE) -> list[Transfer]:
    """The newest transfers of all lanes."""
    start = span.clip(cursor)
    return _transfers(_NEWEST, {"first": span.first, "before": start.id, "before_lane": start.lane, "limit": limit})


def of_merchant(merchant_id: int, span: Span, cursor: Cursor, *, limit: int = PAGE) -> list[Transfer]:
    """What a merchant took and gave back."""
    start = span.clip(cursor)
    return _transfers(
        _OF_MERCHANT,
        {
            "book": book_id(BookKind.MERCHANT, merchant_id),
            "first": span.first,
            "before": start.id,
            "before_lane": start.lane,
            "limit": limit,
        },
    )


def of_account(account_no: int, span: Span, cursor: Cursor, *, limit: int = PAGE) -> list[Transfer]:
    """The transfers of an account's purses: the ledger's own statement, which follows each purse's chain."""
    lines = purses.statement(account_no, before_id=span.clip(cursor).id, limit=limit)
    return [_of_statement(account_no, line) for line in lines if line.transfer_id >= span.first]


def _of_statement(account_no: int, line: StatementLine) -> Transfer:
    purse = purse_id(account_no, line.unit_id)
    out = line.amount_fen < 0
    return Transfer(
        lane=account_lane(account_no),
        id=line.transfer_id,
        kind=line.kind,
        debit=purse if out else line.counterpart,
        credit=line.counterpart if out else purse,
        amount_fen=abs(line.amount_fen),
        balance_after=line.balance_fen,
        terminal_id=line.terminal_id,
        terminal_seq=line.terminal_seq,
        card_no=line.card_no,
        account_no=account_no,
        business_date=line.business_date,
        occurred_at=line.occurred_at,
    )


def by_id(transfer_id: int, lane: int | None = None) -> list[Transfer]:
    """A transfer and the legs linked to it; ids of different lanes may coincide, so without a lane there can be several."""
    return _transfers(_BY_ID, {"id": transfer_id, "lane": lane})


def account_of_card(card_no: int) -> int | None:
    """The account a card points to."""
    rows = _rows("SELECT account_no FROM ledger.card WHERE card_no = %(card)s", {"card": card_no})
    return rows[0][0] if rows else None


def records(terminal_id: int, *, seq: int | None = None, before: int | None = None, limit: int = PAGE) -> list[Record]:
    """The records of a terminal, newest sequence first; with `seq` that one alone."""
    if seq is not None:
        found = _rows(_RECORDS, {"terminal": terminal_id, "seq": seq, "limit": 2})
        return [record for record in map(Record._make, found) if record.terminal_seq == seq]
    top = _MAX_ID if before is None else before - 1
    return [Record._make(row) for row in _rows(_RECORDS, {"terminal": terminal_id, "seq": top, "limit": limit})]


def _transfers(sql: str, values: dict[str, Any]) -> list[Transfer]:
    return [Transfer._make(row) for row in _rows(sql, values)]


def _rows(sql: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
