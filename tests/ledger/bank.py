"""A bank for the ledger's tests: operators, accounts and records of one test's own, posted by the ledger itself and read back."""

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Any

import psycopg

from onecard.kernel.codes import ConflictField, Operation, Result
from onecard.kernel.numbers import build_account_no, build_card_no, purse_id
from onecard.ledger.accounts import BookKind, book_id
from onecard.ledger.balances import book_balance
from onecard.ledger.codes import PurseOrder
from onecard.ledger.posting import PostingColumns, post_sync
from tests.support.postgres import TestDatabase

DAY = date(2026, 3, 2)
EPOCH = date(2000, 1, 1)


@dataclass(frozen=True)
class Account:
    account_no: int
    card_no: int
    lane: int
    operator_id: int
    unit_id: int

    def purse(self, unit: int = 0) -> int:
        """The ledger id of a purse of this account."""
        return purse_id(self.account_no, unit)


@dataclass(frozen=True)
class Record:
    op: int
    terminal: int
    seq: int
    card_no: int
    merchant: int
    unit: int
    order: int
    amount: int
    occurred: datetime
    day: date
    meal: int = 0
    orig_terminal: int = 0
    orig_seq: int = 0
    precheck: int = 0

    def but(self, **changes: Any) -> "Record":
        """The same record with something else in it."""
        return replace(self, **changes)

    @property
    def lane(self) -> int:
        return self.card_no // 10**10 % 100


@dataclass(frozen=True)
class Answer:
    code: Result
    balance: int
    transfer: int
    field: ConflictField = ConflictField.NONE


def columns(records: Iterable[Record]) -> PostingColumns:
    """Records as the posting function takes them."""
    made = PostingColumns()
    for r in records:
        values = (
            r.op, r.terminal, r.seq, r.card_no, r.merchant, r.unit, r.order, r.amount, int(r.occurred.timestamp()) * 1_000_000,
            (r.day - EPOCH).days, r.meal, r.orig_terminal, r.orig_seq, r.precheck,
        )  # fmt: skip
        for column, value in zip(made.columns(), values, strict=True):
            column.append(value)
    return made


def post_on(connection: psycopg.Connection[Any], *records: Record) -> list[Answer]:
    """Posts records of one lane as one batch on a given connection."""
    (lane,) = {record.lane for record in records}
    answers = post_sync(connection, lane, columns(records))
    rows = zip(answers.code, answers.balance, answers.transfer, answers.field, strict=True)
    return [Answer(Result(code), balance, transfer, ConflictField(conflict)) for code, balance, transfer, conflict in rows]


class Numbers:
    """Numbers that no other test of this database has: accounts, terminals, operators, units."""

    def __init__(self) -> None:
        self.serial, self.terminal, self.reference = itertools.count(1), itertools.count(1), itertools.count(1)


@dataclass
class Bank:
    """A test's own operators (one of each settlement mode), unit, merchants and terminal in a database that tests share."""

    database: TestDatabase
    app: psycopg.Connection[Any]
    owner: psycopg.Connection[Any]
    numbers: Numbers
    accounts: list[Account] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.unified, self.independent = self.operator(unified=True), self.operator(unified=False)
        self.plain = self.card_type()
        self.unit, self.shop, self.other_shop = (next(self.numbers.reference) for _ in range(3))
        self.terminal = next(self.numbers.terminal)
        self.seq = itertools.count(1)

    def operator(self, *, unified: bool) -> int:
        made = next(self.numbers.reference)
        self.owner.execute("INSERT INTO ledger.issuer VALUES (%s, %s)", (made, unified))
        return made

    def card_type(self, *, transaction: int = 0, meal: int = 0, day: int = 0, balance: int = 0) -> int:
        made = next(self.numbers.reference)
        self.owner.execute("INSERT INTO ledger.card_type VALUES (%s, %s, %s, %s, %s)", (made, transaction, meal, day, balance))
        return made

    def account(
        self, public: int | None = 10_000, private: int | None = None, *, operator: int = 0, card_type: int = 0, lane: int = 1,
        valid_until: date | None = None, card_status: int = 1,
    ) -> Account:  # fmt: skip
        """An account with a public purse and, where `private` is given, a private one of the test's unit."""
        serial = next(self.numbers.serial)
        made = Account(
            build_account_no(lane=lane, serial=serial),
            build_card_no(issuer=1001, lane=lane, serial=serial),
            lane,
            operator or self.unified,
            self.unit,
        )
        self.app.execute(
            "SELECT ledger.open_account(p_account => %s, p_card => %s, p_operator => %s, p_card_type => %s, p_public_fen => %s,"
            " p_private_unit => %s, p_private_fen => %s, p_card_status => %s, p_valid_until => %s)",
            (
                made.account_no, made.card_no, made.operator_id, card_type or self.plain, public,
                None if private is None else self.unit, private, card_status, valid_until,
            ),
        )  # fmt: skip
        self.accounts.append(made)
        return made

    # Records

    def record(
        self, op: int, account: Account, amount: int, *, shop: int = 0, order: int = PurseOrder.PUBLIC, **other: Any
    ) -> Record:
        """A new record of the test's terminal with the next sequence number."""
        day = other.pop("day", DAY)
        values: dict[str, Any] = {
            "op": op, "terminal": self.terminal, "seq": next(self.seq), "card_no": account.card_no, "unit": self.unit,
            "order": int(order), "merchant": book_id(BookKind.MERCHANT, shop or self.shop), "amount": amount, "day": day,
            "occurred": datetime.combine(day, time(12), tzinfo=UTC),
        }  # fmt: skip
        return Record(**(values | other))

    def purchase(self, account: Account, amount: int, **other: Any) -> Record:
        return self.record(Operation.PURCHASE, account, amount, **other)

    def advice(self, account: Account, amount: int, **other: Any) -> Record:
        return self.record(Operation.ADVICE, account, amount, **other)

    def top_up(self, account: Account, amount: int, **other: Any) -> Record:
        private = other.get("order", 1) == PurseOrder.PRIVATE
        funding = book_id(BookKind.UNIT_FUNDING, self.unit) if private else book_id(BookKind.FUNDING, account.operator_id)
        return self.record(Operation.TOPUP, account, amount, **({"merchant": funding} | other))

    def hold(self, account: Account, amount: int, **other: Any) -> Record:
        return self.record(Operation.HOLD, account, amount, **other)

    def follow(self, op: int, original: Record, amount: int = 0, **other: Any) -> Record:
        """A commit, release, void or refund of a record, by the same terminal."""
        values = {"orig_seq": original.seq, "amount": amount, "op": op, "seq": next(self.seq), "meal": 0}
        return original.but(**(values | other))

    def commit(self, original: Record, amount: int, **other: Any) -> Record:
        return self.follow(Operation.COMMIT, original, amount, **other)

    def release(self, original: Record, **other: Any) -> Record:
        return self.follow(Operation.RELEASE, original, 0, **other)

    def void(self, original: Record, **other: Any) -> Record:
        return self.follow(Operation.VOID, original, **({"amount": original.amount} | other))

    def refund(self, original: Record, amount: int, **other: Any) -> Record:
        return self.follow(Operation.REFUND, original, amount, **other)

    def reversal(self, original: Record, **other: Any) -> Record:
        """Bears the sequence number of the record that it undoes."""
        return original.but(**({"op": Operation.REVERSAL, "orig_seq": 0, "orig_terminal": 0} | other))

    # Posting

    def post(self, record: Record) -> Answer:
        return self.post_all(record)[0]

    def post_all(self, *records: Record) -> list[Answer]:
        """Posts records of one lane as one batch."""
        return post_on(self.app, *records)

    def posted(self, record: Record) -> Record:
        """Posts a record that has to be approved, and gives it back."""
        answer = self.post(record)
        assert answer.code == Result.APPROVED, answer
        return record

    def expire(self, hold: Record, ends: datetime, *, swept: bool) -> None:
        """Lets a hold run out at `ends`, which has passed; `swept`: and takes its money back to the purse, as the worker does."""
        self.owner.execute(
            "UPDATE ledger.hold SET expires_at = CASE WHEN %s THEN '-infinity'::timestamptz ELSE %s END"
            " WHERE (terminal_id, terminal_seq) = (%s, %s)",
            (swept, ends, hold.terminal, hold.seq),
        )
        if swept:
            assert self.value("SELECT ledger.expire_holds(%s::smallint, 1)", hold.lane) == 1, "the oldest, which is this one"
            self.owner.execute(
                "UPDATE ledger.hold SET expires_at = %s WHERE (terminal_id, terminal_seq) = (%s, %s)",
                (ends, hold.terminal, hold.seq),
            )

    def refused(self, record: Record) -> Result:
        """Posts a record that has to be refused, asserts that nothing moved, and says why it was."""
        with self.nothing_moves():
            answer = self.post(record)
        assert answer.code != Result.APPROVED
        assert answer.transfer == 0
        return answer.code

    @contextmanager
    def nothing_moves(self) -> Iterator[None]:
        """Asserts that no journal, purse, debt, hold or deny list changes."""
        before = self.standing()
        yield
        assert self.standing() == before

    def standing(self) -> tuple[Any, ...]:
        numbers = ([account.account_no for account in self.accounts],)
        return (
            self.rows("SELECT lane, last_id, last_batch, last_hash FROM ledger.lane ORDER BY lane"),
            self.rows("SELECT p.* FROM ledger.purse p WHERE account_no = ANY (%s) ORDER BY account_no, unit_id", *numbers),
            self.rows("SELECT a.* FROM ledger.account a WHERE account_no = ANY (%s) ORDER BY account_no", *numbers),
            self.rows("SELECT h.* FROM ledger.hold h WHERE account_no = ANY (%s) ORDER BY transfer_id", *numbers),
            self.rows("SELECT c.* FROM ledger.card c WHERE account_no = ANY (%s) ORDER BY card_no", *numbers),
            self.rows("SELECT d.* FROM ledger.deny_list d ORDER BY card_no, reason"),
        )

    # Reading back

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.app.execute(query, parameters or None).fetchall()

    def value(self, query: str, *parameters: Any) -> Any:
        (row,) = self.rows(query, *parameters)
        return row[0]

    def public(self, account: Account) -> int:
        return int(self.value("SELECT balance_fen FROM ledger.purse WHERE account_no = %s AND unit_id = 0", account.account_no))

    def private(self, account: Account) -> int:
        return int(
            self.value(
                "SELECT balance_fen FROM ledger.purse WHERE (account_no, unit_id) = (%s, %s)", account.account_no, self.unit
            )
        )

    def debt(self, account: Account) -> int:
        return int(self.value("SELECT debt_fen FROM ledger.account WHERE account_no = %s", account.account_no))

    def denied(self, account: Account) -> bool:
        """Whether the account's card is on the deny list for a debt; the card's own mark has to agree."""
        listed = self.rows("SELECT FROM ledger.deny_list WHERE card_no = %s AND reason = 1", account.card_no)
        assert bool(listed) == self.value("SELECT denied FROM ledger.card WHERE card_no = %s", account.card_no)
        return bool(listed)

    def book(self, kind: BookKind, ref: int) -> int:
        return book_balance(self.app, book_id(kind, ref))

    def takings(self) -> int:
        """What the test's merchant holds."""
        return self.book(BookKind.MERCHANT, self.shop)

    def legs(self, record: Record) -> list[tuple[int, int, int, int]]:
        """The transfers of a record: kind, debit, credit, amount."""
        return self.rows(
            "SELECT kind, debit, credit, amount_fen FROM ledger.transfer WHERE (terminal_id, terminal_seq) = (%s, %s)"
            " AND (kind = 9 OR kind = 10 AND orig_id IS NOT NULL) = %s ORDER BY id",
            record.terminal, record.seq, record.op == Operation.REVERSAL,
        )  # fmt: skip

    def count(self, record: Record) -> int:
        """How many transfers there are of a key, its reversal's included."""
        query = "SELECT count(*) FROM ledger.transfer WHERE (terminal_id, terminal_seq) = (%s, %s)"
        return int(self.value(query, record.terminal, record.seq))

    def hold_state(self, record: Record) -> tuple[int, int, int]:
        """State, what stands on it, what was committed."""
        query = "SELECT state, amount_fen, committed_fen FROM ledger.hold WHERE (terminal_id, terminal_seq) = (%s, %s)"
        ((state, amount, committed),) = self.rows(query, record.terminal, record.seq)
        return state, amount, committed
