"""Numbers of the ledger's accounts: book accounts (kind and reference) and purses, told apart by their size."""

from enum import IntEnum, unique
from typing import Any

import psycopg

FIRST_PURSE = 10**12
"""Every book account's number is below this, every purse's above."""
_FIRST_ACCOUNT_PURSE = 10**17
"""Between the two stand the purses inside chips: their number is the card's."""
_REFERENCES = 100_000_000


@unique
class BookKind(IntEnum):
    """What a book account is for; its reference is the id of the merchant, unit or operator."""

    MERCHANT = 1
    UNIT = 2
    OPERATOR = 3
    FEE_INCOME = 4
    FUNDING = 5
    DEBT = 6
    HOLD = 7
    SETTLEMENT_PAYABLE = 8
    UNIT_FUNDING = 9
    BANK = 10
    NETTING = 11
    DEPOSIT = 12
    CHIP_TRANSIT = 13
    CHIP_LOSS = 14


def book_id(kind: int, ref: int) -> int:
    """The ledger account of a merchant, unit or operator for one use."""
    assert 1 <= kind <= 99
    assert 0 <= ref < _REFERENCES
    return kind * _REFERENCES + ref


def split_book_id(account: int) -> tuple[int, int]:
    """Kind and reference of a book account."""
    assert is_book(account)
    return divmod(account, _REFERENCES)


def is_book(account: int) -> bool:
    """Whether a side of a transfer is a book account; otherwise it is a purse."""
    return account < FIRST_PURSE


def is_chip(account: int) -> bool:
    """Whether a side of a transfer is the purse inside a chip; its number is the card's."""
    return FIRST_PURSE <= account < _FIRST_ACCOUNT_PURSE


def name_book_account(connection: psycopg.Connection[Any], account: int, *, name: str) -> None:
    """Registers a book account or renames it, as the owner. Posting asks for no name: an account may go without one."""
    kind, ref = split_book_id(account)
    connection.execute(
        "INSERT INTO ledger.book_account (id, kind, ref_id, name) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        (account, kind, ref, name),
    )
