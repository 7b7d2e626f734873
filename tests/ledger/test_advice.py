"""Records made offline (advices): never refused for want of balance, limits or standing; the shortfall is owed."""

import pytest

from onecard.kernel.codes import Operation, Result
from onecard.ledger.codes import CardStatus, PurseOrder, TransferKind
from tests.ledger.town import DEBT, FUNDING, INDEPENDENT, MONDAY, SHOP, WITH_LIMITS, Leg, Town, later

ADVICE, TOPUP = Operation.ADVICE, Operation.TOPUP
PRIVATE_FIRST = PurseOrder.PRIVATE_THEN_PUBLIC


def test_a_covered_advice_is_a_purchase_under_its_own_name(town: Town) -> None:
    someone = town.person(1_000)
    assert town.post(ADVICE, someone, 400)[:2] == (Result.APPROVED, 600)
    assert town.legs() == [Leg(TransferKind.ADVICE, someone.public, SHOP, 400, 600)]


def test_the_shortfall_becomes_a_debt_and_the_card_is_denied(town: Town) -> None:
    someone = town.person(300, 100)
    assert town.post(ADVICE, someone, 1_000, order=PRIVATE_FIRST)[:2] == (Result.APPROVED, 0)
    assert town.legs() == [
        Leg(TransferKind.ADVICE, someone.private, SHOP, 100, 0),
        Leg(TransferKind.ADVICE, someone.public, SHOP, 300, 0),
        Leg(TransferKind.DEBT, DEBT, SHOP, 600, None),
    ]
    assert town.debt(someone) == 600
    assert town.is_denied(someone)
    assert town.post(Operation.PURCHASE, someone, 1).code == Result.CARD_DENIED
    assert town.post(ADVICE, someone, 50).code == Result.APPROVED
    assert town.legs() == [Leg(TransferKind.DEBT, DEBT, SHOP, 50, None)]
    assert town.debt(someone) == 650


def test_a_top_up_repays_first_and_lifts_the_denial_when_nothing_is_owed(town: Town) -> None:
    someone = town.person(0)
    town.post(ADVICE, someone, 500)
    assert town.post(TOPUP, someone, 200)[:2] == (Result.APPROVED, 0)
    assert town.legs() == [Leg(TransferKind.DEBT_REPAID, FUNDING, DEBT, 200, None)]
    assert (town.debt(someone), town.is_denied(someone)) == (300, True)
    assert town.post(TOPUP, someone, 1_000)[:2] == (Result.APPROVED, 700)
    assert town.legs() == [
        Leg(TransferKind.TOPUP, FUNDING, someone.public, 700, 700),
        Leg(TransferKind.DEBT_REPAID, FUNDING, DEBT, 300, None),
    ]
    assert (town.debt(someone), town.is_denied(someone)) == (0, False)
    assert town.post(Operation.PURCHASE, someone, 700).code == Result.APPROVED


def test_every_card_of_a_debtor_is_denied_also_one_added_later(town: Town) -> None:
    someone = town.person(0)
    early, late = someone.card + 10, someone.card + 20
    town.app.execute("SELECT ledger.add_card(%s, %s)", (early, someone.account))
    town.post(ADVICE, someone, 10)
    town.app.execute("SELECT ledger.add_card(%s, %s)", (late, someone.account))
    for card in (someone.card, early, late):
        assert town.post(Operation.PURCHASE, card, 1).code == Result.CARD_DENIED
    town.post(TOPUP, late, 10)
    rows = town.app.execute("SELECT denied FROM ledger.card WHERE account_no = %s", (someone.account,)).fetchall()
    assert rows == [(False,)] * 3
    assert town.app.execute(
        "SELECT count(*) FROM ledger.deny_list WHERE card_no = ANY(%s)", ([someone.card, early, late],)
    ).fetchone() == (0,)


@pytest.mark.parametrize("status", list(CardStatus))
def test_standing_and_limits_do_not_refuse_an_advice(town: Town, status: CardStatus) -> None:
    someone = town.person(20_000, card_type=WITH_LIMITS, status=status, valid_until=MONDAY.replace(day=1))
    town.app.execute("SELECT ledger.set_account_status(%s, 2)", (someone.account,))
    assert town.post(ADVICE, someone, 15_000, meal=1)[:2] == (Result.APPROVED, 5_000)


def test_where_no_purse_may_be_used_everything_is_owed(town: Town) -> None:
    someone = town.person(1_000, operator=INDEPENDENT)
    assert town.post(ADVICE, someone, 400).code == Result.APPROVED
    assert [(leg.kind, leg.amount) for leg in town.legs()] == [(TransferKind.DEBT, 400)]
    assert (town.balance(someone), town.debt(someone)) == (1_000, 400)


@pytest.mark.parametrize("precheck", [Result.UNIT_SUSPENDED, Result.UNIT_EXPIRED])
def test_money_on_a_device_comes_up_after_its_unit_has_expired(town: Town, precheck: Result) -> None:
    someone = town.person(1_000)
    assert town.post(ADVICE, someone, 400, precheck=precheck).code == Result.APPROVED
    assert town.post(Operation.PURCHASE, someone, 400, precheck=precheck).code == precheck


def test_a_tap_without_a_charge_is_in_the_journal_and_moves_nothing(town: Town) -> None:
    someone = town.person(1_000)
    answer = town.post(ADVICE, someone, 0)
    assert (answer.code, answer.balance) == (Result.APPROVED, 1_000)
    assert town.legs() == [Leg(TransferKind.ADVICE, someone.public, SHOP, 0, 1_000)]
    assert town.post(ADVICE, someone, 0, seq=town.last_seq) == answer
    nobody = town.person(None, operator=INDEPENDENT)
    assert town.post(ADVICE, nobody, 0).code == Result.APPROVED
    assert [(leg.kind, leg.amount) for leg in town.legs()] == [(TransferKind.DEBT, 0)]
    assert (town.debt(nobody), town.is_denied(nobody)) == (0, False)


@pytest.mark.parametrize(
    "code", [Result.MERCHANT_CLOSED, Result.TERMINAL_NOT_ALLOWED, Result.UNKNOWN_CARD, Result.AMOUNT_INVALID]
)
def test_what_nobody_can_be_charged_for_is_kept_in_quarantine(town: Town, code: Result) -> None:
    someone = town.person(1_000)
    card = 9000_00_777777777_0 if code == Result.UNKNOWN_CARD else someone.card
    amount = -5 if code == Result.AMOUNT_INVALID else 400
    precheck = code if code < Result.UNKNOWN_CARD else 0
    before = town.everything()
    for _ in range(2):
        assert town.post(ADVICE, card, amount, precheck=precheck, seq=town.last_seq if _ else None).code == code
    assert town.everything() == before
    rows = town.app.execute(
        "SELECT card_no, amount_fen, code, resolved_at FROM ledger.quarantine WHERE terminal_seq = %s", (town.last_seq,)
    )
    assert rows.fetchall() == [(card, amount, code, None)]


def test_an_advice_under_a_used_key_is_refused_and_kept_in_quarantine(town: Town) -> None:
    someone = town.person(1_000)
    town.post(ADVICE, someone, 100)
    assert town.post(ADVICE, someone, 200, seq=town.last_seq).code == Result.KEY_CONFLICT
    rows = town.app.execute("SELECT amount_fen, code FROM ledger.quarantine WHERE terminal_seq = %s", (town.last_seq,))
    assert rows.fetchall() == [(200, Result.KEY_CONFLICT)]


def test_a_reversed_advice_leaves_quarantine(town: Town) -> None:
    someone = town.person(1_000)
    town.post(ADVICE, someone, 400, precheck=Result.MERCHANT_CLOSED)
    assert town.post(Operation.REVERSAL, someone, 400, seq=town.last_seq).code == Result.APPROVED
    row = town.app.execute("SELECT resolved_at IS NOT NULL FROM ledger.quarantine WHERE terminal_seq = %s", (town.last_seq,))
    assert row.fetchone() == (True,)


def test_yesterdays_advice_does_not_eat_todays_limit(town: Town) -> None:
    someone = town.person(100_000, card_type=WITH_LIMITS)
    today = MONDAY.replace(day=5)
    assert town.post(Operation.PURCHASE, someone, 5_000, day=today).code == Result.APPROVED
    assert town.post(ADVICE, someone, 9_000, day=MONDAY, at=later(days=-1)).code == Result.APPROVED
    assert town.post(Operation.PURCHASE, someone, 5_000, day=today).code == Result.APPROVED
    assert town.post(ADVICE, someone, 1, day=today).code == Result.APPROVED  # today's counts
    assert town.post(Operation.PURCHASE, someone, 1, day=today).code == Result.LIMIT_DAY


PURCHASE = Operation.PURCHASE


@pytest.mark.parametrize(("first", "second"), [(PURCHASE, ADVICE), (ADVICE, PURCHASE)])
def test_a_purchase_and_its_advice_are_posted_once_whichever_comes_first(town: Town, first: Operation, second: Operation) -> None:
    someone = town.person(1_000)
    answer = town.post(first, someone, 400)
    legs = town.legs()
    assert town.post(second, someone, 400, seq=town.last_seq) == answer
    assert town.legs() == legs


def test_an_advice_takes_the_place_of_its_refused_purchase(town: Town) -> None:
    someone = town.person(300)
    assert town.post(PURCHASE, someone, 400).code == Result.INSUFFICIENT_FUNDS
    assert town.post(ADVICE, someone, 400, seq=town.last_seq).code == Result.APPROVED
    assert town.debt(someone) == 100
    assert town.post(PURCHASE, someone, 400, seq=town.last_seq).code == Result.APPROVED
    assert town.debt(someone) == 100


def test_an_advice_of_other_content_does_not_touch_the_refused_purchase(town: Town) -> None:
    someone = town.person(300)
    town.post(PURCHASE, someone, 400)
    assert town.post(ADVICE, someone, 200, seq=town.last_seq).code == Result.KEY_CONFLICT
    assert town.post(PURCHASE, someone, 400, seq=town.last_seq).code == Result.INSUFFICIENT_FUNDS


def test_a_reversed_purchase_stays_reversed_when_its_advice_comes(town: Town) -> None:
    someone = town.person(1_000)
    town.post(PURCHASE, someone, 400)
    seq = town.last_seq
    town.post(Operation.REVERSAL, someone, 400, seq=seq)
    assert town.post(ADVICE, someone, 400, seq=seq).code == Result.REVERSED
