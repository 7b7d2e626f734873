"""What a card operation moves: names in `life.TABLE` become the legs of one desk record; and the exact undoing of it.

Cash stands on the operator's funding book; a private purse's on its unit's. What the holder pays
or gets is the sum over these books.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from onecard.kernel.codes import Text
from onecard.kernel.errors import InvalidInput
from onecard.kernel.numbers import purse_id
from onecard.ledger.accounts import BookKind, book_id
from onecard.ledger.codes import AccountStatus, TransferKind
from onecard.services.cards import books
from onecard.services.cards.books import Leg
from onecard.services.cards.choices import State
from onecard.services.cards.errors import rule_refusal
from onecard.services.cards.life import LIVE, Money
from onecard.services.cards.models import Card, CardTypeRules
from onecard.services.cards.ports import ChipMissing, ChipReading, chip_missing

_UNREAD = Text("未读卡", "the chip was not read")
_NEGATIVE = Text("账面为负，须双人核销", "its account is below zero: two people write it off at the chip desk")
_CASH = (BookKind.FUNDING, BookKind.UNIT_FUNDING)
Posted = tuple[int | None, int, list[list[Any]]]
"""The record's number, the cash, and the legs with their transfers as the event keeps them."""


@dataclass(frozen=True, slots=True)
class ChipKept:
    """A chip that is not paid out now: what its account holds, and why."""

    balance_fen: int
    why: Sequence[Text]


@dataclass(slots=True)
class Till:
    """What one operation is about to post: legs gathered in order, and what was moved besides."""

    card: Card
    at: datetime
    rules: CardTypeRules | None = None
    fee_field: str | None = None
    fee_waived: bool = False
    fee_from_purse: bool = False
    top_up_fen: int = 0
    new_card_no: int | None = None
    new_rules: CardTypeRules | None = None
    chip_missing: ChipMissing = chip_missing
    chip_reading: ChipReading | None = None
    legs: list[Leg] = field(default_factory=list)
    chip_fen: int = 0
    chip_kept: ChipKept | None = None
    deposit_moved_fen: int = 0
    account_closed: bool = False

    def book(self, kind: BookKind) -> int:
        """A book account of the card's operator."""
        return book_id(kind, self.card.operator_id)

    def add(self, kind: TransferKind, debit: int, credit: int, amount_fen: int) -> None:
        """A leg, where there is something to move."""
        assert amount_fen >= 0
        if amount_fen:
            self.legs.append(Leg(kind.value, debit, credit, amount_fen))


def cash_fen(legs: Iterable[Leg]) -> int:
    """What the holder pays in cash; below zero what he is paid."""
    total = 0
    for leg in legs:
        total += leg.amount_fen if leg.debit // 100_000_000 in _CASH else 0
        total -= leg.amount_fen if leg.credit // 100_000_000 in _CASH else 0
    return total


def post(till: Till, money: Sequence[Money]) -> Posted:
    """Gathers the legs and posts them as one record."""
    for name in money:
        _GATHER[name](till)
    if not till.legs:
        _close_account(till)
        return None, 0, []
    seq, first = books.post(till.card.card_no, till.legs, at=till.at)
    _close_account(till)
    kept = [[leg.kind, leg.debit, leg.credit, leg.amount_fen, first + n] for n, leg in enumerate(till.legs)]
    return seq, cash_fen(till.legs), kept


def post_undo(card_no: int, kept: Sequence[Sequence[int]], *, at: datetime) -> Posted:
    """Posts the reverse of an event's legs, last leg first; each names the transfer it undoes, which can be undone once."""
    legs = [
        Leg(_UNDONE_BY.get(TransferKind(kind), TransferKind(kind)).value, credit, debit, fen, transfer)
        for kind, debit, credit, fen, transfer in reversed(kept)
    ]
    if not legs:
        return None, 0, []
    seq, first = books.post(card_no, legs, at=at)
    return seq, cash_fen(legs), [[x.kind, x.debit, x.credit, x.amount_fen, first + n] for n, x in enumerate(legs)]


_UNDONE_BY = {
    TransferKind.TOPUP: TransferKind.REVERSAL,
    TransferKind.DEBT_REPAID: TransferKind.REVERSAL,
    TransferKind.DEPOSIT: TransferKind.DEPOSIT_BACK,
    TransferKind.DEPOSIT_BACK: TransferKind.DEPOSIT,
}


def _rules(till: Till) -> CardTypeRules:
    if till.rules is None:
        raise rule_refusal("C5", "此卡种没有生效的规则", "the card type has no rules in force")
    return till.rules


def _deposit_in(till: Till) -> None:
    till.add(TransferKind.DEPOSIT, till.book(BookKind.FUNDING), till.book(BookKind.DEPOSIT), _rules(till).deposit_fen)


def _deposit_back(till: Till) -> None:
    held = books.deposit_fen(till.card.card_no)
    till.add(TransferKind.DEPOSIT_BACK, till.book(BookKind.DEPOSIT), till.book(BookKind.FUNDING), held)


def _deposit_of_lost(till: Till) -> None:
    if _rules(till).deposit_back_when_lost:
        _deposit_back(till)
    else:
        held = books.deposit_fen(till.card.card_no)
        till.add(TransferKind.CARD_FEE, till.book(BookKind.DEPOSIT), till.book(BookKind.FEE_INCOME), held)


def _deposit_moves(till: Till) -> None:
    assert till.new_card_no is not None
    till.deposit_moved_fen = books.move_deposit(till.card.card_no, till.new_card_no)


def _deposit_difference(till: Till) -> None:
    assert till.new_rules is not None
    more = till.new_rules.deposit_fen - books.deposit_fen(till.card.card_no)
    cash, deposit = till.book(BookKind.FUNDING), till.book(BookKind.DEPOSIT)
    till.add(TransferKind.DEPOSIT, cash, deposit, max(more, 0))
    till.add(TransferKind.DEPOSIT_BACK, deposit, cash, max(-more, 0))


def _fee(till: Till) -> None:
    assert till.fee_field is not None
    fee = 0 if till.fee_waived else int(getattr(_rules(till), till.fee_field))
    payer = purse_id(till.card.account_no, 0) if till.fee_from_purse else till.book(BookKind.FUNDING)
    till.add(TransferKind.CARD_FEE, payer, till.book(BookKind.FEE_INCOME), fee)


def _top_up(till: Till) -> None:
    if till.top_up_fen < 0:
        raise InvalidInput("充值金额不能为负", "a top-up is not below zero")
    till.add(TransferKind.TOPUP, till.book(BookKind.FUNDING), purse_id(till.card.account_no, 0), till.top_up_fen)


def _chip_to_purse(till: Till) -> None:
    held = books.chip_balance(till.card.card_no) or 0
    if held > 0:
        till.chip_fen = books.unload_chip(till.card.card_no, at=till.at)
    elif held < 0:  # nobody here can tell why: two people at the chip desk write it off
        till.chip_kept = ChipKept(held, [_NEGATIVE])


def _chip_to_purse_if_complete(till: Till) -> None:
    card_no = till.card.card_no
    books.lock_lane(till.card.account_no)  # no record comes in between the question and the payment
    held = books.chip_balance(card_no)
    if held is None:
        if till.chip_reading is not None:
            raise InvalidInput("此卡没有芯片钱包", "the card has no chip purse")
    elif held < 0:
        _chip_to_purse(till)
    elif till.chip_reading is None:
        # What the chip spent last may still be in a terminal: it leaves no hole that could be seen from here.
        why = list(till.chip_missing(card_no, None)) or ([_UNREAD] if held else [])
        till.chip_kept = ChipKept(held, why) if why else None
    else:
        missing = till.chip_missing(card_no, till.chip_reading)
        if missing:
            till.chip_kept = ChipKept(held, missing)
        else:
            _chip_to_purse(till)


def _settle_account(till: Till) -> None:
    """Of the last card: what is owed comes off first, the rest is paid out; closed unless a chip still holds something."""
    others = Card.objects.filter(account_no=till.card.account_no, state__in=LIVE).exclude(pk=till.card.pk)
    books.lock_lane(till.card.account_no)
    account = books.account(till.card.account_no)
    if account is None or account.status is AccountStatus.CLOSED or others.exists():
        return
    owed = account.debt_fen
    debts = till.book(BookKind.DEBT)
    for unit_id, balance in books.purse_balances(account.account_no):
        purse = purse_id(account.account_no, unit_id)
        spent = sum(leg.amount_fen for leg in till.legs if leg.debit == purse)
        # A private purse's money is its unit's: only the public one pays what is owed to the operator.
        repaid = min(owed, max(balance - spent, 0)) if unit_id == 0 else 0
        till.add(TransferKind.DEBT_REPAID, purse, debts, repaid)
        owed -= repaid
        cash = book_id(BookKind.UNIT_FUNDING, unit_id) if unit_id else till.book(BookKind.FUNDING)
        till.add(TransferKind.CASH_OUT, purse, cash, max(balance - spent - repaid, 0))
    till.add(TransferKind.DEBT_REPAID, till.book(BookKind.FUNDING), debts, owed)
    # Records of a chip may still come in: the account waits for them (CARRY_OVER closes it then).
    waits = (books.chip_balance(no) or till.chip_missing(no, None) for no in _cards_of(account.account_no))
    till.account_closed = till.chip_kept is None and not any(waits)


def _cards_of(account_no: int) -> list[int]:
    return list(Card.objects.filter(account_no=account_no).exclude(state=State.CLOSED).values_list("card_no", flat=True))


def _close_account(till: Till) -> None:
    if till.account_closed:
        books.set_account_status(till.card.account_no, AccountStatus.CLOSED)


_GATHER: dict[Money, Callable[[Till], None]] = {
    Money.DEPOSIT_IN: _deposit_in,
    Money.DEPOSIT_BACK: _deposit_back,
    Money.DEPOSIT_OF_LOST: _deposit_of_lost,
    Money.DEPOSIT_MOVES: _deposit_moves,
    Money.DEPOSIT_DIFFERENCE: _deposit_difference,
    Money.FEE: _fee,
    Money.TOP_UP: _top_up,
    Money.CHIP_TO_PURSE: _chip_to_purse,
    Money.CHIP_TO_PURSE_IF_COMPLETE: _chip_to_purse_if_complete,
    Money.SETTLE_ACCOUNT: _settle_account,
}
assert set(_GATHER) == set(Money)
