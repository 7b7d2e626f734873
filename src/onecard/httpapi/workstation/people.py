"""Cardholders (C6): to read; a document number is kept as a hash, so its last four characters are all there is to show."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema

from onecard.httpapi.identity import actor
from onecard.httpapi.paging import Page, PageQuery, take
from onecard.httpapi.workstation.scope import one, seen
from onecard.services.people.models import Holder

router = Router()
READ = "people.read"


class HolderOut(Schema):
    """A cardholder."""

    id: int
    operator_id: int
    unit_id: int | None
    name: str
    anonymous: bool
    document_type: str
    document_last4: str
    phone: str
    state: str
    created_at: datetime


class HolderQuery(PageQuery):
    """Which cardholders."""

    operator_id: int | None = None
    unit_id: int | None = None
    name: str | None = None


@router.get("/holders", response=Page[HolderOut], operation_id="list_holders")
def holders(request: HttpRequest, query: Query[HolderQuery]) -> dict[str, Any]:
    """Cardholders / 持卡人."""
    asked = {"operator_id": query.operator_id, "unit_id": query.unit_id, "name": query.name}
    found = seen(Holder.objects.all(), actor(request, READ))
    return take(found.filter(**{name: value for name, value in asked.items() if value is not None}), query)


@router.get("/holders/{holder_id}", response=HolderOut, operation_id="get_holder")
def holder(request: HttpRequest, holder_id: int) -> Holder:
    """One cardholder / 一个持卡人."""
    return one(Holder.objects.filter(pk=holder_id), actor(request, READ))
