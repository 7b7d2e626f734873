"""Cards (C3): finding, the whole life, what may be done, a trial of it, the act, and undoing it."""

from collections.abc import Callable
from datetime import date, datetime
from functools import wraps
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from ninja import Field, Query, Router, Schema, Status

from onecard.httpapi.idempotency import once
from onecard.httpapi.identity import actor
from onecard.httpapi.paging import Page, PageQuery, take
from onecard.httpapi.workstation.batches import JobOut
from onecard.httpapi.workstation.scope import seen
from onecard.kernel.errors import Forbidden, InvalidInput, NotFound
from onecard.ledger.codes import Medium
from onecard.services.actors import Actor
from onecard.services.cards import api
from onecard.services.cards import permissions as may
from onecard.services.cards.api import Card, Details, LifeEvent, NewCard, Operation, State
from onecard.services.issuing import api as issuing

router = Router()
_ON_PLASTIC = (Medium.CPU, Medium.UID)


class CardOut(Schema):
    """A card and where it is in its life."""

    card_no: int
    account_no: int
    operator_id: int
    unit_id: int | None
    card_type_id: int
    holder_id: int | None
    medium: int
    serial: int | None
    state: str
    issued_at: datetime
    valid_until: date | None
    replaces_id: int | None


class CardWhole(CardOut):
    """A card with what may be done with it now by who asks."""

    operations: list[str]


class CardQuery(PageQuery):
    """Which cards."""

    operator_id: int | None = None
    account_no: int | None = None
    holder_id: int | None = None
    state: State | None = None


class TextOut(Schema):
    """Words in both languages."""

    zh: str
    en: str


class EntryOut(Schema):
    """A line of a card's life."""

    at: datetime
    source: str
    title: TextOut
    detail: TextOut
    actor: str
    reason: str
    amount_fen: int | None
    event_id: int | None
    ref: str


class NewCardIn(Schema):
    """The card that takes the place of another: its medium, and the serial of its blank for CPU and UID cards.

    A CPU or SIM card is written at a station before the old card is replaced; its serial may be left to the station.
    """

    medium: Medium
    serial: int | None = None


class OperationIn(Schema):
    """An operation on a card; of the details those that the operation asks for."""

    operation: Operation
    reason: str = Field("", max_length=200)
    holder_id: int | None = None
    card_type_id: int | None = None
    valid_until: date | None = None
    new_card: NewCardIn | None = None
    fee_waived: bool = False
    fee_from_purse: bool = False
    chip_counter: int | None = Field(None, description="As a reader read it from the chip: a return pays no chip unread")
    chip_balance_fen: int | None = Field(None, description="Given with chip_counter, or neither")


class LegOut(Schema):
    """Money that moved."""

    kind: int
    amount_fen: int


class EventOut(Schema):
    """What was done; `cash_fen` is what the holder pays, below zero gets; `chip_note` says what of a chip was not paid out."""

    id: int
    card_no: int
    operation: str
    at: datetime
    actor: str
    reason: str
    state_before: str
    state_after: str
    cash_fen: int
    legs: list[LegOut]
    other_card: int | None
    chip_note: TextOut | None = None


class DoneOrAsked(Schema):
    """An event where the operation was done, a job where a card has to be written first."""

    event: EventOut | None = None
    job: JobOut | None = None


class UndoIn(Schema):
    """Why."""

    reason: str = Field(..., min_length=1, max_length=200)


def _card(request: HttpRequest, card_no: int, permission: str) -> tuple[Card, Actor]:
    """A card within one's operators, with a permission. What lies outside is not there."""
    who = actor(request, permission)
    try:
        found = api.card(card_no, actor=Actor(who.name, frozenset({may.VIEW}), who.operators))
    except Forbidden:
        raise NotFound(f"无此卡：{card_no}", f"no such card: {card_no}") from None
    return found, who


def _event(event: LifeEvent) -> dict[str, Any]:
    note = api.chip_note(event)
    return {
        "id": event.pk or 0,
        "card_no": event.card_id,
        "legs": [{"kind": leg[0], "amount_fen": leg[3]} for leg in event.money],
        "chip_note": {"zh": note.zh, "en": note.en} if note else None,
        **{name: getattr(event, name) for name in _EVENT_FIELDS},
    }


_EVENT_FIELDS = ("operation", "at", "actor", "reason", "state_before", "state_after", "cash_fen", "other_card")


@router.get("/cards", response=Page[CardOut], operation_id="list_cards")
def cards(request: HttpRequest, query: Query[CardQuery]) -> dict[str, Any]:
    """Cards that have been touched since they were issued / 卡片."""
    asked = query.dict(exclude={"limit", "after"}, exclude_none=True)
    return take(seen(Card.objects.all(), actor(request, may.VIEW)).filter(**asked), query, key="card_no")


@router.get("/cards/{card_no}", response=CardWhole, operation_id="get_card")
def card(request: HttpRequest, card_no: int) -> dict[str, Any]:
    """One card, and what may be done with it now / 一张卡及可办业务."""
    found, who = _card(request, card_no, may.VIEW)
    steps = (api.TABLE[operation] for operation in api.allowed(State(found.state)))
    open_to = [step.operation.value for step in steps if not step.by_system and who.may(step.permission, found.operator_id)]
    return {**CardOut.from_orm(found).dict(), "operations": open_to}


@router.get("/cards/{card_no}/timeline", response=list[EntryOut], operation_id="get_card_timeline")
def timeline(request: HttpRequest, card_no: int) -> list[Any]:
    """The card's whole life, oldest first / 卡片全部经过."""
    _found, who = _card(request, card_no, may.VIEW)
    return [
        {**{name: getattr(entry, name) for name in EntryOut.model_fields}, "title": entry.title, "detail": entry.detail}
        for entry in api.timeline(card_no, actor=who)
    ]


def _accepted(operation: Callable[..., Any]) -> Callable[..., Any]:
    """What was done is answered 200, what waits for a station 202; stands between the router and `once`."""

    @wraps(operation)
    def run(request: HttpRequest, *args: Any, **values: Any) -> Any:
        said = operation(request, *args, **values)
        return said["event"] if said["job"] is None else Status(202, said["job"])

    return run


@router.post("/cards/{card_no}/operations", response={200: EventOut, 202: JobOut}, operation_id="operate_card")
@_accepted
@once(DoneOrAsked)
def operate(request: HttpRequest, card_no: int, body: OperationIn) -> dict[str, Any]:
    """Do an operation of the life table; a card with a chip is replaced by a job for a station (202) / 办理卡片业务."""
    found, who = _card(request, card_no, _permission(body.operation))
    wanted = _renewal(found, body)
    if wanted is not None:
        return {"job": JobOut.from_orm(issuing.create_renewal(wanted, actor=who))}
    return {"event": _event(_act(found, body, who))}


@router.post("/cards/{card_no}/operations/trial", response=EventOut, operation_id="try_card_operation")
def trial(request: HttpRequest, card_no: int, body: OperationIn) -> dict[str, Any]:
    """What an operation would move and change; nothing of it stays / 试算."""
    found, who = _card(request, card_no, _permission(body.operation))
    with transaction.atomic():
        event = _act(found, body, who)
        transaction.set_rollback(True)
    return {**_event(event), "id": 0}


def _permission(operation: Operation) -> str:
    return f"cards.{operation.value}" if f"cards.{operation.value}" in may.PERMISSIONS else may.VIEW


def _renewal(found: Card, body: OperationIn) -> issuing.Renewal | None:
    """The job that is asked for where the new card has a chip to be written."""
    if body.operation.value not in issuing.Purpose.values or body.operation is Operation.ISSUE or body.new_card is None:
        return None
    if body.new_card.medium not in issuing.WITH_CHIP:
        return None
    return issuing.Renewal(
        found.card_no,
        issuing.Purpose(body.operation.value),
        body.new_card.medium,
        reason=body.reason,
        serial=body.new_card.serial,
        fee_waived=body.fee_waived,
        fee_from_purse=body.fee_from_purse,
    )


def _act(found: Card, body: OperationIn, who: Actor) -> LifeEvent:
    given = body.dict(exclude={"operation", "reason", "new_card"})
    new = _new_card(found, body.new_card, who) if body.new_card else None
    return api.operate(found.card_no, body.operation, actor=who, reason=body.reason, details=Details(new_card=new, **given))


def _new_card(found: Card, wanted: NewCardIn, who: Actor) -> NewCard:
    """The number of the new card, and its blank, claimed in the same transaction."""
    numbers = api.new_numbers(found.operator_id, found.account_no, medium=wanted.medium)
    if wanted.medium not in _ON_PLASTIC:
        if wanted.serial is not None:
            raise InvalidInput("此介质没有空白卡序号", "this medium has no blank")
        return NewCard(numbers.card_no, wanted.medium)
    claim = api.claim_for_issue(
        wanted.serial,
        operator_id=found.operator_id,
        card_type_id=found.card_type_id,
        unit_id=found.unit_id,
        actor=who,
        job=f"rest {numbers.card_no}",
    )
    return NewCard(numbers.card_no, wanted.medium, claim.serial)


@router.post("/cards/{card_no}/events/{event_id}/undo", response=EventOut, operation_id="undo_card_operation")
@once(EventOut)
def undo(request: HttpRequest, card_no: int, event_id: int, body: UndoIn) -> dict[str, Any]:
    """Undo the newest operation: money exactly back / 撤销业务."""
    found, who = _card(request, card_no, may.UNDO)
    if not LifeEvent.objects.filter(pk=event_id, card=found).exists():
        raise NotFound(f"无此事件：{event_id}", f"no such event: {event_id}")
    return _event(api.undo(event_id, actor=who, reason=body.reason))
