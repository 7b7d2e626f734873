"""The quarantine desk and chips (P5): what waits, and the decisions of two people."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from onecard.httpapi.idempotency import once
from onecard.httpapi.identity import actor
from onecard.httpapi.paging import Page
from onecard.httpapi.workstation.scope import one
from onecard.kernel.errors import InvalidInput
from onecard.services.actors import Actor
from onecard.services.chip import api
from onecard.services.chip.choices import Outcome, Subject
from onecard.services.chip.models import Decision
from onecard.services.purses.models import Card as LedgerCard

router = Router()
VIEW, DECIDE, APPROVE = "chip.view", "chip.decide", "chip.approve"


class FigureOut(Schema):
    """How many are open, and since when the oldest is."""

    count: int
    oldest: datetime | None


class OverviewOut(Schema):
    """Everything that is open."""

    quarantine: FigureOut
    gray: FigureOut
    holes: FigureOut
    doubts: FigureOut


class DecisionOut(Schema):
    """What one person proposed, and what another answered."""

    id: int
    subject: str
    subject_id: int
    outcome: str
    reason: str
    requested_by: str
    requested_at: datetime
    decided_by: str
    decided_at: datetime | None
    approved: bool | None


class RecordOut(Schema):
    """A record that was kept back."""

    id: int
    terminal_id: int
    terminal_seq: int
    card_no: int
    amount_fen: int
    occurred_at: datetime
    card_counter: int
    gray: bool
    code: int
    reasons: list[str]
    received_at: datetime
    state: str
    age_s: int
    proposed: DecisionOut | None


class HoleOut(Schema):
    """A range of counters that no record has come in for."""

    id: int
    kind: str
    number: int
    first: int
    last: int
    opened_at: datetime
    age_s: int
    proposed: DecisionOut | None


class DoubtOut(Schema):
    """A load that is not certain."""

    id: int
    kind: str
    card_no: int
    amount_fen: int | None
    online_counter: int
    balance_fen: int
    opened_at: datetime
    age_s: int
    proposed: DecisionOut | None


class DeskQuery(Schema):
    """Which rows; newest first."""

    limit: int = Field(50, ge=1, le=200)
    after: str | None = Field(None, max_length=40)
    card_no: int | None = None
    min_age_hours: int | None = Field(None, ge=0)


class ProposalIn(Schema):
    """What is to become of a row, and why."""

    subject: Subject
    subject_id: int
    outcome: Outcome
    reason: str = Field(..., min_length=1, max_length=200)


class StandingOut(Schema):
    """A chip as the platform knows it; `missing` says what stands against paying out what it holds."""

    card_no: int
    balance_fen: int
    expected_fen: int
    next_counter: int
    next_online: int | None
    open_holes: int
    kept_records: int
    doubts: int
    missing: list[dict[str, str]]


def _page(query: DeskQuery, fetch: Callable[..., list[Any]], build: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    if query.after is not None and not query.after.isdecimal():
        raise InvalidInput("after 不是本接口给出的游标", "`after` is not a cursor of ours")
    age = None if query.min_age_hours is None else timedelta(hours=query.min_age_hours)
    found = fetch(min_age=age, before_id=int(query.after) if query.after else None, limit=query.limit + 1)
    items = [build(row) for row in found[: query.limit]]
    return {"items": items, "next": str(items[-1]["id"]) if len(found) > query.limit else None}


def _record(row: api.RecordRow) -> dict[str, Any]:
    record = row.record
    names = (
        "terminal_id",
        "terminal_seq",
        "card_no",
        "amount_fen",
        "occurred_at",
        "card_counter",
        "gray",
        "code",
        "received_at",
        "state",
    )
    return {
        "id": record.pk,
        **{name: getattr(record, name) for name in names},
        "reasons": [word for word in record.reasons.replace(";", ",").split(",") if word],
        "age_s": int(row.age.total_seconds()),
        "proposed": row.proposed,
    }


def _hole(row: api.HoleRow) -> dict[str, Any]:
    names = ("kind", "number", "first", "last", "opened_at")
    own = {name: getattr(row.hole, name) for name in names}
    return {"id": row.hole.pk, **own, "age_s": int(row.age.total_seconds()), "proposed": row.proposed}


def _doubt(row: api.DoubtRow) -> dict[str, Any]:
    doubt = row.doubt
    own = {name: getattr(doubt, name) for name in ("kind", "card_no", "online_counter", "balance_fen", "opened_at")}
    amount = doubt.load.amount_fen if doubt.load else None
    return {"id": doubt.pk, **own, "amount_fen": amount, "age_s": int(row.age.total_seconds()), "proposed": row.proposed}


@router.get("/desk", response=OverviewOut, operation_id="get_desk_overview")
def overview(request: HttpRequest) -> api.Overview:
    """How much is open, and how old / 待处理概况."""
    return api.overview(actor=actor(request, VIEW))


@router.get("/desk/quarantine", response=Page[RecordOut], operation_id="list_quarantine")
def quarantine(request: HttpRequest, query: Query[DeskQuery]) -> dict[str, Any]:
    """Chip records that could not be posted / 待处理芯片记录."""
    who = actor(request, VIEW)
    return _page(query, lambda **rest: api.quarantine(actor=who, card_no=query.card_no, **rest), _record)


@router.get("/desk/gray", response=Page[RecordOut], operation_id="list_gray_records")
def gray(request: HttpRequest, query: Query[DeskQuery]) -> dict[str, Any]:
    """Gray records / 灰记录."""
    who = actor(request, VIEW)
    return _page(query, lambda **rest: api.gray_records(actor=who, card_no=query.card_no, **rest), _record)


@router.get("/desk/holes", response=Page[HoleOut], operation_id="list_counter_holes")
def holes(request: HttpRequest, query: Query[DeskQuery]) -> dict[str, Any]:
    """Counters with holes / 计数器缺口."""
    who = actor(request, VIEW)
    return _page(query, lambda **rest: api.holes(actor=who, number=query.card_no, **rest), _hole)


@router.get("/desk/doubts", response=Page[DoubtOut], operation_id="list_load_doubts")
def doubts(request: HttpRequest, query: Query[DeskQuery]) -> dict[str, Any]:
    """Loads in doubt / 存疑圈存."""
    who = actor(request, VIEW)
    return _page(query, lambda **rest: api.load_doubts(actor=who, card_no=query.card_no, **rest), _doubt)


@router.get("/desk/decisions", response=list[DecisionOut], operation_id="list_open_decisions")
def decisions(request: HttpRequest) -> list[Decision]:
    """What waits for a second person, oldest first / 待第二人批准."""
    return api.open_decisions(actor=actor(request, VIEW))


@router.post("/desk/decisions", response=DecisionOut, operation_id="propose_decision")
@once(DecisionOut)
def propose(request: HttpRequest, body: ProposalIn) -> Decision:
    """Say what is to become of a row; a second person has to agree / 申请处理."""
    who = actor(request, DECIDE)
    return api.propose(body.subject, body.subject_id, body.outcome, actor=who, reason=body.reason)


def _decision(request: HttpRequest, decision_id: int, permission: str) -> Actor:
    who = actor(request, permission)
    one(Decision.objects.filter(pk=decision_id), who)
    return who


@router.post("/desk/decisions/{decision_id}/approve", response=DecisionOut, operation_id="approve_decision")
@once(DecisionOut)
def approve(request: HttpRequest, decision_id: int) -> Decision:
    """Approve what another has proposed, and carry it out / 批准."""
    return api.approve(decision_id, actor=_decision(request, decision_id, APPROVE))


@router.post("/desk/decisions/{decision_id}/reject", response=DecisionOut, operation_id="reject_decision")
def reject(request: HttpRequest, decision_id: int) -> Decision:
    """Turn a proposal down, or take the own one back / 驳回."""
    return api.reject(decision_id, actor=_decision(request, decision_id, DECIDE))


@router.get("/chips/{card_no}", response=StandingOut, operation_id="get_chip")
def chip(request: HttpRequest, card_no: int) -> dict[str, Any]:
    """A chip's purse and counters / 芯片状态."""
    who = actor(request, VIEW)
    found = LedgerCard.objects.filter(pk=card_no)
    one(found, who, by="account__operator_id")
    standing = api.standing(card_no)
    own = {name: getattr(standing, name) for name in StandingOut.model_fields if name != "missing"}
    return {**own, "missing": [{"zh": text.zh, "en": text.en} for text in api.counters_complete(card_no)]}
