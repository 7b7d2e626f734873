"""Stock (C1): documents that move ranges of serials between places, and what lies where. `sql/stock.sql` holds the rules.

City-wide documents (order, receipt, hand-over from the centre) need an actor for the root operator; the others for the operator
whose place is the source.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import InvalidInput, NotFound
from onecard.services.actors import Actor
from onecard.services.cards import permissions
from onecard.services.cards.choices import DocumentKind, PlaceKind
from onecard.services.cards.errors import one_transaction
from onecard.services.cards.models import OrderLine, StockDocument, StockLevel, StockMovement, StockPlace, StockRange

_SYSTEM = SystemClock()
_ROOT = "SELECT id FROM operators_operator WHERE parent_id IS NULL"
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


def supplier(name: str) -> StockPlace:
    """A supplier by name; the first call makes the place. Raises InvalidInput for an empty name."""
    if not name.strip():
        raise InvalidInput("供应商名称不能为空", "a supplier has a name")
    return StockPlace.objects.get_or_create(kind=PlaceKind.SUPPLIER, name=name.strip())[0]


def centre() -> StockPlace:
    """The city centre's place."""
    return StockPlace.objects.get(kind=PlaceKind.CENTRE)


def operator_place(operator_id: int) -> StockPlace:
    """An operator's own place; the first call makes it. Raises InvalidInput."""
    with one_transaction():
        return StockPlace.objects.get_or_create(kind=PlaceKind.OPERATOR, operator_id=operator_id)[0]


def unit_place(unit_id: int) -> StockPlace:
    """A unit's place; the first call makes it. Raises InvalidInput."""
    with one_transaction():
        return StockPlace.objects.get_or_create(kind=PlaceKind.UNIT, unit_id=unit_id)[0]


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
            DocumentKind.ORDER, supplier(supplier_name), centre(), actor=actor, reason=reason, key=key, clock=clock
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
        actor=actor, reason=reason, key=key, clock=clock, order_id=order_id,
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
        clock=clock,
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
        clock=clock,
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
        clock=clock,
    )


def move_issued(
    serial: int, card_type_id: int, kind: DocumentKind, *, back: bool = False, actor: Actor, reason: str, clock: Clock
) -> None:
    """An issued card's plastic to the scrapped place (un-issued, or taken back at the desk), or out of it again."""
    issued, scrapped = (StockPlace.objects.get(kind=kind_) for kind_ in (PlaceKind.ISSUED, PlaceKind.SCRAPPED))
    source, target = (scrapped, issued) if back else (issued, scrapped)
    document = _document(kind, source, target, actor=actor, reason=reason, key=None, clock=clock)
    _post(document, [Serials(card_type_id, serial, serial)])


def places() -> QuerySet[StockPlace]:
    """Every place."""
    return StockPlace.objects.select_related("operator", "unit").order_by("id")


def levels(*, operator_id: int | None = None) -> QuerySet[StockLevel]:
    """How many of each type lie in each place; of one operator and its units where one is given."""
    found = StockLevel.objects.select_related("place", "card_type").filter(quantity__gt=0)
    if operator_id is not None:
        found = found.filter(place__operator_id=operator_id) | found.filter(place__unit__operator_id=operator_id)
    return found


def ranges(place_id: int, *, card_type_id: int | None = None) -> QuerySet[StockRange]:
    """The serials in a place, in order."""
    found = StockRange.objects.filter(place_id=place_id)
    return found if card_type_id is None else found.filter(card_type_id=card_type_id)


def where_is(serial: int) -> StockRange | None:
    """The place a serial is in (with its neighbours), or None for one that is with a supplier, or unknown."""
    return StockRange.objects.select_related("place").filter(first__lte=serial, last__gte=serial).first()


def documents() -> QuerySet[StockDocument]:
    """Every document, newest first."""
    return StockDocument.objects.select_related("source", "target", "order")


def movements(serial: int) -> QuerySet[StockMovement]:
    """Every movement of a serial, oldest first."""
    held = StockMovement.objects.select_related("document", "source", "target")
    # Written as the expression index has it, so that it is found there.
    return held.extra(
        where=["int8range(cards_stockmovement.first, cards_stockmovement.last, '[]') @> %s::bigint"], params=[serial]
    ).order_by("id")


def require_city(actor: Actor, permission: str) -> None:
    """City-wide work: the permission, for the root operator. Raises Forbidden."""
    with connection.cursor() as cursor:
        cursor.execute(_ROOT)
        row = cursor.fetchone()
    actor.require(permission, row[0] if row else None)


def place_of(place_id: int) -> StockPlace:
    """The place. Raises NotFound."""
    found = StockPlace.objects.select_related("unit").filter(pk=place_id).first()
    if found is None:
        raise NotFound(f"无此库位：{place_id}", f"no such place: {place_id}")
    return found


def require_place(actor: Actor, permission: str, place: StockPlace) -> None:
    """The permission for the operator a place belongs to, or city-wide. Raises Forbidden."""
    owner = place.operator_id or (place.unit.operator_id if place.unit else None)
    if owner is None:
        require_city(actor, permission)
    else:
        actor.require(permission, owner)


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
    clock: Clock,
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
        made_at=clock.now(),
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


def _same(document: StockDocument, held: set[tuple[int, ...]], asked: set[tuple[int, ...]]) -> StockDocument:
    if held != asked:
        raise InvalidInput(f"键 {document.key} 已用于其他明细", f"the key {document.key} was used with other lines")
    return document
