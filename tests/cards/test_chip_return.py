"""What a chip holds at the desk: nothing is paid out on the platform's word alone; a chip account below zero stops no return."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import psycopg
import pytest

from onecard.kernel.business_day import business_date
from onecard.kernel.clock import to_epoch_us
from onecard.kernel.codes import Result
from onecard.kernel.errors import InvalidInput, RuleViolated
from onecard.kernel.numbers import card_lane
from onecard.ledger import chip as ledger_chip
from onecard.ledger.accounts import BookKind, book_id
from onecard.ledger.codes import AccountStatus
from onecard.services.cards import api, books
from onecard.services.operators import api as operators
from tests.cards.conftest import DESK, FIRST_DAY, RULES, City

BACK = 2000 - 300
"""Deposit less the fee of a return."""


@pytest.fixture(autouse=True)
def in_order(town: City) -> Iterator[None]:
    """After every test stock, cards, lists and deposits agree; the ledger is audited when the module is done."""
    yield
    assert api.check() == []


@pytest.fixture(scope="module")
def chip_type(town: City) -> int:
    made = operators.create_card_type("CHIP", "芯片卡").pk
    operators.allow_card_type(town.operator, made)
    api.set_rules(made, FIRST_DAY, rules=replace(RULES, chip_purse=True), actor=DESK, clock=town.clock)
    return made


@pytest.fixture
def card(town: City, chip_type: int) -> int:
    """20 yuan in the purse, 30 in the chip."""
    made = town.issue(town.holder(), card_type=chip_type, top_up_fen=5000)
    town.load(made, 3000)
    return made


def pay(town: City, card_no: int, fen: int) -> None:
    """The record of an off-line purchase comes in."""
    at = town.clock.now()
    day = (business_date(at) - date(2000, 1, 1)).days
    merchant = book_id(BookKind.MERCHANT, town.merchant)
    row = [[x] for x in (77, next(town.names), card_no, merchant, 1, fen, to_epoch_us(at) // 10**6 * 10**6, day, 0, 0)]
    with psycopg.connect(town.database.app_dsn, autocommit=True) as plain:
        assert ledger_chip.post_chip(plain, card_lane(card_no), ledger_chip.ChipColumns(*row)).code == [Result.APPROVED]


def account_status(card_no: int) -> AccountStatus:
    found = books.account(api.Card.objects.get(pk=card_no).account_no)
    assert found is not None
    return found.status


def test_a_return_pays_nothing_of_a_chip_that_was_not_read(town: City, card: int) -> None:
    event = town.do(card, "return")  # the chip has paid 25 yuan at a terminal that has not sent its records
    assert (event.cash_fen, "chip_fen" in event.data) == (-(BACK + 2000), False)
    note = api.chip_note(event)
    assert note is not None and "未读卡" in note.zh
    assert all(words in note.en for words in ("30.00", "was not read", "carry over"))
    assert account_status(card) is AccountStatus.ACTIVE
    pay(town, card, 2500)
    with pytest.raises(RuleViolated, match="waiting days"):
        town.do(card, "carry_over")
    town.clock.advance(timedelta(days=7))
    carried = town.do(card, "carry_over")
    assert (carried.cash_fen, api.chip_note(carried)) == (-500, None)
    assert account_status(card) is AccountStatus.CLOSED
    town.do(card, "close")


def test_a_lost_chip_is_carried_over_after_the_return(town: City, card: int) -> None:
    town.do(card, "report_lost")
    town.clock.advance(timedelta(days=7))
    assert town.do(card, "return").cash_fen == -(2000 - 300)
    assert town.do(card, "carry_over").cash_fen == -3000
    town.do(card, "close")


def test_a_return_pays_a_chip_that_says_the_same_as_the_platform(town: City, card: int) -> None:
    event = town.do(card, "return", chip_counter=0, chip_balance_fen=3000)
    assert (event.cash_fen, event.data["chip_fen"], api.chip_note(event)) == (-(BACK + 5000), 3000, None)
    assert (event.data["chip_counter"], event.data["chip_balance_fen"]) == (0, 3000)
    assert account_status(card) is AccountStatus.CLOSED
    town.do(card, "close")


@pytest.mark.parametrize(("counter", "balance", "why"), [(2, 500, "the chip counts 2"), (0, 500, "not the ledger's")])
def test_a_chip_that_says_otherwise_is_not_paid(town: City, card: int, counter: int, balance: int, why: str) -> None:
    event = town.do(card, "return", chip_counter=counter, chip_balance_fen=balance)
    assert event.cash_fen == -(BACK + 2000)
    note = api.chip_note(event)
    assert note is not None and why in note.en
    assert event.data["chip_counter"] == counter
    assert account_status(card) is AccountStatus.ACTIVE
    town.undo(event)  # nothing has left the chip
    assert town.do(card, "return", chip_counter=0, chip_balance_fen=3000).data["chip_fen"] == 3000


def test_an_empty_chip_with_records_to_come_keeps_the_account_open(town: City, chip_type: int) -> None:
    card = town.issue(town.holder(), card_type=chip_type)
    event = town.do(card, "return", chip_counter=1, chip_balance_fen=0)
    assert account_status(card) is AccountStatus.ACTIVE
    assert api.chip_note(event) is not None
    town.clock.advance(timedelta(days=7))
    with pytest.raises(RuleViolated, match="the chip counts 1"):
        town.do(card, "carry_over", chip_counter=1, chip_balance_fen=0)
    town.do(card, "carry_over")
    assert account_status(card) is AccountStatus.CLOSED


def test_an_empty_chip_closes_with_the_return(town: City, chip_type: int) -> None:
    card = town.issue(town.holder(), card_type=chip_type)
    event = town.do(card, "return")
    assert api.chip_note(event) is None
    town.do(card, "close")


@pytest.mark.parametrize(
    "wrong",
    [
        {"chip_counter": 1},
        {"chip_balance_fen": 1},
        {"chip_counter": -1, "chip_balance_fen": 0},
        {"chip_counter": 65536, "chip_balance_fen": 0},
        {"chip_counter": 0, "chip_balance_fen": -1},
    ],
)
def test_half_a_reading_or_one_no_chip_gives_is_refused(town: City, card: int, wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        town.do(card, "return", **wrong)
    assert api.Card.objects.get(pk=card).state == "active"


def test_a_reading_of_a_card_without_a_chip_purse_is_refused(town: City) -> None:
    card = town.issue(town.holder())
    with pytest.raises(InvalidInput, match="no chip purse"):
        town.do(card, "return", chip_counter=0, chip_balance_fen=0)


def test_a_chip_account_below_zero_stops_no_return_and_close_says_what_to_do(town: City, card: int) -> None:
    pay(town, card, 3200)
    event = town.do(card, "return")
    assert event.cash_fen == -(BACK + 2000)
    note = api.chip_note(event)
    assert note is not None and "-2.00" in note.en and "two people" in note.en
    assert account_status(card) is AccountStatus.ACTIVE
    with pytest.raises(RuleViolated, match="written off by two people at the chip desk"):
        town.do(card, "close")
    town.clock.advance(timedelta(days=7))
    assert town.do(card, "carry_over").cash_fen == 0  # takes nothing from it, and says so
    with pytest.raises(RuleViolated, match=r"-2\.00"):
        town.do(card, "close")


def test_a_chip_account_below_zero_stops_no_replacement(town: City, card: int, chip_type: int) -> None:
    pay(town, card, 3200)
    town.do(card, "report_lost")
    new = town.renewal(card, card_type=chip_type)
    town.do(card, "replace", new_card=new)
    town.clock.advance(timedelta(days=7))
    carried = town.do(card, "carry_over")
    note = api.chip_note(carried)
    assert (carried.cash_fen, town.balance(new.card_no)) == (0, 2000)
    assert note is not None and "two people" in note.en
    with pytest.raises(RuleViolated, match="written off by two people"):
        town.do(card, "close")
    last = town.do(new.card_no, "return")  # the account waits for the old card's chip
    assert (last.cash_fen, account_status(card)) == (-(BACK + 2000), AccountStatus.ACTIVE)
    with pytest.raises(RuleViolated, match=f"card {card} is below zero"):
        town.do(new.card_no, "close")
