"""A city of cards to test on: operators of both issuing modes, card types with rules, stock, holders; audited at the end."""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from threading import Barrier
from typing import Any

import psycopg
import pytest

from onecard.datacenter import dj
from onecard.kernel.business_day import business_date
from onecard.kernel.clock import ManualClock, to_epoch_us
from onecard.kernel.codes import Operation, Result
from onecard.kernel.errors import OneCardError
from onecard.kernel.numbers import card_lane
from onecard.ledger import audit, chip
from onecard.ledger.accounts import BookKind, book_id
from onecard.ledger.balances import book_balance, purses
from onecard.ledger.codes import Medium
from onecard.ledger.posting import PostingColumns, post_sync
from onecard.services.actors import Actor
from tests.support.postgres import TestDatabase, TestServer, cloned_database

dj.setup()  # models cannot be imported before, and a conftest is read before pytest-django is ready

from django.db import connection, connections  # noqa: E402

from onecard.services.cards import api  # noqa: E402
from onecard.services.operators import api as operators  # noqa: E402
from onecard.services.people import api as people  # noqa: E402

NOW = datetime(2026, 5, 1, 4, 0, tzinfo=UTC)
FIRST_DAY = date(2026, 1, 1)
DESK = Actor("desk", frozenset({"*"}))
RULES = api.NewRules(
    media=frozenset(Medium),
    anonymous_allowed=True,
    deposit_fen=2000,
    issue_fee_fen=500,
    replace_fee_fen=1500,
    exchange_fee_fen=1000,
    return_fee_fen=300,
    validity_months=36,
    waiting_days=7,
)


@dataclass
class City:
    """A root, two second-level operators, a unit of one; type `unified` is issued at the centre, `local` by the operator."""

    database: TestDatabase
    clock: ManualClock
    root: int
    operator: int
    other: int
    unit: int
    unified: int
    local: int
    merchant: int
    serials: Iterator[int] = field(default_factory=lambda: itertools.count(1_000_000))
    names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def holder(self, name: str = "张三", **more: Any) -> int:
        """A cardholder of the operator; without a name an anonymous one."""
        document = {"document_type": "staff", "document_no": f"NO{next(self.names)}"} if name else {}
        return people.create_holder(self.operator, people.NewHolder(name=name, **document, **more)).pk

    def receive(self, first: int, last: int, *, card_type: int | None = None, **more: Any) -> api.StockDocument:
        """Cards come in at the centre."""
        line = api.Serials(card_type or self.unified, first, last)
        return api.receive("卡厂", [line], actor=DESK, clock=self.clock, **more)

    def blank(self, card_type: int | None = None) -> int:
        """A claimed blank of a unified type."""
        serial = next(self.serials)
        self.receive(serial, serial, card_type=card_type)
        return api.claim_for_issue(
            serial, operator_id=self.operator, card_type_id=card_type or self.unified, actor=DESK, clock=self.clock
        ).serial

    def new_card(self, account_no: int | None = None, **more: Any) -> tuple[api.NewCard, int]:
        """A card to issue, on a claimed blank, and its account number."""
        numbers = api.new_numbers(self.operator, account_no)
        card = api.NewCard(numbers.card_no, serial=self.blank(more.pop("card_type", None)))
        return replace(card, **more), numbers.account_no

    def issue(self, holder_id: int | None = None, *, top_up_fen: int = 0, card_type: int | None = None, **more: Any) -> int:
        """An issued card; its number."""
        card, account_no = self.new_card(card_type=card_type, **more)
        order = api.Order(self.operator, card_type or self.unified, account_no, holder_id=holder_id, top_up_fen=top_up_fen)
        return api.issue(card, order, actor=DESK, clock=self.clock).card_id

    def do(self, card_no: int, operation: str, *, actor: Actor = DESK, key: str | None = None, **details: Any) -> api.LifeEvent:
        """An operation at the desk."""
        asked = api.Details(**details)
        return api.operate(card_no, operation, actor=actor, reason="柜台", key=key, details=asked, clock=self.clock)

    def undo(self, event: api.LifeEvent, **more: Any) -> api.LifeEvent:
        """Undo it at the desk."""
        return api.undo(event.pk, actor=DESK, reason="误操作", clock=self.clock, **more)

    def renewal(self, card_no: int, **more: Any) -> api.NewCard:
        """A new card for an old one's account."""
        return self.new_card(api.Card.objects.get(pk=card_no).account_no, **more)[0]

    def purchase(self, card_no: int, fen: int, *, op: Operation = Operation.PURCHASE) -> Result:
        """A purchase at a public merchant of the operator, posted by the ledger itself."""
        row = PostingColumns()
        values = (
            op.value, 1, next(self.names), card_no, book_id(BookKind.MERCHANT, self.merchant), 0, 1, fen,
            to_epoch_us(self.clock.now()), (business_date(self.clock.now()) - date(2000, 1, 1)).days, 0, 0, 0, 0,
        )  # fmt: skip
        for column, value in zip(row.columns(), values, strict=True):
            column.append(value)
        with psycopg.connect(self.database.app_dsn, autocommit=True) as plain:
            return Result(post_sync(plain, card_lane(card_no), row).code[0])

    def load(self, card_no: int, fen: int) -> None:
        """Money from the public purse into the chip."""
        at = self.clock.now()
        with psycopg.connect(self.database.app_dsn, autocommit=True) as plain:
            answer = chip.load_chip(
                plain, (1, next(self.names)), card_no, amount_fen=fen, occurred_at=at, business_date=business_date(at)
            )
        assert answer.code == 0

    def balance(self, card_no: int, unit_id: int = 0) -> int:
        """The balance of a purse of the card's account."""
        account = api.Card.objects.get(pk=card_no).account_no
        with psycopg.connect(self.database.app_dsn) as plain:
            return {purse.unit_id: purse.balance_fen for purse in purses(plain, account)}[unit_id]

    def book(self, kind: BookKind) -> int:
        """Credits less debits of one of the operator's books."""
        with psycopg.connect(self.database.app_dsn) as plain:
            return book_balance(plain, book_id(kind, self.operator))

    def money(self) -> dict[str, int]:
        """What the operator's books hold: cash as what was taken in."""
        kinds = (BookKind.FUNDING, BookKind.DEPOSIT, BookKind.FEE_INCOME, BookKind.DEBT)
        return {kind.name.lower(): self.book(kind) for kind in kinds}

    def status(self, card_no: int) -> tuple[int, set[int]]:
        """The ledger's card status, and the reasons for which the card is on the deny list."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT status FROM ledger.card WHERE card_no = %s", [card_no])
            (status,) = cursor.fetchone()
            cursor.execute("SELECT reason FROM ledger.deny_list WHERE card_no = %s", [card_no])
            return status, {reason for (reason,) in cursor.fetchall()}

    def place_of(self, serial: int) -> str | None:
        """The kind of place a serial is in."""
        found = api.where_is(serial)
        return found.place.kind if found else None

    def audit(self) -> None:
        """The books, the stock and the cards are in order."""
        with psycopg.connect(self.database.app_dsn, autocommit=True) as plain:
            report = audit.run(plain)
        assert report.ok, report.first_failure
        assert api.check() == []


@pytest.fixture(scope="session", autouse=True)
def database_allowed(django_db_blocker: Any) -> Iterator[None]:
    """pytest-django closes the database to tests that do not carry its own mark; ours have fixtures of their own."""
    with django_db_blocker.unblock():
        yield


def found_city(database: TestDatabase) -> City:
    """The operators, types, rules and the clock; Django is connected to the database."""
    root = operators.create_operator("ROOT", "根运营单位", parent_id=None, holder_cap=100_000).pk
    operator = operators.create_operator("A", "甲运营", parent_id=root, holder_cap=100_000).pk
    other = operators.create_operator("B", "乙运营", parent_id=root, holder_cap=100_000).pk
    unit = operators.create_unit(operator, "SCHOOL", name="一中", purse_order=3).pk
    unified = operators.create_card_type("CITY", "市民卡").pk
    local = operators.create_card_type("CAMPUS", "校园卡").pk
    for owner in (operator, other):
        operators.allow_card_type(owner, unified, issuing_mode="unified")
        operators.allow_card_type(owner, local, issuing_mode="local")
    clock = ManualClock(NOW)
    for card_type in (unified, local):
        api.set_rules(card_type, FIRST_DAY, rules=RULES, actor=DESK, clock=clock)
    merchant = operators.create_merchant("食堂", operator_id=operator, public=True).pk
    return City(database, clock, root, operator, other, unit, unified, local, merchant)


@pytest.fixture
def city(django_database: TestDatabase) -> Iterator[City]:
    """A city of the test's own."""
    made = found_city(django_database)
    yield made
    made.audit()


@pytest.fixture(scope="module")
def town(postgres: TestServer, django_db_blocker: Any) -> Iterator[City]:
    """A city that the tests of a module share: each works with cards of its own. Audited when the last is done."""
    with django_db_blocker.unblock(), cloned_database(postgres) as database, dj.connected_as(database.app_dsn):
        made = found_city(database)
        yield made
        made.audit()


_STOCK = "cards_claim, cards_stockrange, cards_stocklevel, cards_stockmovement, cards_orderline, cards_stockdocument"


@pytest.fixture
def empty_shelves(town: City) -> Iterator[City]:
    """The module's city without a card anywhere: what the test moved is wiped as nobody but a superuser can."""
    yield town
    assert api.check() == []
    with psycopg.connect(town.database.admin_dsn, autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")  # no triggers: movements are append-only for everybody else
        admin.execute(f"TRUNCATE {_STOCK}".encode())


@pytest.fixture
def pairs(town: City) -> Callable[[Callable[[int], Any], int], list[Any]]:
    """`together`, on the module's database."""
    return together


def together(work: Callable[[int], Any], times: int) -> list[Any]:
    """Runs a function in many threads, each with a connection of its own, let go at one moment; gives results and errors."""
    barrier = Barrier(times)

    def one(number: int) -> Any:
        try:
            connections["default"].ensure_connection()
            barrier.wait(60)
            return work(number)
        except OneCardError as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(one, range(times)))
