"""What the cells of the life table need and mean: waiting days, registration, the last card, used cards, who may do what."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from onecard.kernel.business_day import business_date
from onecard.kernel.codes import Operation, Result, Text
from onecard.kernel.errors import Forbidden, InvalidInput, NotFound, RuleViolated
from onecard.ledger.codes import AccountStatus, Medium
from onecard.ledger.opening import AccountRow
from onecard.services.actors import Actor
from onecard.services.cards import api, timeline
from onecard.services.issuing.api import Job, JournalLine
from onecard.services.operators import api as operators
from onecard.services.people import api as people
from onecard.services.purses import api as purses
from tests.cards.conftest import DESK, FIRST_DAY, RULES, City


@pytest.fixture(autouse=True)
def in_order(town: City) -> Iterator[None]:
    """After every test stock, cards, lists and deposits agree; the ledger is audited when the module is done."""
    yield
    assert api.check() == []


def new_type(town: City, rules: api.NewRules, *, mode: str = "unified", **limits: int) -> int:
    """A card type of the test's own."""
    made = operators.create_card_type(f"T{next(town.names)}", "卡", **limits).pk
    operators.allow_card_type(town.operator, made, issuing_mode=mode)
    api.set_rules(made, FIRST_DAY, rules=rules, actor=DESK, clock=town.clock)
    return made


def state(card_no: int) -> str:
    return api.Card.objects.get(pk=card_no).state


def account(card_no: int) -> int:
    return api.Card.objects.get(pk=card_no).account_no


# Waiting days


def test_a_lost_card_is_refunded_when_the_waiting_days_are_over_to_the_second(town: City) -> None:
    card = town.issue(town.holder(), top_up_fen=5000)
    town.do(card, "report_lost")
    town.clock.advance(timedelta(days=7) - timedelta(seconds=1))
    with pytest.raises(RuleViolated) as refused:
        town.do(card, "return")
    assert refused.value.rule == "C5"
    assert (state(card), town.balance(card)) == ("lost", 5000)
    town.clock.advance(timedelta(seconds=1))
    assert town.do(card, "return").cash_fen == -(5000 - 300)  # the deposit is kept
    assert town.status(card) == (2, {2})


def test_waiting_counts_from_the_first_report_and_by_the_rules_of_that_day(town: City) -> None:
    card_type = new_type(town, RULES)
    card = town.issue(town.holder(), card_type=card_type)
    town.do(card, "report_lost_verbal")
    later = business_date(town.clock.now()) + timedelta(days=1)
    api.set_rules(card_type, later, rules=replace(RULES, waiting_days=30), actor=DESK, clock=town.clock)
    town.clock.advance(timedelta(days=6))
    town.do(card, "report_lost")
    town.clock.advance(timedelta(days=1))
    town.do(card, "return")
    other = town.issue(town.holder(), card_type=card_type)
    town.do(other, "report_lost")
    town.clock.advance(timedelta(days=29))
    with pytest.raises(RuleViolated):
        town.do(other, "return")


def test_a_deposit_comes_back_for_a_lost_card_where_the_rules_say_so(town: City) -> None:
    card_type = new_type(town, replace(RULES, deposit_back_when_lost=True, waiting_days=0))
    card = town.issue(town.holder(), card_type=card_type)
    town.do(card, "report_lost")
    assert town.do(card, "return").cash_fen == -(2000 - 300)


# Registration


def test_an_anonymous_card_is_registered_before_it_can_be_lost(town: City) -> None:
    card = town.issue(town.holder(""), top_up_fen=100)
    for operation in ("report_lost_verbal", "report_lost"):
        with pytest.raises(RuleViolated) as refused:
            town.do(card, operation)
        assert refused.value.rule == "C5"
    with pytest.raises(RuleViolated):
        town.do(card, "register", holder_id=town.holder(""))
    with pytest.raises(InvalidInput):
        town.do(card, "register")
    named = town.holder("王五")
    town.do(card, "register", holder_id=named)
    assert purses_holder(town, card) == named
    with pytest.raises(RuleViolated):
        town.do(card, "register", holder_id=town.holder())
    town.do(card, "report_lost")


def test_where_the_rules_do_not_ask_it_an_anonymous_card_can_be_lost(town: City) -> None:
    card_type = new_type(town, replace(RULES, loss_needs_registration=False))
    card = town.issue(None, card_type=card_type)
    town.do(card, "report_lost")
    assert town.status(card) == (2, {2})


def test_a_holder_of_another_operator_is_refused(town: City) -> None:
    stranger = people.create_holder(town.other, people.NewHolder(name="外人")).pk
    card = town.issue()
    with pytest.raises(RuleViolated):
        town.do(card, "register", holder_id=stranger)
    with pytest.raises(NotFound):
        town.do(card, "register", holder_id=10**9)


# Who may have it


def test_rules_say_who_may_have_a_card_and_on_what(town: City) -> None:
    members = new_type(town, replace(RULES, anonymous_allowed=False, members_only=True))
    named = new_type(town, replace(RULES, anonymous_allowed=False))
    nameless = new_type(town, replace(RULES, real_name_allowed=False))
    no_sim = new_type(town, replace(RULES, media=frozenset({Medium.CPU})))
    member = town.holder(unit_id=town.unit)

    def issue(card_type: int, holder: int | None, unit: int | None = None, medium: Medium = Medium.CPU) -> int:
        numbers = api.new_numbers(town.operator)
        serial = town.blank(card_type) if medium is Medium.CPU else None
        order = api.Order(town.operator, card_type, numbers.account_no, holder_id=holder, unit_id=unit)
        try:
            return api.issue(api.NewCard(numbers.card_no, medium, serial), order, actor=DESK, clock=town.clock).card_id
        finally:
            if serial is not None and town.place_of(serial) == "work":
                api.unclaim(serial, actor=DESK)

    issue(members, member, town.unit)
    issue(named, member)
    issue(nameless, None)
    issue(nameless, town.holder(""))
    for wrong in (
        (members, town.holder(), town.unit),
        (members, member, None),
        (named, None),
        (named, town.holder("")),
        (nameless, member),
        (no_sim, member, None, Medium.SIM),
    ):
        with pytest.raises(RuleViolated) as refused:
            issue(*wrong)
        assert refused.value.rule == "C5"


def test_nobody_gets_more_cards_than_the_rules_allow_even_at_once(town: City, pairs: Callable[..., list[Any]]) -> None:
    card_type = new_type(town, replace(RULES, max_per_holder=2))
    holder = town.holder()
    made = [town.new_card(card_type=card_type) for _ in range(6)]

    def issue(n: int) -> int:
        card, account_no = made[n]
        order = api.Order(town.operator, card_type, account_no, holder_id=holder)
        return api.issue(card, order, actor=DESK, clock=town.clock).card_id

    done = pairs(issue, 6)
    assert sum(isinstance(answer, RuleViolated) for answer in done) == 4
    (first, _) = [answer for answer in done if isinstance(answer, int)]
    town.do(first, "report_lost")
    town.do(first, "replace", new_card=town.renewal(first, card_type=card_type))  # counts instead of the old one
    for card, _ in made:
        if town.place_of(card.serial or 0) == "work":
            api.unclaim(card.serial or 0, actor=DESK)


def test_media_without_plastic_need_no_blank(town: City) -> None:
    numbers = api.new_numbers(town.operator, medium=Medium.QR)
    order = api.Order(town.operator, town.unified, numbers.account_no, holder_id=town.holder())
    api.issue(api.NewCard(numbers.card_no, Medium.QR), order, actor=DESK, clock=town.clock)
    more = api.new_numbers(town.operator, numbers.account_no)
    with pytest.raises(RuleViolated, match="C1"):
        api.issue(api.NewCard(more.card_no, Medium.UID), order, actor=DESK, clock=town.clock)
    event = api.issue(api.NewCard(more.card_no, Medium.SIM), order, actor=DESK, clock=town.clock)
    assert event.data["opened"] is False
    assert account(more.card_no) == numbers.account_no


def test_a_type_without_rules_is_not_issued(town: City) -> None:
    bare = operators.create_card_type(f"T{next(town.names)}", "无规则").pk
    operators.allow_card_type(town.operator, bare)
    with pytest.raises(RuleViolated) as refused:
        town.issue(town.holder(), card_type=bare)
    assert refused.value.rule == "C5"
    api.unclaim(api.Claim.objects.get(card_type_id=bare).serial, actor=DESK)


def test_the_first_top_up_obeys_the_balance_limit(town: City) -> None:
    card_type = new_type(town, RULES, limit_balance_fen=10_000)
    with pytest.raises(RuleViolated) as refused:
        town.issue(town.holder(), card_type=card_type, top_up_fen=10_001)
    assert refused.value.rule == "C5"
    api.unclaim(api.Claim.objects.get(card_type_id=card_type).serial, actor=DESK)
    assert town.balance(town.issue(town.holder(), card_type=card_type, top_up_fen=10_000)) == 10_000


# Stops


def test_a_loss_lifted_brings_back_what_was_before(town: City) -> None:
    card = town.issue(town.holder(), active=False)
    town.do(card, "freeze")
    town.do(card, "report_lost_verbal")
    town.do(card, "report_lost")
    assert town.status(card) == (2, {2})
    town.do(card, "lift")
    assert (state(card), town.status(card)) == ("frozen", (3, {3}))
    town.do(card, "unfreeze")
    assert (state(card), town.status(card)) == ("issued", (0, set()))


def test_an_expired_card_found_again_is_still_expired(town: City) -> None:
    card = town.issue(town.holder(), valid_until=business_date(town.clock.now()))
    town.clock.advance(timedelta(days=1))
    assert api.expire_due(clock=town.clock) >= 1
    town.do(card, "report_lost")
    town.do(card, "lift")
    assert (state(card), town.status(card)[0]) == ("expired", 4)
    town.do(card, "extend")
    card_row = api.Card.objects.get(pk=card)
    assert (card_row.state, card_row.valid_until) == ("active", plus_three_years(business_date(town.clock.now())))


def plus_three_years(day: date) -> date:
    return day.replace(year=day.year + 3)


def test_the_tick_takes_only_what_is_due(town: City) -> None:
    today = business_date(town.clock.now())
    last_day = town.issue(town.holder(), valid_until=today)
    endless = new_type(town, replace(RULES, validity_months=0))
    for_ever = town.issue(town.holder(), card_type=endless)
    api.expire_due(clock=town.clock)
    assert (state(last_day), state(for_ever)) == ("active", "active")
    with pytest.raises(RuleViolated):
        town.do(last_day, "expire")
    with pytest.raises(RuleViolated):
        town.do(for_ever, "extend")
    with pytest.raises(InvalidInput):
        town.do(last_day, "extend", valid_until=today)
    town.clock.advance(timedelta(days=1))
    api.expire_due(clock=town.clock)
    assert (state(last_day), state(for_ever)) == ("expired", "active")


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2023, 12, 31), 2, date(2024, 2, 29)),
        (date(2026, 5, 1), 36, date(2029, 5, 1)),
    ],
)
def test_months_end_on_the_same_day_or_the_last(start: date, months: int, end: date) -> None:
    assert api.valid_until(api.CardTypeRules(validity_months=months), start) == end


# Replacement


def test_a_replacement_keeps_account_lane_and_balance(town: City) -> None:
    card = town.issue(town.holder(), top_up_fen=5000)
    town.do(card, "report_lost")
    new = town.renewal(card)
    event = town.do(card, "replace", new_card=new)
    assert (event.other_card, account(new.card_no), town.balance(new.card_no)) == (new.card_no, account(card), 5000)
    assert (state(card), town.status(card)) == ("replaced", (2, {2}))
    assert town.purchase(new.card_no, 1000) is Result.APPROVED
    assert town.purchase(card, 1000) is Result.CARD_LOST
    assert api.Card.objects.get(pk=new.card_no).replaces_id == card
    with pytest.raises(RuleViolated):
        town.do(card, "replace", new_card=town.renewal(card))
    release_blanks(town)


def test_a_used_replacement_is_not_undone(town: City) -> None:
    card = town.issue(town.holder(), top_up_fen=5000)
    town.do(card, "report_lost")
    new = town.renewal(card)
    event = town.do(card, "replace", new_card=new)
    town.purchase(new.card_no, 1)
    with pytest.raises(RuleViolated, match="new card has been used"):
        town.undo(event)
    assert state(new.card_no) == "active"


def test_an_undone_replacement_can_be_made_again(town: City) -> None:
    card = town.issue(town.holder(), top_up_fen=5000)
    town.do(card, "report_lost")
    wrong = town.renewal(card)
    event = town.do(card, "replace", new_card=wrong)
    with pytest.raises(RuleViolated, match="undo that"):
        town.undo(api.events(wrong.card_no, actor=DESK).get())
    town.undo(event)
    assert (state(wrong.card_no), town.place_of(wrong.serial or 0)) == ("closed", "scrapped")
    right = town.renewal(card)
    town.do(card, "replace", new_card=right)
    assert town.do(right.card_no, "return").cash_fen == -(2000 - 300 + 5000)  # the deposit went along


def test_an_exchanged_card_is_scrapped(town: City) -> None:
    card = town.issue(town.holder(), top_up_fen=5000)
    new = town.renewal(card)
    town.do(card, "exchange", new_card=new, fee_from_purse=True)
    assert town.place_of(api.Card.objects.get(pk=card).serial or 0) == "scrapped"
    assert (town.status(card), town.balance(new.card_no)) == ((5, set()), 4000)


# Return


def test_only_the_last_card_closes_the_account(town: City) -> None:
    card = town.issue(town.holder(), top_up_fen=5000)
    numbers = api.new_numbers(town.operator, account(card), medium=Medium.QR)
    order = api.Order(town.operator, town.unified, account(card), holder_id=api.Card.objects.get(pk=card).holder_id)
    api.issue(api.NewCard(numbers.card_no, Medium.QR), order, actor=DESK, clock=town.clock)
    assert town.do(card, "return").cash_fen == -(2000 - 300)
    assert town.balance(card) == 5000
    assert town.purchase(numbers.card_no, 500) is Result.APPROVED
    assert town.do(numbers.card_no, "return").cash_fen == -(2000 - 300 + 4500)
    assert town.purchase(numbers.card_no, 500) is Result.CARD_NOT_ACTIVE


@pytest.mark.parametrize(("top_up", "taken"), [(1000, 4000), (0, 500), (0, 9000)])
def test_what_is_owed_comes_off_the_refund(town: City, top_up: int, taken: int) -> None:
    card = town.issue(town.holder(), top_up_fen=top_up)
    assert town.purchase(card, taken, op=Operation.ADVICE) is Result.APPROVED
    before = town.money()
    event = town.do(card, "return")
    assert event.cash_fen == -(2000 - 300 + top_up - taken)  # above zero the holder has to pay
    assert town.money()["debt"] - before["debt"] == taken - top_up
    town.undo(event)
    assert town.money() == before


def test_debts_are_denied_again_when_their_repayment_is_undone(town: City) -> None:
    card = town.issue(town.holder())
    town.purchase(card, 700, op=Operation.ADVICE)
    event = town.do(card, "return")
    assert town.status(card)[1] == set()
    town.undo(event)
    assert town.status(card) == (1, {1})


def test_a_private_purse_is_paid_out_of_its_units_funds(town: City) -> None:
    card_type = new_type(town, replace(RULES, private_purse=True, public_purse=False))
    numbers, serial = api.new_numbers(town.operator), town.blank(card_type)
    order = api.Order(town.operator, card_type, numbers.account_no, holder_id=town.holder(), unit_id=town.unit)
    api.issue(api.NewCard(numbers.card_no, serial=serial), order, actor=DESK, clock=town.clock)
    assert [purse.unit_id for purse in purses.purses(numbers.account_no)] == [town.unit]
    assert town.do(numbers.card_no, "return").cash_fen == -(2000 - 300)


def test_a_return_waits_for_no_hold(town: City) -> None:
    card = town.issue(town.holder(), top_up_fen=5000)
    assert town.purchase(card, 1000, op=Operation.HOLD) is Result.APPROVED
    with pytest.raises(RuleViolated, match="not settled"):
        town.do(card, "return")
    assert (state(card), town.balance(card)) == ("active", 4000)


def test_a_frozen_account_pays_nothing_out(town: City) -> None:
    card = town.issue(town.holder(), top_up_fen=5000)
    purses.set_account_status(account(card), AccountStatus.FROZEN)
    for refused in (lambda: town.do(card, "return"), lambda: renew(town, card)):
        with pytest.raises(RuleViolated, match="frozen"):
            refused()
    assert (state(card), town.balance(card)) == ("active", 5000)
    purses.set_account_status(account(card), AccountStatus.ACTIVE)
    town.do(card, "return")
    release_blanks(town)


def renew(town: City, card_no: int) -> api.LifeEvent:
    return town.do(card_no, "exchange", new_card=town.renewal(card_no), fee_from_purse=True)


def test_a_fee_the_purse_does_not_hold_is_refused(town: City) -> None:
    card = town.issue(town.holder(), top_up_fen=999)
    with pytest.raises(RuleViolated) as refused:
        renew(town, card)
    assert (refused.value.rule, state(card), town.balance(card)) == ("C3", "active", 999)
    release_blanks(town)


def test_a_number_serves_one_card(town: City) -> None:
    card, account_no = town.new_card()
    order = api.Order(town.operator, town.unified, account_no, holder_id=town.holder())
    api.issue(card, order, actor=DESK, clock=town.clock)
    again = replace(card, serial=town.blank())
    with pytest.raises(RuleViolated, match="number exists"):
        api.issue(again, order, actor=DESK, clock=town.clock)
    release_blanks(town)


# Chips


def chip_type(town: City) -> int:
    return new_type(town, replace(RULES, chip_purse=True, waiting_days=7))


def nothing_missing(card_no: int, reading: api.ChipReading | None) -> list[Text]:
    return []


def holes(card_no: int, reading: api.ChipReading | None) -> list[Text]:
    return [Text("缺记录", "records are missing")]


def test_a_complete_chip_is_paid_out_with_the_return(town: City) -> None:
    card = town.issue(town.holder(), card_type=chip_type(town), top_up_fen=5000)
    town.load(card, 3000)
    read = api.Details(chip_counter=0, chip_balance_fen=3000)
    event = api.operate(card, "return", actor=DESK, clock=town.clock, details=read, chip_missing=nothing_missing)
    assert (event.cash_fen, event.data["chip_fen"]) == (-(2000 - 300 + 5000), 3000)
    with pytest.raises(RuleViolated, match="left the chip"):
        town.undo(event)


def test_an_incomplete_chip_is_paid_out_later(town: City) -> None:
    card = town.issue(town.holder(), card_type=chip_type(town), top_up_fen=5000)
    town.load(card, 3000)
    read = api.Details(chip_counter=0, chip_balance_fen=3000)
    event = api.operate(card, "return", actor=DESK, clock=town.clock, details=read, chip_missing=holes)
    assert event.cash_fen == -(2000 - 300 + 2000)
    with pytest.raises(RuleViolated, match="chip balance is left"):
        town.do(card, "close")
    carry = {"actor": DESK, "clock": town.clock}
    with pytest.raises(RuleViolated, match="waiting days"):
        api.operate(card, "carry_over", chip_missing=nothing_missing, **carry)
    town.clock.advance(timedelta(days=7))
    with pytest.raises(RuleViolated, match="records are missing"):
        api.operate(card, "carry_over", chip_missing=holes, **carry)
    assert api.operate(card, "carry_over", chip_missing=nothing_missing, **carry).cash_fen == -3000
    town.do(card, "close")


def test_an_account_waits_for_the_records_of_an_empty_chip(town: City) -> None:
    card = town.issue(town.holder(), card_type=chip_type(town))
    api.operate(card, "return", actor=DESK, clock=town.clock, chip_missing=holes)
    with pytest.raises(RuleViolated, match="not settled"):
        town.do(card, "close")
    town.clock.advance(timedelta(days=7))
    town.do(card, "carry_over")
    town.do(card, "close")


def test_the_old_chips_balance_follows_to_the_new_cards_purse(town: City) -> None:
    card_type = chip_type(town)
    card = town.issue(town.holder(), card_type=card_type, top_up_fen=5000)
    town.load(card, 3000)
    town.do(card, "report_lost")
    new = town.renewal(card, card_type=card_type)
    town.do(card, "replace", new_card=new)
    assert town.balance(new.card_no) == 2000
    with pytest.raises(RuleViolated, match="waiting days"):
        town.do(card, "carry_over")
    town.clock.advance(timedelta(days=7))
    event = town.do(card, "carry_over")  # asks the chip domain itself
    assert (event.data["chip_fen"], town.balance(new.card_no)) == (3000, 5000)
    town.do(card, "close")
    assert town.status(card) == (5, set())


# Undo


def test_an_undo_has_its_window(town: City) -> None:
    card = town.issue(town.holder())
    event = town.do(card, "freeze")
    town.clock.advance(timedelta(minutes=30, seconds=1))
    with pytest.raises(RuleViolated, match="30 minutes"):
        town.undo(event)
    assert state(card) == "frozen"


def test_the_newest_is_undone_first(town: City) -> None:
    card = town.issue(town.holder())
    frozen, lost = town.do(card, "freeze"), town.do(card, "report_lost")
    with pytest.raises(RuleViolated, match="undo that first"):
        town.undo(frozen)
    town.undo(lost)
    town.undo(frozen)
    assert state(card) == "active"


def test_an_undo_of_a_spent_top_up_is_refused(town: City) -> None:
    card = town.issue(town.holder(), top_up_fen=5000)
    town.purchase(card, 1)
    with pytest.raises(RuleViolated, match="used"):
        town.undo(api.events(card, actor=DESK).get())
    assert town.balance(card) == 4999


def test_keys_make_each_call_once(town: City) -> None:
    card, key = town.issue(town.holder(), top_up_fen=9000), f"K{next(town.names)}"
    town.do(card, "report_lost")
    new = town.renewal(card)
    before = town.money()
    event = town.do(card, "replace", new_card=new, key=key)
    assert town.do(card, "replace", new_card=new, key=key) == event
    assert town.money()["fee_income"] - before["fee_income"] == 1500
    with pytest.raises(InvalidInput):
        town.do(card, "close", key=key)
    undone = town.undo(event, key=key + "U")
    assert town.undo(event, key=key + "U") == undone
    assert town.money() == before


# At once


def test_two_desks_replace_one_card_once(town: City, pairs: Callable[..., list[Any]]) -> None:
    card = town.issue(town.holder(), top_up_fen=5000)
    town.do(card, "report_lost")
    new = [town.renewal(card) for _ in range(4)]
    done = pairs(lambda n: town.do(card, "replace", new_card=new[n]), 4)
    assert sum(isinstance(answer, api.LifeEvent) for answer in done) == 1
    assert sum(isinstance(answer, RuleViolated) for answer in done) == 3
    release_blanks(town)


def test_purchases_racing_a_return_are_paid_or_refused(town: City, pairs: Callable[..., list[Any]]) -> None:
    card = town.issue(town.holder(), top_up_fen=5000)
    done = pairs(lambda n: town.do(card, "return") if n == 0 else town.purchase(card, 100), 6)
    spent = 100 * done.count(Result.APPROVED)
    assert done[0].cash_fen == -(2000 - 300 + 5000 - spent)
    assert set(done[1:]) <= {Result.APPROVED, Result.CARD_NOT_ACTIVE}
    assert town.balance(card) == 0


# Who


def test_every_operation_asks_its_own_permission(town: City) -> None:
    card = town.issue(town.holder())
    for operation in api.TABLE:
        if operation is not api.Operation.ISSUE:
            other = Actor("clerk", frozenset(api.PERMISSIONS) - {f"cards.{operation.value}"})
            with pytest.raises(Forbidden):
                town.do(card, operation, actor=other)
    event = town.do(card, "freeze", actor=Actor("clerk", frozenset({"cards.freeze"}), frozenset({town.operator})))
    for actor in (Actor("clerk", frozenset({"cards.freeze"})), Actor("clerk", frozenset({"*"}), frozenset({town.other}))):
        with pytest.raises(Forbidden):
            api.undo(event.pk, actor=actor, reason="x", clock=town.clock)
        with pytest.raises(Forbidden):
            api.timeline(card, actor=actor)
    assert state(card) == "frozen"


def test_a_fee_is_waived_by_permission(town: City) -> None:
    card = town.issue(town.holder())
    town.do(card, "report_lost")
    new = town.renewal(card)
    with pytest.raises(Forbidden):
        town.do(card, "replace", new_card=new, fee_waived=True, actor=Actor("clerk", frozenset({"cards.replace"})))
    assert town.do(card, "replace", new_card=new, fee_waived=True).cash_fen == 0


def test_unknown_cards_and_operations_are_refused(town: City) -> None:
    with pytest.raises(NotFound):
        town.do(8800007000000002, "freeze")
    card = town.issue(town.holder())
    for operation in ("issue", "undo", "adopt"):
        with pytest.raises(InvalidInput):
            town.do(card, operation)


# Cards that were opened in bulk


def test_a_card_opened_in_bulk_gets_its_life_with_the_first_look(town: City) -> None:
    numbers, holder = api.new_numbers(town.operator), town.holder()
    row = AccountRow(numbers.account_no, numbers.card_no, town.operator, town.unified, holder_id=holder, public_fen=700)
    purses.open_accounts([row])
    assert [entry.title.en for entry in api.timeline(numbers.card_no, actor=DESK)] == ["adopt"]
    town.do(numbers.card_no, "report_lost")
    town.do(numbers.card_no, "lift")
    assert town.do(numbers.card_no, "return").cash_fen == -(700 - 300)


# The time line


def test_the_time_line_tells_everything_in_order(town: City, monkeypatch: pytest.MonkeyPatch) -> None:
    card = town.issue(town.holder(), top_up_fen=5000)
    town.clock.advance(timedelta(hours=1))
    event = town.do(card, "report_lost")
    monkeypatch.setattr(timeline, "_providers", {})
    api.register("test", lambda card_no, serial: [api.Entry(town.clock.now(), "chip", Text("芯片", "chip"), ref=str(serial))])
    told = api.timeline(card, actor=DESK)
    assert [(entry.source, entry.title.en) for entry in told] == [
        ("stock", "receipt"),
        ("stock", "claim"),
        ("stock", "issue"),
        ("life", "issue"),
        ("money", "Top-up"),
        ("money", "Deposit"),
        ("money", "Card fee"),
        ("life", "report lost"),
        ("chip", "chip"),
        ("list", "on the deny list as lost"),
    ]
    lost = next(entry for entry in told if entry.event_id == event.pk)
    assert (lost.actor, lost.reason, lost.detail.en) == ("desk", "柜台", "active → lost")


def test_the_time_line_tells_of_the_chip_and_of_the_job_that_wrote_it(town: City) -> None:
    card_type = chip_type(town)
    card = town.issue(town.holder(), card_type=card_type, top_up_fen=5000)
    town.load(card, 3000)
    now = town.clock.now()
    job = Job.objects.create(
        operator_id=town.operator, card_type_id=card_type, medium=1, state="done", card_no=card, account_no=account(card),
        stock_serial=api.Card.objects.get(pk=card).serial, uid="04A1", actor="station", station="S1", attempts=1,
        claimed_at=now, ended_at=now,
    )  # fmt: skip
    for phase in ("intent", "done"):
        JournalLine.objects.create(job=job, attempt=1, step="select", phase=phase)
    told = {(entry.source, entry.title.en, entry.amount_fen) for entry in api.timeline(card, actor=DESK)}
    assert {("issuing", "written, touch 1", None), ("issuing", "job done", None), ("chip", "Load", 3000)} <= told


# What has happened stays


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE cards_lifeevent SET cash_fen = 0",
        "DELETE FROM cards_lifeevent",
        "DELETE FROM cards_card",
        "TRUNCATE cards_card CASCADE",
    ],
)
def test_events_and_cards_are_not_rewritten(town: City, statement: str) -> None:
    town.issue(town.holder())
    with psycopg.connect(town.database.owner_dsn) as owner, pytest.raises(psycopg.errors.RestrictViolation):
        owner.execute(statement.encode())


def test_rules_that_have_begun_stand(town: City) -> None:
    card_type = new_type(town, RULES)
    today = business_date(town.clock.now())
    with pytest.raises(RuleViolated):
        api.set_rules(card_type, today - timedelta(days=1), rules=RULES, actor=DESK, clock=town.clock)
    with pytest.raises(RuleViolated):
        api.drop_rules(card_type, FIRST_DAY, actor=DESK)
    later = date(2999, 1, 1)  # the database asks its own calendar
    api.set_rules(card_type, later, rules=replace(RULES, deposit_fen=1), actor=DESK, clock=town.clock)
    assert [api.rules_at(card_type, day).deposit_fen for day in (today, later)] == [2000, 1]
    with pytest.raises(InvalidInput):
        api.set_rules(card_type, later, rules=RULES, actor=DESK, clock=town.clock)
    api.drop_rules(card_type, later, actor=DESK)
    assert api.rules_at(card_type, later).deposit_fen == 2000
    with pytest.raises(Forbidden):
        api.set_rules(card_type, later, rules=RULES, actor=Actor("clerk"), clock=town.clock)


@pytest.mark.parametrize(
    "wrong",
    [
        {"media": frozenset()},
        {"deposit_fen": -1},
        {"issue_fee_fen": 10_000_001},
        {"validity_months": 2000},
        {"anonymous_allowed": False, "real_name_allowed": False},
        {"members_only": True},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_rules_that_make_no_sense_are_refused(town: City, wrong: dict[str, Any]) -> None:
    made = operators.create_card_type(f"T{next(town.names)}", "卡").pk
    with pytest.raises((InvalidInput, RuleViolated)):
        api.set_rules(made, FIRST_DAY, rules=replace(RULES, **wrong), actor=DESK, clock=town.clock)


def purses_holder(town: City, card_no: int) -> int | None:
    with psycopg.connect(town.database.app_dsn) as plain:
        row = plain.execute("SELECT holder_id FROM ledger.account WHERE account_no = %s", [account(card_no)]).fetchone()
    return row[0] if row else None


def release_blanks(town: City) -> None:
    """Give back what was claimed for cards that were not made."""
    for claim in api.Claim.objects.all():
        api.unclaim(claim.serial, actor=DESK, clock=town.clock)
