"""A run repeated gives the same result, a run interrupted is resumed, a run that is off says where (S3)."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection

from onecard.services.settlement import api, steps
from onecard.services.settlement.models import ClearingLine, MerchantSettlement, Posting, SettlementRun
from tests.settlement.city import ADVICE, REFUND, City
from tests.support.postgres import TestDatabase


@pytest.fixture
def run(city: City) -> SettlementRun:
    """A run with something of everything, cut and not yet cleared."""
    a, b = city.holder("A"), city.holder("B", lane=2)
    city.pay(a, "canteen", 1050)
    city.pay(b, "canteen", 333)
    city.pay(a, "shop", 999, op=ADVICE)
    city.follow(city.pay(b, "shop", 250), REFUND, 100)
    city.pay(a, "metro", 5000)
    city.pay(city.holder("C", public=None, unit="school", private=5_000), "school shop", 700, order=2)
    return api.day_cut()


def sheets(run_id: int) -> dict[str, bytes]:
    return {sheet: b"".join(api.csv_chunks(run_id, sheet)) for sheet in api.SHEET_TITLES}


def posted(city: City) -> int:
    return int(city.rows("SELECT count(*) FROM ledger.transfer WHERE lane = 99")[0][0])


def test_a_repeated_run_posts_nothing_and_gives_the_same_bytes(city: City, run: SettlementRun) -> None:
    api.run_settlement(run.pk)
    before, count = sheets(run.pk), posted(city)
    # Neither a later run nor a change of the directory changes what this one says.
    later = city.pay(city.holder("A"), "canteen", 777)
    api.run_settlement(api.day_cut().pk)
    more = posted(city)
    for merchant in city.merchants.values():
        merchant.name, merchant.fee_per_mille = "改名", 99
        merchant.save()
    type(city.operators["A"]).objects.filter(pk=city.operators["C"].pk).update(settlement_mode="unified")
    again = api.run_settlement(run.pk, repeat=True)
    assert (again.state, again.failure) == ("balanced", "")
    assert sheets(run.pk) == before
    assert posted(city) == more > count > 0
    assert later.amount == 777


def test_settling_a_run_settles_the_ones_before_it_first(city: City) -> None:
    holder = city.holder("A")
    for amount in (1383, 117):
        city.pay(holder, "canteen", amount)
        last = api.day_cut()
    api.run_settlement(last.pk)
    rows = MerchantSettlement.objects.order_by("run_id").values_list("fee_fen", "carry_in_millifen", "carry_out_millifen")
    assert list(rows) == [(8, 0, 298), (1, 298, 0)]
    assert api.unfinished_runs() == []


@contextmanager
def failing_statement(number: int) -> Iterator[list[str]]:
    """The statement of this number (writes and reads alike) is refused, as if the server had gone away."""
    seen: list[str] = []

    def execute(call, sql, params, many, context):  # type: ignore[no-untyped-def]
        seen.append(sql)
        if len(seen) == number:
            raise ConnectionResetError("cut off")
        return call(sql, params, many, context)

    with connection.execute_wrapper(execute):
        yield seen


def test_interrupted_anywhere_it_goes_on_to_the_same_result(city: City, run: SettlementRun) -> None:
    """Cut off a statement later each time; what comes out is what an uninterrupted run gives on repeating."""
    interruptions = 0
    for number in range(2, 1000):
        try:
            with failing_statement(number):
                done = api.run_settlement(run.pk)
        except ConnectionResetError:
            interruptions += 1
            connection.close()
            continue
        break
    assert interruptions > 10
    assert (done.state, done.failure) == ("balanced", "")
    resumed, count = sheets(run.pk), posted(city)
    assert count == Posting.objects.filter(run=run).count() > 0
    api.run_settlement(run.pk, repeat=True)
    assert sheets(run.pk) == resumed
    assert posted(city) == count


_KILLED_INSIDE = """
import os, signal, sys
from onecard.datacenter import dj
dj.setup()
from django.db import connection
from onecard.services.settlement import api, steps
steps.POSTING_CHUNK = 2
left = int(sys.argv[3])
def execute(call, sql, params, many, context):
    global left
    result = call(sql, params, many, context)
    left -= sys.argv[2] in sql
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)  # done, and not committed
    return result
with connection.execute_wrapper(execute):
    api.run_settlement(int(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("statement", "time"),
    [
        ("INSERT INTO settlement_clearingline", 2),
        ("INSERT INTO settlement_merchantsettlement", 1),
        ("ledger.post_book", 3),
        ("UPDATE settlement_sheetrow", 2),
    ],
)
def test_a_process_killed_inside_a_step_leaves_a_run_that_can_be_resumed(
    city: City, run: SettlementRun, django_database: TestDatabase, statement: str, time: int
) -> None:
    words = [sys.executable, "-c", _KILLED_INSIDE, str(run.pk), statement, str(time)]
    killed = subprocess.run(words, env=django_database.environment, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    city.rows("SELECT pg_advisory_lock(7310003), pg_advisory_unlock(7310003)")  # the server has noticed
    run.refresh_from_db()
    assert run.state in ("cut", "cleared", "settled")
    resumed = api.run_settlement(run.pk)
    assert (resumed.state, resumed.failure) == ("balanced", "")
    assert posted(city) == Posting.objects.filter(run=run).count()


def test_two_settlers_do_not_meet(city: City, run: SettlementRun, django_database: TestDatabase) -> None:
    with psycopg.connect(django_database.app_dsn) as other:
        other.execute("SELECT pg_advisory_lock(7310003)")
        with pytest.raises(api.RunBusy):
            api.run_settlement(run.pk, wait_s=0)
        other.execute("SELECT pg_advisory_unlock(7310003)")
    assert api.run_settlement(run.pk).state == "balanced"


def test_an_unknown_run_is_refused(city: City) -> None:
    with pytest.raises(api.UnknownRun):
        api.run_settlement(4711)


@contextmanager
def tampering(database: TestDatabase) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """As the server's superuser, past every guard."""
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        yield admin


def test_an_edited_journal_makes_the_run_unbalanced_and_stops_the_next(
    city: City, run: SettlementRun, django_database: TestDatabase
) -> None:
    api.run_settlement(run.pk)
    with tampering(django_database) as admin:
        admin.execute("UPDATE ledger.transfer SET amount_fen = amount_fen + 1 WHERE kind = 1 AND amount_fen = 1050")
    with pytest.raises(api.PlanChanged):
        api.run_settlement(run.pk, repeat=True)
    run.refresh_from_db()
    assert run.state == "unbalanced"
    assert "第 1 行" in run.failure
    later = api.day_cut()
    with pytest.raises(api.EarlierRunUnbalanced):
        api.run_settlement(later.pk)
    with tampering(django_database) as admin:
        admin.execute("UPDATE ledger.transfer SET amount_fen = 1050 WHERE kind = 1 AND amount_fen = 1051")
    assert api.run_settlement(run.pk).state == "balanced"
    assert api.run_settlement(later.pk).state == "balanced"


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("UPDATE settlement_settlementwindow SET from_id = 1 WHERE lane = 1", "1_windows"),
        ("UPDATE settlement_clearingline SET amount_fen = amount_fen + 1 WHERE kind = 1 AND amount_fen = 1050", "2_journal"),
        ("UPDATE settlement_merchantsettlement SET gross_fen = 1384, platform_fen = platform_fen + 1, net_fen = net_fen + 1"
         " WHERE gross_fen = 1383", "3_merchants"),
        ("UPDATE settlement_merchantsettlement SET carry_out_millifen = 299 WHERE gross_fen = 1383", "4_fees"),
        ("UPDATE ledger.transfer SET amount_fen = amount_fen + 1 WHERE lane = 99 AND kind = 21", "6_postings"),
        ("DELETE FROM ledger.transfer WHERE lane = 99 AND kind = 23", "6_postings"),
        ("UPDATE settlement_posting SET amount_fen = 1 WHERE line_no = 1; UPDATE ledger.transfer SET amount_fen = 1"
         " WHERE lane = 99 AND terminal_seq % 100000000 = 1", "7_emptied"),
        ("UPDATE settlement_nettingline SET amount_fen = amount_fen + 1 WHERE basis = 'fees'", "8_netting"),
    ],
)  # fmt: skip
def test_each_check_finds_what_it_is_for(
    city: City, run: SettlementRun, django_database: TestDatabase, damage: str, told: str
) -> None:
    api.run_settlement(run.pk)
    with tampering(django_database) as admin:
        for statement in damage.split("; "):
            admin.execute(statement)
    SettlementRun.objects.filter(pk=run.pk).update(state="settled")
    checked = api.run_settlement(run.pk)
    assert checked.state == "unbalanced"
    assert checked.failure.startswith(told), checked.failure


def test_windows_already_cleared_are_not_read_again(city: City, run: SettlementRun) -> None:
    for at in steps.clear(run):
        if at.done == 3:
            break
    before = set(ClearingLine.objects.values_list("pk", flat=True))
    api.run_settlement(run.pk)
    assert before
    assert before <= set(ClearingLine.objects.values_list("pk", flat=True))


def test_the_ledgers_auditor_has_the_last_word(city: City, run: SettlementRun, django_database: TestDatabase) -> None:
    with tampering(django_database) as admin:
        admin.execute(
            "UPDATE ledger.purse SET balance_fen = balance_fen + 1 WHERE account_no = (SELECT min(account_no) FROM ledger.purse)"
        )
    checked = api.run_settlement(run.pk, full_audit=True)
    assert checked.state == "unbalanced"
    assert checked.failure.startswith("audit: A"), checked.failure
