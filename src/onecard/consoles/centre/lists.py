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


def denied(*, after: tuple[int, int] = (0, 0), limit: int = PAGE, operators: frozenset[int] | None = None) -> list[Denied]:
    """The deny list in the order of card numbers; of the cards of some operators where given."""
    sql = """SELECT d.card_no, d.reason, d.since FROM ledger.deny_list AS d
        WHERE (d.card_no, d.reason) > (%s, %s) AND (%s::int[] IS NULL OR EXISTS (
            SELECT FROM ledger.card AS c JOIN ledger.account AS a USING (account_no)
            WHERE c.card_no = d.card_no AND a.operator_id = ANY(%s::int[])))
        ORDER BY d.card_no, d.reason LIMIT %s"""
    return [Denied._make(row) for row in _rows(sql, [*after, *_bound(operators), limit])]


def quarantined(
    *, after: tuple[int, int] = (-(2**62), 0), limit: int = PAGE, operators: frozenset[int] | None = None
) -> list[Quarantined]:
    """What is in quarantine, in the order of terminals and their sequences; at the merchants of some operators where given."""
    sql = f"""SELECT {", ".join(Quarantined._fields)} FROM ledger.quarantine AS q
        WHERE (terminal_id, terminal_seq) > (%s, %s) AND (%s::int[] IS NULL OR EXISTS (
            SELECT FROM operators_merchant AS m WHERE m.id = q.merchant %% 100000000 AND m.operator_id = ANY(%s::int[])))
        ORDER BY terminal_id, terminal_seq LIMIT %s"""  # noqa: S608
    return [Quarantined._make(row) for row in _rows(sql, [*after, *_bound(operators), limit])]


def _bound(operators: frozenset[int] | None) -> tuple[list[int] | None, list[int] | None]:
    ids = None if operators is None else sorted(operators)
    return ids, ids


def _rows(sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
