"""Real connections at once: refunds, purchases, reversals and top-ups that race. Right is what some order of them gives."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import psycopg

from onecard.kernel.codes import Result
from onecard.ledger.accounts import BookKind
from onecard.ledger.balances import checkpoint
from tests.ledger.bank import Answer, Bank, Record, post_on

Connect = Callable[[], psycopg.Connection[Any]]


def race(connect: Connect, *runners: Iterable[Record]) -> list[list[Answer]]:
    """Each runner posts its records one after the other on a connection of its own; all start at once."""
    lists = [list(runner) for runner in runners]
    connections = [connect() for _ in lists]
    barrier = Barrier(len(lists))

    def run(connection: psycopg.Connection[Any], records: list[Record]) -> list[Answer]:
        barrier.wait(20)
        return [post_on(connection, record)[0] for record in records]

    with ThreadPoolExecutor(len(lists)) as pool:
        return list(pool.map(run, connections, lists))


def approved(answers: list[list[Answer]]) -> int:
    return sum(answer.code == Result.APPROVED for runner in answers for answer in runner)


def test_purchases_at_once_spend_what_is_there_and_no_more(bank: Bank, connect: Connect) -> None:
    account = bank.account(1_000)
    answers = race(connect, *([bank.purchase(account, 70) for _ in range(5)] for _ in range(6)))
    assert approved(answers) == 14
    assert (bank.public(account), bank.takings()) == (20, 980)
    balances = [a.balance for runner in answers for a in runner if a.code == Result.APPROVED]
    assert sorted(balances, reverse=True) == [1_000 - 70 * n for n in range(1, 15)], "each was told a balance of its own"


def test_refunds_at_once_never_give_back_more_than_was_paid(bank: Bank, connect: Connect) -> None:
    account = bank.account(1_000, 400)
    paid = bank.posted(bank.purchase(account, 1_000, order=3))
    answers = race(connect, *([bank.refund(paid, 150) for _ in range(2)] for _ in range(6)))
    assert approved(answers) == 6
    assert {a.code for runner in answers for a in runner} == {Result.APPROVED, Result.REFUND_EXCEEDS}
    assert (bank.public(account) + bank.private(account), bank.takings()) == (1_300, 100)
    bank.posted(bank.refund(paid, 100))
    assert (bank.public(account), bank.private(account)) == (1_000, 400), "whole again, each purse its own"


def test_refunds_race_purchases_of_the_same_purse(bank: Bank, connect: Connect) -> None:
    account = bank.account(1_000)
    paid = bank.posted(bank.purchase(account, 1_000))
    answers = race(
        connect,
        [bank.refund(paid, 100) for _ in range(10)],
        [bank.purchase(account, 100) for _ in range(12)],
        [bank.purchase(account, 100) for _ in range(12)],
    )
    refunds, purchases = approved(answers[:1]), approved(answers[1:])
    assert refunds == 10
    assert purchases <= 10
    assert bank.public(account) == 1_000 - 100 * purchases
    assert bank.takings() == 100 * purchases


def test_a_refund_a_void_and_a_reversal_of_one_purchase_give_it_back_once(bank: Bank, connect: Connect) -> None:
    for _ in range(8):
        account = bank.account(1_000)
        paid = bank.posted(bank.purchase(account, 600))
        race(connect, [bank.refund(paid, 600)], [bank.void(paid)], [bank.reversal(paid)])
        assert bank.public(account) == 1_000
    assert bank.takings() == 0


def test_a_record_races_its_own_reversal(bank: Bank, connect: Connect) -> None:
    """Whichever comes first, the holder has the money in the end and the late one is told so."""
    for _ in range(10):
        account = bank.account(1_000)
        record = bank.purchase(account, 600)
        (original,), (undone,), (again,) = race(connect, [record], [bank.reversal(record)], [record])
        assert undone.code == Result.APPROVED
        assert {original.code, again.code} <= {Result.APPROVED, Result.REVERSED}
        assert bank.public(account) == 1_000
        assert bank.post(record).code == Result.REVERSED


def test_commits_at_once_take_a_hold_once(bank: Bank, connect: Connect) -> None:
    account = bank.account(1_000)
    held = bank.posted(bank.hold(account, 900))
    answers = race(connect, *([bank.commit(held, 400)] for _ in range(4)), [bank.release(held)])
    assert approved(answers) == 1
    took = approved(answers[:4])
    assert (bank.public(account), bank.takings()) == (1_000 - 400 * took, 400 * took)
    assert bank.book(BookKind.HOLD, bank.unified) == 0


def test_debts_and_top_ups_at_once_end_with_the_sum(bank: Bank, connect: Connect) -> None:
    account = bank.account(0)
    race(connect, [bank.advice(account, 100) for _ in range(10)], [bank.top_up(account, 60) for _ in range(10)])
    assert bank.public(account) - bank.debt(account) == -400
    bank.posted(bank.top_up(account, 1_000))
    assert (bank.public(account), bank.debt(account), bank.denied(account)) == (600, 0, False)


def test_lanes_post_at_once_and_a_checkpoint_among_them_loses_nothing(bank: Bank, connect: Connect) -> None:
    accounts = {lane: [bank.account(10_000, lane=lane) for _ in range(3)] for lane in (10, 11, 12)}
    runners = [[bank.purchase(one, 10) for _ in range(10) for one in group] for group in accounts.values()]
    keeper = connect()
    with ThreadPoolExecutor(1) as pool:
        checkpoints = pool.submit(lambda: [checkpoint(keeper) for _ in range(15)])
        race(connect, *runners)
        checkpoints.result()
    assert bank.takings() == 900
    checkpoint(keeper)
    assert bank.takings() == 900


def test_freezing_a_card_holds_from_the_moment_it_returns(bank: Bank, connect: Connect) -> None:
    account = bank.account(10_000)
    desk = connect()
    with ThreadPoolExecutor(1) as pool:
        spending = pool.submit(race, connect, [bank.purchase(account, 10) for _ in range(30)])
        desk.execute("SELECT ledger.set_card_status(%s, 3)", (account.card_no,))
        frozen_at = bank.public(account)
        spending.result()
    assert bank.public(account) == frozen_at
