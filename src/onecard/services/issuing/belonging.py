"""Whose the recipients of an order are (O2, N3): a card goes to people, accounts and units of the operator that issues it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection

from onecard.kernel.errors import NotFound

_UNIT = "SELECT 1 FROM operators_unit WHERE id = %s AND operator_id = %s"
_HOLDERS = "SELECT id FROM people_holder WHERE id = ANY(%s) AND operator_id = %s"
_ACCOUNTS = "SELECT account_no, holder_id FROM ledger.account WHERE account_no = ANY(%s) AND operator_id = %s"


@dataclass(frozen=True, slots=True)
class Recipient:
    """For whom a card is: an account, or a holder for whom one is opened; with neither, an anonymous card."""

    account_no: int | None = None
    holder_id: int | None = None


def require_unit(unit_id: int | None, operator_id: int) -> None:
    """Raises NotFound for a unit that is not the operator's: another operator's is not for it to see."""
    if unit_id is None:
        return
    with connection.cursor() as cursor:
        cursor.execute(_UNIT, [unit_id, operator_id])
        if cursor.fetchone() is None:
            raise NotFound(f"无此接入单位：{unit_id}", f"no such unit: {unit_id}")


def resolve(recipients: Sequence[Recipient], operator_id: int) -> list[Recipient]:
    """Recipients with the holders of their accounts. Raises NotFound for an account or holder that is not the operator's."""
    accounts = [recipient.account_no for recipient in recipients if recipient.account_no is not None]
    people = [recipient.holder_id for recipient in recipients if recipient.account_no is None and recipient.holder_id is not None]
    with connection.cursor() as cursor:
        cursor.execute(_ACCOUNTS, [accounts, operator_id])
        holders: dict[int, int | None] = dict(cursor.fetchall())
        cursor.execute(_HOLDERS, [people, operator_id])
        known = {int(row[0]) for row in cursor.fetchall()}
    _refuse_missing(accounts, holders, "无此账户", "no such account")
    _refuse_missing(people, known, "无此持卡人", "no such cardholder")
    return [
        recipient if recipient.account_no is None else Recipient(recipient.account_no, holders[recipient.account_no])
        for recipient in recipients
    ]


def _refuse_missing(asked: Iterable[int], found: Iterable[int], zh: str, en: str) -> None:
    for number in set(asked).difference(found):
        raise NotFound(f"{zh}：{number}", f"{en}: {number}")
