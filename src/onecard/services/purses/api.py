"""What neighbours and pages may do with accounts, cards and purses. What posting reads is changed through the ledger."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

import django.db.utils
import psycopg
from django.db import connection

from onecard.kernel.errors import NotFound, RuleViolated
from onecard.ledger import balances
from onecard.ledger.balances import PurseBalance, StatementLine
from onecard.ledger.codes import AccountStatus, CardStatus, Medium
from onecard.ledger.opening import AccountRow, Opened
from onecard.ledger.opening import open_accounts as _open_accounts

__all__ = ["AccountRow", "Opened", "PurseBalance", "StatementLine"]


def open_accounts(rows: Iterable[AccountRow], progress: Callable[[int], None] = lambda count: None) -> Opened:
    """Open accounts in bulk; those that exist already are left as they are."""
    return _open_accounts(_raw(), rows, progress)


def add_card(
    card_no: int,
    account_no: int,
    *,
    medium: Medium = Medium.CPU,
    status: CardStatus = CardStatus.ACTIVE,
    valid_until: date | None = None,
) -> None:
    """Let a further card point to an account (C4). Raises NotFound."""
    _call("add_card", card_no, account_no, medium.value, status.value, valid_until)


def add_purse(account_no: int, unit_id: int) -> None:
    """Give an account the private purse of a unit, at zero; one that is there stays as it is. Raises NotFound."""
    _call("add_purse", account_no, unit_id)


def set_card_status(card_no: int, status: CardStatus) -> None:
    """Report lost, freeze, lift …: when this returns, no later posting has used the old status (C3). Raises NotFound."""
    _call("set_card_status", card_no, status.value)


def extend_card(card_no: int, valid_until: date) -> None:
    """Make a card active until a date (延期). Raises NotFound."""
    _call("set_card_status", card_no, CardStatus.ACTIVE.value, valid_until)


def set_account_status(account_no: int, status: AccountStatus) -> None:
    """Freeze, release or close an account. Raises NotFound, and RuleViolated (C3) where money, a debt or a hold is left."""
    _call("set_account_status", account_no, status.value)


def purses(account_no: int) -> list[PurseBalance]:
    """The purses of an account, the public one first."""
    return balances.purses(_raw(), account_no)


def statement(
    account_no: int, *, as_of: datetime | None = None, unit_id: int | None = None, limit: int = 50, before_id: int | None = None
) -> list[StatementLine]:
    """The newest transfers of an account's purses as they stood at a moment, newest first."""
    return balances.statement(_raw(), account_no, as_of=as_of, unit_id=unit_id, limit=limit, before_id=before_id)


def book_balances(accounts: list[int]) -> dict[int, int]:
    """Credits less debits of book accounts."""
    return balances.book_balances(_raw(), accounts)


def _raw() -> psycopg.Connection[Any]:
    connection.ensure_connection()
    raw = connection.connection
    assert isinstance(raw, psycopg.Connection)
    return raw


def _call(function: str, *arguments: int | date | None) -> None:
    marks = ", ".join(["%s"] * len(arguments))
    with _errors(), connection.cursor() as cursor:
        cursor.execute(f"SELECT ledger.{function}({marks})", arguments)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except django.db.utils.Error as error:
        cause = error.__cause__
        if not isinstance(cause, psycopg.Error) or cause.diag.message_primary is None:
            raise
        zh, _, en = cause.diag.message_primary.partition(" / ")
        if cause.sqlstate == "P0002":
            raise NotFound(zh, en) from None
        if cause.diag.constraint_name == "card_qr_prefix":
            raise RuleViolated(
                "二维码卡的卡号须以 8860 开头，其他介质不得使用", "8860 is the prefix of QR cards alone", rule="C4"
            ) from None
        if cause.sqlstate == "23514":
            raise RuleViolated(zh, en, rule="C3") from None
        raise
