"""The in-memory directory and its notices: what a purchase needs, kept right by reloading only what changed."""

import time as clock_time
from collections.abc import Callable, Iterator
from datetime import time, timedelta

import psycopg
import pytest

from onecard.kernel.clock import to_epoch_us
from onecard.kernel.codes import Result
from onecard.services.devices import api as devices
from onecard.services.devices.api import NewLine, NewTerminal
from onecard.services.devices.models import Terminal
from onecard.services.operators import api, directory
from onecard.services.operators.directory import Change, MealSpan, TerminalEntry
from onecard.services.operators.models import MealPeriod, Merchant, Unit
from tests.services.conftest import UNTIL, Tree
from tests.support.postgres import TestDatabase

Listener = Callable[[], list[str]]


@pytest.fixture
def connection(django_database: TestDatabase) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    with psycopg.connect(django_database.app_dsn, autocommit=True) as connected:
        yield connected


@pytest.fixture
def heard(django_database: TestDatabase) -> Iterator[Listener]:
    """The payloads of the notices since it was last asked."""
    with psycopg.connect(django_database.app_dsn, autocommit=True) as listening:
        listening.execute("LISTEN directory")
        # The notices of a commit are there when a later statement of this session answers.
        yield lambda: listening.execute("SELECT 1") and sorted({n.payload for n in listening.notifies(timeout=0)})


def canteen(tree: Tree) -> tuple[int, int, int]:
    """Line, merchant and terminal of a canteen in the unit."""
    line = devices.create_line(NewLine("食堂", kind="front_end", unit_id=tree.unit))
    merchant = api.create_merchant("食堂", unit_id=tree.unit).pk
    (terminal,) = devices.create_terminals([NewTerminal(merchant, line, driver="iso8583")])
    return line, merchant, terminal


def only(entries: list[TerminalEntry]) -> TerminalEntry:
    (entry,) = entries
    return entry


def test_an_entry_holds_all_a_purchase_needs(tree: Tree, connection) -> None:
    line, merchant, terminal = canteen(tree)
    api.set_meal_periods(tree.unit, [api.Meal(1, "早餐", time(6), time(9)), api.Meal(2, "夜宵", time(22), time(1))])
    assert only(directory.load(connection)) == TerminalEntry(
        terminal_id=terminal,
        tid=f"{terminal:08d}",
        iso8583=True,
        line_id=line,
        merchant_id=merchant,
        merchant_book=100_000_000 + merchant,
        owner_unit_id=tree.unit,
        unit_id=tree.unit,
        operator_id=tree.unified,
        purse_order=3,
        precheck=Result.APPROVED,
        valid_until_us=to_epoch_us(UNTIL),
        meals=(MealSpan(1, 21_600, 32_400), MealSpan(2, 79_200, 3_600)),
    )


def test_meals_are_found_by_the_second_of_the_local_day(tree: Tree, connection) -> None:
    canteen(tree)
    api.set_meal_periods(tree.unit, [api.Meal(1, "早餐", time(6), time(9)), api.Meal(2, "夜宵", time(22), time(1))])
    entry = only(directory.load(connection))
    moments = {0: 2, 3_599: 2, 3_600: 0, 21_599: 0, 21_600: 1, 32_399: 1, 32_400: 0, 79_199: 0, 79_200: 2, 86_399: 2}
    assert {second: entry.meal_at(second) for second in moments} == moments


def test_a_public_merchant_takes_the_public_purse_of_no_unit(tree: Tree, connection) -> None:
    inside = api.create_merchant("地铁", unit_id=tree.unit, public=True).pk
    outside = api.create_merchant("公交", operator_id=tree.root, public=True).pk
    line = devices.create_line(NewLine("公交", operator_id=tree.root))
    devices.create_terminals([NewTerminal(inside), NewTerminal(outside, line, tid="BUS00001")])
    entries = {entry.merchant_id: entry for entry in directory.load(connection)}
    assert [(entries[m].unit_id, entries[m].purse_order) for m in (inside, outside)] == [(0, 1), (0, 1)]
    assert [(entries[m].owner_unit_id, entries[m].line_id) for m in (inside, outside)] == [(tree.unit, 0), (0, line)]
    assert (entries[outside].tid, entries[outside].mid, entries[outside].valid_until_us) == ("BUS00001", f"{outside:015d}", 0)


def test_a_merchants_own_purse_order_comes_before_its_units(tree: Tree, connection) -> None:
    _, merchant, _ = canteen(tree)
    api.update_merchant(merchant, purse_order=4)
    assert only(directory.load(connection)).purse_order == 4


def test_the_precheck_names_the_first_reason_in_the_order_of_precedence(tree: Tree, connection, clock) -> None:
    _, merchant, terminal = canteen(tree)

    def precheck() -> Result:
        return only(directory.load(connection)).precheck

    Unit.objects.filter(pk=tree.unit).update(state="expired")
    assert precheck() is Result.UNIT_EXPIRED
    Unit.objects.filter(pk=tree.unit).update(state="active")
    Unit.objects.filter(pk=tree.unit).update(state="suspended")
    assert precheck() is Result.UNIT_SUSPENDED
    Unit.objects.filter(pk=tree.unit).update(state="active")
    assert precheck() is Result.APPROVED
    api.set_operator_status(tree.unified, "suspended")
    assert precheck() is Result.UNIT_SUSPENDED
    api.update_merchant(merchant, state="closed")
    assert precheck() is Result.MERCHANT_CLOSED
    devices.set_terminal_state(terminal, "disabled")
    assert precheck() is Result.TERMINAL_NOT_ALLOWED


def test_a_unit_expires_to_the_microsecond_without_any_tick(tree: Tree, connection) -> None:
    canteen(tree)
    entry = only(directory.load(connection))
    assert entry.precheck_at(to_epoch_us(UNTIL) - 1) is Result.APPROVED
    assert entry.precheck_at(to_epoch_us(UNTIL)) is Result.UNIT_EXPIRED


def test_every_change_is_told_once_with_table_and_id(tree: Tree, heard: Listener) -> None:
    line, merchant, terminal = canteen(tree)
    assert heard() == sorted([f"line:{line}", f"merchant:{merchant}", f"terminal:{terminal}"])
    api.update_unit(tree.unit, name="第一中学")
    api.update_operator(tree.unified, name="新名")
    assert heard() == [f"operator:{tree.unified}", f"unit:{tree.unit}"]
    api.update_unit(tree.unit, name="第一中学")
    assert heard() == []
    api.set_meal_periods(tree.unit, [api.Meal(1, "早餐", time(6), time(9))])
    assert heard() == [f"meal_period:{tree.unit}"]
    card_type = api.create_card_type("STUDENT", "学生卡").pk
    assert heard() == [f"card_type:{card_type}"]
    other = devices.create_line(NewLine("二食堂", unit_id=tree.unit))
    heard()
    Terminal.objects.filter(pk=terminal).update(line_id=other)
    assert heard() == sorted([f"line:{line}", f"line:{other}", f"terminal:{terminal}"])
    Terminal.objects.filter(pk=terminal).delete()
    assert heard() == sorted([f"line:{other}", f"terminal:{terminal}"])


def test_cardholders_and_new_units_do_not_stir_the_operator(tree: Tree, heard: Listener) -> None:
    unit = api.create_unit(tree.unified, "NEW", name="新").pk
    api.update_operator(tree.unified, holder_cap=2_000)
    assert heard() == [f"unit:{unit}"]


def test_many_rows_at_once_are_told_as_one(tree: Tree, heard: Listener, connection) -> None:
    _, merchant, _ = canteen(tree)
    heard()
    devices.create_terminals(NewTerminal(merchant) for _ in range(51))
    assert heard() == ["terminal:*"]
    Merchant.objects.filter(pk=merchant).update(state="closed")
    reload = directory.reload(connection, [directory.parse_change(payload) for payload in heard()])
    assert not reload.full and {entry.precheck for entry in reload.entries} == {Result.MERCHANT_CLOSED}
    assert len(reload.entries) == 52


def test_reloading_the_changes_gives_what_loading_everything_gives(tree: Tree, connection, heard: Listener) -> None:
    _, merchant, _ = canteen(tree)
    public = api.create_merchant("公交", operator_id=tree.unified, public=True).pk
    (gone, disabled, bus) = devices.create_terminals([NewTerminal(merchant), NewTerminal(merchant), NewTerminal(public)])
    held = {entry.terminal_id: entry for entry in directory.load(connection)}
    heard()
    steps: list[Callable[[], object]] = [
        lambda: api.update_merchant(merchant, purse_order=1),
        lambda: Terminal.objects.filter(pk=gone).delete(),
        lambda: devices.set_terminal_state(disabled, "disabled"),
        lambda: api.set_meal_periods(tree.unit, [api.Meal(1, "早餐", time(6), time(9))]),
        lambda: MealPeriod.objects.all().delete(),
        lambda: Unit.objects.filter(pk=tree.unit).update(valid_until=UNTIL + timedelta(days=1)),
        lambda: api.move_unit(tree.unit, operator_id=tree.root),
        lambda: api.set_operator_status(tree.unified, "suspended"),
        lambda: devices.create_terminals(NewTerminal(merchant) for _ in range(60)),
        lambda: Terminal.objects.filter(merchant_id=merchant).update(name="改名"),
    ]
    for step in steps:
        step()
        reload = directory.reload(connection, map(directory.parse_change, heard()))
        if reload.full:
            held = {}
        held.update((entry.terminal_id, entry) for entry in reload.entries)
        for terminal_id in reload.removed:
            held.pop(terminal_id, None)
        assert held == {entry.terminal_id: entry for entry in directory.load(connection)}
    assert gone not in held and held[bus].precheck is Result.MERCHANT_CLOSED


async def test_the_asynchronous_readers_read_the_same(tree: Tree, connection, django_database: TestDatabase) -> None:
    _, merchant, terminal = await_free(lambda: canteen(tree))
    async with await psycopg.AsyncConnection.connect(django_database.app_dsn) as asynchronous:
        assert await directory.load_async(asynchronous) == directory.load(connection)
        changes = [Change("merchant", merchant), Change("terminal", terminal + 1), Change("card_type", None)]
        assert await directory.reload_async(asynchronous, changes) == directory.reload(connection, changes)
        assert (await directory.reload_async(asynchronous, [Change("unit", None)])).full
        assert not (await directory.reload_async(asynchronous, [Change("line", None)])).entries


def await_free(work: Callable[[], tuple[int, int, int]]) -> tuple[int, int, int]:
    """Django refuses to run inside an event loop: the work is done in a thread of its own, on the same database."""
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connections

    def guarded() -> tuple[int, int, int]:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(guarded).result()


@pytest.mark.parametrize("payload", ["unit", "unit:", "unit:x", ""])
def test_a_notice_of_another_form_is_refused(payload: str) -> None:
    with pytest.raises(ValueError):
        directory.parse_change(payload)


def test_twenty_thousand_terminals_are_loaded_within_seconds(tree: Tree, connection, django_database: TestDatabase) -> None:
    with psycopg.connect(django_database.owner_dsn) as owner:
        owner.execute(
            "INSERT INTO operators_merchant (operator_id, unit_id, name, public, state, fee_per_mille, fee_per_item_fen,"
            " created_at) SELECT %s, %s, 'M' || i, false, 'active', 0, 0, now() FROM generate_series(1, 500) i",
            (tree.unified, tree.unit),
        )
        merchants = [row[0] for row in owner.execute("SELECT id FROM operators_merchant ORDER BY id").fetchall()]
    devices.create_terminals(NewTerminal(merchants[i % 500]) for i in range(20_000))
    begun = clock_time.monotonic()
    assert len(directory.load(connection)) == 20_000
    assert clock_time.monotonic() - begun < 5
    reload = directory.reload(connection, [Change("merchant", merchants[0])])
    assert len(reload.entries) == 40
