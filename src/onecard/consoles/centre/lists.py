"""The deny list and the quarantine as pages show them: by key, a page at a time."""

from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import connection

PAGE = 50


class Denied(NamedTuple):
    """A card on the deny list."""

    card_no: int
    reason: int
    since: datetime


class Quarantined(NamedTuple):
    """An offline record that could not be posted."""

    terminal_id: int
    terminal_seq: int
    card_no: int | None
    merchant: int | None
    amount_fen: int | None
    occurred_at: datetime
    recorded_at: datetime
    resolved_at: datetime | None
    business_date: date
    code: int
    reason: str


def denied(*, after: tuple[int, int] = (0, 0), limit: int = PAGE) -> list[Denied]:
    """The deny list in the order of card numbers."""
    sql = (
        "SELECT card_no, reason, since FROM ledger.deny_list WHERE (card_no, reason) > (%s, %s) ORDER BY card_no, reason LIMIT %s"
    )
    return [Denied._make(row) for row in _rows(sql, [*after, limit])]


def quarantined(*, after: tuple[int, int] = (-(2**62), 0), limit: int = PAGE) -> list[Quarantined]:
    """What is in quarantine, in the order of terminals and their sequences."""
    sql = f"""SELECT {", ".join(Quarantined._fields)} FROM ledger.quarantine
        WHERE (terminal_id, terminal_seq) > (%s, %s) ORDER BY terminal_id, terminal_seq LIMIT %s"""  # noqa: S608
    return [Quarantined._make(row) for row in _rows(sql, [*after, limit])]


def _rows(sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
