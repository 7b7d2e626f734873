"""What a terminal decides by itself while it cannot ask: deny list, its own limits, and the unit's rules where it has them. Pure.

A front-end has a larger view of the same rules (the whole unit's counters); a terminal counts what was spent at itself.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime, time

from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.kernel.clock import from_epoch_us, to_epoch_us
from onecard.kernel.codes import Result
from onecard.protocol.cardindex import CardIndex
from onecard.protocol.offline import CardTypeRule, OfflineRules, local_time
from onecard.protocol.parameters import OfflineLimits


@dataclass(frozen=True, slots=True)
class Sale:
    """What is to be decided, and what has been spent: (amount, moment) of the card here today, and the sum not sent yet."""

    terminal_id: int
    card_no: int
    amount_fen: int
    at_us: int
    spent: Sequence[tuple[int, int]]
    unsent_fen: int


def day_start_us(at_us: int) -> int:
    """The beginning of the platform's day."""
    local = from_epoch_us(at_us).astimezone(PLATFORM_ZONE)
    return to_epoch_us(datetime.combine(local.date(), time(), PLATFORM_ZONE))


def decide(
    sale: Sale, *, denied: Container[int], own: OfflineLimits | None, rules: OfflineRules | None, cards: CardIndex | None
) -> Result:
    """APPROVED, or the first reason against it in the order of Result. UNAVAILABLE: nothing here allows selling off line."""
    if own is None and rules is None:
        return Result.UNAVAILABLE
    found = [Result.CARD_DENIED] if sale.card_no in denied else []
    if own is not None:
        found += _by_limits(sale, own)
    if rules is not None:
        found += _by_rules(sale, rules, cards)
    return min(found, default=Result.APPROVED)


def _by_limits(sale: Sale, own: OfflineLimits) -> list[Result]:
    total = sum(fen for fen, _ in sale.spent) + sale.amount_fen
    over_day = total > own.per_card_day_fen or len(sale.spent) >= own.per_card_day_count
    found = [Result.LIMIT_TRANSACTION] if sale.amount_fen > own.per_transaction_fen else []
    return found + ([Result.LIMIT_DAY] if over_day or sale.unsent_fen + sale.amount_fen > own.total_fen else [])


def _by_rules(sale: Sale, rules: OfflineRules, cards: CardIndex | None) -> list[Result]:
    entry = cards.get(sale.card_no) if cards is not None else None
    rule, here = rules.card_type(entry.card_type_id if entry else None), rules.terminal(sale.terminal_id)
    local = local_time(sale.at_us)
    found = [] if rule.offline else [Result.UNAVAILABLE]
    if entry and entry.valid_until and local.date() > entry.valid_until:
        found.append(Result.CARD_EXPIRED)
    if here.hours and not any(window.contains(local) for window in here.hours):
        found.append(Result.UNAVAILABLE)
    if _over(sale.amount_fen, rule.per_transaction_fen) or _over(sale.amount_fen, here.per_transaction_fen):
        found.append(Result.LIMIT_TRANSACTION)
    if _over(sale.unsent_fen + sale.amount_fen, here.total_fen):
        found.append(Result.LIMIT_DAY)
    return found + _by_card_type(sale, rule, rules)


def _by_card_type(sale: Sale, rule: CardTypeRule, rules: OfflineRules) -> list[Result]:
    meal = rules.meal_at(sale.at_us)
    in_meal = sum(fen for fen, at_us in sale.spent if meal and rules.meal_at(at_us) == meal) + sale.amount_fen
    found = []
    if (rule.meals_only and not meal) or (meal and _over(in_meal, rule.per_meal_fen)):
        found.append(Result.LIMIT_MEAL)
    if _over(sum(fen for fen, _ in sale.spent) + sale.amount_fen, rule.per_day_fen):
        found.append(Result.LIMIT_DAY)
    if _over(len(sale.spent) + 1, rule.per_day_count):
        found.append(Result.LIMIT_DAY)
    return found


def _over(value: int, limit: int | None) -> bool:
    return limit is not None and value > limit
