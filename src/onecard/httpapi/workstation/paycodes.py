"""Payment codes (C4): a fresh code for an account, its recent codes and uses, limits by date, and the desk of held payments."""

from datetime import date, datetime, timedelta
from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from onecard.httpapi.idempotency import once
from onecard.httpapi.identity import actor
from onecard.httpapi.paging import Page
from onecard.httpapi.workstation.desk import DeskQuery
from onecard.httpapi.workstation.scope import one
from onecard.kernel.errors import InvalidInput
from onecard.services.paycodes import api
from onecard.services.paycodes.models import CodeLimit, HeldDecision, HeldPayment
from onecard.services.purses.models import Account

router = Router()
VIEW, HELD, DECIDE, APPROVE = "paycodes.view", "paycodes.held", "paycodes.decide", "paycodes.approve"


class PayCodeOut(Schema):
    """A code to show: `text` is what the QR code holds, `svg` its picture; good until a moment, off line up to an amount."""

    text: str
    card_no: int
    expires_at: datetime
    offline_limit_fen: int
    svg: str


class CodeSeenOut(Schema):
    """A code that was issued, and what it paid. Codes are told for two days, uses for good; `result` is the ledger's answer."""

    code_id: int
    issued_at: datetime | None
    expires_at: datetime | None
    offline_limit_fen: int | None
    used_at: datetime | None
    terminal_id: int | None
    terminal_seq: int | None
    amount_fen: int | None
    offline: bool | None
    result: int | None


class CodesQuery(Schema):
    """How many."""

    limit: int = Field(20, ge=1, le=200)


class LimitIn(Schema):
    """What codes may do from a day on: of an account, of a card type, or of all where neither is given."""

    account_no: int | None = None
    card_type_id: int | None = None
    valid_from: date
    lifetime_s: int = Field(..., ge=10, le=3600)
    offline_code_fen: int = Field(..., ge=0, lt=2**32)
    offline_day_fen: int = Field(..., ge=0, lt=2**40)
    per_minute: int = Field(..., ge=0, lt=10**6)
    per_day: int = Field(..., ge=0, lt=10**6)


class LimitOut(LimitIn):
    """A rule, and who made it."""

    id: int
    created_by: str


class HeldDecisionOut(Schema):
    """What one person proposed for a held payment, and what another answered."""

    id: int
    held_id: int
    outcome: str
    reason: str
    requested_by: str
    requested_at: datetime
    decided_by: str
    decided_at: datetime | None
    approved: bool | None


class HeldOut(Schema):
    """A payment whose code did not hold; `result` says why, `used_by_*` which record has the code."""

    id: int
    terminal_id: int
    terminal_seq: int
    card_no: int
    amount_fen: int
    occurred_at: datetime
    received_at: datetime
    result: int
    reason: dict[str, str]
    used_by_terminal: int | None
    used_by_seq: int | None
    state: str
    transfer_id: int | None
    age_s: int
    proposed: HeldDecisionOut | None


class HeldQuery(DeskQuery):
    """Which held payments."""

    state: api.HeldState | None = api.HeldState.OPEN
    result: int | None = None


class HeldProposalIn(Schema):
    """What is to become of a held payment, and why."""

    outcome: api.Outcome
    reason: str = Field(..., min_length=1, max_length=200)


@router.post("/accounts/{account_no}/pay-codes", response=PayCodeOut, operation_id="issue_pay_code")
def issue(request: HttpRequest, account_no: int) -> dict[str, Any]:
    """A fresh payment code / 生成付款码."""
    who = actor(request, "paycodes.issue")
    one(Account.objects.filter(pk=account_no), who)
    made = api.issue(account_no, actor=who)
    own = {name: getattr(made, name) for name in ("text", "card_no", "expires_at", "offline_limit_fen")}
    return {**own, "svg": api.qr_svg(made.text)}


@router.get("/accounts/{account_no}/pay-codes", response=list[CodeSeenOut], operation_id="list_pay_codes")
def codes(request: HttpRequest, account_no: int, query: Query[CodesQuery]) -> list[api.CodeSeen]:
    """An account's recent codes and uses / 账户的付款码与使用记录."""
    who = actor(request, VIEW)
    one(Account.objects.filter(pk=account_no), who)
    return api.codes_of(account_no, actor=who, limit=query.limit)


@router.get("/pay-code-limits", response=list[LimitOut], operation_id="list_pay_code_limits")
def limits(request: HttpRequest, account_no: int | None = None, card_type_id: int | None = None) -> list[CodeLimit]:
    """Limits of an account or card type, and those of all, the latest first / 付款码限额."""
    who = actor(request, VIEW)
    if account_no is not None:
        one(Account.objects.filter(pk=account_no), who)
    return api.limit_rules(actor=who, account_no=account_no, card_type_id=card_type_id)


@router.post("/pay-code-limits", response=LimitOut, operation_id="set_pay_code_limits")
def set_limits(request: HttpRequest, body: LimitIn) -> CodeLimit:
    """Limits from a day on; one of the same day and scope is replaced / 设定付款码限额."""
    who = actor(request, "paycodes.limits")
    if body.account_no is not None:
        one(Account.objects.filter(pk=body.account_no), who)
    figures = api.Limits(body.lifetime_s, body.offline_code_fen, body.offline_day_fen, body.per_minute, body.per_day)
    return api.set_limits(figures, body.valid_from, actor=who, card_type_id=body.card_type_id, account_no=body.account_no)


def _held(row: api.HeldRow) -> dict[str, Any]:
    names = HeldOut.model_fields.keys() - {"reason", "age_s", "proposed"}
    own = {name: getattr(row.payment, name) for name in names}
    reason = {"zh": row.reason.zh, "en": row.reason.en}
    return {**own, "reason": reason, "age_s": int(row.age.total_seconds()), "proposed": row.proposed}


@router.get("/desk/pay-codes", response=Page[HeldOut], operation_id="list_held_pay_codes")
def held(request: HttpRequest, query: Query[HeldQuery]) -> dict[str, Any]:
    """Payments by code that were not posted, newest first / 未入账的付款码交易."""
    who = actor(request, HELD)
    if query.after is not None and not query.after.isdecimal():
        raise InvalidInput("after 不是本接口给出的游标", "`after` is not a cursor of ours")
    found = api.held_payments(
        actor=who,
        state=query.state,
        result=query.result,
        card_no=query.card_no,
        min_age=None if query.min_age_hours is None else timedelta(hours=query.min_age_hours),
        before_id=int(query.after) if query.after else None,
        limit=query.limit + 1,
    )
    items = [_held(row) for row in found[: query.limit]]
    return {"items": items, "next": str(items[-1]["id"]) if len(found) > query.limit else None}


@router.get("/desk/pay-code-decisions", response=list[HeldDecisionOut], operation_id="list_open_held_decisions")
def decisions(request: HttpRequest) -> list[HeldDecision]:
    """What waits for a second person, oldest first / 待第二人批准的付款码交易."""
    return api.open_held_decisions(actor=actor(request, HELD))


@router.post("/desk/pay-codes/{held_id}/decisions", response=HeldDecisionOut, operation_id="propose_held_pay_code")
@once(HeldDecisionOut)
def propose(request: HttpRequest, held_id: int, body: HeldProposalIn) -> HeldDecision:
    """Say what is to become of a held payment; a second person has to agree / 申请处理付款码交易."""
    who = actor(request, DECIDE)
    one(HeldPayment.objects.filter(pk=held_id), who)
    return api.propose_held(held_id, body.outcome, actor=who, reason=body.reason)


@router.post("/desk/pay-code-decisions/{decision_id}/approve", response=HeldDecisionOut, operation_id="approve_held_pay_code")
@once(HeldDecisionOut)
def approve(request: HttpRequest, decision_id: int) -> HeldDecision:
    """Approve what another has proposed, and carry it out / 批准付款码交易处理."""
    who = actor(request, APPROVE)
    one(HeldDecision.objects.filter(pk=decision_id), who)
    return api.approve_held(decision_id, actor=who)


@router.post("/desk/pay-code-decisions/{decision_id}/reject", response=HeldDecisionOut, operation_id="reject_held_pay_code")
def reject(request: HttpRequest, decision_id: int) -> HeldDecision:
    """Turn a proposal down, or take the own one back / 驳回付款码交易处理."""
    who = actor(request, DECIDE)
    one(HeldDecision.objects.filter(pk=decision_id), who)
    return api.reject_held(decision_id, actor=who)
