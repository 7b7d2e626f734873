"""Batches: rows decided one by one and answered in order, one account's in turns; and plans that go by index at any size."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from onecard.kernel.codes import Operation, Result
from onecard.kernel.numbers import build_account_no, build_card_no
from onecard.ledger import audit
from onecard.ledger.accounts import BookKind, book_id
from onecard.ledger.balances import book_balance, statement
from onecard.ledger.ids import id_at, id_time
from onecard.ledger.opening import AccountRow, open_accounts
from onecard.ledger.posting import PostingColumns, post_sync
from tests.ledger.bank import Account, Bank, Record, columns, post_on
from tests.ledger.conftest import Shared
from tests.support.postgres import TestServer, cloned_database


def test_rows_are_decided_one_by_one_and_answered_in_the_order_given(bank: Bank) -> None:
    accounts = [bank.account(fen) for fen in (1_000, 100, 2_000, 0)]
    answers = bank.post_all(*(bank.purchase(account, 500) for account in accounts))
    assert [a.code for a in answers] == [Result.APPROVED, Result.INSUFFICIENT_FUNDS, Result.APPROVED, Result.INSUFFICIENT_FUNDS]
    assert [a.balance for a in answers] == [500, 100, 1_500, 0]
    assert [bank.public(account) for account in accounts] == [500, 100, 1_500, 0]
    assert bank.takings() == 1_000


def test_rows_of_one_account_are_taken_in_turns(bank: Bank) -> None:
    account = bank.account(1_000)
    answers = bank.post_all(*(bank.purchase(account, amount) for amount in (400, 400, 400, 200)))
    assert [(a.code, a.balance) for a in answers] == [(0, 600), (0, 200), (50, 200), (0, 0)]


def test_a_purchase_its_refund_and_its_reversal_may_stand_in_one_batch(bank: Bank) -> None:
    account = bank.account(1_000)
    paid = bank.purchase(account, 400)
    answers = bank.post_all(paid, bank.refund(paid, 100), bank.reversal(paid), bank.refund(paid, 1))
    assert [a.code for a in answers] == [Result.APPROVED, Result.APPROVED, Result.APPROVED, Result.NO_ORIGINAL]
    assert bank.public(account) == 1_000


def test_two_cards_of_one_account_spend_one_purse_in_one_batch(bank: Bank) -> None:
    account = bank.account(1_000)
    second = account.card_no + 3 * 10**12  # another issuer's prefix, the same lane
    bank.app.execute("SELECT ledger.add_card(%s, %s, 2)", (second, account.account_no))
    answers = bank.post_all(bank.purchase(account, 700), bank.purchase(account, 700, card_no=second))
    assert [a.code for a in answers] == [Result.APPROVED, Result.INSUFFICIENT_FUNDS]
    assert bank.public(account) == 300


def test_all_operations_in_one_batch(bank: Bank) -> None:
    accounts = [bank.account(1_000, 500) for _ in range(8)]
    paid = [bank.posted(bank.purchase(account, 300)) for account in accounts[:3]]
    held = [bank.posted(bank.hold(account, 300)) for account in accounts[3:5]]
    answers = bank.post_all(
        bank.refund(paid[0], 100),
        bank.purchase(accounts[5], 1_200, order=3),
        bank.void(paid[1]),
        bank.advice(accounts[6], 1_100),
        bank.reversal(paid[2]),
        bank.commit(held[0], 200),
        bank.top_up(accounts[7], 50),
        bank.release(held[1]),
    )
    assert [(a.code, a.balance) for a in answers] == [
        (0, 800), (0, 0), (0, 1_000), (0, 0), (0, 1_000), (0, 800), (0, 1_050), (0, 1_000),
    ]  # fmt: skip
    assert len({a.transfer for a in answers}) == 8
    assert [bank.public(account) for account in accounts] == [800, 1_000, 1_000, 800, 1_000, 300, 0, 1_050]
    assert bank.debt(accounts[6]) == 100
    assert bank.takings() == 200 + 1_200 + 1_100 + 200


def test_an_account_of_another_lane_stops_the_whole_batch(bank: Bank) -> None:
    here, there = bank.account(lane=1), bank.account(lane=2)
    with bank.nothing_moves(), pytest.raises(psycopg.errors.AssertFailure, match="another lane"):
        post_sync(bank.app, 1, columns([bank.purchase(here, 1), bank.purchase(there, 1)]))


def test_columns_of_unequal_length_are_a_mistake_of_the_caller(bank: Bank) -> None:
    broken = columns([bank.purchase(bank.account(), 1)])
    broken.meal.append(0)
    with bank.nothing_moves(), pytest.raises(psycopg.errors.AssertFailure, match="unequal length"):
        post_sync(bank.app, 1, broken)


@pytest.mark.parametrize("op", [-1, 0, Operation.BALANCE, 11])
def test_what_is_no_posting_operation_is_a_mistake_of_the_caller(bank: Bank, op: int) -> None:
    account, other = bank.account(), bank.account()
    paid = bank.posted(bank.purchase(account, 100))
    with bank.nothing_moves(), pytest.raises(psycopg.errors.AssertFailure, match="operation"):
        bank.post_all(bank.purchase(other, 1), bank.follow(op, paid, 100))


@pytest.mark.parametrize(("column", "value"), [("amount", 2**63 - 1), ("occurred_us", -(2**63)), ("business_date", 2**40)])
def test_numbers_beyond_all_reason_stop_the_batch_and_move_nothing(bank: Bank, column: str, value: int) -> None:
    """The edges refuse them record by record; what gets past is not posted in part."""
    accounts = [bank.account(card_type=bank.card_type(day=10_000)) for _ in range(2)]
    bank.posted(bank.purchase(accounts[1], 1))
    batch = columns(bank.purchase(account, 1) for account in accounts)
    getattr(batch, column)[1] = value
    with bank.nothing_moves(), pytest.raises(psycopg.DataError):
        post_sync(bank.app, 1, batch)


def test_a_batch_of_nothing_is_answered_with_nothing(bank: Bank) -> None:
    with bank.nothing_moves():
        assert len(post_sync(bank.app, 1, PostingColumns())) == 0


def test_a_batch_that_is_rolled_back_was_never_there(bank: Bank) -> None:
    account = bank.account(1_000)
    record = bank.purchase(account, 400)
    with bank.nothing_moves(), bank.app.transaction(force_rollback=True):
        assert post_on(bank.app, record)[0].balance == 600
    assert bank.post(record).balance == 600


# Months: a batch does not end where a partition does.


def test_a_batch_over_the_end_of_a_month_lies_in_two_partitions(postgres: TestServer) -> None:
    with cloned_database(postgres) as database, Shared.of(database) as shared:
        bank = shared.bank()
        accounts = [bank.account(1_000) for _ in range(6)]
        midnight = datetime(2031, 3, 1, tzinfo=UTC)
        shared.owner.execute("UPDATE ledger.lane SET last_id = %s WHERE lane = 1", (id_at(midnight) - 21,))  # eight ids a row
        records = [bank.purchase(account, 100) for account in accounts]
        answers = bank.post_all(*records)
        assert [a.transfer - id_at(midnight) for a in answers] == [-20, -12, -4, 4, 12, 20]
        assert [(id_time(a.transfer) < midnight) for a in answers] == [True] * 3 + [False] * 3
        found = bank.rows("SELECT tableoid::regclass::text, count(*) FROM ledger.transfer WHERE kind = 1 GROUP BY 1 ORDER BY 1")
        assert found == [("ledger.transfer_2031m02", 3), ("ledger.transfer_2031m03", 3)]
        assert [bank.post(record) for record in records] == answers
        bank.posted(bank.refund(records[0], 40))
        bank.posted(bank.reversal(records[5]))
        statement_of = statement(bank.app, accounts[0].account_no)
        assert [line.amount_fen for line in statement_of] == [40, -100, 1_000]
        assert statement(bank.app, accounts[0].account_no, as_of=midnight - timedelta(milliseconds=1))[0].balance_fen == 900
        assert bank.takings() == 600 - 40 - 100
        report = audit.run(bank.app)
        assert report.ok, report.first_failure


_OPERATOR = 1_000_000  # of the many accounts; its card type has the same number

# Plans. PostgreSQL does not know how long arrays are: what is pinned in the function has to hold whatever statistics there are.


@pytest.fixture(scope="module")
def many(shared: Shared) -> list[Account]:
    """20,000 accounts with two purses each, and statistics of them."""
    numbers = range(500_000_000, 500_020_000)
    accounts = [
        Account(build_account_no(lane=20, serial=n), build_card_no(issuer=1002, lane=20, serial=n), 20, _OPERATOR, 7)
        for n in numbers
    ]
    shared.owner.execute("INSERT INTO ledger.issuer VALUES (%s, true)", (_OPERATOR,))
    shared.owner.execute("INSERT INTO ledger.card_type VALUES (%s, 0, 0, 0, 0)", (_OPERATOR,))
    rows = (
        AccountRow(a.account_no, a.card_no, _OPERATOR, _OPERATOR, public_fen=500, private_unit=7, private_fen=500)
        for a in accounts
    )
    assert open_accounts(shared.app, rows).opened == 20_000
    return accounts


def _reads(connection: psycopg.Connection[Any]) -> Counter[tuple[str, str]]:
    """Rows of each table of the ledger read so far by sequential scans, and those fetched by index. Counted at once, so exact."""
    query = """SELECT relname, sum(seq_tup_read)::int, coalesce(sum(idx_tup_fetch), 0)::int FROM pg_stat_xact_user_tables
                WHERE schemaname = 'ledger' GROUP BY relname"""
    found = Counter[tuple[str, str]]()
    for name, scanned, fetched in connection.execute(query):
        found["scanned", name], found["fetched", name] = scanned, fetched
    return found


def _touched(connection: psycopg.Connection[Any], *records: Record) -> Counter[tuple[str, str]]:
    """What posting the records reads; they are not left posted."""
    with connection.transaction(force_rollback=True):
        before = _reads(connection)
        answers = post_on(connection, *records)
        assert {a.code for a in answers} == {Result.APPROVED}, answers
        return _reads(connection) - before


@pytest.mark.parametrize("statistics", ["none", "fresh"])
def test_posting_goes_by_index_in_large_tables(shared: Shared, many: list[Account], statistics: str) -> None:
    bank = shared.bank()
    if statistics == "fresh":
        for table in ("transfer", "posting_key", "purse", "card", "account", "hold", "posting_batch", "lane"):
            shared.owner.execute(f"ANALYZE ledger.{table}")
    made: dict[str, Any] = {"unit": 7, "shop": 1}
    count = 50
    each: list[list[Account]] = [many[n * count : (n + 1) * count] for n in range(8)]
    paid = [bank.purchase(account, 100, order=3, **made) for account in each[4]]
    held = [bank.hold(account, 100, order=3, **made) for account in each[5]]
    for records in (paid, held):
        assert {a.code for a in bank.post_all(*records)} == {Result.APPROVED}
    batches = {
        "purchase": [bank.purchase(account, 600, order=3, **made) for account in each[0]],
        "advice": [bank.advice(account, 1_500, order=3, **made) for account in each[1]],
        "top-up": [bank.top_up(account, 100) for account in each[2]],
        "hold": [bank.hold(account, 100, order=3, **made) for account in each[3]],
        "refund": [bank.refund(record, 50) for record in paid],
        "void": [bank.void(record) for record in paid],
        "reversal": [bank.reversal(record) for record in paid],
        "commit": [bank.commit(record, 50) for record in held],
        "again": paid,
    }
    small = {"issuer", "card_type", "parameter", "lane"}  # read whole, once a call
    for name, records in batches.items():
        for (how, table), rows in _touched(shared.app, *records).items():
            if table not in small:
                assert how == "fetched", f"{name} scans {table}"
                assert rows <= 12 * count, f"{name} fetches {rows} rows of {table} for {count} records"


def test_reading_money_back_goes_by_index(shared: Shared, many: list[Account]) -> None:
    with shared.app.transaction():
        before = _reads(shared.app)
        assert len(statement(shared.app, many[0].account_no, limit=5)) == 2
        assert book_balance(shared.app, book_id(BookKind.UNIT_FUNDING, 123)) == 0
        read = _reads(shared.app) - before
    small = {"lane", "checkpoint", "checkpoint_run"}
    assert {table for how, table in read if how == "scanned"} <= small
    assert sum(rows for (_, table), rows in read.items() if table not in small) < 20
