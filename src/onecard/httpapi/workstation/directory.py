"""Operators, units, merchants and card types, to read: what forms of a workstation choose from (O1, O2, P1)."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema

from onecard.httpapi.identity import actor
from onecard.httpapi.paging import Page, PageQuery, take
from onecard.httpapi.workstation.scope import one, seen
from onecard.services.operators.models import CardType, Merchant, Operator, OperatorCardType, Unit

router = Router()
READ = "directory.read"


class OperatorOut(Schema):
    """An operator, with what it has of what it may have."""

    id: int
    code: str
    name: str
    name_en: str
    parent_id: int | None
    settlement_mode: str
    status: str
    holder_cap: int
    holder_count: int
    unit_count: int


class UnitOut(Schema):
    """A unit."""

    id: int
    operator_id: int
    code: str
    name: str
    state: str
    valid_from: datetime | None
    valid_until: datetime | None
    purse_order: int


class MerchantOut(Schema):
    """A merchant; `unit_id` null is a public one straight under an operator."""

    id: int
    operator_id: int
    unit_id: int | None
    name: str
    public: bool
    state: str
    fee_per_mille: int
    fee_per_item_fen: int


class CardTypeOut(Schema):
    """A card type and its limits in fen; 0 is no limit."""

    id: int
    code: str
    name: str
    name_en: str
    limit_txn_fen: int
    limit_meal_fen: int
    limit_day_fen: int
    limit_balance_fen: int


class AllowedOut(Schema):
    """A card type an operator may use, and who issues its cards: `unified` or `local`."""

    card_type_id: int
    issuing_mode: str


class UnitQuery(PageQuery):
    """Which units."""

    operator_id: int | None = None


@router.get("/operators", response=Page[OperatorOut], operation_id="list_operators")
def operators(request: HttpRequest, query: Query[PageQuery]) -> dict[str, Any]:
    """Operators / 运营单位."""
    return take(seen(Operator.objects.all(), actor(request, READ), by="pk"), query)


@router.get("/operators/{operator_id}", response=OperatorOut, operation_id="get_operator")
def operator(request: HttpRequest, operator_id: int) -> Operator:
    """One operator / 一个运营单位."""
    return one(Operator.objects.filter(pk=operator_id), actor(request, READ), by="pk")


@router.get("/operators/{operator_id}/card-types", response=list[AllowedOut], operation_id="list_operator_card_types")
def operator_card_types(request: HttpRequest, operator_id: int) -> list[OperatorCardType]:
    """The card types an operator may use (O2) / 运营单位可用的卡种."""
    found = one(Operator.objects.filter(pk=operator_id), actor(request, READ), by="pk")
    return list(OperatorCardType.objects.filter(operator=found).order_by("card_type_id"))


@router.get("/units", response=Page[UnitOut], operation_id="list_units")
def units(request: HttpRequest, query: Query[UnitQuery]) -> dict[str, Any]:
    """Units / 接入单位."""
    found = seen(Unit.objects.all(), actor(request, READ))
    return take(found if query.operator_id is None else found.filter(operator_id=query.operator_id), query)


@router.get("/units/{unit_id}", response=UnitOut, operation_id="get_unit")
def unit(request: HttpRequest, unit_id: int) -> Unit:
    """One unit / 一个接入单位."""
    return one(Unit.objects.filter(pk=unit_id), actor(request, READ))


@router.get("/merchants", response=Page[MerchantOut], operation_id="list_merchants")
def merchants(request: HttpRequest, query: Query[UnitQuery]) -> dict[str, Any]:
    """Merchants / 商户."""
    found = seen(Merchant.objects.all(), actor(request, READ))
    return take(found if query.operator_id is None else found.filter(operator_id=query.operator_id), query)


@router.get("/card-types", response=Page[CardTypeOut], operation_id="list_card_types")
def card_types(request: HttpRequest, query: Query[PageQuery]) -> dict[str, Any]:
    """Card types with their limits / 卡种与限额."""
    actor(request, READ)
    return take(CardType.objects.all(), query)
