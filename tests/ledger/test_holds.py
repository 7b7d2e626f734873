"""Holds (P3, P4): hold, commit of at most that, release, expiry."""

from datetime import datetime, timedelta

import pytest

from onecard.kernel.codes import Operation, Result
from onecard.ledger.codes import PurseOrder, TransferKind
from tests.ledger.town import CANTEEN, DEBT, HELD, MONDAY, SHOP, TERMINAL, UNIT, WITH_LIMITS, Leg, Person, Town

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


def expire(town: Town, someone: Person, *, swept: bool = True) -> datetime:
    """Lets the person's holds run out a second ago; returns when. `swept`: the worker has been there already."""
    row = town.admin.execute(
        "UPDATE ledger.hold SET expires_at = now() - interval '1 s' WHERE account_no = %s RETURNING expires_at",
        (someone.account,),
    ).fetchone()
    assert row is not None
    if swept:
        assert town.app.execute("SELECT ledger.expire_holds(0::smallint)").fetchone() == (1,)
    ended: datetime = row[0]
    return ended


def waiting(town: Town, seq: int) -> list[tuple[int, int, str]]:
    """What of a number waits in quarantine: amount, code, reason."""
    return town.app.execute(
        "SELECT amount_fen, code, reason FROM ledger.quarantine"
        " WHERE terminal_id = %s AND terminal_seq = %s AND resolved_at IS NULL",
        (TERMINAL, seq),
    ).fetchall()


def test_an_expired_hold_goes_back_to_its_purse_once(town: Town) -> None:
    someone, hold = held(town)
    running, _ = held(town)
    ended = expire(town, someone, swept=False)
    assert town.post(COMMIT, someone, 1, orig=hold, at=ended).code == Result.HOLD_CLOSED
    assert town.app.execute("SELECT ledger.expire_holds(0::smallint, 1)").fetchone() == (1,)
    assert town.app.execute("SELECT ledger.expire_holds(0::smallint)").fetchone() == (0,)
    assert (town.balance(someone), town.balance(running)) == (10_000, 7_000)
    assert town.post(RELEASE, someone, orig=hold).code == Result.HOLD_CLOSED
    assert town.post(Operation.REVERSAL, someone, seq=hold).code == Result.APPROVED
    assert town.balance(someone) == 10_000


@pytest.mark.parametrize("swept", [True, False])
def test_what_was_sold_while_the_hold_stood_is_posted_however_late_it_comes_up(town: Town, swept: bool) -> None:
    someone, hold = held(town)
    sold = expire(town, someone, swept=swept) - timedelta(seconds=1)
    answer = town.post(COMMIT, someone, 1_800, orig=hold, at=sold)
    assert answer[:2] == (Result.APPROVED, 8_200)
    commit = town.last_seq
    assert town.post(COMMIT, someone, 1_800, orig=hold, at=sold, seq=commit) == answer
    assert town.post(COMMIT, someone, 1, orig=hold, at=sold).code == Result.HOLD_CLOSED  # never twice
    assert town.app.execute("SELECT ledger.expire_holds(0::smallint)").fetchone() == (0,)
    assert (town.balance(someone), town.debt(someone)) == (8_200, 0)
    if swept:
        assert town.legs(commit) == [Leg(TransferKind.COMMIT, someone.public, SHOP, 1_800, 8_200)]


def test_what_the_purses_lack_of_a_late_commit_is_owed(town: Town) -> None:
    someone = town.person(3_000, 400)
    order = PurseOrder.PRIVATE_THEN_PUBLIC
    town.post(HOLD, someone, 3_000, order=order)
    hold, sold = town.last_seq, expire(town, someone) - timedelta(seconds=1)
    town.post(Operation.PURCHASE, someone, 2_500)
    assert town.post(COMMIT, someone, 2_000, orig=hold, order=order, at=sold)[:2] == (Result.APPROVED, 0)
    assert town.legs() == [
        Leg(TransferKind.COMMIT, someone.private, SHOP, 400, 0),
        Leg(TransferKind.COMMIT, someone.public, SHOP, 500, 0),
        Leg(TransferKind.DEBT, DEBT, SHOP, 1_100, None),
    ]
    assert (town.debt(someone), town.is_denied(someone)) == (1_100, True)
    commit = town.last_seq
    assert town.post(Operation.REFUND, someone, 1_200, orig=commit).code == Result.APPROVED
    assert (town.debt(someone), town.balance(someone), town.balance(someone, UNIT)) == (0, 100, 0)
    assert town.post(Operation.REVERSAL, someone, 2_000, seq=commit).code == Result.APPROVED
    assert (town.balance(someone), town.balance(someone, UNIT)) == (500, 400)


def test_the_reversal_of_a_late_commit_leaves_the_hold_expired(town: Town) -> None:
    someone, hold = held(town)
    ended = expire(town, someone)
    sold = ended - timedelta(seconds=1)
    assert town.post(COMMIT, someone, 1_800, orig=hold, at=sold).code == Result.APPROVED
    commit = town.last_seq
    assert town.post(Operation.REVERSAL, someone, 3_000, seq=hold).code == Result.HOLD_CLOSED
    assert town.post(Operation.REVERSAL, someone, 1_800, seq=commit).code == Result.APPROVED
    assert town.legs(commit, op=Operation.REVERSAL) == [Leg(TransferKind.REVERSAL, SHOP, someone.public, 1_800, 10_000)]
    assert town.post(RELEASE, someone, orig=hold).code == Result.HOLD_CLOSED
    assert town.post(COMMIT, someone, 700, orig=hold, at=sold).code == Result.APPROVED
    assert town.balance(someone) == 9_300


def test_a_late_commit_counts_to_its_day_and_meal_as_an_advice_does(town: Town) -> None:
    someone = town.person(100_000, card_type=WITH_LIMITS)
    town.post(HOLD, someone, 5_000, meal=1)
    hold, sold = town.last_seq, expire(town, someone) - timedelta(seconds=1)
    assert town.post(COMMIT, someone, 4_000, orig=hold, at=sold, meal=1).code == Result.APPROVED
    assert town.post(Operation.PURCHASE, someone, 4_001, meal=1).code == Result.LIMIT_MEAL
    assert town.post(Operation.PURCHASE, someone, 4_000, meal=1).code == Result.APPROVED
    assert town.post(Operation.PURCHASE, someone, 2_001).code == Result.LIMIT_DAY
    tomorrow = MONDAY + timedelta(days=1)
    town.post(HOLD, someone, 5_000, day=tomorrow)
    hold, sold = town.last_seq, expire(town, someone) - timedelta(seconds=1)
    assert town.post(COMMIT, someone, 4_000, orig=hold, at=sold, day=MONDAY).code == Result.APPROVED
    assert town.post(Operation.PURCHASE, someone, 5_000, day=tomorrow).code == Result.APPROVED
    assert town.post(Operation.PURCHASE, someone, 5_000, day=tomorrow).code == Result.APPROVED


def test_a_refused_commit_waits_for_a_person_with_its_reason(town: Town) -> None:
    someone, hold = held(town)
    ended = expire(town, someone)
    assert town.post(COMMIT, someone, 900, orig=hold, at=ended).code == Result.HOLD_CLOSED
    late = town.last_seq
    assert town.post(COMMIT, someone, 900, orig=hold, at=ended, seq=late).code == Result.HOLD_CLOSED
    expired = (900, Result.HOLD_CLOSED, "预授权到期之后才完成 / committed after its hold had expired")
    assert waiting(town, late) == [expired]
    assert town.post(COMMIT, someone, 3_001, orig=hold, at=ended - timedelta(seconds=1)).code == Result.AMOUNT_INVALID
    assert waiting(town, town.last_seq) == [(3_001, Result.AMOUNT_INVALID, "完成金额超过预授权 / committed more than was held")]
    assert town.post(Operation.REVERSAL, someone, 900, seq=late).code == Result.APPROVED
    assert waiting(town, late) == []


def test_a_commit_of_a_hold_that_somebody_ended_waits_for_a_person(town: Town) -> None:
    someone, hold = held(town)
    town.post(COMMIT, someone, 900, orig=hold)
    assert waiting(town, town.last_seq) == []
    town.post(COMMIT, someone, 800, orig=hold)
    assert waiting(town, town.last_seq) == [(800, Result.HOLD_CLOSED, "该预授权此前已完成 / its hold was committed before")]
    other, hold = held(town)
    town.post(RELEASE, other, orig=hold)
    town.post(COMMIT, other, 700, orig=hold)
    assert waiting(town, town.last_seq) == [(700, Result.HOLD_CLOSED, "该预授权此前已撤销 / its hold was released before")]
    town.post(COMMIT, other, 0, orig=hold)
    town.post(RELEASE, other, orig=hold)
    assert waiting(town, town.last_seq - 1) + waiting(town, town.last_seq) == []
    town.post(COMMIT, other, 600, orig=999_999_999)
    assert waiting(town, town.last_seq) == [(600, Result.NO_ORIGINAL, "预授权完成被拒绝 / a commit was refused")]


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
