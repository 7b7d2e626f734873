"""Stock (C1): what lies where, documents, where a serial has been, and new documents."""

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from onecard.httpapi.idempotency import once
from onecard.httpapi.identity import actor
from onecard.httpapi.paging import Page, PageQuery, take
from onecard.kernel.errors import Forbidden, NotFound
from onecard.services.actors import Actor
from onecard.services.cards import api
from onecard.services.cards import permissions as may
from onecard.services.cards.api import StockDocument, StockPlace
from onecard.services.cards.models import OrderLine, StockLevel, StockMovement

router = Router()


class PlaceOut(Schema):
    """A place; of an operator, a unit, a supplier, or one of the city's own."""

    id: int
    kind: str
    name: str
    operator_id: int | None
    unit_id: int | None


class LevelOut(Schema):
    """How many cards of a type lie in a place."""

    place_id: int
    card_type_id: int
    quantity: int


class SerialsIn(Schema):
    """Serials `first`…`last` of a card type, both included."""

    card_type_id: int
    first: int = Field(..., ge=1)
    last: int = Field(..., ge=1)


class OrderedIn(Schema):
    """A line of an order."""

    card_type_id: int
    quantity: int = Field(..., ge=1)


class OrderIn(Schema):
    """An order to a supplier."""

    supplier: str = Field(..., min_length=1, max_length=60)
    lines: list[OrderedIn] = Field(..., min_length=1)
    reason: str = Field("", max_length=200)


class ReceiptIn(Schema):
    """Cards that have come, on an order or without one."""

    supplier: str = Field(..., min_length=1, max_length=60)
    lines: list[SerialsIn] = Field(..., min_length=1)
    order_id: int | None = None
    reason: str = Field("", max_length=200)


class MoveIn(Schema):
    """Cards from one place to another."""

    source_id: int
    target_id: int
    lines: list[SerialsIn] = Field(..., min_length=1)
    reason: str = Field("", max_length=200)


class ScrapIn(Schema):
    """Blanks nobody will write on, and why."""

    source_id: int
    lines: list[SerialsIn] = Field(..., min_length=1)
    reason: str = Field(..., min_length=1, max_length=200)


class DocumentOut(Schema):
    """A document."""

    id: int
    kind: str
    source_id: int
    target_id: int
    order_id: int | None
    actor: str
    reason: str
    made_at: datetime


class MovementOut(Schema):
    """A range that a document moved."""

    document_id: int
    card_type_id: int
    source_id: int
    target_id: int
    first: int
    last: int


class OrderLineOut(Schema):
    """A line of an order, and how many of it have come."""

    card_type_id: int
    quantity: int
    received: int


class DocumentWhole(DocumentOut):
    """A document with its lines."""

    movements: list[MovementOut]
    order_lines: list[OrderLineOut]


def _places(who: Actor) -> "QuerySet[StockPlace]":
    found = api.places()
    return (
        found
        if who.operators is None
        else found.filter(Q(operator_id__in=who.operators) | Q(unit__operator_id__in=who.operators))
    )


@router.get("/stock/places", response=Page[PlaceOut], operation_id="list_stock_places")
def places(request: HttpRequest, query: Query[PageQuery]) -> dict[str, Any]:
    """Places / 库位."""
    return take(_places(actor(request, may.STOCK_VIEW)), query)


@router.get("/stock/levels", response=Page[LevelOut], operation_id="list_stock_levels")
def levels(request: HttpRequest, query: Query[PageQuery]) -> dict[str, Any]:
    """How many of each type lie in each place / 库存数量."""
    own = _places(actor(request, may.STOCK_VIEW))
    return take(StockLevel.objects.filter(place__in=own, quantity__gt=0), query)


@router.get("/stock/documents", response=Page[DocumentOut], operation_id="list_stock_documents")
def documents(request: HttpRequest, query: Query[PageQuery]) -> dict[str, Any]:
    """Documents, newest first / 库存单据."""
    return take(_documents(actor(request, may.STOCK_VIEW)), query, newest_first=True)


def _documents(who: Actor) -> "QuerySet[StockDocument]":
    found = StockDocument.objects.all()
    return found if who.operators is None else found.filter(Q(source__in=_places(who)) | Q(target__in=_places(who)))


@router.get("/stock/documents/{document_id}", response=DocumentWhole, operation_id="get_stock_document")
def document(request: HttpRequest, document_id: int) -> dict[str, Any]:
    """One document with its lines / 单据与明细."""
    found = _documents(actor(request, may.STOCK_VIEW)).filter(pk=document_id).first()
    if found is None:
        raise NotFound(f"无此单据：{document_id}", f"no such document: {document_id}")
    return {
        **DocumentOut.from_orm(found).dict(),
        "movements": list(StockMovement.objects.filter(document=found).order_by("id")),
        "order_lines": list(OrderLine.objects.filter(document=found).order_by("card_type_id")),
    }


@router.get("/stock/serials/{serial}", response=list[MovementOut], operation_id="list_serial_movements")
def serial_movements(request: HttpRequest, serial: int) -> list[StockMovement]:
    """Where a card has been, oldest first; for those who see the whole platform / 卡片去向."""
    if actor(request, may.STOCK_VIEW).operators is not None:
        raise Forbidden("仅限全平台用户", "for users of the whole platform only")
    return list(api.movements(serial))


def _lines(lines: list[SerialsIn]) -> list[api.Serials]:
    return [api.Serials(**line.dict()) for line in lines]


@router.post("/stock/orders", response=DocumentOut, operation_id="order_cards")
@once(DocumentOut)
def order(request: HttpRequest, body: OrderIn) -> StockDocument:
    """Order cards from a supplier / 订货."""
    who = actor(request, may.STOCK_ORDER)
    return api.order(body.supplier, [api.Ordered(**line.dict()) for line in body.lines], actor=who, reason=body.reason)


@router.post("/stock/receipts", response=DocumentOut, operation_id="receive_cards")
@once(DocumentOut)
def receive(request: HttpRequest, body: ReceiptIn) -> StockDocument:
    """Receive cards / 入库."""
    who = actor(request, may.STOCK_RECEIVE)
    return api.receive(body.supplier, _lines(body.lines), actor=who, order_id=body.order_id, reason=body.reason)


@router.post("/stock/hand-overs", response=DocumentOut, operation_id="hand_cards_over")
@once(DocumentOut)
def hand_over(request: HttpRequest, body: MoveIn) -> StockDocument:
    """Hand cards over to an operator or unit / 调拨."""
    who = actor(request, may.STOCK_HAND_OVER)
    return api.hand_over(body.source_id, body.target_id, _lines(body.lines), actor=who, reason=body.reason)


@router.post("/stock/returns", response=DocumentOut, operation_id="return_cards")
@once(DocumentOut)
def return_cards(request: HttpRequest, body: MoveIn) -> StockDocument:
    """Return cards the way they came / 退库."""
    who = actor(request, may.STOCK_RETURN)
    return api.return_stock(body.source_id, body.target_id, _lines(body.lines), actor=who, reason=body.reason)


@router.post("/stock/scraps", response=DocumentOut, operation_id="scrap_cards")
@once(DocumentOut)
def scrap(request: HttpRequest, body: ScrapIn) -> StockDocument:
    """Scrap blanks / 作废空白卡."""
    who = actor(request, may.STOCK_SCRAP)
    return api.scrap(body.source_id, _lines(body.lines), actor=who, reason=body.reason)
