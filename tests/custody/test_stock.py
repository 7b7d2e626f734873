"""The stock of SAMs: numbers once, one module a terminal, no state out of order, and whoever listens hears of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from onecard.kernel.errors import Forbidden, InvalidInput, NotFound, RuleViolated
from onecard.services.actors import Actor
from onecard.services.devices import api as devices
from onecard.services.devices.models import Terminal
from onecard.services.keys.custody import requests
from onecard.services.keys.models.custody import RequestAction
from onecard.services.keys.models.sams import MAX_SAM_NO, Sam, SamEvent, SamState
from onecard.services.keys.sams import stock
from onecard.services.keys.sams.standing import CHANNEL, sam_standing
from onecard.services.operators import api as operators
from tests.custody.conftest import person
from tests.support.postgres import TestDatabase

SYSTEM = Actor.system("test")
AtOnce = Callable[[Callable[[int], Any], int], list[Any]]


@pytest.fixture
def terminals(django_database: TestDatabase) -> list[str]:
    """Three terminals of a public merchant."""
    root = operators.create_operator("ROOT", "根运营单位", parent_id=None, holder_cap=10).pk
    merchant = operators.create_merchant("metro", operator_id=root, public=True)
    ids = devices.create_terminals([devices.NewTerminal(merchant_id=merchant.pk) for _ in range(3)])
    return [Terminal.objects.get(pk=terminal_id).tid for terminal_id in ids]


@pytest.fixture
def personalised(terminals: list[str]) -> list[int]:
    """Two modules ready to be bound."""
    numbers = stock.order_sams(2, order_ref="PO-1", actor=SYSTEM)
    stock.receive_sams(["CHIP0001", "CHIP0002"], order_ref="PO-1", actor=SYSTEM)
    for number in numbers:
        stock.finish_personalisation(number, {"purchase": [1, 1, 0]}, actor=SYSTEM)
    return numbers


def test_a_module_goes_from_the_order_to_the_scrap_heap(terminals: list[str]) -> None:
    numbers = stock.order_sams(3, order_ref="PO-1", supplier="厂", actor=SYSTEM)
    assert stock.receive_sams(["chip 0001", "CHIP0002"], order_ref="PO-1", actor=SYSTEM) == numbers[:2]
    first = numbers[0]
    stock.finish_personalisation(first, {"purchase": [1, 1, 0]}, actor=SYSTEM)
    stock.bind_sam(first, terminals[0].lower(), actor=SYSTEM)
    assert stock.get_sam(first).terminal_id == Terminal.objects.get(tid=terminals[0]).pk
    stock.unbind_sam(first, reason="terminal broken", actor=SYSTEM)
    stock.bind_sam(first, terminals[1], actor=SYSTEM)
    stock.block_sam(first, reason="stolen", actor=SYSTEM)
    assert stock.get_sam(first).terminal_id is not None, "a blocked module's records still say where it was"
    stock.scrap_sam(first, reason="destroyed", actor=SYSTEM)
    assert stock.get_sam(first).terminal_id is None
    acts = list(SamEvent.objects.filter(sam_id=first).values_list("act", flat=True))
    assert acts == ["ordered", "received", "personalised", "bound", "unbound", "bound", "blocked", "scrapped"]
    assert Sam.objects.get(pk=numbers[2]).state == SamState.ORDERED


def test_numbers_are_given_out_once(django_database: TestDatabase, at_once: AtOnce) -> None:
    given = at_once(lambda n: stock.order_sams(5, order_ref=f"PO-{n}", actor=SYSTEM), 6)
    assert sorted(number for numbers in given for number in numbers) == list(range(1, 31))
    assert stock.order_sams(1, order_ref="X", first_no=MAX_SAM_NO, actor=SYSTEM) == [MAX_SAM_NO]
    with pytest.raises(InvalidInput, match="6 bytes"):
        stock.order_sams(1, order_ref="X", actor=SYSTEM)


def test_more_than_ordered_and_the_same_chip_twice_are_refused_whole(django_database: TestDatabase) -> None:
    stock.order_sams(2, order_ref="PO-1", actor=SYSTEM)
    with pytest.raises(InvalidInput, match="2 modules outstanding, 3 came"):
        stock.receive_sams(["CHIP1", "CHIP2", "CHIP3"], order_ref="PO-1", actor=SYSTEM)
    with pytest.raises(RuleViolated, match="in the stock already"):
        stock.receive_sams(["CHIP1", "CHIP1"], order_ref="PO-1", actor=SYSTEM)
    with pytest.raises(InvalidInput, match="4 to 20"):
        stock.receive_sams(["x-1"], order_ref="PO-1", actor=SYSTEM)
    assert set(Sam.objects.values_list("state", flat=True)) == {SamState.ORDERED}


def test_one_module_a_terminal_and_one_terminal_a_module(personalised: list[int], terminals: list[str]) -> None:
    first, second = personalised
    stock.bind_sam(first, terminals[0], actor=SYSTEM)
    with pytest.raises(RuleViolated, match="another SAM"):
        stock.bind_sam(second, terminals[0], actor=SYSTEM)
    with pytest.raises(RuleViolated, match="state does not allow"):
        stock.bind_sam(first, terminals[1], actor=SYSTEM)
    with pytest.raises(NotFound):
        stock.bind_sam(second, "NOSUCH00", actor=SYSTEM)


def test_of_many_who_bind_to_one_terminal_one_succeeds(personalised: list[int], terminals: list[str], at_once: AtOnce) -> None:
    results = at_once(lambda n: stock.bind_sam(personalised[n % 2], terminals[0], actor=SYSTEM), 6)
    assert results.count(None) == 1
    assert Sam.objects.filter(terminal__isnull=False).count() == 1


def test_what_is_only_ordered_cannot_be_worked_with(terminals: list[str]) -> None:
    (number,) = stock.order_sams(1, order_ref="PO-1", actor=SYSTEM)
    acts: tuple[Callable[[], object], ...] = (
        lambda: stock.bind_sam(number, terminals[0], actor=SYSTEM),
        lambda: stock.unbind_sam(number, reason="x", actor=SYSTEM),
        lambda: stock.block_sam(number, reason="x", actor=SYSTEM),
        lambda: stock.finish_personalisation(number, {}, actor=SYSTEM),
    )
    for act in acts:
        with pytest.raises(RuleViolated):
            act()
    assert stock.get_sam(number).state == SamState.ORDERED


def test_every_act_needs_its_permission_and_some_a_reason(personalised: list[int], terminals: list[str]) -> None:
    nobody = Actor("nobody", frozenset({"keys.read"}))
    number = personalised[0]
    acts: tuple[Callable[[], object], ...] = (
        lambda: stock.order_sams(1, order_ref="x", actor=nobody),
        lambda: stock.receive_sams(["CHIP9"], order_ref="x", actor=nobody),
        lambda: stock.bind_sam(number, terminals[0], actor=nobody),
        lambda: stock.unbind_sam(number, reason="x", actor=nobody),
        lambda: stock.block_sam(number, reason="x", actor=nobody),
        lambda: stock.scrap_sam(number, reason="x", actor=nobody),
    )
    for act in acts:
        with pytest.raises(Forbidden):
            act()
    with pytest.raises(InvalidInput, match="reason"):
        stock.block_sam(number, reason="  ", actor=SYSTEM)


def test_the_standing_of_many_is_one_question(personalised: list[int], terminals: list[str]) -> None:
    first, second = personalised
    stock.bind_sam(first, terminals[0], actor=SYSTEM)
    terminal_id = Terminal.objects.get(tid=terminals[0]).pk
    found = sam_standing([first, second, second, 999])
    assert set(found) == {first, second}
    assert found[first].works_in(terminal_id)
    assert not found[first].works_in(terminal_id + 1)
    assert not found[second].works_in(terminal_id)
    stock.block_sam(first, reason="stolen", actor=SYSTEM)
    assert not sam_standing([first])[first].works_in(terminal_id)


def test_whoever_listens_hears_of_it_at_commit(personalised: list[int], terminals: list[str], database: TestDatabase) -> None:
    terminal_id = Terminal.objects.get(tid=terminals[0]).pk
    with psycopg.connect(database.app_dsn, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}".encode())
        stock.bind_sam(personalised[0], terminals[0], actor=SYSTEM)
        stock.block_sam(personalised[0], reason="stolen", actor=SYSTEM)
        stock.order_sams(51, order_ref="PO-2", actor=SYSTEM)
        heard = [notice.payload for notice in listener.notifies(timeout=10, stop_after=3)]
    assert heard == [f"{personalised[0]}:bound:{terminal_id}", f"{personalised[0]}:blocked:{terminal_id}", "*"]


@pytest.mark.parametrize("text", ["", "1", "00000000001G", "000000000000", "0000000000001"])
def test_what_is_no_number_of_a_module_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        stock.parse_sam_no(text)


def test_a_number_is_read_as_the_module_carries_it() -> None:
    assert stock.parse_sam_no("0000 0000 010a") == 0x10A


def test_the_database_itself_refuses(personalised: list[int], database: TestDatabase) -> None:
    with psycopg.connect(database.app_dsn, autocommit=True) as connection:
        for statement in (
            "UPDATE keys_sam SET state = 'bound'",
            "UPDATE keys_sam SET state = 'ordered'",
            "UPDATE keys_sam SET id = id + 77",
            "UPDATE keys_sam SET serial = 'OTHER'",
            "DELETE FROM keys_sam",
            "UPDATE keys_samevent SET who = 'x'",
            "DELETE FROM keys_samevent",
        ):
            with pytest.raises(psycopg.errors.IntegrityError):
                connection.execute(statement.encode())


def test_ten_thousand_standings_take_moments(django_database: TestDatabase) -> None:
    numbers = stock.order_sams(10_000, order_ref="PO-1", actor=SYSTEM)
    begun = datetime.now(UTC)
    assert len(sam_standing(numbers)) == 10_000
    assert datetime.now(UTC) - begun < timedelta(seconds=5)  # takes some 0.03 s; the margin is for a machine at its limit


def test_one_person_lifts_no_block_by_any_way_round(personalised: list[int], terminals: list[str]) -> None:
    number = personalised[0]
    stock.block_sam(number, reason="stolen", actor=SYSTEM)
    acts: tuple[Callable[[], object], ...] = (
        lambda: stock.unbind_sam(number, reason="x", actor=SYSTEM),
        lambda: stock.bind_sam(number, terminals[0], actor=SYSTEM),
        lambda: stock.finish_personalisation(number, {}, actor=SYSTEM),
        lambda: stock.unblock_sam(number, actor=SYSTEM),
    )
    for act in acts:
        with pytest.raises(RuleViolated):
            act()
    assert stock.get_sam(number).state == SamState.BLOCKED
    stock.scrap_sam(number, reason="destroyed", actor=SYSTEM)


def test_the_database_keeps_a_block_until_two_people_lift_it(
    personalised: list[int], terminals: list[str], database: TestDatabase
) -> None:
    number = personalised[0]
    stock.bind_sam(number, terminals[0], actor=SYSTEM)
    stock.block_sam(number, reason="stolen", actor=SYSTEM)
    chen, zhao = person("chen"), person("zhao")
    lift = (
        f"UPDATE keys_sam SET state = 'personalised', terminal_id = NULL WHERE id = {number}",
        f"UPDATE keys_sam SET state = 'received', terminal_id = NULL WHERE id = {number}",
        f"UPDATE keys_sam SET state = 'bound' WHERE id = {number}",
        f"UPDATE keys_sam SET terminal_id = NULL WHERE id = {number}",
    )

    def refused() -> None:
        with psycopg.connect(database.app_dsn, autocommit=True) as connection:
            for statement in lift:
                with pytest.raises(psycopg.errors.IntegrityError):
                    connection.execute(statement.encode())

    refused()
    asked = requests.ask(RequestAction.SAM_UNBLOCK, sam_no=number, reason="found", actor=chen)
    refused()
    requests.approve(asked.pk, actor=zhao)
    assert stock.get_sam(number).state == SamState.BOUND
    stock.block_sam(number, reason="stolen again", actor=SYSTEM)
    refused()  # an approval of before is none for now
