"""Stock (C1): documents that move ranges of serials between places, and what lies where. `sql/stock.sql` holds the rules.

City-wide documents (order, receipt, hand-over from the centre) need an actor for the root operator; the others for the operator
whose place is the source.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import InvalidInput
from onecard.services.actors import Actor
from onecard.services.cards import permissions
from onecard.services.cards.choices import DocumentKind, PlaceKind
from onecard.services.cards.errors import one_transaction, rule_refusal
from onecard.services.cards.models import OrderLine, StockDocument, StockPlace
from onecard.services.cards.shelves import (
    centre,
    documents,
    levels,
    movements,
    operator_place,
    place_of,
    places,
    ranges,
    require_city,
    require_place,
    supplier,
    unit_place,
    where_is,
)

__all__ = [
    "Ordered",
    "Serials",
    "centre",
    "documents",
    "hand_over",
    "levels",
    "move_issued",
    "movements",
    "operator_place",
    "order",
    "place_of",
    "places",
    "ranges",
    "receive",
    "require_city",
    "require_place",
    "return_stock",
    "scrap",
    "supplier",
    "unit_place",
    "where_is",
]

_SYSTEM = SystemClock()
_MOVE = "SELECT cards_move_stock(%s, %s::int[], %s::bigint[], %s::bigint[])"


@dataclass(frozen=True, slots=True)
class Ordered:
    """A line of an order."""

    card_type_id: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Serials:
    """A line of any other document: serials `first`…`last` of a card type, both included."""

    card_type_id: int
    first: int
    last: int

    @property
    def quantity(self) -> int:
        """How many cards."""
        return self.last - self.first + 1


def order(
    supplier_name: str,
    lines: Sequence[Ordered],
    *,
    actor: Actor,
    reason: str = "",
    key: str | None = None,
    clock: Clock = _SYSTEM,
) -> StockDocument:
    """Order cards from a supplier for the centre; nothing moves yet. Raises Forbidden, InvalidInput."""
    require_city(actor, permissions.STOCK_ORDER)
    if not lines:
        raise InvalidInput("单据没有明细", "a document has lines")
    with one_transaction():
        known = _known(key, DocumentKind.ORDER)
        if known is not None:
            return _same(
                known,
                {(x.card_type_id, x.quantity) for x in known.order_lines.all()},
                {(x.card_type_id, x.quantity) for x in lines},
            )
        document = _document(
            DocumentKind.ORDER, supplier(supplier_name), centre(), actor=actor, reason=reason, key=key, at=clock.now()
        )
        for line in lines:
            OrderLine.objects.create(document=document, card_type_id=line.card_type_id, quantity=line.quantity)
    return document


def receive(
    supplier_name: str,
    lines: Sequence[Serials],
    *,
    actor: Actor,
    order_id: int | None = None,
    reason: str = "",
    key: str | None = None,
    clock: Clock = _SYSTEM,
) -> StockDocument:
    """Cards come in from a supplier, on an order (never more than ordered) or without one. 300,000 serials in a row are one row.

    Raises Forbidden, InvalidInput, RuleViolated (C1: a serial that is in a place already; more than was ordered).
    """
    require_city(actor, permissions.STOCK_RECEIVE)
    return _move(
        DocumentKind.RECEIPT, lambda: supplier(supplier_name), centre, lines,
        actor=actor, reason=reason, key=key, at=clock.now(), order_id=order_id,
    )  # fmt: skip


def hand_over(
    source_id: int,
    target_id: int,
    lines: Sequence[Serials],
    *,
    actor: Actor,
    reason: str = "",
    key: str | None = None,
    clock: Clock = _SYSTEM,
) -> StockDocument:
    """From the centre to an operator or unit, or from an operator to its unit: card types of local allocation only (O2).

    Raises Forbidden, NotFound, InvalidInput, RuleViolated (C1, O2).
    """
    return _between(
        DocumentKind.HAND_OVER,
        permissions.STOCK_HAND_OVER,
        source_id,
        target_id,
        lines,
        actor=actor,
        reason=reason,
        key=key,
        at=clock.now(),
    )


def return_stock(
    source_id: int,
    target_id: int,
    lines: Sequence[Serials],
    *,
    actor: Actor,
    reason: str = "",
    key: str | None = None,
    clock: Clock = _SYSTEM,
) -> StockDocument:
    """Back the way it came: unit to operator or centre, operator to centre, centre to a supplier. Raises as hand_over."""
    return _between(
        DocumentKind.RETURN,
        permissions.STOCK_RETURN,
        source_id,
        target_id,
        lines,
        actor=actor,
        reason=reason,
        key=key,
        at=clock.now(),
    )


def scrap(
    source_id: int, lines: Sequence[Serials], *, actor: Actor, reason: str, key: str | None = None, clock: Clock = _SYSTEM
) -> StockDocument:
    """Blanks that nobody will write on. There is no way back. Raises Forbidden, NotFound, InvalidInput, RuleViolated (C1)."""
    if not reason.strip():
        raise InvalidInput("作废须写明事由", "scrapping needs a reason")
    scrapped = StockPlace.objects.get(kind=PlaceKind.SCRAPPED)
    return _between(
        DocumentKind.SCRAP,
        permissions.STOCK_SCRAP,
        source_id,
        scrapped.pk,
        lines,
        actor=actor,
        reason=reason,
        key=key,
        at=clock.now(),
    )


def move_issued(serial: int, kind: DocumentKind, *, actor: Actor, reason: str, at: datetime, back: bool = False) -> None:
    """An issued card's plastic to the scrapped place (un-issued, or taken back at the desk), or out of it again.

    It lies under the card type it was bought as, also when the card has changed its type. Raises RuleViolated (C1).
    """
    issued, scrapped = (StockPlace.objects.get(kind=place) for place in (PlaceKind.ISSUED, PlaceKind.SCRAPPED))
    source, target = (scrapped, issued) if back else (issued, scrapped)
    lies = where_is(serial)
    if lies is None:
        raise rule_refusal("C1", f"序号 {serial} 不在库存中", f"serial {serial} is in no place")
    document = _document(kind, source, target, actor=actor, reason=reason, key=None, at=at)
    _post(document, [Serials(lies.card_type_id, serial, serial)])


def _between(
    kind: DocumentKind, permission: str, source_id: int, target_id: int, lines: Sequence[Serials], **rest: Any
) -> StockDocument:
    source, target = place_of(source_id), place_of(target_id)
    require_place(rest["actor"], permission, source)
    return _move(kind, lambda: source, lambda: target, lines, **rest)


def _move(
    kind: DocumentKind,
    source: Any,
    target: Any,
    lines: Sequence[Serials],
    *,
    key: str | None,
    order_id: int | None = None,
    **rest: Any,
) -> StockDocument:
    if not lines:
        raise InvalidInput("单据没有明细", "a document has lines")
    if any(not 1 <= line.first <= line.last for line in lines):
        raise InvalidInput("序号范围无效", "not a range of serials")
    with one_transaction():
        known = _known(key, kind)
        if known is not None:
            held = {(x.card_type_id, x.first, x.last) for x in known.movements.all()}
            return _same(known, held, {(x.card_type_id, x.first, x.last) for x in lines})
        document = _document(kind, source(), target(), key=key, order_id=order_id, **rest)
        _post(document, lines)
    return document


def _document(
    kind: DocumentKind,
    source: StockPlace,
    target: StockPlace,
    *,
    actor: Actor,
    reason: str,
    key: str | None,
    at: datetime,
    order_id: int | None = None,
) -> StockDocument:
    return StockDocument.objects.create(
        kind=kind,
        source=source,
        target=target,
        order_id=order_id,
        actor=actor.name,
        reason=reason[:200],
        key=key,
        made_at=at,
    )


def _post(document: StockDocument, lines: Sequence[Serials]) -> None:
    types, firsts, lasts = zip(*((x.card_type_id, x.first, x.last) for x in lines), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, [document.pk, list(types), list(firsts), list(lasts)])


def _known(key: str | None, kind: DocumentKind) -> StockDocument | None:
    found = StockDocument.objects.filter(key=key).first() if key else None
    if found is not None and found.kind != kind:
        raise InvalidInput(f"键 {key} 已用于其他单据", f"the key {key} was used for another document")
    return found


def _same(document: StockDocument, held: object, asked: object) -> StockDocument:
    if held != asked:
        raise InvalidInput(f"键 {document.key} 已用于其他明细", f"the key {document.key} was used with other lines")
    return document
