"""Opening accounts in bulk: rows copied into the opening table, then opened lane by lane in chunks, each a transaction."""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from operator import attrgetter
from typing import Any

import psycopg

from onecard.kernel.numbers import account_lane

CHUNK = 10_000
_FIELDS = (
    "account_no", "card_no", "holder_id", "public_fen", "private_fen", "private_unit", "operator_id", "unit_id", "card_type_id",
    "valid_until", "medium", "card_status",
)  # fmt: skip
_COPY = f"COPY ledger.opening_row (job, {', '.join(_FIELDS)}) FROM STDIN"
# Cast, because a connection of Django's sends every number as an integer.
_OPEN = "SELECT o_opened, o_skipped, o_more FROM ledger.open_accounts(%s::bigint, %s::smallint, %s)"


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One account to open, with its first card; `public_fen` None: no public purse, `private_unit` None: no private purse."""

    account_no: int
    card_no: int
    operator_id: int
    card_type_id: int
    holder_id: int | None = None
    unit_id: int = 0
    public_fen: int | None = 0
    private_unit: int | None = None
    private_fen: int = 0
    valid_until: date | None = None
    medium: int = 1
    card_status: int = 1


@dataclass(frozen=True, slots=True)
class Opened:
    """How many accounts were opened, and how many had been there already and were left as they were."""

    opened: int
    skipped: int


def open_accounts(
    connection: psycopg.Connection[Any], rows: Iterable[AccountRow], progress: Callable[[int], None] = lambda count: None
) -> Opened:
    """Opens accounts with their cards, purses and opening balances; `progress` gets the count done so far.

    Streams its rows. In a connection without autocommit everything is one transaction of the caller's; with autocommit each
    chunk is one, and a load that was cut off is simply repeated.
    """
    fields = attrgetter(*_FIELDS)
    job = secrets.randbits(62)
    lanes: set[int] = set()
    with connection.transaction(), connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for row in rows:
            lanes.add(account_lane(row.account_no))
            copy.write_row((job, *fields(row)))
    opened = skipped = 0
    for lane in sorted(lanes):
        more = True
        while more:
            result = connection.execute(_OPEN, (job, lane, CHUNK))
            row_of = result.fetchone()
            assert row_of is not None
            opened, skipped, more = opened + row_of[0], skipped + row_of[1], row_of[2]
            progress(opened + skipped)
    return Opened(opened, skipped)
