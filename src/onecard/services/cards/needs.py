"""What must be so before an operation, as `life.TABLE` names it: each need is one question with one refusal."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from onecard.kernel.business_day import business_date
from onecard.kernel.errors import InvalidInput
from onecard.kernel.money import format_yuan
from onecard.ledger.codes import AccountStatus
from onecard.services.actors import Actor
from onecard.services.cards import books, rules
from onecard.services.cards.choices import State
from onecard.services.cards.errors import rule_refusal
from onecard.services.cards.issue import NewCard
from onecard.services.cards.life import LIVE, Cell, Need, Step
from onecard.services.cards.models import Card, CardTypeRules
from onecard.services.cards.ports import ChipMissing, ChipReading

_COUNTER_MAX, _BALANCE_MAX = 0xFFFF, 0xFFFFFFFF  # two and four bytes on the card


@dataclass(frozen=True, slots=True)
class Details:
    """What an operation asks beside the card: whichever of it `life.TABLE` names for that operation.

    `valid_until` None with EXTEND: so many months on as the rules say. `fee_waived` asks the permission `cards.waive_fee`.
    `chip_counter` and `chip_balance_fen`, both or neither: what the desk's reader read from the card in hand. RETURN pays out no
    chip without them: what the chip has spent off line may still be on its way. Raises InvalidInput.
    """

    holder_id: int | None = None
    card_type_id: int | None = None
    valid_until: date | None = None
    new_card: NewCard | None = None
    fee_waived: bool = False
    fee_from_purse: bool = False
    chip_counter: int | None = None
    chip_balance_fen: int | None = None

    def __post_init__(self) -> None:
        if (self.chip_counter is None) != (self.chip_balance_fen is None):
            raise InvalidInput("芯片计数器与余额须同时给出", "give both the chip's counter and its balance, or neither")
        for value, most in ((self.chip_counter, _COUNTER_MAX), (self.chip_balance_fen, _BALANCE_MAX)):
            if value is not None and not 0 <= value <= most:
                raise InvalidInput(f"读卡数据超出范围：{value}", f"no chip says that: {value}")

    @property
    def chip_reading(self) -> ChipReading | None:
        """What the chip itself says; None where it was not read."""
        if self.chip_counter is None or self.chip_balance_fen is None:
            return None
        return ChipReading(self.chip_counter, self.chip_balance_fen)


@dataclass(slots=True)
class Work:
    """One operation under way: the card as it is locked, the cell of the table, and what was asked for."""

    card: Card
    step: Step
    cell: Cell
    at: datetime
    actor: Actor
    reason: str
    details: Details
    chip_missing: ChipMissing
    rules: CardTypeRules | None = None
    new_rules: CardTypeRules | None = None
    data: dict[str, object] = field(default_factory=dict)

    @property
    def today(self) -> date:
        """The business date of the operation."""
        return business_date(self.at)

    def rules_in_force(self) -> CardTypeRules:
        """The card type's rules of today. Raises RuleViolated (C5)."""
        return self.rules or rules.rules_at(self.card.card_type_id, self.today)


def require(work: Work) -> None:
    """Asks all that the cell needs. Raises RuleViolated, InvalidInput, NotFound."""
    for need in work.cell.needs:
        _ASK[need](work)


def is_anonymous(card: Card) -> bool:
    """Whether nobody with a name holds the card."""
    return card.holder is None or card.holder.anonymous


def waited_until(card: Card) -> datetime | None:
    """When the waiting days of a stopped card are over: by the rules of the day it was stopped; None where it never was."""
    if card.stopped_at is None:
        return None
    found = rules.find_rules(card.card_type_id, business_date(card.stopped_at))
    return card.stopped_at + timedelta(days=found.waiting_days if found else 0)


def extended_until(work: Work) -> date | None:
    """The day EXTEND asks for."""
    if work.details.valid_until is not None:
        return work.details.valid_until
    return rules.valid_until(work.rules_in_force(), max(work.today, work.card.valid_until or work.today))


def _registered(work: Work) -> None:
    if (work.rules is None or work.rules.loss_needs_registration) and is_anonymous(work.card):
        raise rule_refusal("C5", "不记名卡不能挂失，先做实名登记", "an anonymous card cannot be reported lost: register it first")


def _anonymous(work: Work) -> None:
    if not is_anonymous(work.card):
        raise rule_refusal("C3", "此卡已实名", "the card is registered")


def _holder(work: Work) -> None:
    if work.details.holder_id is None:
        raise InvalidInput("缺少持卡人", "a holder is needed")
    facts = rules.holder_facts(work.details.holder_id)
    if facts.anonymous:
        raise rule_refusal("C5", "须为实名持卡人", "the holder has no name")
    _eligible(work, work.rules_in_force(), facts)


def _new_card(work: Work) -> None:
    if work.details.new_card is None:
        raise InvalidInput("缺少新卡", "a new card is needed")


def _new_type(work: Work) -> None:
    asked = work.details.card_type_id
    if asked is None or asked == work.card.card_type_id:
        raise InvalidInput("缺少另一卡种", "another card type is needed")
    work.new_rules = rules.rules_at(asked, work.today)
    rules.require_usable(asked, work.card.operator_id, work.new_rules)
    _eligible(work, work.new_rules, rules.holder_facts(work.card.holder_id) if work.card.holder_id else None)


def _eligible(work: Work, type_rules: CardTypeRules, facts: rules.HolderFacts | None) -> None:
    card = work.card
    rules.require_eligible(
        type_rules, facts, operator_id=card.operator_id, unit_id=card.unit_id, medium=card.medium_value, instead_of=card.card_no
    )


def _later_date(work: Work) -> None:
    asked, until = extended_until(work), work.card.valid_until
    if until is None:
        raise rule_refusal("C3", "此卡无有效期限", "the card's validity has no end")
    if asked is None or asked <= until or asked < work.today:
        raise InvalidInput(f"延期须晚于 {until}", f"the new date must be later than {until}")


def _due(work: Work) -> None:
    if work.card.valid_until is None or work.card.valid_until >= work.today:
        raise rule_refusal("C3", "有效期未过", "its validity has not run out")


def _waited(work: Work) -> None:
    until = waited_until(work.card)
    if until is not None and work.at < until:
        raise rule_refusal("C5", f"等待期至 {until:%Y-%m-%d %H:%M} UTC", f"the waiting days end at {until:%Y-%m-%d %H:%M} UTC")


def _chip_complete(work: Work) -> None:
    books.lock_lane(work.card.account_no)  # no record comes in between the question and the payment
    missing = work.chip_missing(work.card.card_no, work.details.chip_reading)
    if missing:
        zh, en = "；".join(text.zh for text in missing), "; ".join(text.en for text in missing)
        raise rule_refusal("P5", f"芯片计数器不完整：{zh}", f"the chip's counters are not complete: {en}")


def _settled(work: Work) -> None:
    card = work.card
    _no_negative_chip(card.card_no)
    if books.deposit_fen(card.card_no) or books.chip_balance(card.card_no):
        raise rule_refusal("C3", "押金或芯片余额未结清", "a deposit or a chip balance is left")
    account = books.account(card.account_no)
    others = Card.objects.filter(account_no=card.account_no, state__in=LIVE)
    if card.state == State.RETURNED and account and account.status is not AccountStatus.CLOSED and not others.exists():
        for number in Card.objects.filter(account_no=card.account_no).order_by("card_no").values_list("card_no", flat=True):
            _no_negative_chip(number)
        raise rule_refusal("C3", "账户未结清", "the account is not settled")


def _no_negative_chip(card_no: int) -> None:
    """Nobody pays a chip's account up: what it is short of is written off by two people."""
    fen = books.chip_balance(card_no) or 0
    if fen < 0:
        yuan = format_yuan(fen)
        raise rule_refusal(
            "C3",
            f"卡 {card_no} 芯片账面余额为负（{yuan}）：先在芯片业务台经双人核销，再办芯片余额转移和注销",
            f"the chip account of card {card_no} is below zero ({yuan}): have it written off by two people at the chip desk,"
            " then carry over and close",
        )


_ASK: dict[Need, Callable[[Work], None]] = {
    Need.REGISTERED: _registered,
    Need.ANONYMOUS: _anonymous,
    Need.HOLDER: _holder,
    Need.NEW_CARD: _new_card,
    Need.NEW_TYPE: _new_type,
    Need.LATER_DATE: _later_date,
    Need.DUE: _due,
    Need.WAITED: _waited,
    Need.CHIP_COMPLETE: _chip_complete,
    Need.SETTLED: _settled,
}
assert set(_ASK) == set(Need)
