"""What runs beside posting, on real connections: the auditor, expiry, book transfers, partitions."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TypeVar

import psycopg
import pytest

from onecard.kernel.codes import Operation
from onecard.ledger import audit, balances
from onecard.ledger.posting import post_book
from tests.ledger.town import DEBT, MONDAY, SHOP, Person, Town

T = TypeVar("T")


def at_once(town: Town, jobs: list[Callable[[Town], T]]) -> list[T]:
    """Runs each job on a connection of its own, all starting together."""
    gate = threading.Barrier(len(jobs))

    def run(job: Callable[[Town], T]) -> T:
        with psycopg.connect(town.database.app_dsn, autocommit=True) as connection:
            gate.wait(30)
            return job(Town(town.database, connection, town.admin, town.lane))

    with ThreadPoolExecutor(len(jobs)) as pool:
        return [job.result(60) for job in [pool.submit(run, job) for job in jobs]]


def test_the_auditor_runs_while_the_city_posts(town: Town) -> None:
    people = [town.person(10_000) for _ in range(20)]
    done = threading.Event()

    def spend(here: Town) -> None:
        try:
            for turn in range(25):
                for who in people:
                    here.post((Operation.PURCHASE, Operation.ADVICE, Operation.TOPUP)[turn % 3], who, 700)
        finally:
            done.set()

    def look(here: Town) -> None:
        runs = 0
        while not done.is_set() or not runs:
            report = audit.run(here.app, full=runs % 2 == 0)
            assert report.ok, report.first_failure
            runs += 1

    at_once(town, [spend, look])


@pytest.mark.parametrize(("early", "left"), [(timedelta(seconds=1), 600), (timedelta(0), 1_000)])
def test_a_hold_is_paid_once_or_goes_back_whichever_comes_first(town: Town, early: timedelta, left: int) -> None:
    """A commit made before the hold's end is paid, swept or not; one made after it never is."""
    for _ in range(10):
        someone = town.person(1_000)
        town.post(Operation.HOLD, someone, 400)
        hold = town.last_seq
        row = town.admin.execute(
            "UPDATE ledger.hold SET expires_at = now() WHERE account_no = %s RETURNING expires_at", (someone.account,)
        ).fetchone()
        assert row is not None
        sold = row[0] - early

        def commit(here: Town, who: Person = someone, orig: int = hold, at: datetime = sold) -> int:
            return here.post(Operation.COMMIT, who, 400, orig=orig, at=at).code

        def expire(here: Town) -> int:
            row = here.app.execute("SELECT ledger.expire_holds(0::smallint)").fetchone()
            assert row is not None
            return int(row[0])

        at_once(town, [commit, expire, expire])
        assert (town.balance(someone), town.debt(someone)) == (left, 0)


def test_a_book_transfer_from_many_connections_is_posted_once(town: Town) -> None:
    def settle(here: Town) -> tuple[list[int], list[int]]:
        return post_book(
            here.app, -2, key_seq=[71, 72], kind=[20, 21], debit=[SHOP, SHOP], credit=[DEBT + 1, DEBT + 2], amount=[5, 6],
            business_date=MONDAY,
        )  # fmt: skip

    answers = at_once(town, [settle] * 6)
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == [0, 0]
    assert balances.book_balances(town.app, [DEBT + 1, DEBT + 2]) == {DEBT + 1: 5, DEBT + 2: 6}


def test_partitions_are_made_once_by_whoever_comes_first(town: Town) -> None:
    def ensure(here: Town) -> int:
        row = here.app.execute("SELECT ledger.ensure_partitions(3, '2031-01-01')").fetchone()
        assert row is not None
        return int(row[0])

    assert sorted(at_once(town, [ensure] * 4)) == [0, 0, 0, 4]
