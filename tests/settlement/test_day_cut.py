"""The day cut (S1): parts of a day, the automatic cut, late records, empty windows, and posting while the day is cut."""

import itertools
import threading
from datetime import UTC, date, datetime, time, timedelta

import psycopg
import pytest

from onecard.kernel.clock import ManualClock
from onecard.services.settlement import api
from onecard.services.settlement.models import Calendar, SettlementRun, SettlementWindow, SheetRow
from tests.settlement.city import DAY, City

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # 12:00 in Shanghai


def clock_at(at: datetime = NOON) -> ManualClock:
    return ManualClock(at)


def gross(run: SettlementRun) -> int:
    done = api.run_settlement(run.pk)
    assert (done.state, done.failure) == ("balanced", "")
    return done.gross_fen


def test_cuts_by_hand_are_parts_of_the_open_date(city: City) -> None:
    clock = clock_at()
    holder = city.holder("A")
    city.pay(holder, "canteen", 100)
    first = api.day_cut(clock)
    city.pay(holder, "canteen", 30)
    second = api.day_cut(clock)
    assert [(run.business_date, run.part_no, run.automatic) for run in (first, second)] == [(DAY, 1, False), (DAY, 2, False)]
    assert (gross(first), gross(second)) == (100, 30)
    assert api.calendar().open_date == DAY


def test_an_empty_window_settles_to_nothing(city: City) -> None:
    run = api.run_settlement(api.day_cut().pk)
    assert (run.state, run.transfer_count, run.gross_fen) == ("balanced", 0, 0)


def test_the_automatic_cut_waits_for_the_cut_time_and_opens_the_next_date(city: City) -> None:
    clock = clock_at()
    api.calendar(clock)
    api.set_cut_time(time(23, 0))
    assert api.cut_if_due(clock) is None
    by_hand = api.day_cut(clock)
    clock.at = datetime(2026, 3, 2, 14, 59, 59, tzinfo=UTC)
    assert api.cut_if_due(clock) is None
    clock.advance(timedelta(seconds=1))
    automatic = api.cut_if_due(clock)
    assert automatic is not None
    assert (automatic.business_date, automatic.part_no, automatic.automatic) == (DAY, by_hand.part_no + 1, True)
    assert Calendar.objects.get().open_date == DAY + timedelta(days=1)
    assert api.cut_if_due(clock) is None


def test_with_cut_time_midnight_the_day_ends_at_midnight_of_the_platform(city: City) -> None:
    clock = clock_at()
    api.calendar(clock)
    clock.at = datetime(2026, 3, 2, 15, 59, 59, tzinfo=UTC)
    assert api.cut_if_due(clock) is None
    clock.advance(timedelta(seconds=1))
    assert api.cut_if_due(clock) is not None
    assert api.calendar().open_date == date(2026, 3, 3)


def test_days_on_which_the_platform_stood_get_no_run(city: City) -> None:
    clock = clock_at()
    api.calendar(clock)
    clock.advance(timedelta(days=10))
    run = api.cut_if_due(clock)
    assert run is not None
    assert run.business_date == DAY
    assert SettlementRun.objects.count() == 1
    assert api.calendar().open_date == DAY + timedelta(days=10)


def test_late_records_are_cleared_where_they_arrive_and_show_their_own_date(city: City) -> None:
    holder = city.holder("A")
    city.pay(holder, "canteen", 500, op=2, on=DAY - timedelta(days=3))
    city.pay(holder, "canteen", 70, op=2, on=DAY)
    run = api.day_cut(clock_at())
    assert gross(run) == 570
    rows = SheetRow.objects.filter(run=run, level=2).order_by("business_date").values_list("business_date", "gross_fen")
    assert list(rows) == [(DAY - timedelta(days=3), 500), (DAY, 70), (None, 570)]


def test_what_is_posted_during_cuts_falls_into_exactly_one_run(city: City) -> None:
    holders = [city.holder("A", lane=lane) for lane in (1, 2, 3)]
    stop = threading.Event()
    posted = [0] * len(holders)

    def post(number: int) -> None:
        with psycopg.connect(city.dsn, autocommit=True) as connection:
            while not stop.is_set():
                count = posted[number] + 1
                connection.execute(
                    "SELECT ledger.post_batch(%s::smallint, '{1}', %s, %s, %s, %s, '{0}', '{1}', '{1}', %s, %s,"
                    " '{0}', '{0}', '{0}', '{0}')",
                    (
                        holders[number].lane,
                        [20_000 + number],
                        [count],
                        [holders[number].card_no],
                        [100_000_000 + city.merchants["metro"].pk],
                        [1_772_424_000_000_000],
                        [9557],
                    ),
                )
                posted[number] = count

    threads = [threading.Thread(target=post, args=(number,)) for number in range(len(holders))]
    for thread in threads:
        thread.start()
    runs = [api.day_cut() for _ in range(20)]
    while min(posted) < 10:
        runs.append(api.day_cut())
    stop.set()
    for thread in threads:
        thread.join()
    runs.append(api.day_cut())
    assert sum(gross(run) for run in runs) == sum(posted)
    in_windows = city.rows(
        "SELECT t.lane, t.id, count(w.id) FROM ledger.transfer t LEFT JOIN settlement_settlementwindow w"
        " ON w.lane = t.lane AND t.id > w.from_id AND t.id <= w.through_id WHERE t.kind = 1 GROUP BY 1, 2 HAVING count(w.id) <> 1"
    )
    assert in_windows == []


def test_concurrent_cuts_come_one_after_the_other(city: City) -> None:
    from django.db import connection

    api.calendar()
    failures: list[BaseException] = []

    def cut() -> None:
        try:
            api.day_cut()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=cut) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(SettlementRun.objects.values_list("part_no", flat=True)) == list(range(1, 9))
    for lane in (0, 1, 99):
        edges = list(SettlementWindow.objects.filter(lane=lane).order_by("run_id").values_list("from_id", "through_id"))
        assert all(earlier[1] == later[0] for earlier, later in itertools.pairwise(edges))


def test_the_application_may_lock_lanes_only_through_the_cut(city: City) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        city.ledger.execute("SELECT 1 FROM ledger.lane FOR UPDATE")


def test_the_oldest_unsettled_record_is_told(city: City) -> None:
    holder = city.holder("A")
    api.run_settlement(api.day_cut().pk)
    assert api.oldest_unsettled() is None
    city.pay(holder, "canteen", 100)
    city.pay(holder, "canteen", 100)
    told = api.oldest_unsettled()
    assert told == city.rows("SELECT min(ledger.id_time(id)) FROM ledger.transfer WHERE kind = 1")[0][0]
    run = api.day_cut()
    assert api.oldest_unsettled() == told
    api.run_settlement(run.pk)
    assert api.oldest_unsettled() is None
