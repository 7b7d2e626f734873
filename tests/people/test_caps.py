"""The legal caps: dated rules, enforced by the ledger at every top-up, the smaller of the law's and the card type's."""

from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.kernel.codes import Operation, Result
from onecard.kernel.errors import Forbidden, InvalidInput
from onecard.kernel.numbers import build_account_no, build_card_no
from onecard.ledger.accounts import BookKind, book_id
from onecard.ledger.posting import PostingColumns, post_sync
from onecard.services.actors import Actor
from onecard.services.operators import api as operators
from onecard.services.people import api as people
from onecard.services.purses import api as purses
from tests.people.conftest import ACTOR
from tests.services.conftest import Tree
from tests.support.postgres import TestDatabase

TODAY = datetime.now(UTC).astimezone(PLATFORM_ZONE).date()


class Desk:
    """Tops up accounts of holders."""

    def __init__(self, database: TestDatabase, tree: Tree, limit_balance_fen: int = 0) -> None:
        self.dsn, self.tree, self.seq = database.app_dsn, tree, 0
        self.card_type = operators.create_card_type(f"T{limit_balance_fen}", "卡", limit_balance_fen=limit_balance_fen).pk

    def open(self, serial: int, holder_id: int | None) -> int:
        row = purses.AccountRow(
            account_no=build_account_no(lane=1, serial=serial),
            card_no=build_card_no(issuer=8800, lane=1, serial=serial),
            operator_id=self.tree.unified,
            card_type_id=self.card_type,
            holder_id=holder_id,
        )
        assert purses.open_accounts([row]).opened == 1
        return row.card_no

    def top_up(self, card_no: int, fen: int) -> Result:
        self.seq += 1
        columns = PostingColumns()
        merchant = book_id(BookKind.FUNDING, self.tree.unified)
        now = int(datetime.now(UTC).timestamp()) * 1_000_000
        day = (TODAY - date(2000, 1, 1)).days
        values = (Operation.TOPUP, self.card_type, self.seq, card_no, merchant, 0, 1, fen, now, day, 0, 0, 0, 0)
        for column, value in zip(columns.columns(), values, strict=True):
            column.append(int(value))
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return Result(post_sync(connection, 1, columns).code[0])


def test_the_defaults_are_in_force_and_hold_at_every_top_up(tree: Tree, django_database: TestDatabase) -> None:
    assert people.cap_in_force() == people.caps()[-1]
    desk = Desk(django_database, tree)
    anonymous = people.create_holder(tree.unified, people.NewHolder())
    named = people.create_holder(tree.unified, people.NewHolder(name="张三"))
    nobodys, without, with_name = desk.open(1, None), desk.open(2, anonymous.pk), desk.open(3, named.pk)
    for card in (nobodys, without):
        assert desk.top_up(card, 100_000) == Result.APPROVED
        assert desk.top_up(card, 1) == Result.LIMIT_BALANCE
    assert desk.top_up(with_name, 500_001) == Result.LIMIT_BALANCE
    assert desk.top_up(with_name, 500_000) == Result.APPROVED
    people.register_holder(anonymous.pk, people.Identity("李四", "passport", "E12345678"), actor=ACTOR)
    assert desk.top_up(without, 400_000) == Result.APPROVED
    assert desk.top_up(without, 1) == Result.LIMIT_BALANCE


def test_the_smaller_of_the_laws_and_the_card_types_limit_holds(tree: Tree, django_database: TestDatabase) -> None:
    desk = Desk(django_database, tree, limit_balance_fen=20_000)
    card = desk.open(1, None)
    assert desk.top_up(card, 20_001) == Result.LIMIT_BALANCE
    people.set_cap(people.Cap(TODAY, 500, 0, "test"), actor=ACTOR)
    assert desk.top_up(card, 501) == Result.LIMIT_BALANCE
    assert desk.top_up(card, 500) == Result.APPROVED
    named = desk.open(2, people.create_holder(tree.unified, people.NewHolder(name="张三")).pk)
    assert desk.top_up(named, 20_001) == Result.LIMIT_BALANCE
    assert desk.top_up(named, 20_000) == Result.APPROVED


def test_what_is_in_the_chip_counts_towards_the_law_but_not_to_the_card_types_limit(
    tree: Tree, django_database: TestDatabase
) -> None:
    desk = Desk(django_database, tree, limit_balance_fen=90_000)
    card = desk.open(1, None)
    with psycopg.connect(django_database.owner_dsn, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO ledger.chip_purse (card_no, account_no, lane, balance_fen)"
            " SELECT card_no, account_no, 1, 30000 FROM ledger.card WHERE card_no = %s",
            (card,),
        )
    assert desk.top_up(card, 70_001) == Result.LIMIT_BALANCE
    assert desk.top_up(card, 70_000) == Result.APPROVED
    assert desk.top_up(card, 1) == Result.LIMIT_BALANCE


def test_no_cap_and_no_limit_is_no_limit(tree: Tree, django_database: TestDatabase) -> None:
    people.set_cap(people.Cap(TODAY, 0, 0), actor=ACTOR)
    desk = Desk(django_database, tree)
    assert desk.top_up(desk.open(1, None), 10**11) == Result.APPROVED


def test_a_rule_of_a_later_day_waits_and_one_that_began_stays(tree: Tree, django_database: TestDatabase) -> None:
    tomorrow = TODAY + timedelta(days=1)
    before = people.cap_in_force()
    people.set_cap(people.Cap(tomorrow, 1, 1), actor=ACTOR)
    people.set_cap(people.Cap(tomorrow, 2, 2, "again"), actor=ACTOR)
    assert people.cap_in_force() == before and people.cap_in_force(tomorrow) == people.Cap(tomorrow, 2, 2, "again")
    desk = Desk(django_database, tree)
    assert desk.top_up(desk.open(1, None), 100_000) == Result.APPROVED
    for cap in (people.Cap(TODAY - timedelta(days=1), 1, 1), people.Cap(date(2012, 11, 1), 1, 1), people.Cap(tomorrow, -1, 0)):
        with pytest.raises(InvalidInput):
            people.set_cap(cap, actor=ACTOR)
    with pytest.raises(Forbidden):
        people.set_cap(people.Cap(tomorrow, 1, 1), actor=Actor("nobody"))
    with psycopg.connect(django_database.app_dsn) as connection:
        for statement in (
            "UPDATE people_legalcap SET anonymous_fen = 9",
            "DELETE FROM people_legalcap WHERE valid_from < '2013-01-01'",
        ):
            with pytest.raises(psycopg.errors.CheckViolation), connection.transaction():
                connection.execute(statement)
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute("DELETE FROM ledger.anonymous_holder")
