"""Where several reasons to refuse apply, the smallest number is given (kernel.codes.Result): each reason with each later one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import combinations

import pytest

from onecard.kernel.codes import Operation, Result
from onecard.ledger.codes import PurseOrder
from tests.ledger.bank import DAY, Account, Bank, Record


@dataclass
class Case:
    """A purchase about to be posted, to which reasons for refusing it are added one by one."""

    bank: Bank
    limits: dict[str, int] = field(default_factory=dict)
    changes: dict[str, object] = field(default_factory=dict)
    standing: list[Callable[[Account], None]] = field(default_factory=list)
    public_fen: int | None = 10_000
    amount: int = 500

    def record(self) -> Record:
        bank = self.bank
        account = bank.account(self.public_fen, 50, card_type=bank.card_type(**self.limits))
        if "meal" in self.limits:
            self.changes["meal"] = 1
        made = bank.purchase(account, self.amount, **self.changes)
        for apply in self.standing:
            apply(account)
        return made

    def call(self, statement: str) -> None:
        self.standing.append(lambda account: self._call(account, statement))

    def _call(self, account: Account, statement: str) -> None:
        numbers = {
            "card": account.card_no,
            "account": account.account_no,
            "operator": account.operator_id,
            "plain": self.bank.plain,
        }
        self.bank.app.execute(statement, numbers)  # type: ignore[call-overload]


def _precheck(code: Result) -> Callable[[Case], None]:
    return lambda case: case.changes.setdefault("precheck", code)  # type: ignore[return-value]


def _owing(case: Case) -> None:
    # An offline record on the private purse, whose shortfall puts the card on the deny list.
    def owe(account: Account) -> None:
        case.bank.posted(case.bank.advice(account, 51, order=PurseOrder.PRIVATE, day=DAY - timedelta(days=1)))

    case.standing.insert(0, owe)


def _without_purse(case: Case) -> None:
    case.changes["order"] = PurseOrder.PUBLIC
    case.public_fen = None


def _poor(case: Case) -> None:
    if case.public_fen is not None:
        case.public_fen = 499


def _limit(name: str) -> Callable[[Case], None]:
    return lambda case: case.limits.update({name: 499})


REASONS: dict[Result, Callable[[Case], None]] = {
    Result.TERMINAL_NOT_ALLOWED: _precheck(Result.TERMINAL_NOT_ALLOWED),
    Result.MERCHANT_CLOSED: _precheck(Result.MERCHANT_CLOSED),
    Result.UNIT_SUSPENDED: _precheck(Result.UNIT_SUSPENDED),
    Result.UNIT_EXPIRED: _precheck(Result.UNIT_EXPIRED),
    Result.CARD_NOT_ACTIVE: lambda case: case.call("SELECT ledger.set_card_status(%(card)s, 5)"),
    Result.CARD_LOST: lambda case: case.call("SELECT ledger.set_card_status(%(card)s, 2)"),
    Result.CARD_FROZEN: lambda case: case.call("SELECT ledger.set_account_status(%(account)s, 2)"),
    Result.CARD_EXPIRED: lambda case: case.call(
        "SELECT ledger.set_card_status(%(card)s, (SELECT status FROM ledger.card WHERE card_no = %(card)s), DATE '2026-03-01')"
    ),
    Result.CARD_DENIED: _owing,
    Result.PURSE_NOT_ALLOWED: _without_purse,
    Result.LIMIT_TRANSACTION: _limit("transaction"),
    Result.LIMIT_MEAL: _limit("meal"),
    Result.LIMIT_DAY: _limit("day"),
    Result.INSUFFICIENT_FUNDS: _poor,
}
# Two states of one column exclude each other.
EXCLUDED = {(Result.CARD_NOT_ACTIVE, Result.CARD_LOST)}
PRECHECKS = {Result.TERMINAL_NOT_ALLOWED, Result.MERCHANT_CLOSED, Result.UNIT_SUSPENDED, Result.UNIT_EXPIRED}
PAIRS = [
    pair for pair in combinations(sorted(REASONS), 2) if pair not in EXCLUDED and not set(pair) <= PRECHECKS
]  # the directory itself gives the smallest of its own


@pytest.mark.parametrize("reason", sorted(REASONS), ids=lambda reason: reason.name)
def test_each_reason_alone_is_given_and_nothing_moves(bank: Bank, reason: Result) -> None:
    case = Case(bank)
    REASONS[reason](case)
    assert bank.refused(case.record()) == reason


def test_of_two_reasons_the_smaller_is_given(bank: Bank) -> None:
    given = {}
    for pair in PAIRS:
        case = Case(bank)
        for reason in pair:
            REASONS[reason](case)
        given[pair] = bank.refused(case.record())
    assert {pair: code for pair, code in given.items() if code != min(pair)} == {}


def test_with_all_reasons_at_once_the_first_is_given_and_so_on(bank: Bank) -> None:
    for place, reason in enumerate(sorted(REASONS)):
        case = Case(bank)
        for later in sorted(REASONS)[place:]:
            if (reason, later) not in EXCLUDED and not (later == Result.CARD_NOT_ACTIVE and reason < later):
                REASONS[later](case)
        assert bank.refused(case.record()) == reason


def test_an_unknown_card_comes_after_the_directory_s_reasons_and_before_all_others(bank: Bank) -> None:
    stranger = bank.purchase(bank.account(), 0, card_no=1001_01_999_999_999_0)
    assert bank.refused(stranger) == Result.UNKNOWN_CARD
    assert bank.refused(stranger.but(seq=next(bank.seq), precheck=Result.UNIT_EXPIRED)) == Result.UNIT_EXPIRED


def test_a_used_key_comes_before_everything(bank: Bank) -> None:
    account = bank.account()
    record = bank.posted(bank.purchase(account, 10))
    bank.app.execute("SELECT ledger.set_card_status(%s, 2)", (account.card_no,))
    assert bank.refused(record.but(amount=11, precheck=Result.TERMINAL_NOT_ALLOWED)) == Result.KEY_CONFLICT
    bank.posted(bank.reversal(record))
    assert bank.refused(record.but(precheck=Result.TERMINAL_NOT_ALLOWED)) == Result.REVERSED
    assert bank.refused(record.but(amount=11)) == Result.KEY_CONFLICT


def test_a_closed_account_is_told_after_the_card(bank: Bank) -> None:
    account = bank.account(0)
    bank.app.execute("SELECT ledger.set_account_status(%s, 3)", (account.account_no,))
    assert bank.refused(bank.purchase(account, 1)) == Result.ACCOUNT_CLOSED
    bank.app.execute("SELECT ledger.set_card_status(%s, 4)", (account.card_no,))
    assert bank.refused(bank.purchase(account, 1)) == Result.CARD_EXPIRED


@pytest.mark.parametrize(("status", "reason"), [(0, 31), (5, 31), (2, 32), (3, 33), (4, 34)])
def test_a_card_that_is_not_active_neither_pays_nor_is_filled_nor_holds(bank: Bank, status: int, reason: int) -> None:
    account = bank.account()
    bank.app.execute("SELECT ledger.set_card_status(%s, %s)", (account.card_no, status))
    for record in (bank.purchase(account, 1), bank.top_up(account, 1), bank.hold(account, 1)):
        assert bank.refused(record) == reason


def test_a_card_is_valid_through_its_last_day(bank: Bank) -> None:
    account = bank.account(valid_until=DAY)
    bank.posted(bank.purchase(account, 1, day=DAY))
    assert bank.refused(bank.purchase(account, 1, day=DAY + timedelta(days=1))) == Result.CARD_EXPIRED


@pytest.mark.parametrize("precheck", [Result.MERCHANT_CLOSED, Result.UNIT_SUSPENDED, Result.UNIT_EXPIRED])
def test_what_ends_or_undoes_a_record_is_not_stopped_by_a_closed_merchant_or_unit(bank: Bank, precheck: Result) -> None:
    account = bank.account(1_000)
    paid, first, second = (bank.posted(bank.purchase(account, 100)), *(bank.posted(bank.hold(account, 100)) for _ in range(2)))
    bank.posted(bank.reversal(paid, precheck=precheck))
    bank.posted(bank.commit(first, 60, precheck=precheck))
    bank.posted(bank.release(second, precheck=precheck))
    assert bank.public(account) == 940
    assert bank.refused(bank.follow(Operation.REFUND, first, 1, precheck=precheck)) == precheck
    assert (
        bank.refused(bank.reversal(bank.purchase(account, 5), precheck=Result.TERMINAL_NOT_ALLOWED))
        == Result.TERMINAL_NOT_ALLOWED
    )


def test_of_the_original_s_reasons_the_smaller_is_given(bank: Bank) -> None:
    account, stranger = bank.account(), bank.account()
    paid = bank.posted(bank.purchase(account, 100))
    elsewhere = paid.merchant + 1
    assert bank.refused(bank.refund(paid, 0, orig_seq=999_999)) == Result.AMOUNT_INVALID
    assert bank.refused(bank.refund(paid, 101, orig_seq=999_999)) == Result.NO_ORIGINAL
    assert bank.refused(bank.refund(paid, 101, merchant=elsewhere)) == Result.ORIGINAL_MISMATCH
    assert bank.refused(bank.refund(paid, 101, card_no=stranger.card_no)) == Result.ORIGINAL_MISMATCH
    assert bank.refused(bank.refund(paid, 101)) == Result.REFUND_EXCEEDS
    bank.posted(bank.refund(paid, 1))
    assert bank.refused(bank.void(paid, day=DAY + timedelta(days=1))) == Result.ORIGINAL_MISMATCH
    assert bank.refused(bank.void(paid)) == Result.REFUND_EXCEEDS
    held = bank.posted(bank.hold(account, 100))
    assert bank.refused(bank.commit(held, 101, merchant=elsewhere)) == Result.ORIGINAL_MISMATCH
    assert bank.refused(bank.commit(held, 101)) == Result.AMOUNT_INVALID, "more than is held"
    bank.posted(bank.release(held))
    assert bank.refused(bank.commit(held, 50)) == Result.HOLD_CLOSED
