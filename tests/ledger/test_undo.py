"""Void, refund and reversal (P4): what goes back, in which order, and never more than there was."""

import pytest

from onecard.kernel.codes import Operation, Result
from onecard.ledger.codes import PurseOrder, TransferKind
from tests.ledger.town import CANTEEN, DEBT, FUNDING, MONDAY, SHOP, UNIT, Leg, Person, Town

BUY, VOID, REFUND, REVERSAL = Operation.PURCHASE, Operation.VOID, Operation.REFUND, Operation.REVERSAL
PRIVATE_FIRST = PurseOrder.PRIVATE_THEN_PUBLIC


def split_purchase(town: Town) -> tuple[Person, int]:
    """500 from the private purse and 300 from the public one."""
    someone = town.person(1_000, 500)
    assert town.post(BUY, someone, 800, order=PRIVATE_FIRST).code == Result.APPROVED
    return someone, town.last_seq


def purses(town: Town, person: Person) -> tuple[int, int]:
    return town.balance(person), town.balance(person, UNIT)


def test_a_void_undoes_the_whole_purchase_on_its_business_date(town: Town) -> None:
    someone, purchase = split_purchase(town)
    assert town.post(VOID, someone, 800, orig=purchase).code == Result.APPROVED
    assert town.legs() == [
        Leg(TransferKind.VOID, SHOP, someone.public, 300, 1_000),
        Leg(TransferKind.VOID, SHOP, someone.private, 500, 500),
    ]
    assert town.post(VOID, someone, 800, orig=purchase).code == Result.REFUND_EXCEEDS
    assert purses(town, someone) == (1_000, 500)


def test_a_void_of_another_day_of_part_or_after_a_refund_is_refused(town: Town) -> None:
    someone, purchase = split_purchase(town)
    assert town.post(VOID, someone, orig=purchase, day=MONDAY.replace(day=5)).code == Result.ORIGINAL_MISMATCH
    assert town.post(VOID, someone, 799, orig=purchase).code == Result.ORIGINAL_MISMATCH
    assert town.post(VOID, someone, orig=purchase, merchant=CANTEEN).code == Result.ORIGINAL_MISMATCH
    assert town.post(REFUND, someone, 1, orig=purchase).code == Result.APPROVED
    assert town.post(VOID, someone, orig=purchase).code == Result.REFUND_EXCEEDS
    assert purses(town, someone) == (701, 0)


def test_refunds_go_back_last_leg_first_and_never_above_the_rest(town: Town) -> None:
    someone, purchase = split_purchase(town)
    assert town.post(REFUND, someone, 200, orig=purchase).code == Result.APPROVED
    assert purses(town, someone) == (900, 0)
    assert town.post(REFUND, someone, 250, orig=purchase).code == Result.APPROVED
    assert town.legs() == [
        Leg(TransferKind.REFUND, SHOP, someone.public, 100, 1_000),
        Leg(TransferKind.REFUND, SHOP, someone.private, 150, 150),
    ]
    before = town.everything()
    assert town.post(REFUND, someone, 351, orig=purchase).code == Result.REFUND_EXCEEDS
    assert town.everything() == before
    assert town.post(REFUND, someone, 350, orig=purchase, day=MONDAY.replace(month=7)).code == Result.APPROVED
    assert purses(town, someone) == (1_000, 500)
    assert town.post(REFUND, someone, 1, orig=purchase).code == Result.REFUND_EXCEEDS


def test_refund_needs_an_original_of_this_account_and_merchant(town: Town) -> None:
    someone, purchase = split_purchase(town)
    other = town.person()
    assert town.post(REFUND, someone, 1, orig=888_888_888).code == Result.NO_ORIGINAL
    assert town.post(REFUND, other, 1, orig=purchase).code == Result.ORIGINAL_MISMATCH
    assert town.post(REFUND, someone, 1, orig=purchase, merchant=CANTEEN).code == Result.ORIGINAL_MISMATCH
    assert town.post(REFUND, someone, 0, orig=purchase).code == Result.AMOUNT_INVALID
    town.post(Operation.TOPUP, someone, 5)
    assert town.post(REFUND, someone, 1, orig=town.last_seq, merchant=FUNDING).code == Result.ORIGINAL_MISMATCH


def test_a_replacement_card_gets_the_refund_of_the_old_one(town: Town) -> None:
    someone, purchase = split_purchase(town)
    new_card = someone.card + 10
    town.app.execute("SELECT ledger.add_card(%s, %s)", (new_card, someone.account))
    town.app.execute("SELECT ledger.set_card_status(%s, 2)", (someone.card,))
    assert town.post(REFUND, new_card, 300, orig=purchase).code == Result.APPROVED
    assert purses(town, someone) == (1_000, 0)


def test_refund_of_a_debt_takes_it_off_what_is_owed_and_the_rest_to_the_holder(town: Town) -> None:
    someone = town.person(100)
    town.post(Operation.ADVICE, someone, 700)
    advice = town.last_seq
    assert town.debt(someone) == 600
    assert town.post(REFUND, someone, 250, orig=advice).code == Result.APPROVED
    assert town.legs() == [Leg(TransferKind.REFUND, SHOP, DEBT, 250, None)]
    assert town.debt(someone) == 350
    town.post(Operation.TOPUP, someone, 300)
    assert town.debt(someone) == 50
    assert town.post(REFUND, someone, 400, orig=advice).code == Result.APPROVED
    assert sorted((leg.credit, leg.amount) for leg in town.legs()) == [(DEBT, 50), (someone.public, 50), (someone.public, 300)]
    assert (town.debt(someone), town.is_denied(someone), town.balance(someone)) == (0, False, 350)


def test_reversal_makes_a_purchase_as_if_it_had_never_been(town: Town) -> None:
    someone, purchase = split_purchase(town)
    answer = town.post(REVERSAL, someone, 800, seq=purchase)
    assert answer.code == Result.APPROVED
    assert purses(town, someone) == (1_000, 500)
    before = town.everything()
    assert town.post(REVERSAL, someone, 800, seq=purchase) == answer
    assert town.everything() == before
    assert town.post(BUY, someone, 800, seq=purchase, order=PRIVATE_FIRST).code == Result.REVERSED
    assert town.post(REFUND, someone, 1, orig=purchase).code == Result.NO_ORIGINAL


def test_reversal_after_a_refund_gives_back_the_rest(town: Town) -> None:
    someone, purchase = split_purchase(town)
    town.post(REFUND, someone, 350, orig=purchase)
    assert town.post(REVERSAL, someone, 800, seq=purchase).code == Result.APPROVED
    assert purses(town, someone) == (1_000, 500)


def test_reversal_without_the_amount_is_whole_and_with_another_amount_refused(town: Town) -> None:
    someone, purchase = split_purchase(town)
    assert town.post(REVERSAL, someone, 0, seq=purchase).code == Result.APPROVED
    someone, purchase = split_purchase(town)
    assert town.post(REVERSAL, someone, 799, seq=purchase).code == Result.ORIGINAL_MISMATCH
    assert purses(town, someone) == (700, 0)


def test_reversal_by_another_card_is_refused(town: Town) -> None:
    _, purchase = split_purchase(town)
    assert town.post(REVERSAL, town.person(), 800, seq=purchase).code == Result.ORIGINAL_MISMATCH


def test_reversal_before_its_record_refuses_the_late_record(town: Town) -> None:
    someone = town.person(1_000)
    assert town.post(REVERSAL, someone, 300)[:2] == (Result.APPROVED, 1_000)
    seq = town.last_seq
    for op in (BUY, Operation.ADVICE):
        assert town.post(op, someone, 300, seq=seq).code == Result.REVERSED
    assert town.post(REVERSAL, someone, 300, seq=seq).code == Result.APPROVED
    assert town.balance(someone) == 1_000


def test_reversal_of_a_refused_record_moves_nothing_and_stays_reversed(town: Town) -> None:
    someone = town.person(100)
    town.post(BUY, someone, 300)
    seq, before = town.last_seq, town.everything()
    assert town.post(REVERSAL, someone, 300, seq=seq).code == Result.APPROVED
    assert town.everything() == before
    assert town.post(BUY, someone, 300, seq=seq).code == Result.REVERSED


def test_reversal_of_a_top_up_takes_it_back_and_what_is_spent_is_owed(town: Town) -> None:
    someone = town.person(0)
    town.post(Operation.TOPUP, someone, 1_000)
    topup = town.last_seq
    town.post(BUY, someone, 700)
    assert town.post(REVERSAL, someone, 1_000, seq=topup, merchant=FUNDING).code == Result.APPROVED
    assert town.legs(topup, op=REVERSAL) == [Leg(TransferKind.REVERSAL, someone.public, FUNDING, 300, 0)]
    assert town.legs(topup)[2] == Leg(TransferKind.DEBT, DEBT, FUNDING, 700, None)
    assert (town.debt(someone), town.is_denied(someone)) == (700, True)


def test_reversal_of_a_top_up_that_repaid_a_debt_makes_it_owed_again(town: Town) -> None:
    someone = town.person(0)
    town.post(Operation.ADVICE, someone, 400)
    town.post(Operation.TOPUP, someone, 1_000)
    assert town.post(REVERSAL, someone, 1_000, seq=town.last_seq).code == Result.APPROVED
    assert (town.balance(someone), town.debt(someone), town.is_denied(someone)) == (0, 400, True)


def test_reversal_of_a_refund_makes_the_purchase_whole_again(town: Town) -> None:
    someone, purchase = split_purchase(town)
    town.post(REFUND, someone, 800, orig=purchase)
    assert town.post(REVERSAL, someone, 800, seq=town.last_seq).code == Result.APPROVED
    assert purses(town, someone) == (700, 0)
    assert town.post(REFUND, someone, 801, orig=purchase).code == Result.REFUND_EXCEEDS
    assert town.post(REFUND, someone, 800, orig=purchase).code == Result.APPROVED
    assert purses(town, someone) == (1_000, 500)


def test_reversal_of_a_refund_already_spent_is_owed(town: Town) -> None:
    someone = town.person(100)
    town.post(Operation.ADVICE, someone, 700)  # 100 paid, 600 owed
    advice = town.last_seq
    town.post(Operation.TOPUP, someone, 600)
    town.post(REFUND, someone, 700, orig=advice)  # two legs to the one purse
    refund = town.last_seq
    assert town.balance(someone) == 700
    town.post(BUY, someone, 650)
    assert town.post(REVERSAL, someone, 700, seq=refund).code == Result.APPROVED
    assert (town.balance(someone), town.debt(someone)) == (0, 650)


def test_a_release_has_no_reversal(town: Town) -> None:
    someone = town.person(1_000)
    town.post(Operation.HOLD, someone, 400)
    town.post(Operation.RELEASE, someone, orig=town.last_seq)
    assert town.post(REVERSAL, someone, seq=town.last_seq).code == Result.ORIGINAL_MISMATCH
    assert town.balance(someone) == 1_000


def test_a_tap_without_a_charge_can_be_reversed(town: Town) -> None:
    someone = town.person(1_000)
    town.post(Operation.ADVICE, someone, 0)
    assert town.post(REVERSAL, someone, 0, seq=town.last_seq).code == Result.APPROVED
    assert town.legs(op=REVERSAL) == [Leg(TransferKind.REVERSAL, SHOP, someone.public, 0, 1_000)]


@pytest.mark.parametrize("precheck", [Result.MERCHANT_CLOSED, Result.UNIT_SUSPENDED, Result.UNIT_EXPIRED])
def test_a_reversal_is_not_stopped_by_a_closed_merchant_and_a_refund_is(town: Town, precheck: Result) -> None:
    someone, purchase = split_purchase(town)
    for op in (REFUND, VOID):
        assert town.post(op, someone, 800, orig=purchase, precheck=precheck).code == precheck
    assert town.post(REVERSAL, someone, 800, seq=purchase, precheck=precheck).code == Result.APPROVED


def test_a_lost_or_frozen_card_still_gets_its_money_back(town: Town) -> None:
    someone, purchase = split_purchase(town)
    town.app.execute("SELECT ledger.set_card_status(%s, 2)", (someone.card,))
    assert town.post(REFUND, someone, 800, orig=purchase).code == Result.APPROVED
    assert purses(town, someone) == (1_000, 500)
