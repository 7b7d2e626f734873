"""P4, N2: exactly once by terminal and sequence; the first answer again, and other content under a used key refused by field."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import psycopg
import pytest

from onecard.kernel.codes import ConflictField, Operation, Result
from onecard.ledger.accounts import BookKind, book_id
from onecard.ledger.posting import post, post_book
from tests.ledger.bank import DAY, Bank, Record, columns, post_on

Connect = Callable[[], psycopg.Connection[Any]]


def test_the_same_record_gets_the_first_answer_and_moves_nothing(bank: Bank) -> None:
    account = bank.account(1_000)
    record = bank.purchase(account, 300)
    first = bank.post(record)
    bank.posted(bank.purchase(account, 300))  # meanwhile life goes on
    with bank.nothing_moves():
        assert [bank.post(record) for _ in range(3)] == [first] * 3
    assert first.balance == 700
    assert bank.public(account) == 400


def test_the_first_answer_survives_the_connection(bank: Bank, connect: Connect) -> None:
    record = bank.purchase(bank.account(1_000), 300)
    first = post_on(connect(), record)
    with bank.nothing_moves():
        assert post_on(connect(), record) == first


async def test_the_asynchronous_way_answers_the_same(bank: Bank) -> None:
    record = bank.purchase(bank.account(1_000), 300)
    first = bank.post(record)
    for autocommit in (True, False):
        async with await psycopg.AsyncConnection.connect(bank.database.app_dsn, autocommit=autocommit) as connection:
            again = await post(connection, 1, columns([record]))
    assert (again.code, again.balance, again.transfer, again.field) == ([0], [700], [first.transfer], [0])


def test_a_refusal_is_an_answer_too(bank: Bank) -> None:
    account = bank.account(100)
    record = bank.purchase(account, 300)
    first = bank.post(record)
    assert (first.code, first.balance) == (Result.INSUFFICIENT_FUNDS, 100)
    bank.posted(bank.top_up(account, 1_000))
    with bank.nothing_moves():
        assert bank.post(record) == first, "the terminal was told no: the money that came since does not change that"
    assert bank.refused(record.but(amount=301)) == Result.KEY_CONFLICT


def test_a_refusal_by_the_directory_is_kept_as_well(bank: Bank) -> None:
    account = bank.account()
    record = bank.purchase(account, 300, precheck=Result.UNIT_EXPIRED)
    assert bank.refused(record) == Result.UNIT_EXPIRED
    assert bank.refused(record.but(precheck=0)) == Result.UNIT_EXPIRED


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"op": Operation.TOPUP}, ConflictField.OPERATION),
        ({"op": Operation.ADVICE, "amount": 1}, ConflictField.AMOUNT),
        ({"amount": 301}, ConflictField.AMOUNT),
        ({"amount": 301, "merchant": 1}, ConflictField.AMOUNT),
        ({"merchant": 1}, ConflictField.MERCHANT),
        ({"occurred": timedelta(days=2)}, ConflictField.OCCURRED_AT),
    ],
)
def test_other_content_under_a_used_key_is_refused_naming_the_field(
    bank: Bank, changes: dict[str, Any], field: ConflictField
) -> None:
    record = bank.posted(bank.purchase(bank.account(), 300))
    if "occurred" in changes:
        changes = {"occurred": record.occurred + changes["occurred"]}
    with bank.nothing_moves():
        answer = bank.post(record.but(**changes))
    assert (answer.code, answer.field, answer.transfer, answer.balance) == (Result.KEY_CONFLICT, field, 0, 0)


def test_another_card_under_a_used_key_is_refused_on_its_own_lane_and_on_another(bank: Bank) -> None:
    record = bank.posted(bank.purchase(bank.account(lane=1), 300))
    for lane in (1, 2, 3):
        other = bank.account(1_000, lane=lane)
        with bank.nothing_moves():
            answer = bank.post(record.but(card_no=other.card_no))
        assert (answer.code, answer.field) == (Result.KEY_CONFLICT, ConflictField.CARD_NO)


def test_another_original_under_a_used_key_is_refused(bank: Bank) -> None:
    account = bank.account()
    first, second = bank.posted(bank.purchase(account, 300)), bank.posted(bank.purchase(account, 300))
    refund = bank.posted(bank.refund(first, 100))
    for changes in ({"orig_seq": second.seq}, {"orig_terminal": bank.terminal + 1_000_000}):
        with bank.nothing_moves():
            answer = bank.post(refund.but(**changes))
        assert (answer.code, answer.field) == (Result.KEY_CONFLICT, ConflictField.ORIGINAL)
    with bank.nothing_moves():
        assert bank.post(refund.but(orig_terminal=bank.terminal)).code == Result.APPROVED, "0 means the same terminal"


def test_on_line_a_retry_may_carry_a_new_time_but_an_offline_record_has_its_own(bank: Bank) -> None:
    account = bank.account()
    online, offline = bank.posted(bank.purchase(account, 300)), bank.posted(bank.advice(account, 300))
    with bank.nothing_moves():
        assert bank.post(online.but(occurred=online.occurred + timedelta(seconds=90))).code == Result.APPROVED
        answer = bank.post(offline.but(occurred=offline.occurred + timedelta(seconds=1)))
    assert (answer.code, answer.field) == (Result.KEY_CONFLICT, ConflictField.OCCURRED_AT)


def test_what_the_directory_says_of_a_record_is_not_part_of_its_content(bank: Bank) -> None:
    record = bank.posted(bank.purchase(bank.account(10_000, 10_000), 300))
    with bank.nothing_moves():
        assert bank.post(record.but(unit=0, order=2, meal=3, precheck=Result.UNIT_EXPIRED)).code == Result.APPROVED


def test_a_key_of_months_ago_still_answers(bank: Bank) -> None:
    then = DAY - timedelta(days=300)
    record = bank.purchase(bank.account(1_000), 300, day=then)
    first = bank.post(record)
    bank.owner.execute("UPDATE ledger.posting_key SET posted_on = posted_on - 300 WHERE terminal_id = %s", (record.terminal,))
    with bank.nothing_moves():
        assert bank.post(record) == first
        assert bank.post(record.but(amount=1)).code == Result.KEY_CONFLICT


def test_the_same_sequence_number_used_again_days_later_is_another_record(bank: Bank) -> None:
    record = bank.posted(bank.purchase(bank.account(1_000), 300))
    with bank.nothing_moves():
        answer = bank.post(record.but(occurred=record.occurred + timedelta(days=3), day=DAY + timedelta(days=3)))
    assert (answer.code, answer.field) == (Result.KEY_CONFLICT, ConflictField.OCCURRED_AT)


def test_a_record_and_its_retry_in_one_batch_are_one(bank: Bank) -> None:
    account = bank.account(1_000)
    record = bank.purchase(account, 300)
    first, second, third = bank.post_all(record, record, record.but(amount=301))
    assert (first, third.code) == (second, Result.KEY_CONFLICT)
    assert bank.public(account) == 700


def test_a_batch_sent_again_posts_only_what_is_new(bank: Bank) -> None:
    records = [bank.purchase(bank.account(1_000), 100 * n) for n in range(1, 6)]
    first = bank.post_all(*records[:3])
    again = bank.post_all(*records)
    assert again[:3] == first
    assert bank.takings() == 1_500


def _at_once(connect: Connect, batches: list[list[Record]]) -> list[list[Any]]:
    barrier = Barrier(len(batches))
    connections = [connect() for _ in batches]

    def one(connection: psycopg.Connection[Any], batch: list[Record]) -> list[Any]:
        barrier.wait(20)
        return post_on(connection, *batch)

    with ThreadPoolExecutor(len(batches)) as pool:
        return list(pool.map(one, connections, batches))


def test_duplicates_on_several_connections_at_once_are_posted_once(bank: Bank, connect: Connect) -> None:
    accounts = [bank.account(1_000) for _ in range(20)]
    records = [bank.purchase(account, 100) for account in accounts]
    answers = _at_once(connect, [records[shift:] + records[:shift] for shift in (0, 5, 10, 15)])
    for shift, batch in zip((0, 5, 10, 15), answers, strict=True):
        assert batch[20 - shift :] + batch[: 20 - shift] == answers[0]
    assert [bank.public(account) for account in accounts] == [900] * 20
    assert bank.takings() == 2_000


def test_one_key_on_two_lanes_at_once_is_posted_on_one_of_them(bank: Bank, connect: Connect) -> None:
    for _ in range(10):
        one, two = bank.account(1_000, lane=4), bank.account(1_000, lane=5)
        record = bank.purchase(one, 100)
        answers = _at_once(connect, [[record], [record.but(card_no=two.card_no)]])
        assert sorted(batch[0].code for batch in answers) == [Result.APPROVED, Result.KEY_CONFLICT]
        assert sorted([bank.public(one), bank.public(two)]) == [900, 1_000]


def test_keys_crossed_over_two_lanes_do_not_stop_one_another(bank: Bank, connect: Connect) -> None:
    for _ in range(5):
        ones, twos = ([bank.account(1_000, lane=lane) for _ in range(8)] for lane in (6, 7))
        records = [bank.purchase(account, 100) for account in ones]
        others = [record.but(card_no=account.card_no) for record, account in zip(records, twos, strict=True)]
        first, second = _at_once(connect, [records, others[::-1]])
        for one, two in zip(first, second[::-1], strict=True):
            assert sorted([one.code, two.code]) == [Result.APPROVED, Result.KEY_CONFLICT]
        assert sum(bank.public(account) for account in ones + twos) == 16_000 - 800


def test_book_transfers_are_posted_once_by_their_key(bank: Bank) -> None:
    merchant, payable = book_id(BookKind.MERCHANT, bank.shop), book_id(BookKind.SETTLEMENT_PAYABLE, bank.unified)
    key = bank.terminal * 10_000

    def transfer(amounts: list[int], first: int = 0) -> tuple[list[int], list[int]]:
        count = len(amounts)
        return post_book(
            bank.app, -2, key_seq=[key + first + n for n in range(count)], kind=[21] * count, debit=[merchant] * count,
            credit=[payable] * count, amount=amounts, business_date=DAY,
        )  # fmt: skip

    codes, ids = transfer([500, 700])
    assert codes == [0, 0]
    with bank.nothing_moves():
        assert transfer([500, 700]) == (codes, ids)
        assert transfer([501, 700])[0] == [Result.KEY_CONFLICT, 0]
    assert transfer([700, 300], first=1)[0] == [0, 0]
    assert (bank.takings(), bank.book(BookKind.SETTLEMENT_PAYABLE, bank.unified)) == (-1_500, 1_500)
    with pytest.raises(psycopg.Error, match="not a book account"):
        post_book(
            bank.app,
            -2,
            key_seq=[key + 9],
            kind=[21],
            debit=[bank.account().purse()],
            credit=[payable],
            amount=[1],
            business_date=DAY,
        )
