"""Whether somebody may pass or be counted: deny list, the unit's own cards, and for doors the unit's weekly rules (I1). Pure.

No list of the unit's cards means nobody is known: a door then stays shut.
"""

from collections.abc import Container

from onecard.kernel.codes import RESULT_TEXT, Result, Text
from onecard.protocol.cardindex import CardIndex
from onecard.protocol.offline import OfflineRules, local_time

NOT_NOW = Text("此时不可通行", "Not allowed at this door now")
NO_RULES = Text("未下发门禁规则", "This door has no rules yet")


def refusal_of_card(card_no: int, *, denied: Container[int], cards: CardIndex | None, at_us: int) -> Text | None:
    """Why a card is not one of the unit's good ones; None: it is."""
    if card_no in denied:
        return RESULT_TEXT[Result.CARD_DENIED]
    entry = cards.get(card_no) if cards is not None else None
    if entry is None:
        return RESULT_TEXT[Result.UNKNOWN_CARD]
    if entry.valid_until and local_time(at_us).date() > entry.valid_until:
        return RESULT_TEXT[Result.CARD_EXPIRED]
    return None


def refusal_at_door(
    card_no: int, door: int, *, denied: Container[int], cards: CardIndex | None, rules: OfflineRules | None, at_us: int
) -> Text | None:
    """Why a card does not open a door; None: it does."""
    refusal = refusal_of_card(card_no, denied=denied, cards=cards, at_us=at_us)
    if refusal is not None:
        return refusal
    found = rules.doors.get(door, ()) if rules is not None else ()
    if not found:
        return NO_RULES
    entry = cards.get(card_no) if cards is not None else None
    assert entry is not None
    local = local_time(at_us)
    return None if any(rule.admits(entry.groups, local) for rule in found) else NOT_NOW
