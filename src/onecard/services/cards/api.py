"""What others call of the cards: rules, numbers, stock, blanks for personalisation, issue, life, time line, checks.

Whatever changes something takes an `actor` and asks its permission (`permissions.PERMISSIONS`), scoped by operator.
"""

from onecard.services.cards.books import deposit_fen
from onecard.services.cards.checks import CHECKS, check
from onecard.services.cards.choices import DocumentKind, Operation, PlaceKind, State
from onecard.services.cards.issue import NewCard, Order, claim_for_issue, issue, unclaim
from onecard.services.cards.life import MONEY_TEXT, NEED_TEXT, TABLE, Cell, Step, allowed
from onecard.services.cards.looks import card, events
from onecard.services.cards.models import Card, CardTypeRules, Claim, LifeEvent, StockDocument, StockLevel, StockPlace
from onecard.services.cards.needs import Details, waited_until
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
from onecard.services.cards.operate import chip_note, expire_due, operate
from onecard.services.cards.permissions import PERMISSIONS
from onecard.services.cards.ports import ChipReading, chip_complete
from onecard.services.cards.rules import NewRules, drop_rules, find_rules, rules_at, set_rules, valid_until
from onecard.services.cards.shelves import (
    centre,
    documents,
    levels,
    movements,
    operator_place,
    places,
    ranges,
    supplier,
    unit_place,
    where_is,
)
from onecard.services.cards.stock import Ordered, Serials, hand_over, order, receive, return_stock, scrap
from onecard.services.cards.tellers import register_neighbours
from onecard.services.cards.timeline import Entry, register, timeline
from onecard.services.cards.undo import undo, why_not
from onecard.services.findings import Finding

__all__ = [
    "CHECKS",
    "MONEY_TEXT",
    "NEED_TEXT",
    "PERMISSIONS",
    "TABLE",
    "Card",
    "CardTypeRules",
    "Cell",
    "ChipReading",
    "Claim",
    "Details",
    "DocumentKind",
    "Entry",
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
    "Step",
    "StockDocument",
    "StockLevel",
    "StockPlace",
    "allowed",
    "card",
    "centre",
    "check",
    "chip_complete",
    "chip_note",
    "claim_for_issue",
    "deposit_fen",
    "documents",
    "drop_rules",
    "events",
    "expire_due",
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
    "operate",
    "operator_place",
    "order",
    "places",
    "ranges",
    "receive",
    "register",
    "return_stock",
    "rules_at",
    "scrap",
    "set_issuer_prefix",
    "set_numbering",
    "set_rules",
    "supplier",
    "timeline",
    "unclaim",
    "undo",
    "unit_place",
    "valid_until",
    "waited_until",
    "where_is",
    "why_not",
]

register_neighbours()
