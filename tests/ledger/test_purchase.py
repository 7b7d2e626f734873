"""On-line purchases: which purse pays (P2), limits (P4), and the order in which reasons are given."""

import pytest

from onecard.kernel.codes import Operation, Result
from onecard.ledger.codes import AccountStatus, CardStatus, PurseOrder, TransferKind
from tests.ledger.town import (
    CANTEEN,
    INDEPENDENT,
    LIMIT_TXN,
    MONDAY,
    SHOP,
    UNIFIED,
    UNIT,
    WITH_LIMITS,
    Leg,
    Town,
    later,
)

BUY = Operation.PURCHASE
PUBLIC, PRIVATE = PurseOrder.PUBLIC, PurseOrder.PRIVATE
PRIVATE_FIRST, PUBLIC_FIRST = PurseOrder.PRIVATE_THEN_PUBLIC, PurseOrder.PUBLIC_THEN_PRIVATE


def test_purchase_moves_the_amount_from_the_purse_to_the_merchant(town: Town) -> None:
    someone = town.person(10_000)
    answer = town.post(BUY, someone, 1_250)
    assert (answer.code, answer.balance) == (Result.APPROVED, 8_750)
    assert town.legs() == [Leg(TransferKind.PURCHASE, someone.public, SHOP, 1_250, 8_750)]
    assert town.balance(someone) == 8_750


@pytest.mark.parametrize(
    ("operator", "public", "private", "order", "expected"),
    [
        # what each purse pays of 600 (public, private); None: refused because no purse may be used (P2)
        (UNIFIED, 1_000, 1_000, PUBLIC, (600, 0)),
        (UNIFIED, 1_000, 1_000, PRIVATE, (0, 600)),
        (UNIFIED, 1_000, 1_000, PRIVATE_FIRST, (0, 600)),
        (UNIFIED, 1_000, 1_000, PUBLIC_FIRST, (600, 0)),
        (UNIFIED, 1_000, 400, PRIVATE_FIRST, (200, 400)),
        (UNIFIED, 500, 1_000, PUBLIC_FIRST, (500, 100)),
        (UNIFIED, 1_000, 0, PRIVATE_FIRST, (600, 0)),
        (UNIFIED, 0, 1_000, PUBLIC_FIRST, (0, 600)),
        (UNIFIED, 1_000, None, PRIVATE_FIRST, (600, 0)),
        (UNIFIED, 1_000, None, PUBLIC_FIRST, (600, 0)),
        (UNIFIED, 1_000, None, PRIVATE, None),
        (UNIFIED, None, 1_000, PUBLIC, None),
        (UNIFIED, None, 1_000, PUBLIC_FIRST, (0, 600)),
        (INDEPENDENT, 1_000, 1_000, PUBLIC, None),
        (INDEPENDENT, 1_000, 1_000, PRIVATE, (0, 600)),
        (INDEPENDENT, 1_000, 1_000, PRIVATE_FIRST, (0, 600)),
        (INDEPENDENT, 1_000, 1_000, PUBLIC_FIRST, (0, 600)),
        (INDEPENDENT, 1_000, None, PUBLIC_FIRST, None),
    ],
)
def test_settlement_mode_and_order_decide_the_purse(
    town: Town, operator: int, public: int | None, private: int | None, order: int, expected: tuple[int, int] | None
) -> None:
    someone = town.person(public, private, operator=operator)
    answer = town.post(BUY, someone, 600, order=order, merchant=CANTEEN)
    if expected is None:
        assert answer.code == Result.PURSE_NOT_ALLOWED
        assert town.legs() == []
        return
    assert answer.code == Result.APPROVED
    paid = {leg.debit: leg.amount for leg in town.legs()}
    assert (paid.get(someone.public, 0), paid.get(someone.private, 0)) == expected
    if public is not None:
        assert town.balance(someone) == public - expected[0]
    if private is not None:
        assert town.balance(someone, UNIT) == private - expected[1]


def test_private_purse_of_another_unit_is_not_used(town: Town) -> None:
    someone = town.person(1_000, 1_000)
    assert town.post(BUY, someone, 100, order=PRIVATE, unit=UNIT + 1).code == Result.PURSE_NOT_ALLOWED
    assert town.post(BUY, someone, 100, order=PRIVATE, unit=0).code == Result.PURSE_NOT_ALLOWED


def test_split_purchase_is_linked_and_all_or_none(town: Town) -> None:
    someone = town.person(300, 200)
    before = town.everything()
    assert town.post(BUY, someone, 501, order=PRIVATE_FIRST).code == Result.INSUFFICIENT_FUNDS
    assert town.everything() == before
    answer = town.post(BUY, someone, 500, order=PRIVATE_FIRST)
    assert (answer.code, answer.balance) == (Result.APPROVED, 0)
    assert town.legs() == [
        Leg(TransferKind.PURCHASE, someone.private, SHOP, 200, 0),
        Leg(TransferKind.PURCHASE, someone.public, SHOP, 300, 0),
    ]
    links = town.app.execute(
        "SELECT DISTINCT link_id FROM ledger.transfer WHERE terminal_seq = %s AND account_no = %s",
        (town.last_seq, someone.account),
    )
    assert links.fetchall() == [(answer.transfer,)]


def test_last_fen_can_be_spent_and_not_one_more(town: Town) -> None:
    someone = town.person(100)
    assert town.post(BUY, someone, 101).code == Result.INSUFFICIENT_FUNDS
    assert town.post(BUY, someone, 100)[:2] == (Result.APPROVED, 0)
    assert town.post(BUY, someone, 1).code == Result.INSUFFICIENT_FUNDS


def test_refusal_for_funds_tells_the_balance_and_moves_nothing(town: Town) -> None:
    someone = town.person(99)
    before = town.everything()
    answer = town.post(BUY, someone, 100)
    assert (answer.code, answer.balance, answer.transfer) == (Result.INSUFFICIENT_FUNDS, 99, 0)
    assert town.everything() == before


def test_a_floor_below_zero_is_credit_that_can_be_spent(town: Town) -> None:
    someone = town.person(100)
    town.admin.execute("UPDATE ledger.purse SET floor_fen = -50 WHERE account_no = %s", (someone.account,))
    assert town.post(BUY, someone, 151).code == Result.INSUFFICIENT_FUNDS
    assert town.post(BUY, someone, 150)[:2] == (Result.APPROVED, -50)


def test_limit_per_transaction(town: Town) -> None:
    someone = town.person(20_000, card_type=WITH_LIMITS)
    assert town.post(BUY, someone, LIMIT_TXN + 1).code == Result.LIMIT_TRANSACTION
    assert town.post(BUY, someone, LIMIT_TXN).code == Result.APPROVED


def test_limit_per_meal_period_starts_anew_with_the_next_period_and_the_next_day(town: Town) -> None:
    someone = town.person(100_000, card_type=WITH_LIMITS)
    assert town.post(BUY, someone, 5_000, meal=2).code == Result.APPROVED
    assert town.post(BUY, someone, 3_001, meal=2).code == Result.LIMIT_MEAL
    assert town.post(BUY, someone, 3_000, meal=2).code == Result.APPROVED
    assert town.post(BUY, someone, 1, meal=2).code == Result.LIMIT_MEAL
    assert town.post(BUY, someone, 1_000, meal=3).code == Result.APPROVED
    assert town.post(BUY, someone, 5_000, meal=2, day=MONDAY.replace(day=5)).code == Result.APPROVED


def test_limit_per_day_counts_every_purchase_of_the_business_date(town: Town) -> None:
    someone = town.person(100_000, card_type=WITH_LIMITS)
    for _ in range(2):
        assert town.post(BUY, someone, 5_000).code == Result.APPROVED
    assert town.post(BUY, someone, 1).code == Result.LIMIT_DAY
    assert town.post(BUY, someone, 5_000, day=MONDAY.replace(day=5)).code == Result.APPROVED
    # a terminal whose clock is a day behind does not open yesterday's limit again
    assert town.post(BUY, someone, 5_000).code == Result.APPROVED
    assert town.post(BUY, someone, 1).code == Result.LIMIT_DAY


def test_limits_count_both_purses_that_the_merchant_takes(town: Town) -> None:
    someone = town.person(20_000, 4_000, card_type=WITH_LIMITS)
    assert town.post(BUY, someone, 5_000, order=PRIVATE_FIRST).code == Result.APPROVED  # 4,000 private, 1,000 public
    assert town.post(BUY, someone, 5_000, order=PRIVATE_FIRST).code == Result.APPROVED
    assert town.post(BUY, someone, 1, order=PRIVATE_FIRST).code == Result.LIMIT_DAY


def test_what_is_given_back_the_same_day_no_longer_counts_to_the_limit(town: Town) -> None:
    someone = town.person(100_000, card_type=WITH_LIMITS)
    assert town.post(BUY, someone, 5_000, meal=1).code == Result.APPROVED
    first = town.last_seq
    assert town.post(BUY, someone, 3_000, meal=1).code == Result.APPROVED
    assert town.post(BUY, someone, 1, meal=1).code == Result.LIMIT_MEAL
    assert town.post(Operation.VOID, someone, orig=first).code == Result.APPROVED
    assert town.post(BUY, someone, 5_000, meal=1).code == Result.APPROVED


def test_balance_limit_refuses_a_top_up_above_it(town: Town) -> None:
    someone = town.person(49_000, card_type=WITH_LIMITS)
    assert town.post(Operation.TOPUP, someone, 1_001)[:2] == (Result.LIMIT_BALANCE, 49_000)
    assert town.post(Operation.TOPUP, someone, 1_000)[:2] == (Result.APPROVED, 50_000)


def test_top_up_goes_to_the_purse_that_the_order_names(town: Town) -> None:
    someone = town.person(0, 0)
    assert town.post(Operation.TOPUP, someone, 700)[:2] == (Result.APPROVED, 700)
    assert town.post(Operation.TOPUP, someone, 300, order=PRIVATE)[:2] == (Result.APPROVED, 300)
    assert (town.balance(someone), town.balance(someone, UNIT)) == (700, 300)


@pytest.mark.parametrize("amount", [0, -1])
@pytest.mark.parametrize("op", [BUY, Operation.TOPUP, Operation.HOLD])
def test_amounts_that_are_nothing_are_refused(town: Town, op: Operation, amount: int) -> None:
    someone = town.person(100)
    assert town.post(op, someone, amount).code == Result.AMOUNT_INVALID
    assert town.balance(someone) == 100


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (CardStatus.STOCK, Result.CARD_NOT_ACTIVE),
        (CardStatus.RETURNED, Result.CARD_NOT_ACTIVE),
        (CardStatus.LOST, Result.CARD_LOST),
        (CardStatus.FROZEN, Result.CARD_FROZEN),
        (CardStatus.EXPIRED, Result.CARD_EXPIRED),
    ],
)
def test_a_card_that_is_not_active_pays_nothing(town: Town, status: CardStatus, code: Result) -> None:
    someone = town.person()
    town.app.execute("SELECT ledger.set_card_status(%s, %s)", (someone.card, status))
    before = town.everything()
    for op in (BUY, Operation.TOPUP, Operation.HOLD):
        answer = town.post(op, someone, 100)
        assert (answer.code, answer.balance) == (code, 0)
    assert town.everything() == before


def test_standing_of_the_account_counts_for_every_card_of_it(town: Town) -> None:
    someone = town.person()
    town.app.execute("SELECT ledger.set_account_status(%s, %s)", (someone.account, AccountStatus.FROZEN))
    assert town.post(BUY, someone, 100).code == Result.CARD_FROZEN
    town.app.execute("SELECT ledger.set_account_status(%s, %s)", (someone.account, AccountStatus.ACTIVE))
    assert town.post(BUY, someone, 10_000).code == Result.APPROVED
    town.app.execute("SELECT ledger.set_account_status(%s, %s)", (someone.account, AccountStatus.CLOSED))
    assert town.post(BUY, someone, 100).code == Result.ACCOUNT_CLOSED


def test_a_card_is_valid_through_its_last_day(town: Town) -> None:
    someone = town.person(valid_until=MONDAY)
    assert town.post(BUY, someone, 1).code == Result.APPROVED
    assert town.post(BUY, someone, 1, day=MONDAY.replace(day=5)).code == Result.CARD_EXPIRED


def test_of_several_reasons_the_one_with_the_smallest_number_is_given(town: Town) -> None:
    """Each step mends the reason given; the next one in the order of precedence then shows."""
    someone = town.person(
        100, operator=INDEPENDENT, card_type=WITH_LIMITS, status=CardStatus.LOST, valid_until=MONDAY.replace(day=1)
    )
    town.app.execute("SELECT ledger.set_account_status(%s, 2)", (someone.account,))
    town.admin.execute("UPDATE ledger.card SET denied = true WHERE card_no = %s", (someone.card,))
    cases = (
        (Result.UNIT_SUSPENDED, ""),
        (Result.CARD_LOST, "status = 1"),
        (Result.CARD_FROZEN, "account_status = 3"),
        (Result.CARD_EXPIRED, "valid_until = NULL"),
        (Result.CARD_DENIED, "denied = false"),
        (Result.ACCOUNT_CLOSED, "account_status = 1"),
        (Result.PURSE_NOT_ALLOWED, f"operator_id = {UNIFIED}"),
        (Result.LIMIT_TRANSACTION, "card_type_id = 1"),
        (Result.INSUFFICIENT_FUNDS, ""),
    )
    precheck = Result.UNIT_SUSPENDED
    for code, mend in cases:
        assert town.post(BUY, someone, LIMIT_TXN + 1, precheck=precheck).code == code
        precheck = Result.APPROVED
        if mend:
            town.admin.execute(f"UPDATE ledger.card SET {mend} WHERE card_no = %s", (someone.card,))
    town.admin.execute(
        "UPDATE ledger.account SET status = 1, operator_id = 1, card_type_id = 1 WHERE account_no = %s", (someone.account,)
    )


def test_unknown_card_is_refused(town: Town) -> None:
    before = town.everything()
    assert town.post(BUY, 9000_00_999999999_3, 100).code == Result.UNKNOWN_CARD
    assert town.everything() == before


def test_every_medium_of_an_account_spends_the_same_purse(town: Town) -> None:
    someone = town.person(1_000)
    second = someone.card + 10
    town.app.execute("SELECT ledger.add_card(%s, %s, 2)", (second, someone.account))
    assert town.post(BUY, second, 400)[:2] == (Result.APPROVED, 600)
    assert town.post(BUY, someone, 100)[:2] == (Result.APPROVED, 500)


def test_occurred_at_and_business_date_are_kept_as_given(town: Town) -> None:
    someone = town.person()
    at = later(microseconds=123_457, hours=-30)
    town.post(BUY, someone, 1, at=at, day=MONDAY.replace(day=3))
    found = town.app.execute(
        "SELECT occurred_at, business_date FROM ledger.transfer WHERE terminal_id = 4711 AND terminal_seq = %s", (town.last_seq,)
    )
    assert found.fetchone() == (at, MONDAY.replace(day=3))
