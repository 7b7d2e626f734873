"""What others call of the cards: rules, numbers, stock, blanks for personalisation, issue, life, time line, checks.

Whatever changes something takes an `actor` and asks its permission (`permissions.PERMISSIONS`), scoped by operator.
"""

from onecard.services.cards.checks import CHECKS, Finding, check
from onecard.services.cards.choices import DocumentKind, Operation, PlaceKind, State
from onecard.services.cards.issue import NewCard, Order, claim_for_issue, issue, unclaim
from onecard.services.cards.models import Card, CardTypeRules, Claim, LifeEvent, StockDocument, StockLevel, StockPlace
from onecard.services.cards.numbers import (
    Numbers,
    issuer_prefix,
    new_numbers,
    next_account_no,
    next_card_no,
    numbering,
    set_issuer_prefix,
    set_numbering,
)
from onecard.services.cards.permissions import PERMISSIONS
from onecard.services.cards.rules import NewRules, drop_rules, find_rules, rules_at, set_rules, valid_until
from onecard.services.cards.stock import (
    Ordered,
    Serials,
    centre,
    documents,
    hand_over,
    levels,
    movements,
    operator_place,
    order,
    places,
    ranges,
    receive,
    return_stock,
    scrap,
    supplier,
    unit_place,
    where_is,
)

__all__ = [
    "CHECKS",
    "PERMISSIONS",
    "Card",
    "CardTypeRules",
    "Claim",
    "DocumentKind",
    "Finding",
    "LifeEvent",
    "NewCard",
    "NewRules",
    "Numbers",
    "Operation",
    "Order",
    "Ordered",
    "PlaceKind",
    "Serials",
    "State",
    "StockDocument",
    "StockLevel",
    "StockPlace",
    "centre",
    "check",
    "claim_for_issue",
    "documents",
    "drop_rules",
    "find_rules",
    "hand_over",
    "issue",
    "issuer_prefix",
    "levels",
    "movements",
    "new_numbers",
    "next_account_no",
    "next_card_no",
    "numbering",
    "operator_place",
    "order",
    "places",
    "ranges",
    "receive",
    "return_stock",
    "rules_at",
    "scrap",
    "set_issuer_prefix",
    "set_numbering",
    "set_rules",
    "supplier",
    "unclaim",
    "unit_place",
    "valid_until",
    "where_is",
]
