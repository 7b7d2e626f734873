"""Posting from Python: a batch of records as columns, one call of ledger.post_batch, the answers as columns in the same order."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.adapt import Dumper
from psycopg.pq import Format

from onecard.ledger import int8array

_CALL = "SELECT o_code, o_balance, o_transfer, o_field FROM ledger.post_batch(%b::smallint" + ", %b" * 14 + ")"
_TEXT_CALL = "SELECT o_code, o_balance, o_transfer, o_field FROM ledger.post_batch(%s::smallint" + ", %s::bigint[]" * 14 + ")"
_BOOK_CALL = "SELECT o_code, o_transfer FROM ledger.post_book(%b::bigint, %b, %b, %b, %b, %b, %b::date)"
_ATTEMPTS = 5
_T = TypeVar("_T")
# What another lane's transaction can do to ours: use the same key first, or two keys in the other order. Repeating the call
# is safe, because the keys make it exactly once, and then finds the other's answer.
_REPEATABLE = (errors.UniqueViolation, errors.DeadlockDetected, errors.SerializationFailure)


@dataclass(slots=True)
class PostingColumns:
    """A batch of records of one lane, a list per field, all of one length.

    `merchant` is the book account credited (TOPUP: the funding account debited), `unit` the unit whose private purse may be
    used (0: none), `purse_order` one of codes.PurseOrder, `occurred_us` microseconds since 1970 UTC, `business_date` days
    since 2000-01-01, `meal` the meal period (0: none), `orig_terminal` 0 for the same terminal, `precheck` the directory's
    Result (0: allowed).
    """

    op: list[int] = field(default_factory=list)
    terminal: list[int] = field(default_factory=list)
    seq: list[int] = field(default_factory=list)
    card: list[int] = field(default_factory=list)
    merchant: list[int] = field(default_factory=list)
    unit: list[int] = field(default_factory=list)
    purse_order: list[int] = field(default_factory=list)
    amount: list[int] = field(default_factory=list)
    occurred_us: list[int] = field(default_factory=list)
    business_date: list[int] = field(default_factory=list)
    meal: list[int] = field(default_factory=list)
    orig_terminal: list[int] = field(default_factory=list)
    orig_seq: list[int] = field(default_factory=list)
    precheck: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.op)

    def columns(self) -> tuple[list[int], ...]:
        """The lists in the order of the posting function's arguments."""
        return (
            self.op, self.terminal, self.seq, self.card, self.merchant, self.unit, self.purse_order, self.amount,
            self.occurred_us, self.business_date, self.meal, self.orig_terminal, self.orig_seq, self.precheck,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class PostingAnswers:
    """The answers in the order of the records.

    `code` is kernel.codes.Result, `balance` the purse's balance in fen as answered (0 where none is told), `transfer` the id
    of the first leg (0: none), `field` kernel.codes.ConflictField.
    """

    code: list[int]
    balance: list[int]
    transfer: list[int]
    field: list[int]

    def __len__(self) -> int:
        return len(self.code)


class _Int8Array:
    """A column on its way to the server; `_Int8ArrayDumper` writes it."""

    __slots__ = ("values",)

    def __init__(self, values: Sequence[int]) -> None:
        self.values = values


class _Int8ArrayDumper(Dumper):
    format = Format.BINARY
    oid = 1016  # bigint[]

    def dump(self, obj: _Int8Array) -> bytes:
        return int8array.build(obj.values)


psycopg.adapters.register_dumper(_Int8Array, _Int8ArrayDumper)


async def post(connection: psycopg.AsyncConnection[Any], lane: int, columns: PostingColumns) -> PostingAnswers:
    """Posts a batch of one lane in a transaction of its own, durably; returns when it is committed.

    Raises psycopg.OperationalError where the server is gone: then it is not known whether the batch was posted, and repeating
    it is safe. Must not be called within a transaction.
    """
    if not len(columns):
        return PostingAnswers([], [], [], [])
    arguments = _arguments(lane, columns)
    for attempt in range(_ATTEMPTS):
        try:
            # With autocommit the one statement is the transaction, and BEGIN and COMMIT are not two round trips more.
            own = nullcontext() if connection.autocommit else connection.transaction()
            async with own, connection.cursor(binary=True) as cursor:
                await cursor.execute(_CALL, arguments, prepare=True)
                return _answers(cursor.pgresult)
        except _REPEATABLE:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError


def post_sync(connection: psycopg.Connection[Any], lane: int, columns: PostingColumns) -> PostingAnswers:
    """`post` for callers without an event loop."""
    if not len(columns):
        return PostingAnswers([], [], [], [])
    arguments = _arguments(lane, columns)

    def once() -> PostingAnswers:
        with nullcontext() if connection.autocommit else connection.transaction(), connection.cursor(binary=True) as cursor:
            cursor.execute(_CALL, arguments, prepare=True)
            return _answers(cursor.pgresult)

    return _repeated(once)


def post_within(connection: psycopg.Connection[Any], lane: int, columns: PostingColumns) -> PostingAnswers:
    """Posts a few records of one lane within the caller's transaction, on a connection of any kind.

    It is the caller who repeats after a UniqueViolation.
    """
    row = connection.execute(_TEXT_CALL, (lane, *columns.columns())).fetchone()
    assert row is not None
    return PostingAnswers(*row)


def post_book(
    connection: psycopg.Connection[Any],
    key_terminal: int,
    *,
    key_seq: Sequence[int],
    kind: Sequence[int],
    debit: Sequence[int],
    credit: Sequence[int],
    amount: Sequence[int],
    business_date: Any,
) -> tuple[list[int], list[int]]:
    """Posts transfers between book accounts (lane 99), exactly once by key; returns (codes, transfer ids).

    Within a transaction of the caller's it is part of it, and then it is the caller who repeats.
    """
    arguments = (key_terminal, *map(_Int8Array, (key_seq, kind, debit, credit, amount)), business_date)

    def once() -> tuple[list[int], list[int]]:
        with connection.transaction(), connection.cursor(binary=True) as cursor:
            cursor.execute(_BOOK_CALL, arguments)
            codes, transfers = _columns_of(cursor.pgresult)
            return codes, transfers

    return once() if connection.info.transaction_status else _repeated(once)


def _repeated(once: Callable[[], _T]) -> _T:
    for _ in range(_ATTEMPTS - 1):
        try:
            return once()
        except _REPEATABLE:
            continue
    return once()


def _arguments(lane: int, columns: PostingColumns) -> tuple[Any, ...]:
    return (lane, *map(_Int8Array, columns.columns()))


def _columns_of(result: Any) -> list[list[int]]:
    assert result is not None
    return [int8array.parse(result.get_value(0, column)) for column in range(result.nfields)]


def _answers(result: Any) -> PostingAnswers:
    return PostingAnswers(*_columns_of(result))
