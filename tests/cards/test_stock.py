"""Stock (C1): what a document moves is where it says, nothing exists twice, and nobody gets more than there is."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connection

from onecard.kernel.errors import Forbidden, InvalidInput, RuleViolated
from onecard.services.actors import Actor
from onecard.services.cards import api
from onecard.services.operators import api as operators
from tests.cards.conftest import DESK, City

THREADS = 16


@pytest.fixture
def city(empty_shelves: City) -> City:
    return empty_shelves


def levels(city: City) -> dict[tuple[str, int], int]:
    return {(level.place.kind, level.card_type_id): level.quantity for level in api.levels()}


def test_three_hundred_thousand_cards_are_one_row(city: City) -> None:
    city.receive(1, 300_000)
    assert [(r.first, r.last) for r in api.ranges(api.centre().pk)] == [(1, 300_000)]
    assert levels(city) == {("centre", city.unified): 300_000}


def test_ranges_split_where_cards_leave_and_join_where_they_meet(city: City) -> None:
    city.receive(1, 1000, card_type=city.local)
    place = api.operator_place(city.operator).pk
    for first, last in ((101, 200), (301, 400), (201, 300)):
        api.hand_over(api.centre().pk, place, [api.Serials(city.local, first, last)], actor=DESK)
    assert [(r.first, r.last) for r in api.ranges(api.centre().pk)] == [(1, 100), (401, 1000)]
    assert [(r.first, r.last) for r in api.ranges(place)] == [(101, 400)]
    api.return_stock(place, api.centre().pk, [api.Serials(city.local, 101, 400)], actor=DESK)
    assert [(r.first, r.last) for r in api.ranges(api.centre().pk)] == [(1, 1000)]


def test_a_line_may_span_several_ranges_and_a_gap_is_refused(city: City) -> None:
    place = api.operator_place(city.operator).pk
    city.receive(1, 10, card_type=city.local)
    city.receive(11, 20, card_type=city.local)
    city.receive(31, 40, card_type=city.local)
    with pytest.raises(RuleViolated, match="C1"):
        api.hand_over(api.centre().pk, place, [api.Serials(city.local, 5, 35)], actor=DESK)
    api.hand_over(api.centre().pk, place, [api.Serials(city.local, 5, 15)], actor=DESK)
    assert levels(city) == {("centre", city.local): 19, ("operator", city.local): 11}


def test_no_serial_comes_in_twice_whatever_its_type_or_place(city: City) -> None:
    city.receive(1, 100)
    for first, last, card_type in ((1, 100, city.unified), (100, 200, city.local), (50, 50, city.local)):
        with pytest.raises(RuleViolated, match="C1"):
            city.receive(first, last, card_type=card_type)
    assert levels(city) == {("centre", city.unified): 100}


def test_what_goes_back_to_the_supplier_may_come_again(city: City) -> None:
    city.receive(1, 100)
    api.return_stock(api.centre().pk, api.supplier("卡厂").pk, [api.Serials(city.unified, 1, 50)], actor=DESK)
    assert city.place_of(1) is None
    city.receive(1, 50)
    assert levels(city) == {("centre", city.unified): 100}
    assert [m.document.kind for m in api.movements(1)] == ["receipt", "return", "receipt"]


def test_receipts_never_exceed_the_order(city: City) -> None:
    order = api.order("卡厂", [api.Ordered(city.unified, 100)], actor=DESK, clock=city.clock)
    city.receive(1, 60, order_id=order.pk)
    with pytest.raises(RuleViolated, match="C1"):
        city.receive(61, 101, order_id=order.pk)
    city.receive(61, 100, order_id=order.pk)
    with pytest.raises(RuleViolated, match="C1"):
        city.receive(101, 101, order_id=order.pk)
    with pytest.raises(RuleViolated, match="C1"):  # of this order, nothing of that type
        city.receive(101, 101, card_type=city.local, order_id=order.pk)
    line = order.order_lines.get()
    assert (line.quantity, line.received) == (100, 100)


def test_an_order_is_its_suppliers(city: City) -> None:
    order = api.order("卡厂", [api.Ordered(city.unified, 100)], actor=DESK)
    with pytest.raises(RuleViolated, match="C1"):
        api.receive("别家", [api.Serials(city.unified, 1, 1)], order_id=order.pk, actor=DESK)


def test_receipts_at_once_never_exceed_the_order(city: City, pairs: Callable[..., list[Any]]) -> None:
    order = api.order("卡厂", [api.Ordered(city.unified, 100)], actor=DESK)
    done = pairs(lambda n: city.receive(n * 10 + 1, n * 10 + 10, order_id=order.pk), THREADS)
    assert sum(isinstance(answer, RuleViolated) for answer in done) == THREADS - 10
    assert levels(city) == {("centre", city.unified): 100}


def test_hand_overs_at_once_never_take_more_than_there_is(city: City, pairs: Callable[..., list[Any]]) -> None:
    city.receive(1, 100, card_type=city.local)
    target, centre = [api.operator_place(city.operator).pk, api.operator_place(city.other).pk], api.centre().pk

    def take(n: int) -> None:  # ranges of 20 that overlap one another by half
        line = api.Serials(city.local, n % 9 * 10 + 1, n % 9 * 10 + 20)
        api.hand_over(centre, target[n % 2], [line], actor=DESK)

    done = pairs(take, THREADS)
    moved = 20 * done.count(None)
    assert 80 <= moved + 20 <= 120
    held = levels(city)
    assert held.get(("centre", city.local), 0) == 100 - moved
    assert all(isinstance(answer, RuleViolated) for answer in done if answer is not None)


def test_claims_at_once_get_different_cards_until_none_is_left(city: City, pairs: Callable[..., list[Any]]) -> None:
    city.receive(1, 12)
    done = pairs(
        lambda n: api.claim_for_issue(None, operator_id=city.operator, card_type_id=city.unified, actor=DESK).serial, THREADS
    )
    serials = [answer for answer in done if isinstance(answer, int)]
    assert sorted(serials) == list(range(1, 13))
    assert sum(isinstance(answer, RuleViolated) for answer in done) == THREADS - 12


def test_one_blank_is_claimed_once(city: City, pairs: Callable[..., list[Any]]) -> None:
    city.receive(1, 100)
    done = pairs(
        lambda n: api.claim_for_issue(50, operator_id=city.operator, card_type_id=city.unified, actor=DESK).serial, THREADS
    )
    assert done.count(50) == 1
    assert sum(isinstance(answer, RuleViolated) for answer in done) == THREADS - 1


def test_hand_overs_and_returns_crossing_do_not_block_one_another(city: City, pairs: Callable[..., list[Any]]) -> None:
    city.receive(1, 1000, card_type=city.local)
    here, centre = api.operator_place(city.operator).pk, api.centre().pk
    api.hand_over(centre, here, [api.Serials(city.local, 1, 500)], actor=DESK)

    def cross(n: int) -> None:
        if n % 2:
            api.hand_over(centre, here, [api.Serials(city.local, 501 + n * 10, 510 + n * 10)], actor=DESK)
        else:
            api.return_stock(here, centre, [api.Serials(city.local, 1 + n * 10, 10 + n * 10)], actor=DESK)

    assert pairs(cross, THREADS) == [None] * THREADS


def test_unified_types_are_issued_from_the_centre_only(city: City) -> None:
    city.receive(1, 10)
    place = api.operator_place(city.operator)
    with pytest.raises(RuleViolated) as refused:
        api.hand_over(api.centre().pk, place.pk, [api.Serials(city.unified, 1, 1)], actor=DESK)
    assert refused.value.rule == "O2"
    with pytest.raises(RuleViolated) as refused:
        api.claim_for_issue(1, operator_id=city.operator, card_type_id=city.unified, place_id=place.pk, actor=DESK)
    assert refused.value.rule == "O2"
    assert api.claim_for_issue(1, operator_id=city.operator, card_type_id=city.unified, actor=DESK).place == api.centre()


def test_local_types_are_issued_from_the_own_place_only(city: City) -> None:
    city.receive(1, 10, card_type=city.local)
    centre, own, unit = api.centre().pk, api.operator_place(city.operator).pk, api.unit_place(city.unit).pk
    api.operator_place(city.other)

    def claim(serial: int, operator: int = city.operator, **more: Any) -> api.Claim:
        return api.claim_for_issue(serial, operator_id=operator, card_type_id=city.local, actor=DESK, **more)

    for place in (centre, None):
        with pytest.raises(RuleViolated) as refused:
            claim(1, place_id=place)
        assert refused.value.rule == ("O2" if place else "C1")
    api.hand_over(centre, own, [api.Serials(city.local, 1, 4)], actor=DESK)
    api.hand_over(own, unit, [api.Serials(city.local, 3, 4)], actor=DESK)
    assert claim(1).place_id == own
    assert claim(3, unit_id=city.unit).place_id == unit
    with pytest.raises(RuleViolated, match="C1"):  # in the unit's place, not in the operator's
        claim(4)
    with pytest.raises(RuleViolated, match="C1"):
        claim(2, city.other)
    with pytest.raises(RuleViolated, match="C1"):
        claim(2, city.other, place_id=own)


def test_a_type_the_operator_may_not_use_is_refused(city: City) -> None:
    stranger = operators.create_card_type("NEW", "新卡").pk
    city.receive(1, 10, card_type=stranger)
    for refused_call in (
        lambda: api.hand_over(api.centre().pk, api.operator_place(city.operator).pk, [api.Serials(stranger, 1, 1)], actor=DESK),
        lambda: api.claim_for_issue(1, operator_id=city.operator, card_type_id=stranger, actor=DESK),
    ):
        with pytest.raises(RuleViolated) as refused:
            refused_call()
        assert refused.value.rule == "O2"


def test_a_unit_gets_cards_of_its_own_operator_only(city: City) -> None:
    city.receive(1, 10, card_type=city.local)
    other = api.operator_place(city.other).pk
    api.hand_over(api.centre().pk, other, [api.Serials(city.local, 1, 10)], actor=DESK)
    with pytest.raises(RuleViolated, match="C1"):
        api.hand_over(other, api.unit_place(city.unit).pk, [api.Serials(city.local, 1, 1)], actor=DESK)


def test_a_claimed_blank_goes_back_or_is_scrapped(city: City) -> None:
    city.receive(1, 2)
    for serial in (1, 2):
        api.claim_for_issue(serial, operator_id=city.operator, card_type_id=city.unified, job="J", actor=DESK)
    assert city.place_of(1) == "work"
    api.unclaim(1, actor=DESK)
    api.unclaim(2, actor=DESK, scrap=True, reason="芯片坏")
    assert (city.place_of(1), city.place_of(2)) == ("centre", "scrapped")
    with pytest.raises(RuleViolated, match="C1"):
        api.unclaim(1, actor=DESK)


def test_the_same_job_gets_its_blank_again(city: City) -> None:
    city.receive(1, 2)
    ask = {"operator_id": city.operator, "card_type_id": city.unified, "actor": DESK}
    first = api.claim_for_issue(1, job="J1", **ask)
    assert api.claim_for_issue(1, job="J1", **ask) == first
    with pytest.raises(RuleViolated, match="C1"):
        api.claim_for_issue(1, job="J2", **ask)


def test_scrapped_cards_do_not_come_back(city: City) -> None:
    city.receive(1, 10)
    api.scrap(api.centre().pk, [api.Serials(city.unified, 1, 5)], actor=DESK, reason="水浸")
    scrapped = next(place for place in api.places() if place.kind == "scrapped")
    with pytest.raises(RuleViolated, match="C1"):
        api.return_stock(scrapped.pk, api.centre().pk, [api.Serials(city.unified, 1, 5)], actor=DESK)
    with pytest.raises(InvalidInput):
        api.scrap(api.centre().pk, [api.Serials(city.unified, 6, 6)], actor=DESK, reason=" ")


def test_a_document_is_made_once_by_its_key(city: City) -> None:
    first = city.receive(1, 10, key="R-1")
    assert city.receive(1, 10, key="R-1") == first
    with pytest.raises(InvalidInput):
        city.receive(11, 20, key="R-1")
    with pytest.raises(InvalidInput):
        api.order("卡厂", [api.Ordered(city.unified, 1)], actor=DESK, key="R-1")
    assert levels(city) == {("centre", city.unified): 10}


def test_an_operators_clerk_works_in_his_own_place_only(city: City) -> None:
    clerk = Actor("clerk", frozenset(api.PERMISSIONS), frozenset({city.operator}))
    city.receive(1, 10, card_type=city.local)
    own, other = api.operator_place(city.operator).pk, api.operator_place(city.other).pk
    for place in (own, other):
        first = 1 if place == own else 6
        api.hand_over(api.centre().pk, place, [api.Serials(city.local, first, first + 4)], actor=DESK)
    api.hand_over(own, api.unit_place(city.unit).pk, [api.Serials(city.local, 1, 1)], actor=clerk)
    for refused in (
        lambda: api.receive("卡厂", [api.Serials(city.local, 11, 12)], actor=clerk),
        lambda: api.order("卡厂", [api.Ordered(city.local, 11)], actor=clerk),
        lambda: api.hand_over(api.centre().pk, own, [api.Serials(city.local, 11, 12)], actor=clerk),
        lambda: api.return_stock(other, api.centre().pk, [api.Serials(city.local, 6, 6)], actor=clerk),
        lambda: api.scrap(other, [api.Serials(city.local, 6, 6)], actor=clerk, reason="x"),
        lambda: api.claim_for_issue(6, operator_id=city.other, card_type_id=city.local, actor=clerk),
        lambda: api.return_stock(own, api.centre().pk, [api.Serials(city.local, 2, 2)], actor=Actor("nobody")),
    ):
        with pytest.raises(Forbidden):
            refused()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO cards_stockrange (place_id, card_type_id, first, last) VALUES (1, {type}, 500, 600)",
        "UPDATE cards_stocklevel SET quantity = quantity + 1",
        "DELETE FROM cards_stockrange",
        "DELETE FROM cards_claim",
        "UPDATE cards_stockmovement SET last = last + 1",
        "DELETE FROM cards_stockdocument",
        "TRUNCATE cards_stockmovement CASCADE",
        "UPDATE cards_orderline SET received = 0",
    ],
)
def test_the_application_moves_stock_by_documents_only(city: City, statement: str) -> None:
    order = api.order("卡厂", [api.Ordered(city.unified, 10)], actor=DESK)
    city.receive(1, 10, order_id=order.pk)
    with psycopg.connect(city.database.app_dsn) as app, pytest.raises(psycopg.errors.Error) as refused:
        app.execute(statement.format(type=city.unified).encode())
    assert refused.value.sqlstate in {"42501", "23001"}


def test_even_the_owner_cannot_put_a_serial_in_two_places_or_rewrite_movements(city: City) -> None:
    city.receive(1, 10)
    with psycopg.connect(city.database.owner_dsn, autocommit=True) as owner:
        with pytest.raises(psycopg.errors.ExclusionViolation):
            owner.execute(
                "INSERT INTO cards_stockrange (place_id, card_type_id, first, last) VALUES (2, %s, 10, 20)", [city.unified]
            )
        with pytest.raises(psycopg.errors.RestrictViolation):
            owner.execute("UPDATE cards_stockmovement SET last = 11")


def test_the_check_sees_a_place_that_does_not_add_up(city: City) -> None:
    city.receive(1, 10)
    assert api.check() == []
    with psycopg.connect(city.database.owner_dsn) as owner:
        owner.execute("UPDATE cards_stocklevel SET quantity = 11")
        owner.commit()
        (finding,) = api.check()
        assert (finding.number, finding.expected) == ("K1", "10 by movements")
        owner.execute("UPDATE cards_stocklevel SET quantity = 10")
        owner.execute("UPDATE cards_stockrange SET last = 9")
        owner.commit()
        assert [finding.number for finding in api.check()] == ["K1"]
        owner.execute("UPDATE cards_stockrange SET last = 10")
        owner.commit()


def test_numbers_are_never_given_twice(city: City, pairs: Callable[..., list[Any]]) -> None:
    made = [n for part in pairs(lambda n: [api.new_numbers(city.operator) for _ in range(20)], 8) for n in part]
    assert len({n.card_no for n in made}) == len({n.account_no for n in made}) == 160
    assert {n.lane for n in made} == set(range(api.numbering().lanes))


def test_an_account_keeps_its_lane_and_an_operator_its_prefix(city: City) -> None:
    api.set_issuer_prefix(city.operator, 8123, actor=DESK)
    api.set_numbering(lanes=2, actor=DESK)
    first = api.new_numbers(city.operator)
    again = api.new_numbers(city.operator, first.account_no)
    assert (again.lane, again.new_account, again.card_no // 10**12) == (first.lane, False, 8123)
    assert {api.new_numbers(city.other).lane for _ in range(6)} == {0, 1}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_sequences WHERE sequencename LIKE 'cards_card_serial_%'")
        assert cursor.fetchone() == (64,)
