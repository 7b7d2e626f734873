"""The calls into the ledger that a card's life makes. They take the account's lane lock, so they come last in a transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection

from onecard.kernel.business_day import business_date
from onecard.kernel.numbers import account_lane
from onecard.ledger.codes import AccountStatus, CardStatus, Medium, SystemTerminal
from onecard.services.cards.errors import rule_refusal


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg of a desk's record; `orig` is the transfer that it undoes."""

    kind: int
    debit: int
    credit: int
    amount_fen: int
    orig: int | None = None


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """An account as it stands; a plain read, under the lane's lock where the caller holds it."""

    account_no: int
    operator_id: int
    unit_id: int
    card_type_id: int
    holder_id: int | None
    status: AccountStatus
    debt_fen: int


def open_account(
    account_no: int,
    card_no: int,
    *,
    operator_id: int,
    card_type_id: int,
    holder_id: int | None,
    unit_id: int | None,
    public: bool,
    private_unit: int | None,
    medium: Medium,
    status: CardStatus,
    valid_until: date | None,
) -> None:
    """An account with its first card and empty purses."""
    _row(
        "SELECT ledger.open_account(%s, %s, %s, %s, %s, %s, %s, %s, 0, %s, %s, %s)",
        account_no, card_no, operator_id, card_type_id, holder_id, unit_id or 0, 0 if public else None, private_unit,
        medium.value, status.value, valid_until,
    )  # fmt: skip


def add_card(card_no: int, account_no: int, *, medium: Medium, status: CardStatus, valid_until: date | None) -> None:
    """A further card of an account."""
    _row("SELECT ledger.add_card(%s, %s, %s, %s, %s)", card_no, account_no, medium.value, status.value, valid_until)


def set_card_status(card_no: int, status: CardStatus, valid_until: date | None = None) -> None:
    """When the transaction commits no later posting uses what was before; lost and frozen cards stand on the deny list."""
    _row("SELECT ledger.set_card_status(%s, %s, %s)", card_no, status.value, valid_until)


def set_account_status(account_no: int, status: AccountStatus) -> None:
    """Closing is refused where money, a debt or a hold is left."""
    _row("SELECT ledger.set_account_status(%s, %s)", account_no, status.value)


def set_account_terms(account_no: int, *, holder_id: int | None, card_type_id: int, unit_id: int) -> None:
    """Holder, card type and unit of an account and its cards."""
    _row("SELECT ledger.set_account_terms(%s, %s, %s, %s)", account_no, holder_id, card_type_id, unit_id)


def move_deposit(from_card: int, to_card: int) -> int:
    """The deposit stands for another card of the account from now on; how much it is."""
    return int(_row("SELECT ledger.move_deposit(%s, %s)", from_card, to_card)[0])


def account(account_no: int) -> AccountFacts | None:
    """The account, or None."""
    row = _row(
        "SELECT account_no, operator_id, unit_id, card_type_id, holder_id, status, debt_fen"
        " FROM ledger.account WHERE account_no = %s",
        account_no,
    )
    if not row:
        return None
    number, operator_id, unit_id, card_type_id, holder_id, status, debt = row
    return AccountFacts(number, operator_id, unit_id, card_type_id, holder_id, AccountStatus(status), debt)


def lock_lane(account_no: int) -> None:
    """Whoever posts to the account waits until the transaction ends: what is read from here on stands. Changes nothing."""
    _row("SELECT ledger.lock_account_lane(%s)", account_no)


def card_status(card_no: int) -> CardStatus:
    """The ledger's status of a card that is there."""
    return CardStatus(_row("SELECT status FROM ledger.card WHERE card_no = %s", card_no)[0])


def deposit_fen(card_no: int) -> int:
    """The deposit held for a card."""
    row = _row("SELECT deposit_fen FROM ledger.card_deposit WHERE card_no = %s", card_no)
    return int(row[0]) if row else 0


def purse_balances(account_no: int) -> list[tuple[int, int]]:
    """Unit (0: the public purse) and balance of every purse of an account."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT unit_id, balance_fen FROM ledger.purse WHERE account_no = %s ORDER BY unit_id", [account_no])
        return [(int(unit), int(fen)) for unit, fen in cursor.fetchall()]


def chip_balance(card_no: int) -> int | None:
    """What the chip's shadow account holds; None where the card has none."""
    row = _row("SELECT balance_fen FROM ledger.chip_purse WHERE card_no = %s", card_no)
    return int(row[0]) if row else None


def open_chip_purse(card_no: int) -> None:
    """The shadow account of a card with a chip purse."""
    _row("SELECT ledger.open_chip_purse(%s)", card_no)


def lane_position(account_no: int) -> int:
    """The last transfer of the account's lane: what comes after is later than this moment."""
    return int(_row("SELECT last_id FROM ledger.lane WHERE lane = %s", account_lane(account_no))[0])


def next_seq() -> int:
    """The number of the desk's next record."""
    return int(_row("SELECT ledger.next_desk_seq()")[0])


def post(card_no: int, legs: Sequence[Leg], *, at: datetime, seq: int | None = None) -> tuple[int, int]:
    """Posts the legs as one record of the desk; its number and first transfer. Raises RuleViolated for a number used before."""
    seq = next_seq() if seq is None else seq
    columns: list[Any] = [
        list(column) for column in zip(*((x.kind, x.debit, x.credit, x.amount_fen, x.orig) for x in legs), strict=True)
    ]
    code, transfer = _row(
        "SELECT o_code, o_transfer FROM ledger.post_desk(%s, %s, %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],"
        " %s::bigint[], %s, %s)",
        seq, card_no, *columns, business_date(at), at,
    )  # fmt: skip
    if code:
        raise rule_refusal("C3", f"柜台流水号已用：{seq}", f"the desk's record number is used: {seq}")
    return seq, int(transfer)


def unload_chip(card_no: int, *, at: datetime) -> int:
    """All that the chip's shadow account holds goes to the public purse; how much it was."""
    code, amount = _row(
        "SELECT o_code, o_amount FROM ledger.unload_chip(%s, %s, %s, NULL, %s, %s)",
        SystemTerminal.DESK, next_seq(), card_no, at, business_date(at),
    )  # fmt: skip
    if code:
        raise rule_refusal("C3", f"芯片余额不能转出（{code}）", f"the chip's balance cannot be carried over ({code})")
    return int(amount)


def _row(statement: str, *arguments: Any) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        return tuple(cursor.fetchone() or ())
