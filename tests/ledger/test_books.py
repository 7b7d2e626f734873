"""Opening, statements, book transfers, checkpoints, standing, partitions: what stands around posting."""

from datetime import UTC, datetime

import psycopg
import pytest

from onecard.kernel.codes import Operation, Result
from onecard.kernel.numbers import build_account_no, build_card_no
from onecard.ledger import balances, ids
from onecard.ledger.accounts import BookKind, book_id, is_book, name_book_account, split_book_id
from onecard.ledger.codes import TransferKind
from onecard.ledger.opening import AccountRow, Opened, open_accounts
from onecard.ledger.posting import PostingColumns, post, post_book
from tests.ledger.town import FUNDING, MONDAY, SHOP, UNIFIED, UNIT, Town

BUY = Operation.PURCHASE


def rows(count: int, *, first: int, lanes: int = 3) -> list[AccountRow]:
    return [
        AccountRow(
            build_account_no(lane=n % lanes, serial=first + n),
            build_card_no(issuer=9100, lane=n % lanes, serial=first + n),
            UNIFIED,
            1,
            public_fen=n,
            private_unit=UNIT,
            private_fen=2 * n,
        )
        for n in range(count)
    ]


def test_bulk_opening_makes_accounts_cards_purses_and_their_opening_money(own_town: Town) -> None:
    seen: list[int] = []
    assert open_accounts(own_town.app, rows(500, first=1), seen.append) == Opened(500, 0)
    assert seen[-1] == 500
    assert balances.book_balances(own_town.app, [FUNDING, book_id(BookKind.UNIT_FUNDING, UNIT)]) == {
        FUNDING: -sum(range(500)),
        book_id(BookKind.UNIT_FUNDING, UNIT): -2 * sum(range(500)),
    }
    own_town.audit()
    assert own_town.app.execute("SELECT count(*) FROM ledger.opening_row").fetchone() == (0,)


def test_a_load_that_was_cut_off_is_repeated_without_harm(own_town: Town) -> None:
    open_accounts(own_town.app, rows(60, first=1))
    before = own_town.everything()
    assert open_accounts(own_town.app, rows(60, first=1)) == Opened(0, 60)
    assert own_town.everything() == before
    assert open_accounts(own_town.app, rows(90, first=1)) == Opened(30, 60)
    own_town.audit()


def test_one_account_is_opened_and_not_twice(town: Town) -> None:
    account, card = build_account_no(lane=0, serial=900_000_001), build_card_no(issuer=9100, lane=0, serial=900_000_001)
    town.app.execute("SELECT ledger.open_account(%s, %s, 1, 1, p_public_fen => 500, p_private_unit => 7)", (account, card))
    assert [(p.unit_id, p.balance_fen) for p in balances.purses(town.app, account)] == [(0, 500), (UNIT, 0)]
    with pytest.raises(psycopg.errors.UniqueViolation, match="account exists"):
        town.app.execute("SELECT ledger.open_account(%s, %s, 1, 1)", (account, card))


def test_statement_as_of_any_moment(town: Town) -> None:
    someone = town.person(1_000, 500)
    marks = [datetime.now(UTC)]
    for amount in (100, 200, 400):
        town.post(BUY, someone, amount, order=3 if amount == 400 else 1)
        marks.append(ids.id_time(balances.statement(town.app, someone.account, limit=1)[0].transfer_id))
    lines = balances.statement(town.app, someone.account)
    assert [(line.kind, line.unit_id, line.amount_fen, line.balance_fen) for line in lines] == [
        (TransferKind.PURCHASE, UNIT, -400, 100),
        (TransferKind.PURCHASE, 0, -200, 700),
        (TransferKind.PURCHASE, 0, -100, 900),
        (TransferKind.OPENING, UNIT, 500, 500),
        (TransferKind.OPENING, 0, 1_000, 1_000),
    ]
    assert lines[0].counterpart == SHOP
    assert balances.statement(town.app, someone.account, as_of=marks[2])[0] == lines[1]
    assert balances.statement(town.app, someone.account, unit_id=UNIT) == [lines[0], lines[3]]
    assert balances.statement(town.app, someone.account, limit=2, before_id=lines[1].transfer_id) == lines[2:4]
    assert [balances.balance_as_of(town.app, someone.account, 0, as_of=mark) for mark in marks[1:]] == [900, 700, 700]
    assert balances.balance_as_of(town.app, someone.account, UNIT, as_of=datetime(2021, 1, 1, tzinfo=UTC)) == 0


def test_book_transfers_are_posted_once_by_key(town: Town) -> None:
    one, two, fee = SHOP + 71, SHOP + 72, book_id(BookKind.FEE_INCOME, 1)

    def settle(amount: int, *, to: int = fee) -> tuple[list[int], list[int]]:
        return post_book(
            town.app,
            -2,
            key_seq=[501, 502],
            kind=[20, 20],
            debit=[one, two],
            credit=[to, to],
            amount=[amount, 7],
            business_date=MONDAY,
        )

    first = settle(100)
    assert first[0] == [Result.APPROVED, Result.APPROVED]
    assert settle(100) == first
    assert settle(101) == ([Result.KEY_CONFLICT, Result.APPROVED], first[1])
    assert settle(100, to=fee + 1)[0] == [Result.KEY_CONFLICT, Result.KEY_CONFLICT]
    assert balances.book_balances(town.app, [one, two, fee]) == {one: -100, two: -7, fee: 107}
    assert town.app.execute("SELECT DISTINCT lane FROM ledger.transfer WHERE kind = 20").fetchall() == [(99,)]


@pytest.mark.parametrize(
    ("terminal", "debit", "amounts", "says"),
    [(5, SHOP, [1], "system key"), (-2, 10**17, [1], "not a book account"), (-2, SHOP, [1, 2], "a key stands twice")],
)
def test_book_transfers_that_make_no_sense_are_refused(
    town: Town, terminal: int, debit: int, amounts: list[int], says: str
) -> None:
    count = len(amounts)
    with pytest.raises(psycopg.errors.AssertFailure, match=says):
        post_book(
            town.app, terminal, key_seq=[600] * count, kind=[21] * count, debit=[debit] * count, credit=[FUNDING] * count,
            amount=amounts, business_date=MONDAY,
        )  # fmt: skip


def test_checkpoint_and_what_came_after_is_the_balance(town: Town) -> None:
    shop = SHOP + 80
    someone = town.person()
    town.post(BUY, someone, 300, merchant=shop)
    assert balances.book_balance(town.app, shop) == 300
    assert balances.checkpoint(town.app) > 0
    assert balances.checkpoint(town.app) == 0, "nothing moved"
    town.post(BUY, someone, 11, merchant=shop)
    town.post(Operation.REFUND, someone, 1, merchant=shop, orig=town.last_seq)
    assert balances.book_balance(town.app, shop) == 310


def test_an_account_is_closed_only_when_nothing_is_left_on_it(town: Town) -> None:
    someone = town.person(100)
    close = "SELECT ledger.set_account_status(%s, 3)"
    with pytest.raises(psycopg.errors.CheckViolation, match="not settled"):
        town.app.execute(close, (someone.account,))
    town.post(Operation.HOLD, someone, 100)
    with pytest.raises(psycopg.errors.CheckViolation, match="not settled"):
        town.app.execute(close, (someone.account,))
    town.post(Operation.COMMIT, someone, 100, orig=town.last_seq)
    town.app.execute(close, (someone.account,))
    assert town.post(BUY, someone, 1).code == Result.ACCOUNT_CLOSED


def test_lost_and_frozen_cards_stand_on_the_deny_list_for_as_long(town: Town) -> None:
    someone = town.person()
    listed = "SELECT reason FROM ledger.deny_list WHERE card_no = %s"
    for status, reasons in ((2, [(2,)]), (3, [(3,)]), (1, [])):
        town.app.execute("SELECT ledger.set_card_status(%s, %s)", (someone.card, status))
        assert town.app.execute(listed, (someone.card,)).fetchall() == reasons


def test_a_private_purse_can_be_added_and_then_used(town: Town) -> None:
    someone = town.person(100)
    for _ in range(2):
        town.app.execute("SELECT ledger.add_purse(%s, %s)", (someone.account, UNIT))
    assert town.post(Operation.TOPUP, someone, 50, order=2)[:2] == (Result.APPROVED, 50)


def test_posting_makes_the_partition_of_a_month_that_nobody_prepared(own_town: Town) -> None:
    someone = own_town.person()
    own_town.admin.execute(
        "UPDATE ledger.lane SET last_id = ledger.id_at('2033-03-31 23:59:59.9999+00'), last_batch = 1 WHERE lane = 0"
    )
    own_town.admin.execute("UPDATE ledger.lane SET partitioned_to = ledger.id_at('2033-03-01 00:00+00') WHERE lane = 0")
    answer = own_town.post(BUY, someone, 1)
    assert answer.code == Result.APPROVED
    assert ids.id_time(answer.transfer).year == 2033
    row = own_town.app.execute(
        "SELECT tableoid::regclass::text FROM ledger.transfer WHERE id = %s", (answer.transfer,)
    ).fetchone()
    assert row == ("ledger.transfer_2033m03",)
    own_town.admin.execute("UPDATE ledger.lane SET last_id = ledger.id_at('2033-04-01 00:00+00') WHERE lane = 0")
    assert own_town.post(BUY, someone, 1).code == Result.APPROVED


def test_ids_rise_though_the_clock_was_ahead(own_town: Town) -> None:
    """A lane whose last id lies ahead of the clock goes on from there."""
    someone = own_town.person()
    own_town.admin.execute("UPDATE ledger.lane SET last_id = last_id + (3600000::bigint << 22) WHERE lane = 0")
    first, second = own_town.post(BUY, someone, 1).transfer, own_town.post(BUY, someone, 1).transfer
    assert first < second
    assert (ids.id_time(first) - datetime.now(UTC)).total_seconds() > 3_500


def test_book_account_numbers_are_told_apart_from_purses() -> None:
    account = book_id(BookKind.MERCHANT, 12_345)
    assert account == 100_012_345
    assert split_book_id(account) == (BookKind.MERCHANT, 12_345)
    assert is_book(book_id(99, 99_999_999))
    assert not is_book(build_account_no(lane=0, serial=1) * 100_000)


def test_book_accounts_have_names(town: Town) -> None:
    for name in ("食堂", "第一食堂"):
        name_book_account(town.admin, SHOP, name=name)
    assert town.app.execute("SELECT name FROM ledger.book_account WHERE id = %s", (SHOP,)).fetchone() == ("第一食堂",)


async def test_posting_from_an_event_loop_is_the_same(town: Town) -> None:
    someone = town.person(1_000)
    columns = PostingColumns()
    town.add(columns, BUY, someone, 300)
    async with await psycopg.AsyncConnection.connect(town.database.app_dsn, autocommit=True) as connection:
        first = await post(connection, 0, columns)
        assert await post(connection, 0, columns) == first
        assert await post(connection, 0, PostingColumns()) == type(first)([], [], [], [])
    assert (first.code, first.balance) == ([Result.APPROVED], [700])
