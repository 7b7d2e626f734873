"""Holds (P3, P4): hold, commit of at most that, release, expiry."""

import pytest

from onecard.kernel.codes import Operation, Result
from onecard.ledger.codes import PurseOrder, TransferKind
from tests.ledger.town import CANTEEN, HELD, SHOP, UNIT, WITH_LIMITS, Leg, Person, Town

HOLD, COMMIT, RELEASE = Operation.HOLD, Operation.COMMIT, Operation.RELEASE


def held(town: Town, amount: int = 3_000, public: int = 10_000) -> tuple[Person, int]:
    someone = town.person(public)
    assert town.post(HOLD, someone, amount).code == Result.APPROVED
    return someone, town.last_seq


def test_a_hold_takes_the_amount_out_of_the_purse_without_paying_it(town: Town) -> None:
    someone, _ = held(town)
    assert town.legs() == [Leg(TransferKind.HOLD, someone.public, HELD, 3_000, 7_000)]
    assert town.post(Operation.PURCHASE, someone, 7_001).code == Result.INSUFFICIENT_FUNDS


def test_a_commit_pays_the_final_amount_and_gives_the_rest_back(town: Town) -> None:
    someone, hold = held(town)
    assert town.post(COMMIT, someone, 1_800, orig=hold)[:2] == (Result.APPROVED, 8_200)
    assert town.legs() == [
        Leg(TransferKind.COMMIT, HELD, SHOP, 1_800, None),
        Leg(TransferKind.RELEASE, HELD, someone.public, 1_200, 8_200),
    ]


def test_a_commit_of_all_has_one_leg(town: Town) -> None:
    someone, hold = held(town)
    assert town.post(COMMIT, someone, 3_000, orig=hold)[:2] == (Result.APPROVED, 7_000)
    assert town.legs() == [Leg(TransferKind.COMMIT, HELD, SHOP, 3_000, None)]


def test_never_more_than_the_hold_and_never_twice(town: Town) -> None:
    someone, hold = held(town)
    before = town.everything()
    assert town.post(COMMIT, someone, 3_001, orig=hold).code == Result.AMOUNT_INVALID
    assert town.post(COMMIT, someone, 0, orig=hold).code == Result.AMOUNT_INVALID
    assert town.everything() == before
    assert town.post(COMMIT, someone, 3_000, orig=hold).code == Result.APPROVED
    for op in (COMMIT, RELEASE):
        assert town.post(op, someone, 1, orig=hold).code == Result.HOLD_CLOSED
    assert town.balance(someone) == 7_000


def test_a_release_gives_everything_back(town: Town) -> None:
    someone, hold = held(town)
    assert town.post(RELEASE, someone, orig=hold)[:2] == (Result.APPROVED, 10_000)
    assert town.legs() == [Leg(TransferKind.RELEASE, HELD, someone.public, 3_000, 10_000)]
    assert town.post(COMMIT, someone, 1, orig=hold).code == Result.HOLD_CLOSED


@pytest.mark.parametrize("precheck", [Result.MERCHANT_CLOSED, Result.UNIT_SUSPENDED, Result.UNIT_EXPIRED])
def test_what_ends_a_hold_is_not_stopped_by_a_closed_merchant(town: Town, precheck: Result) -> None:
    someone, hold = held(town)
    assert town.post(HOLD, someone, 1, precheck=precheck).code == precheck
    assert town.post(COMMIT, someone, 1_000, orig=hold, precheck=precheck).code == Result.APPROVED
    assert town.post(RELEASE, someone, orig=hold, precheck=Result.TERMINAL_NOT_ALLOWED).code == Result.TERMINAL_NOT_ALLOWED


def test_original_must_be_this_accounts_hold_at_this_merchant(town: Town) -> None:
    someone, hold = held(town)
    other = town.person()
    assert town.post(COMMIT, someone, 1, orig=999_999_999).code == Result.NO_ORIGINAL
    assert town.post(COMMIT, other, 1, orig=hold).code == Result.ORIGINAL_MISMATCH
    assert town.post(COMMIT, someone, 1, orig=hold, merchant=CANTEEN).code == Result.ORIGINAL_MISMATCH
    town.post(Operation.PURCHASE, someone, 1)
    assert town.post(COMMIT, someone, 1, orig=town.last_seq).code == Result.ORIGINAL_MISMATCH
    assert town.post(HOLD, someone, 100_000).code == Result.INSUFFICIENT_FUNDS
    assert town.post(RELEASE, someone, orig=town.last_seq).code == Result.NO_ORIGINAL


def test_another_terminal_may_commit_naming_the_first(town: Town) -> None:
    someone, hold = held(town)
    assert town.post(COMMIT, someone, 500, terminal=99, orig=hold).code == Result.NO_ORIGINAL
    assert town.post(COMMIT, someone, 500, terminal=99, orig=hold, orig_terminal=4711).code == Result.APPROVED


def test_a_hold_is_not_split_but_takes_the_first_purse_that_has_it_all(town: Town) -> None:
    someone = town.person(1_000, 400)
    order = PurseOrder.PRIVATE_THEN_PUBLIC
    assert town.post(HOLD, someone, 1_200, order=order).code == Result.INSUFFICIENT_FUNDS
    assert town.post(HOLD, someone, 800, order=order).code == Result.APPROVED
    assert (town.balance(someone), town.balance(someone, UNIT)) == (200, 400)


def test_what_a_commit_gives_back_no_longer_counts_to_the_limit(town: Town) -> None:
    someone = town.person(100_000, card_type=WITH_LIMITS)
    assert town.post(HOLD, someone, 5_000).code == Result.APPROVED
    hold = town.last_seq
    assert town.post(COMMIT, someone, 1_000, orig=hold).code == Result.APPROVED
    assert town.post(Operation.PURCHASE, someone, 5_000).code == Result.APPROVED
    assert town.post(Operation.PURCHASE, someone, 4_001).code == Result.LIMIT_DAY
    assert town.post(Operation.PURCHASE, someone, 4_000).code == Result.APPROVED


def test_an_expired_hold_is_refused_and_goes_back_to_its_purse_once(town: Town) -> None:
    someone, hold = held(town)
    running, _ = held(town)
    town.admin.execute("UPDATE ledger.hold SET expires_at = now() - interval '1 s' WHERE account_no = %s", (someone.account,))
    assert town.post(COMMIT, someone, 1, orig=hold).code == Result.HOLD_CLOSED
    assert town.app.execute("SELECT ledger.expire_holds(0::smallint, 1)").fetchone() == (1,)
    assert town.app.execute("SELECT ledger.expire_holds(0::smallint)").fetchone() == (0,)
    assert (town.balance(someone), town.balance(running)) == (10_000, 7_000)
    assert town.post(RELEASE, someone, orig=hold).code == Result.HOLD_CLOSED
    assert town.post(Operation.REVERSAL, someone, seq=hold).code == Result.APPROVED
    assert town.balance(someone) == 10_000


def test_holds_last_as_long_as_the_parameter_says(town: Town) -> None:
    town.app.execute("UPDATE ledger.parameter SET hold_ttl = '5 minutes'")
    someone, _ = held(town)
    row = town.app.execute(
        "SELECT expires_at - now() BETWEEN '4 minutes' AND '5 minutes' FROM ledger.hold WHERE account_no = %s", (someone.account,)
    )
    assert row.fetchone() == (True,)
    town.app.execute("UPDATE ledger.parameter SET hold_ttl = '24 hours'")


def test_reversal_of_a_hold_gives_it_back(town: Town) -> None:
    someone, hold = held(town)
    assert town.post(Operation.REVERSAL, someone, 3_000, seq=hold)[:2] == (Result.APPROVED, 10_000)
    assert town.post(COMMIT, someone, 1, orig=hold).code == Result.NO_ORIGINAL
    assert town.post(HOLD, someone, 3_000, seq=hold).code == Result.REVERSED


def test_reversal_of_a_committed_hold_is_refused(town: Town) -> None:
    someone, hold = held(town)
    town.post(COMMIT, someone, 1_000, orig=hold)
    assert town.post(Operation.REVERSAL, someone, 3_000, seq=hold).code == Result.HOLD_CLOSED
    assert town.balance(someone) == 9_000


def test_reversal_of_a_commit_opens_the_hold_again_over_what_had_been_paid(town: Town) -> None:
    someone, hold = held(town)
    town.post(COMMIT, someone, 1_800, orig=hold)
    commit = town.last_seq
    assert town.post(Operation.REVERSAL, someone, 1_800, seq=commit).code == Result.APPROVED
    assert town.legs(commit, op=Operation.REVERSAL) == [Leg(TransferKind.REVERSAL, SHOP, HELD, 1_800, None)]
    assert town.post(COMMIT, someone, 1_801, orig=hold).code == Result.AMOUNT_INVALID
    assert town.post(COMMIT, someone, 1_800, orig=hold).code == Result.APPROVED
    assert town.balance(someone) == 8_200


def test_a_commit_can_be_refunded_to_the_purse_of_its_hold(town: Town) -> None:
    someone, hold = held(town)
    town.post(COMMIT, someone, 1_800, orig=hold)
    commit = town.last_seq
    assert town.post(Operation.REFUND, someone, 800, orig=commit)[:2] == (Result.APPROVED, 9_000)
    assert town.post(Operation.REFUND, someone, 1_001, orig=commit).code == Result.REFUND_EXCEEDS
    assert town.post(Operation.REFUND, someone, 1_000, orig=commit)[:2] == (Result.APPROVED, 10_000)
