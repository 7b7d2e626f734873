"""A small town of accounts on a real database, and short words for posting to it and looking at what moved."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import psycopg

from onecard.kernel.clock import to_epoch_us
from onecard.kernel.codes import ConflictField, Operation, Result
from onecard.kernel.numbers import build_account_no, build_card_no
from onecard.ledger import audit
from onecard.ledger.accounts import BookKind, book_id
from onecard.ledger.codes import CardStatus, PurseOrder, TransferKind
from onecard.ledger.opening import AccountRow, open_accounts
from onecard.ledger.posting import PostingColumns, post_sync
from tests.support.postgres import TestDatabase

UNIFIED, INDEPENDENT = 1, 2
UNIT = 7
SHOP = book_id(BookKind.MERCHANT, 1)
CANTEEN = book_id(BookKind.MERCHANT, 2)
FUNDING = book_id(BookKind.FUNDING, UNIFIED)
DEBT = book_id(BookKind.DEBT, UNIFIED)
HELD = book_id(BookKind.HOLD, UNIFIED)
NO_LIMITS, WITH_LIMITS = 1, 2
LIMIT_TXN, LIMIT_MEAL, LIMIT_DAY, LIMIT_BALANCE = 5_000, 8_000, 10_000, 50_000
TERMINAL = 4711
NOON = datetime(2026, 5, 4, 4, 0, tzinfo=UTC)
MONDAY = date(2026, 5, 4)
_serials = itertools.count(1)
_sequences = itertools.count(1)


class Answer(NamedTuple):
    """What a terminal is told."""

    code: Result
    balance: int
    transfer: int
    field: ConflictField


class Leg(NamedTuple):
    """A transfer, without what differs from run to run."""

    kind: TransferKind
    debit: int
    credit: int
    amount: int
    balance: int | None


@dataclass(slots=True)
class Person:
    """An account with a card, and the ledger ids of its purses."""

    account: int
    card: int

    @property
    def public(self) -> int:
        return self.account * 100_000

    @property
    def private(self) -> int:
        return self.account * 100_000 + UNIT


@dataclass(slots=True)
class Town:
    """The database, a connection as the application, and one as a superuser for what nobody else may do."""

    database: TestDatabase
    app: psycopg.Connection[Any]
    admin: psycopg.Connection[Any]
    lane: int = 0
    last_seq: int = field(default=0)

    def person(
        self,
        public: int | None = 10_000,
        private: int | None = None,
        *,
        operator: int = UNIFIED,
        card_type: int = NO_LIMITS,
        lane: int | None = None,
        valid_until: date | None = None,
        status: int = CardStatus.ACTIVE,
    ) -> Person:
        serial, at = next(_serials), self.lane if lane is None else lane
        account, card = build_account_no(lane=at, serial=serial), build_card_no(issuer=9000, lane=at, serial=serial)
        unit = None if private is None else UNIT
        row = AccountRow(
            account, card, operator, card_type, public_fen=public, private_unit=unit, private_fen=private or 0,
            valid_until=valid_until, card_status=status,
        )  # fmt: skip
        assert open_accounts(self.app, [row]).opened == 1
        return Person(account, card)

    def post(self, op: Operation, person: Person | int, amount: int = 0, **fields: Any) -> Answer:
        """Posts one record; `self.last_seq` keeps its sequence number. Shop and public purse unless said otherwise."""
        columns, lane = PostingColumns(), fields.pop("lane", self.lane)
        self.add(columns, op, person, amount, **fields)
        answers = post_sync(self.app, lane, columns)
        return Answer(Result(answers.code[0]), answers.balance[0], answers.transfer[0], ConflictField(answers.field[0]))

    def add(self, columns: PostingColumns, op: Operation, person: Person | int, amount: int = 0, **fields: Any) -> int:
        """Adds a record to a batch; returns its sequence number."""
        self.last_seq = fields.pop("seq", None) or next(_sequences)
        at = fields.pop("at", NOON)
        day = fields.pop("day", MONDAY)
        columns.op.append(op)
        columns.terminal.append(fields.pop("terminal", TERMINAL))
        columns.seq.append(self.last_seq)
        columns.card.append(person if isinstance(person, int) else person.card)
        columns.merchant.append(fields.pop("merchant", FUNDING if op == Operation.TOPUP else SHOP))
        columns.unit.append(fields.pop("unit", UNIT))
        columns.purse_order.append(fields.pop("order", PurseOrder.PUBLIC))
        columns.amount.append(amount)
        columns.occurred_us.append(to_epoch_us(at))
        columns.business_date.append((day - date(2000, 1, 1)).days)
        columns.meal.append(fields.pop("meal", 0))
        columns.orig_terminal.append(fields.pop("orig_terminal", 0))
        columns.orig_seq.append(fields.pop("orig", 0))
        columns.precheck.append(fields.pop("precheck", 0))
        assert not fields, fields
        return self.last_seq

    def balance(self, person: Person, unit: int = 0) -> int:
        row = self.app.execute(
            "SELECT balance_fen FROM ledger.purse WHERE account_no = %s AND unit_id = %s", (person.account, unit)
        ).fetchone()
        assert row is not None
        return int(row[0])

    def debt(self, person: Person) -> int:
        row = self.app.execute("SELECT debt_fen FROM ledger.account WHERE account_no = %s", (person.account,)).fetchone()
        assert row is not None
        return int(row[0])

    def is_denied(self, person: Person) -> bool:
        denied = self.app.execute("SELECT denied FROM ledger.card WHERE card_no = %s", (person.card,)).fetchone()
        listed = self.app.execute(
            "SELECT count(*) FROM ledger.deny_list WHERE card_no = %s AND reason = 1", (person.card,)
        ).fetchone()
        assert denied is not None
        assert listed is not None
        assert denied[0] == (listed[0] == 1), "the card and the list disagree"
        return bool(denied[0])

    def legs(self, seq: int | None = None, *, terminal: int = TERMINAL, op: Operation | None = None) -> list[Leg]:
        """The legs of a record (the last one posted), in order; `op` tells a reversal from what it reverses."""
        kinds = "" if op is None else " AND kind = %(op)s"
        rows = self.app.execute(
            "SELECT kind, debit, credit, amount_fen, balance_after FROM ledger.transfer"
            f" WHERE terminal_id = %(terminal)s AND terminal_seq = %(seq)s{kinds} ORDER BY lane, id",
            {"terminal": terminal, "seq": seq or self.last_seq, "op": op},
        ).fetchall()
        return [Leg(TransferKind(kind), *rest) for kind, *rest in rows]

    def everything(self) -> tuple[int, ...]:
        """Figures that change when anything moves: what "nothing moved" is measured by."""
        row = self.app.execute(
            """SELECT (SELECT count(*) FROM ledger.transfer), (SELECT coalesce(sum(seq), 0) FROM ledger.purse),
                      (SELECT coalesce(sum(balance_fen), 0) FROM ledger.purse),
                      (SELECT coalesce(sum(day_spent_fen), 0) FROM ledger.purse),
                      (SELECT coalesce(sum(debt_fen), 0) FROM ledger.account), (SELECT count(*) FROM ledger.hold WHERE state = 1),
                      (SELECT count(*) FROM ledger.posting_batch), (SELECT count(*) FROM ledger.deny_list)"""
        ).fetchone()
        assert row is not None
        return tuple(row)

    def audit(self) -> None:
        report = audit.run(self.app)
        assert report.ok, report.first_failure


def prepare(admin: psycopg.Connection[Any]) -> None:
    """The two operators, of either settlement mode, and the card types."""
    admin.execute("INSERT INTO ledger.issuer VALUES (%s, true), (%s, false)", (UNIFIED, INDEPENDENT))
    admin.execute(
        "INSERT INTO ledger.card_type VALUES (%s, 0, 0, 0, 0), (%s, %s, %s, %s, %s)",
        (NO_LIMITS, WITH_LIMITS, LIMIT_TXN, LIMIT_MEAL, LIMIT_DAY, LIMIT_BALANCE),
    )


def later(**by: int) -> datetime:
    return NOON + timedelta(**by)
