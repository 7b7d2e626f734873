"""Blanks for personalisation and the issue of a card (C1, C3): claim, unclaim, issue.

A claim takes one blank out of its place into the place `work`; it is the only way to a card on plastic. The issue ends it: the
blank is in nobody's stock any more, the account (or its further card) exists, the money is posted and the event written, all in
one transaction.
"""

from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection

from onecard.kernel.business_day import business_date
from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import InvalidInput
from onecard.kernel.numbers import account_lane, card_lane, is_account_no, is_card_no, is_qr_card_no
from onecard.ledger.codes import AccountStatus, Medium
from onecard.services.actors import Actor
from onecard.services.cards import books, money, permissions, rules
from onecard.services.cards.choices import Operation, State
from onecard.services.cards.errors import one_transaction, rule_refusal
from onecard.services.cards.life import STATUS, TABLE
from onecard.services.cards.models import Card, CardTypeRules, Claim, LifeEvent

_SYSTEM = SystemClock()
_CLAIM = "SELECT cards_claim_blank(%s, %s, %s, %s, %s, %s, %s, %s)"
_END = "SELECT cards_end_claim(%s, %s, %s, %s, %s)"
_ON_PLASTIC = (Medium.CPU, Medium.UID)


@dataclass(frozen=True, slots=True)
class NewCard:
    """A card to issue. `serial`: the claimed blank it was written on (CPU and UID cards; a SIM may have one, a QR code has none).

    `valid_until` None: as the rules say. `active` False: issued, to be activated when the holder has it in hand.
    """

    card_no: int
    medium: Medium = Medium.CPU
    serial: int | None = None
    valid_until: date | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class Order:
    """For whom: `account_no` is opened where it does not exist yet; `holder_id` None is an anonymous card."""

    operator_id: int
    card_type_id: int
    account_no: int
    holder_id: int | None = None
    unit_id: int | None = None
    top_up_fen: int = 0
    fee_waived: bool = False


def claim_for_issue(
    serial: int | None,
    *,
    operator_id: int,
    card_type_id: int,
    actor: Actor,
    unit_id: int | None = None,
    place_id: int | None = None,
    job: str = "",
    clock: Clock = _SYSTEM,
) -> Claim:
    """Take a blank for one personalisation; `serial` None: the next one. Nobody else gets it until it is issued or given back.

    It comes from the city centre under unified issuing, from the operator's own place (the unit's, with `unit_id`) under local
    allocation; `place_id` insists on a place and is refused where it is the wrong one. A serial claimed by the same job before is
    given again. Raises Forbidden, RuleViolated (C1: not there, O2: wrong mode or type).
    """
    actor.require(permissions.CLAIM, operator_id)
    with one_transaction():
        held = Claim.objects.filter(serial=serial).first() if serial is not None and job else None
        if held is not None and (held.job, held.operator_id, held.card_type_id) == (job[:100], operator_id, card_type_id):
            return held
        with connection.cursor() as cursor:
            arguments = (operator_id, unit_id, card_type_id, serial, place_id, job, actor.name, clock.now())
            cursor.execute(_CLAIM, arguments)
            (taken,) = cursor.fetchone()
        return Claim.objects.get(pk=taken)


def unclaim(serial: int, *, actor: Actor, scrap: bool = False, reason: str = "", clock: Clock = _SYSTEM) -> None:
    """Give a claimed blank back where it came from, or scrap it. Raises Forbidden, RuleViolated (C1: not claimed)."""
    with one_transaction():
        claim = _claim(serial)
        actor.require(permissions.CLAIM, claim.operator_id)
        end_claim(serial, "scrap" if scrap else "unclaim", actor=actor, reason=reason, at=clock.now())


def issue(
    card: NewCard, order: Order, *, actor: Actor, reason: str = "", key: str | None = None, clock: Clock = _SYSTEM
) -> LifeEvent:
    """A card comes to life: stock, account and holder, deposit, fee, first top-up and the event, in one transaction.

    Call it when the chip is written, or at once for media without personalisation. The same `key` gives the first event again.
    Raises Forbidden, InvalidInput, NotFound, RuleViolated (C1, C3, C5, O2, P2).
    """
    step = TABLE[Operation.ISSUE]
    actor.require(step.permission, order.operator_id)
    if order.fee_waived:
        actor.require(permissions.WAIVE_FEE, order.operator_id)
    at = clock.now()
    with one_transaction():
        known = known_event(key, card.card_no, Operation.ISSUE)
        if known is not None:
            return known
        type_rules = rules.rules_at(order.card_type_id, business_date(at))
        row = create_card(card, order, type_rules, actor=actor, reason=reason, at=at)
        opened = _open_or_add(row, order, type_rules)
        if type_rules.chip_purse and card.medium in (Medium.CPU, Medium.SIM):
            books.open_chip_purse(row.card_no)
        till = money.Till(row, at, rules=type_rules, fee_field=step.fee, fee_waived=order.fee_waived, top_up_fen=order.top_up_fen)
        seq, cash, kept = money.post(till, step.cells[None].money)
        return LifeEvent.objects.create(
            card=row,
            operation=Operation.ISSUE,
            at=at,
            actor=actor.name,
            reason=reason[:200],
            state_after=row.state,
            cash_fen=cash,
            money_seq=seq,
            money=kept,
            data={"opened": opened, "position": books.lane_position(row.account_no)},
            key=key,
        )


def create_card(
    card: NewCard,
    order: Order,
    type_rules: CardTypeRules,
    *,
    actor: Actor,
    reason: str,
    at: datetime,
    instead_of: Card | None = None,
) -> Card:
    """The card's own row, with its blank taken out of the stock; eligibility and numbers checked. The ledger is the caller's."""
    if (
        not is_card_no(card.card_no)
        or not is_account_no(order.account_no)
        or card_lane(card.card_no) != account_lane(order.account_no)
    ):
        raise InvalidInput(
            f"卡号 {card.card_no} 与账号 {order.account_no} 不是同一通道的有效号码",
            f"card {card.card_no} and account {order.account_no} are not numbers of one lane",
        )
    if is_qr_card_no(card.card_no) != (card.medium is Medium.QR):
        raise InvalidInput(
            f"卡号 {card.card_no} 与介质不符：二维码卡用专用卡号段，其他介质不用",
            f"card {card.card_no} does not fit its medium: QR cards, and they alone, have the QR prefix",
        )
    if card.valid_until is not None and card.valid_until < business_date(at):
        raise InvalidInput(f"有效期已过：{card.valid_until}", f"the validity has run out already: {card.valid_until}")
    rules.require_usable(order.card_type_id, order.operator_id, type_rules)
    rules.require_own_unit(order.unit_id, order.operator_id)
    holder = rules.holder_facts(order.holder_id) if order.holder_id is not None else None
    rules.require_eligible(
        type_rules,
        holder,
        operator_id=order.operator_id,
        unit_id=order.unit_id,
        medium=card.medium,
        instead_of=instead_of.card_no if instead_of else 0,
    )
    _take_blank(card, order, actor=actor, reason=reason, at=at)
    return Card.objects.create(
        card_no=card.card_no,
        account_no=order.account_no,
        operator_id=order.operator_id,
        unit_id=order.unit_id,
        card_type_id=order.card_type_id,
        holder_id=order.holder_id,
        medium=card.medium.value,
        serial=card.serial,
        state=State.ACTIVE if card.active else State.ISSUED,
        issued_at=at,
        valid_until=card.valid_until or rules.valid_until(type_rules, business_date(at)),
        replaces=instead_of,
    )


def end_claim(serial: int, how: str, *, actor: Actor, reason: str, at: datetime) -> None:
    """Ends a claim: `issue`, `unclaim` or `scrap`."""
    with connection.cursor() as cursor:
        cursor.execute(_END, [serial, how, actor.name, reason, at])


def known_event(key: str | None, card_no: int, operation: Operation) -> LifeEvent | None:
    """The event of a key used before. Raises InvalidInput where it was another card's or another operation's."""
    found = LifeEvent.objects.filter(key=key).first() if key else None
    if found is not None and (found.card_id, found.operation) != (card_no, operation):
        raise InvalidInput(f"键 {key} 已用于其他操作", f"the key {key} was used for another card or operation")
    return found


def _take_blank(card: NewCard, order: Order, *, actor: Actor, reason: str, at: datetime) -> None:
    if card.serial is None:
        if card.medium in _ON_PLASTIC:
            raise rule_refusal("C1", "实体卡须先领用空白卡", "a card on plastic needs a claimed blank")
        return
    if card.medium is Medium.QR:
        raise InvalidInput("二维码没有库存序号", "a QR code has no serial")
    claim = _claim(card.serial)
    if (claim.operator_id, claim.card_type_id) != (order.operator_id, order.card_type_id):
        raise rule_refusal("C1", "空白卡是为其他运营单位或卡种领用的", "the blank was claimed for another operator or card type")
    end_claim(card.serial, "issue", actor=actor, reason=reason, at=at)


def _claim(serial: int) -> Claim:
    found = Claim.objects.filter(pk=serial).first()
    if found is None:
        raise rule_refusal("C1", f"序号 {serial} 未领用", f"serial {serial} is not claimed")
    return found


def _open_or_add(row: Card, order: Order, type_rules: CardTypeRules) -> bool:
    """The account opened with the card, or the card added to the account; whether it was opened."""
    status = STATUS[State(row.state)]
    medium = Medium(row.medium)
    account = books.account(row.account_no)
    if account is None:
        books.open_account(
            row.account_no,
            row.card_no,
            operator_id=row.operator_id,
            card_type_id=row.card_type_id,
            holder_id=row.holder_id,
            unit_id=row.unit_id,
            public=type_rules.public_purse,
            private_unit=row.unit_id if type_rules.private_purse else None,
            medium=medium,
            status=status,
            valid_until=row.valid_until,
        )
        return True
    if (account.operator_id, account.card_type_id, account.holder_id) != (row.operator_id, row.card_type_id, row.holder_id):
        raise rule_refusal("C4", "账户属于其他运营单位、卡种或持卡人", "the account is of another operator, card type or holder")
    if account.status is AccountStatus.CLOSED:
        raise rule_refusal("C4", "账户已销户", "the account is closed")
    books.add_card(row.card_no, row.account_no, medium=medium, status=status, valid_until=row.valid_until)
    return False
