"""Card types' rules (C5): setting them from a day on, finding those of a day, and asking whether somebody may have a card."""

from dataclasses import asdict, dataclass
from datetime import date, timedelta

from django.db import connection

from onecard.kernel.business_day import business_date
from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import InvalidInput, NotFound
from onecard.ledger.codes import Medium
from onecard.services.actors import Actor
from onecard.services.cards import permissions
from onecard.services.cards.errors import one_transaction, rule_refusal
from onecard.services.cards.life import LIVE
from onecard.services.cards.models import Card, CardTypeRules
from onecard.services.cards.models.types import media_mask

_SYSTEM = SystemClock()
_HOLDER = "SELECT operator_id, unit_id, anonymous, state = 'active' FROM people_holder WHERE id = %s FOR NO KEY UPDATE"
_OWN_UNIT = "SELECT 1 FROM operators_unit WHERE id = %s AND operator_id = %s"
_OPERATOR = """
SELECT i.unified, t.issuing_mode FROM ledger.issuer i
  LEFT JOIN operators_operatorcardtype t ON t.operator_id = i.operator_id AND t.card_type_id = %s WHERE i.operator_id = %s"""


@dataclass(frozen=True, slots=True)
class NewRules:
    """Rules to set; money in fen, `validity_months` 0 no end, `max_per_holder` 0 any number. Limits are operators.CardType's."""

    media: frozenset[Medium]
    anonymous_allowed: bool = False
    real_name_allowed: bool = True
    members_only: bool = False
    public_purse: bool = True
    private_purse: bool = False
    chip_purse: bool = False
    deposit_fen: int = 0
    deposit_back_when_lost: bool = False
    issue_fee_fen: int = 0
    replace_fee_fen: int = 0
    exchange_fee_fen: int = 0
    return_fee_fen: int = 0
    validity_months: int = 0
    waiting_days: int = 0
    loss_needs_registration: bool = True
    max_per_holder: int = 0
    undo_minutes: int = 30


@dataclass(frozen=True, slots=True)
class HolderFacts:
    """What the rules ask of a holder."""

    holder_id: int
    operator_id: int
    unit_id: int | None
    anonymous: bool
    active: bool


def set_rules(card_type_id: int, valid_from: date, *, rules: NewRules, actor: Actor, clock: Clock = _SYSTEM) -> CardTypeRules:
    """Rules of a card type from a day on; from today at the earliest, but the first ones of a type may have begun.

    Raises Forbidden, InvalidInput, RuleViolated (C5).
    """
    actor.require(permissions.RULES)
    given = asdict(rules)
    given["media_mask"] = media_mask(given.pop("media"))
    if any(value < 0 for value in given.values()):
        raise InvalidInput("不能为负", "nothing can be negative")
    with one_transaction():
        begun = valid_from < business_date(clock.now())
        if begun and CardTypeRules.objects.filter(card_type_id=card_type_id).exists():
            raise rule_refusal("C5", "规则不能从过去起生效", "rules cannot begin in the past")
        return CardTypeRules.objects.create(card_type_id=card_type_id, valid_from=valid_from, created_by=actor.name, **given)


def drop_rules(card_type_id: int, valid_from: date, *, actor: Actor) -> None:
    """Take back rules that have not begun. Raises Forbidden, NotFound, RuleViolated (C5)."""
    actor.require(permissions.RULES)
    with one_transaction():
        if not CardTypeRules.objects.filter(card_type_id=card_type_id, valid_from=valid_from).delete()[0]:
            raise NotFound(
                f"卡种 {card_type_id} 在 {valid_from} 无规则", f"card type {card_type_id} has no rules from {valid_from}"
            )


def find_rules(card_type_id: int, day: date) -> CardTypeRules | None:
    """The rules in force on a day."""
    return CardTypeRules.objects.filter(card_type_id=card_type_id, valid_from__lte=day).order_by("-valid_from").first()


def rules_at(card_type_id: int, day: date) -> CardTypeRules:
    """The rules in force on a day. Raises RuleViolated (C5) where there are none."""
    found = find_rules(card_type_id, day)
    if found is None:
        raise rule_refusal(
            "C5", f"卡种 {card_type_id} 在 {day} 没有生效的规则", f"card type {card_type_id} has no rules in force on {day}"
        )
    return found


def holder_facts(holder_id: int) -> HolderFacts:
    """A holder, locked until the end of the transaction, so that his cards are counted one issue at a time. Raises NotFound."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLDER, [holder_id])
        row = cursor.fetchone()
    if row is None:
        raise NotFound(f"无此持卡人：{holder_id}", f"no such cardholder: {holder_id}")
    return HolderFacts(holder_id, *row)


def require_usable(card_type_id: int, operator_id: int, rules: CardTypeRules) -> None:
    """O2 and P2: the operator may use the type, and the type's purses fit its settlement mode. Raises RuleViolated, NotFound."""
    with connection.cursor() as cursor:
        cursor.execute(_OPERATOR, [card_type_id, operator_id])
        row = cursor.fetchone()
    if row is None:
        raise NotFound(f"无此运营单位：{operator_id}", f"no such operator: {operator_id}")
    unified, issuing_mode = row
    if issuing_mode is None:
        raise rule_refusal("O2", "该运营单位不可使用此卡种", "the operator may not use this card type")
    if rules.chip_purse and not unified:
        raise rule_refusal(
            "P2", "独立结算的运营单位不发芯片钱包", "an operator with independent settlement issues no chip purses"
        )


def require_own_unit(unit_id: int | None, operator_id: int) -> None:
    """N3: a card, and the private purse that comes with it, is of a unit of the operator that issues it. Raises NotFound."""
    if unit_id is None:
        return
    with connection.cursor() as cursor:
        cursor.execute(_OWN_UNIT, [unit_id, operator_id])
        if cursor.fetchone() is None:
            raise NotFound(f"无此接入单位：{unit_id}", f"no such unit: {unit_id}")


def require_eligible(
    rules: CardTypeRules,
    holder: HolderFacts | None,
    *,
    operator_id: int,
    unit_id: int | None,
    medium: Medium,
    instead_of: int = 0,
) -> None:
    """C5: whether somebody may have a card of a type on a medium. `instead_of`: the card it replaces, which is not counted.

    Raises RuleViolated (C5).
    """
    if medium not in rules.media:
        raise rule_refusal("C5", f"此卡种不可用介质 {medium.name}", f"the card type is not made on {medium.name}")
    if rules.private_purse and unit_id is None:
        raise rule_refusal("C5", "私有钱包须属于一个接入单位", "a private purse belongs to a unit")
    if holder is None or holder.anonymous:
        if not rules.anonymous_allowed:
            raise rule_refusal("C5", "此卡种须实名", "the card type is for people with names")
    elif not rules.real_name_allowed:
        raise rule_refusal("C5", "此卡种只发不记名卡", "the card type is anonymous only")
    if holder is None:
        return
    if not holder.active or holder.operator_id != operator_id:
        raise rule_refusal("C5", "持卡人已注销或属于其他运营单位", "the holder is closed, or another operator's")
    if rules.members_only and (unit_id is None or holder.unit_id != unit_id):
        raise rule_refusal("C5", "此卡种只发给本单位人员", "the card type is for members of the unit")
    held = Card.objects.filter(holder_id=holder.holder_id, card_type_id=rules.card_type_id, state__in=LIVE)
    if rules.max_per_holder and held.exclude(pk=instead_of).count() >= rules.max_per_holder:
        raise rule_refusal(
            "C5", f"每人限持 {rules.max_per_holder} 张", f"a holder has at most {rules.max_per_holder} cards of this type"
        )


def valid_until(rules: CardTypeRules, start: date) -> date | None:
    """The last day of a card that begins on a day: so many months on, the same day of the month or its last; None without end."""
    if not rules.validity_months:
        return None
    years, month = divmod(start.month - 1 + rules.validity_months, 12)
    first = date(start.year + years, month + 1, 1)
    last_day = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return min(first + timedelta(days=start.day - 1), last_day)
