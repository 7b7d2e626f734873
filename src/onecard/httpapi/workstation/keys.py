"""The status of keys and SAMs (K1-K3), to read; no key material passes here, and none of the vault's operations is offered."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Query, Router, Schema

from onecard.httpapi.identity import actor
from onecard.httpapi.paging import Page, PageQuery, take
from onecard.httpapi.workstation.scope import one, seen
from onecard.services.actors import Actor
from onecard.services.keys.api import open_vault
from onecard.services.keys.custody.permissions import READ
from onecard.services.keys.models.sams import Sam, SamState

router = Router()


class KeyOut(Schema):
    """What may be known of a key: its place in the tree, version, state, check value and how often it was used."""

    key_id: int
    key_set: str
    use: str
    algorithm: int
    level: str
    owner: int
    version: int
    index: int
    state: str
    kcv: str
    parent_id: int | None
    created_at: datetime
    activated_at: datetime | None
    retiring_until: datetime | None
    retired_at: datetime | None
    destroyed_at: datetime | None
    count: int
    last_used_at: datetime | None

    @staticmethod
    def resolve_level(status: Any) -> str:
        """The level's name."""
        return str(status.level)


class SamOut(Schema):
    """A SAM; `number` is its terminal number as 12 hexadecimal digits."""

    id: int
    number: str
    serial: str | None
    order_ref: str
    supplier: str
    state: str
    terminal_id: int | None
    personalised_at: datetime | None
    changed_at: datetime

    @staticmethod
    def resolve_number(sam: Any) -> str:
        """As the reader shows it."""
        return f"{sam.pk:012X}"


class SamEventOut(Schema):
    """What was done with a SAM."""

    at: datetime
    who: str
    act: str
    detail: str


class SamWhole(SamOut):
    """A SAM with what was done with it."""

    events: list[SamEventOut]


class SamQuery(PageQuery):
    """Which SAMs."""

    state: SamState | None = None
    terminal_id: int | None = None


@router.get("/keys", response=list[KeyOut], operation_id="list_keys")
def keys(request: HttpRequest) -> list[Any]:
    """Every key and its status / 密钥状态."""
    actor(request, READ)
    return list(open_vault().status())


def _sams(who: Actor) -> "QuerySet[Sam]":
    """SAMs are the city's; who is bound to operators sees those in these operators' terminals."""
    return seen(Sam.objects.all(), who, by="terminal__merchant__operator_id")


@router.get("/sams", response=Page[SamOut], operation_id="list_sams")
def sams(request: HttpRequest, query: Query[SamQuery]) -> dict[str, Any]:
    """SAMs / SAM 模块."""
    asked = query.dict(exclude={"limit", "after"}, exclude_none=True)
    return take(_sams(actor(request, READ)).filter(**asked), query)


@router.get("/sams/{sam_id}", response=SamWhole, operation_id="get_sam")
def sam(request: HttpRequest, sam_id: int) -> Sam:
    """One SAM with what was done with it / 一个 SAM 及其记录."""
    found = one(Sam.objects.filter(pk=sam_id), actor(request, READ), by="terminal__merchant__operator_id")
    return found
