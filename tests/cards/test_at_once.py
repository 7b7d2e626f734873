"""Operations on two cards at one moment: locks are taken in one order, so nobody is ended by a deadlock and the books agree."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from onecard.kernel.errors import RuleViolated, Unavailable
from onecard.kernel.numbers import card_lane
from onecard.ledger.codes import Medium
from onecard.services.cards import api
from onecard.services.operators import api as operators
from tests.cards.conftest import DESK, FIRST_DAY, RULES, City

ROUNDS = 10
Pairs = Callable[[Callable[[int], Any], int], list[Any]]


@pytest.fixture(autouse=True)
def in_order(town: City) -> Iterator[None]:
    yield
    for claim in api.Claim.objects.all():
        api.unclaim(claim.serial, actor=DESK, clock=town.clock)
    town.audit()


def in_lane(town: City, lane: int) -> int:
    """A card on an account of its own in a lane."""
    while True:
        card = town.issue(town.holder(), top_up_fen=100)
        if card_lane(card) == lane:
            return card


def replaced(town: City) -> tuple[int, api.LifeEvent]:
    """A card that was lost and replaced a moment ago, and that event."""
    card = town.issue(town.holder(), top_up_fen=100)
    town.do(card, "report_lost")
    return card, town.do(card, "replace", new_card=town.renewal(card))


def two_cards(town: City) -> tuple[int, int]:
    """Two cards of one account."""
    holder = town.holder()
    first = town.issue(holder, top_up_fen=1000)
    card, account = town.new_card(api.Card.objects.get(pk=first).account_no)
    order = api.Order(town.operator, town.unified, account, holder_id=holder)
    return first, api.issue(card, order, actor=DESK, clock=town.clock).card_id


def test_an_undone_replacement_and_a_return_in_its_lane_never_wait_for_each_other(town: City, pairs: Pairs) -> None:
    for _ in range(ROUNDS):
        card, event = replaced(town)
        other = in_lane(town, card_lane(card))
        done = pairs(lambda n, event=event, other=other: town.undo(event) if n else town.do(other, "return"), 2)
        assert [answer.operation for answer in done] == ["return", "undo"], done


def test_an_undone_issue_and_a_return_in_its_lane_never_wait_for_each_other(town: City, pairs: Pairs) -> None:
    for _ in range(ROUNDS):
        card = town.issue(town.holder(), top_up_fen=100)
        event, other = api.events(card, actor=DESK).get(), in_lane(town, card_lane(card))
        done = pairs(lambda n, event=event, other=other: town.undo(event) if n else town.do(other, "return"), 2)
        assert [answer.operation for answer in done] == ["return", "undo"], done


def test_an_exchange_for_a_phone_and_a_return_in_its_lane_never_wait_for_each_other(town: City, pairs: Pairs) -> None:
    for _ in range(ROUNDS):
        card = town.issue(town.holder(), top_up_fen=100)
        other = in_lane(town, card_lane(card))
        numbers = api.new_numbers(town.operator, api.Card.objects.get(pk=card).account_no, medium=Medium.SIM)
        new = api.NewCard(numbers.card_no, Medium.SIM)

        def act(n: int, card: int = card, other: int = other, new: api.NewCard = new) -> api.LifeEvent:
            return town.do(card, "exchange", new_card=new) if n else town.do(other, "return")

        assert [answer.operation for answer in pairs(act, 2)] == ["return", "exchange"]


def test_two_exchanges_across_two_types_never_wait_for_each_other(town: City, pairs: Pairs) -> None:
    other = operators.create_card_type("OTHER", "另一卡种").pk
    operators.allow_card_type(town.operator, other)
    api.set_rules(other, FIRST_DAY, rules=RULES, actor=DESK, clock=town.clock)
    types = (town.unified, other)
    for _ in range(ROUNDS):
        cards = [town.issue(town.holder(), card_type=card_type, top_up_fen=5000) for card_type in types]
        new = []
        # The old plastic lies under one type, the new one under the other, and in the second pair the other way round.
        for card, card_type in zip(cards, reversed(types), strict=True):
            town.do(card, "change_type", card_type_id=card_type)
            new.append(town.renewal(card, card_type=card_type))
        done = pairs(lambda n, cards=cards, new=new: town.do(cards[n], "exchange", new_card=new[n]), 2)
        assert [answer.operation for answer in done] == ["exchange", "exchange"], done
        back = pairs(lambda n, done=done: town.undo(done[n]), 2)
        assert [answer.operation for answer in back] == ["undo", "undo"], back


def test_one_card_is_replaced_while_its_sister_is_returned(town: City, pairs: Pairs) -> None:
    for _ in range(ROUNDS):
        first, second = two_cards(town)
        town.do(first, "report_lost")
        new = town.renewal(first)

        def act(n: int, first: int = first, second: int = second, new: api.NewCard = new) -> api.LifeEvent:
            return town.do(second, "return") if n else town.do(first, "replace", new_card=new)

        done = pairs(act, 2)
        assert [answer.operation for answer in done] == ["replace", "return"]
        assert town.balance(first) == 1000, "the account lives on with the new card"


def test_one_card_is_undone_while_its_sister_is_returned(town: City, pairs: Pairs) -> None:
    for _ in range(ROUNDS):
        first, second = two_cards(town)
        town.do(first, "report_lost")
        event = town.do(first, "replace", new_card=town.renewal(first))
        done = pairs(lambda n, event=event, second=second: town.do(second, "return") if n else town.undo(event), 2)
        assert [answer.operation for answer in done] == ["undo", "return"], done


def test_a_change_of_type_undone_while_the_sister_is_stopped(town: City, pairs: Pairs) -> None:
    """The type stands on the account, so its undo writes the sister's row, which the freeze holds when it wants the lane."""
    gold = operators.create_card_type("GOLD", "金卡").pk
    operators.allow_card_type(town.operator, gold)
    api.set_rules(gold, FIRST_DAY, rules=RULES, actor=DESK, clock=town.clock)
    for _ in range(ROUNDS):
        first, second = two_cards(town)
        event = town.do(first, "change_type", card_type_id=gold)
        done = pairs(lambda n, event=event, second=second: town.do(second, "freeze") if n else town.undo(event), 2)
        assert [answer.operation for answer in done] == ["undo", "freeze"], done
        assert api.Card.objects.get(pk=second).card_type_id == town.unified


def test_a_replacement_undone_while_its_new_card_is_stopped(town: City, pairs: Pairs) -> None:
    """Either may come first; what is never the answer is the database's own refusal."""
    for _ in range(ROUNDS):
        _, event = replaced(town)
        new = event.other_card
        assert new is not None
        done = pairs(lambda n, event=event, new=new: town.do(new, "freeze") if n else town.undo(event), 2)
        assert not any(isinstance(answer, Unavailable) for answer in done), done
        assert sum(isinstance(answer, RuleViolated) for answer in done) == 1, done
