"""The desk's money in the ledger: exactly once, only legs a desk may post, audited, and no merchant's in settlement."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from threading import Barrier
from typing import Any

import psycopg
import pytest

from onecard.kernel.numbers import purse_id
from onecard.ledger import audit
from onecard.ledger.accounts import BookKind, book_id
from onecard.services.cards import api
from onecard.services.settlement import api as settlement
from tests.cards.conftest import DESK, City

DAY, NOON = date(2026, 5, 1), datetime(2026, 5, 1, 4, tzinfo=UTC)
_POST = (
    "SELECT o_code, o_transfer, o_balance FROM ledger.post_desk(%s, %s, %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],"
    " %s::bigint[], %s, %s)"
)
Leg = tuple[int, int, int, int]


@pytest.fixture
def app(town: City) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(town.database.app_dsn, autocommit=True) as connection:
        yield connection


class Desk:
    """One card and what a desk may name of it."""

    def __init__(self, town: City, app: psycopg.Connection[Any]) -> None:
        self.town, self.app = town, app
        self.card = town.issue(town.holder(), top_up_fen=5000)
        self.account = api.Card.objects.get(pk=self.card).account_no
        self.purse = purse_id(self.account, 0)
        self.cash, self.deposit, self.fee, self.debt = (
            book_id(kind, town.operator) for kind in (BookKind.FUNDING, BookKind.DEPOSIT, BookKind.FEE_INCOME, BookKind.DEBT)
        )

    def post(self, seq: int, *legs: Leg, orig: list[int | None] | None = None, app: Any = None) -> tuple[int, int, int]:
        columns = [list(column) for column in zip(*legs, strict=True)]
        row = (app or self.app).execute(_POST, [seq, self.card, *columns, orig or [None] * len(legs), DAY, NOON]).fetchone()
        return row

    def seq(self) -> int:
        return int(self.app.execute("SELECT ledger.next_desk_seq()").fetchone()[0])


@pytest.fixture
def desk(town: City, app: psycopg.Connection[Any]) -> Desk:
    return Desk(town, app)


def test_several_legs_are_one_linked_record(desk: Desk) -> None:
    legs = ((3, desk.cash, desk.purse, 1000), (32, desk.purse, desk.fee, 300), (33, desk.purse, desk.cash, 200))
    code, first, balance = desk.post(desk.seq(), *legs)
    assert (code, balance) == (0, 5500)
    rows = desk.app.execute(
        "SELECT kind, amount_fen, balance_after, prev_id, link_id, card_no, terminal_id FROM ledger.transfer"
        " WHERE lane = %s AND id BETWEEN %s AND %s ORDER BY id",
        [desk.card // 10**10 % 100, first, first + 2],
    ).fetchall()
    assert [row[:3] for row in rows] == [(3, 1000, 6000), (32, 300, 5700), (33, 200, 5500)]
    assert [row[3] for row in rows[1:]] == [first, first + 1]
    assert {row[4:] for row in rows} == {(first, desk.card, -3)}


def test_a_record_is_posted_once_and_its_number_serves_no_other(desk: Desk) -> None:
    seq, leg = desk.seq(), (32, desk.purse, desk.fee, 300)
    first = desk.post(seq, leg)
    assert desk.post(seq, leg) == first
    for other in ((32, desk.purse, desk.fee, 301), (33, desk.purse, desk.cash, 300)):
        assert desk.post(seq, other)[0] == 10
    assert desk.post(seq, leg, leg)[0] == 10
    assert desk.town.balance(desk.card) == 4700


def test_one_number_at_once_is_posted_once(desk: Desk) -> None:
    seq, barrier = desk.seq(), Barrier(6)

    def post(_: int) -> tuple[int, int, int]:
        with psycopg.connect(desk.town.database.app_dsn, autocommit=True) as own:
            barrier.wait(30)
            return desk.post(seq, (33, desk.purse, desk.cash, 700), app=own)

    with ThreadPoolExecutor(6) as threads:
        assert len(set(threads.map(post, range(6)))) == 1
    assert desk.town.balance(desk.card) == 4300


_WRONG: dict[str, Callable[[Desk], Leg]] = {
    "more than the purse holds": lambda d: (33, d.purse, d.cash, 5001),
    "nothing": lambda d: (33, d.purse, d.cash, 0),
    "less than nothing": lambda d: (33, d.purse, d.cash, -1),
    "another operator's cash": lambda d: (33, d.purse, d.cash + 1, 1),
    "somebody else's purse": lambda d: (33, purse_id(d.account + 10, 0), d.cash, 1),
    "a purse there is not": lambda d: (3, d.cash, purse_id(d.account, 7), 1),
    "a chip": lambda d: (33, d.card, d.cash, 1),
    "a merchant": lambda d: (32, d.purse, book_id(BookKind.MERCHANT, d.town.merchant), 1),
    "a purchase": lambda d: (1, d.purse, book_id(BookKind.MERCHANT, d.town.merchant), 1),
    "a deposit that is not held": lambda d: (31, d.deposit, d.cash, 2001),
    "a debt that is not owed": lambda d: (11, d.cash, d.debt, 1),
    "a reversal of nothing": lambda d: (9, d.purse, d.cash, 1),
    "a fee out of a debt": lambda d: (32, d.debt, d.fee, 1),
    "a repayment by a deposit": lambda d: (11, d.deposit, d.debt, 1),
    "cash out of a book": lambda d: (33, d.deposit, d.cash, 1),
    "a top-up of a book": lambda d: (3, d.cash, d.deposit, 1),
    "a kind nobody knows": lambda d: (99, d.purse, d.cash, 1),
    "cash into income": lambda d: (33, d.purse, d.fee, 1),
}


@pytest.mark.parametrize("wrong", _WRONG.values(), ids=_WRONG.keys())
def test_a_desk_posts_nothing_else(desk: Desk, wrong: Callable[[Desk], Leg]) -> None:
    before = desk.town.money()
    with pytest.raises(psycopg.errors.CheckViolation):
        desk.post(desk.seq(), (32, desk.purse, desk.fee, 10), wrong(desk))
    assert (desk.town.money(), desk.town.balance(desk.card)) == (before, 5000)


def test_a_transfer_is_undone_once_exactly_and_by_its_own_account(desk: Desk) -> None:
    _, transfer, _ = desk.post(desk.seq(), (32, desk.purse, desk.fee, 300))
    back: Leg = (32, desk.fee, desk.purse, 300)
    other = Desk(desk.town, desk.app)
    for refused in (
        lambda: desk.post(desk.seq(), (32, desk.fee, desk.purse, 299), orig=[transfer]),
        lambda: desk.post(desk.seq(), (33, desk.fee, desk.purse, 300), orig=[transfer]),
        lambda: other.post(other.seq(), (32, other.fee, other.purse, 300), orig=[transfer]),
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            refused()
    assert desk.post(desk.seq(), back, orig=[transfer])[0] == 0
    with pytest.raises(psycopg.errors.CheckViolation):
        desk.post(desk.seq(), back, orig=[transfer])
    assert desk.town.balance(desk.card) == 5000


def test_a_purchase_is_not_undone_at_the_desk(desk: Desk) -> None:
    desk.town.purchase(desk.card, 100)
    (last,) = desk.app.execute(
        "SELECT last_transfer_id FROM ledger.purse WHERE account_no = %s AND unit_id = 0", [desk.account]
    ).fetchone()
    with pytest.raises(psycopg.errors.CheckViolation):
        desk.post(desk.seq(), (9, book_id(BookKind.MERCHANT, desk.town.merchant), desk.purse, 100), orig=[last])


def test_a_deposit_moves_between_cards_of_one_account_only(desk: Desk) -> None:
    other = Desk(desk.town, desk.app)
    with pytest.raises(psycopg.errors.CheckViolation):
        desk.app.execute("SELECT ledger.move_deposit(%s, %s)", [desk.card, other.card])


def test_the_application_cannot_write_deposits(desk: Desk) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        desk.app.execute("UPDATE ledger.card_deposit SET deposit_fen = 0")


def test_the_auditor_sees_a_deposit_that_was_changed_by_hand(city: City) -> None:
    city.issue(city.holder())
    with (
        psycopg.connect(city.database.owner_dsn, autocommit=True) as owner,
        psycopg.connect(city.database.app_dsn, autocommit=True) as app,
    ):
        owner.execute("UPDATE ledger.card_deposit SET deposit_fen = deposit_fen - 1")
        report = audit.run(app)
        assert [check.number for check in report.failures] == ["A16"]
        assert report.failures[0].finding is not None
        assert report.failures[0].finding.found == "2000"
        owner.execute("UPDATE ledger.card_deposit SET deposit_fen = deposit_fen + 1")


def test_settlement_takes_the_desk_for_no_merchant(city: City) -> None:
    card = city.issue(city.holder(), top_up_fen=9000)
    assert city.purchase(card, 1234) == 0
    city.do(card, "report_lost")
    new = city.renewal(card)
    event = city.do(card, "replace", new_card=new)
    city.undo(event)
    again = city.renewal(card)
    city.do(card, "replace", new_card=again)
    city.do(again.card_no, "return")
    run = settlement.run_settlement(settlement.day_cut(city.clock).pk)
    assert run.state == settlement.RunState.BALANCED
    assert {row.merchant_id for row in run.lines.all() if row.kind >= 20} == {0}
    (platform,) = settlement.sheet_rows(run.pk, "platform").filter(business_date=None)
    # 9,000 came in and 7,766 were paid out at the return: net, what was spent.
    assert (platform.gross_fen, platform.transaction_count, platform.topup_count, platform.topup_fen) == (1234, 1, 1, 1234)
    assert city.book(BookKind.MERCHANT) == 0


def test_the_legal_cap_holds_at_the_desk_and_counts_what_is_in_the_chip(desk: Desk) -> None:
    with psycopg.connect(desk.town.database.owner_dsn, autocommit=True) as owner:
        owner.execute("DELETE FROM ledger.legal_cap")
        owner.execute("INSERT INTO ledger.legal_cap VALUES ('2020-01-01', 1000, 7000)")
        assert desk.post(desk.seq(), (3, desk.cash, desk.purse, 2000))[0] == 0
        with pytest.raises(psycopg.errors.CheckViolation, match="legal cap: 7000"):
            desk.post(desk.seq(), (3, desk.cash, desk.purse, 1))
        moved = owner.execute("SELECT o_code FROM ledger.load_chip(7, 1, %s, 6000, %s, %s)", [desk.card, NOON, DAY]).fetchone()
        assert moved == (0,)
        with pytest.raises(psycopg.errors.CheckViolation, match="legal cap: 7000"):
            desk.post(desk.seq(), (3, desk.cash, desk.purse, 1))
        owner.execute("UPDATE ledger.legal_cap SET registered_fen = 0")
        assert desk.post(desk.seq(), (3, desk.cash, desk.purse, 1))[0] == 0


def test_every_operator_has_a_deposit_book_by_its_name(city: City) -> None:
    from onecard.services.operators import api as operators

    operators.update_operator(city.operator, name="新名")
    with psycopg.connect(city.database.app_dsn) as app:
        rows = dict(app.execute("SELECT ref_id, name FROM ledger.book_account WHERE kind = 12").fetchall())
    assert rows == {city.root: "根运营单位", city.operator: "新名", city.other: "乙运营"}
    assert DESK.may("cards.issue")
