"""Reading accounts, purses and cards for pages, by key and a page at a time, and freezing them.

Money is read as the ledger keeps it, never summed here.
"""

from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import connection

from onecard.ledger.codes import AccountStatus, CardStatus

PAGE = 50


class Account(NamedTuple):
    """An account with the sum of what its purses hold."""

    account_no: int
    holder_id: int | None
    operator_id: int
    unit_id: int
    card_type_id: int
    status: int
    debt_fen: int
    opened_at: datetime


class Purse(NamedTuple):
    """A purse of an account; unit 0 is the public one."""

    unit_id: int
    balance_fen: int
    floor_fen: int
    day: date | None
    day_spent_fen: int


class Card(NamedTuple):
    """A card, whatever its medium."""

    card_no: int
    account_no: int
    status: int
    medium: int
    denied: bool
    valid_until: date | None


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


_ACCOUNT = "account_no, holder_id, operator_id, unit_id, card_type_id, status, debt_fen, opened_at"
_CARD = "card_no, account_no, status, medium, denied, valid_until"


def accounts(*, after: int = 0, operator_id: int | None = None, unit_id: int | None = None, limit: int = PAGE) -> list[Account]:
    """Accounts in the order of their numbers, of an operator and one of its units where given."""
    where, values = ["account_no > %s"], [after]
    if operator_id is not None:
        where.append("operator_id = %s")
        values.append(operator_id)
        if unit_id is not None:
            where.append("unit_id = %s")
            values.append(unit_id)
    sql = f"SELECT {_ACCOUNT} FROM ledger.account WHERE {' AND '.join(where)} ORDER BY account_no LIMIT %s"  # noqa: S608 # constants
    return [Account._make(row) for row in _rows(sql, [*values, limit])]


def account(account_no: int) -> Account | None:
    """One account."""
    rows = _rows(f"SELECT {_ACCOUNT} FROM ledger.account WHERE account_no = %s", [account_no])  # noqa: S608
    return Account._make(rows[0]) if rows else None


def of_holders(holder_ids: list[int]) -> list[Account]:
    """The accounts of some cardholders."""
    sql = f"SELECT {_ACCOUNT} FROM ledger.account WHERE holder_id = ANY(%s) ORDER BY account_no LIMIT %s"  # noqa: S608
    return [Account._make(row) for row in _rows(sql, [holder_ids, PAGE])]


def purses(account_no: int) -> list[Purse]:
    """The purses of an account, the public one first."""
    sql = "SELECT unit_id, balance_fen, floor_fen, day, day_spent_fen FROM ledger.purse WHERE account_no = %s ORDER BY unit_id"
    return [Purse._make(row) for row in _rows(sql, [account_no])]


def cards(account_no: int) -> list[Card]:
    """The cards of an account."""
    sql = f"SELECT {_CARD} FROM ledger.card WHERE account_no = %s ORDER BY card_no"  # noqa: S608
    return [Card._make(row) for row in _rows(sql, [account_no])]


def freeze_account(account_no: int, *, frozen: bool) -> None:
    """Freeze an account or release it: through the ledger, which locks its lane."""
    _call("SELECT ledger.set_account_status(%s, %s)", [account_no, AccountStatus.FROZEN if frozen else AccountStatus.ACTIVE])


def freeze_card(card_no: int, *, frozen: bool) -> None:
    """Freeze a card (it stands on the deny list then) or release it."""
    _call("SELECT ledger.set_card_status(%s, %s)", [card_no, CardStatus.FROZEN if frozen else CardStatus.ACTIVE])


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


def _call(sql: str, values: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
