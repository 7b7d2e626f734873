"""The tables of the card domain: card types' rules and numbering, stock, and the life of a card."""

from onecard.services.cards.models.life import Card, LifeEvent
from onecard.services.cards.models.stock import (
    Claim,
    OrderLine,
    StockDocument,
    StockLevel,
    StockMovement,
    StockPlace,
    StockRange,
)
from onecard.services.cards.models.types import CardTypeRules, IssuerPrefix, Numbering

__all__ = [
    "Card",
    "CardTypeRules",
    "Claim",
    "IssuerPrefix",
    "LifeEvent",
    "Numbering",
    "OrderLine",
    "StockDocument",
    "StockLevel",
    "StockMovement",
    "StockPlace",
    "StockRange",
]
