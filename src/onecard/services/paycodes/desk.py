"""Payments by code that stay outside the books: one person proposes what is to become of one, another approves, and it is done.

Released, a payment is posted as the ADVICE it was, under its terminal's own key: the ledger holds that it is posted once. The
database holds that no row is settled but by two people.
"""

from datetime import UTC, date, datetime

import psycopg
from django.db import connection, transaction

from onecard.kernel.clock import to_epoch_us
from onecard.kernel.codes import Operation, Result
from onecard.kernel.errors import InvalidInput
from onecard.kernel.numbers import MAX_LANE, card_lane
from onecard.ledger.posting import PostingColumns, post_within
from onecard.protocol.paycode import PayCodeError, parse_code
from onecard.services.actors import Actor
from onecard.services.paycodes.choices import HeldState, Outcome
from onecard.services.paycodes.errors import AlreadySettled, NotPostable, SamePerson, UnknownHeld, as_refusals
from onecard.services.paycodes.models import HeldDecision, HeldPayment, PayCodeUse

_POSTGRES_EPOCH = date(2000, 1, 1)
_GENUINE = (Result.CODE_EXPIRED, Result.TIME_IMPLAUSIBLE, Result.LIMIT_TRANSACTION)
"""Reasons that leave no doubt whose code it is; released, such a payment has used its code up."""


def propose_held(held_id: int, outcome: Outcome | str, *, actor: Actor, reason: str) -> HeldDecision:
    """Proposes to release or to refuse. Raises NotFound, Forbidden, InvalidInput, AlreadySettled."""
    row = _held(held_id)
    actor.require("paycodes.decide", row.operator_id)
    if not reason.strip():
        raise InvalidInput("请写明事由", "give a reason")
    if outcome not in Outcome.values:
        raise InvalidInput("不适用的决定", "not a decision for this")
    with as_refusals(), transaction.atomic():
        return HeldDecision.objects.create(
            held=row, operator_id=row.operator_id, outcome=outcome, reason=reason.strip()[:200], requested_by=actor.name
        )


def reject_held(decision_id: int, *, actor: Actor) -> HeldDecision:
    """Turns a proposal down; who made it may take it back the same way. The payment stays open."""
    with as_refusals(), transaction.atomic():
        decision = _open_decision(decision_id)
        permission = "paycodes.decide" if decision.requested_by.lower() == actor.name.lower() else "paycodes.approve"
        actor.require(permission, decision.operator_id)
        return _decide(decision, actor, approved=False)


def approve_held(decision_id: int, *, actor: Actor, now: datetime | None = None) -> HeldDecision:
    """Approves what another proposed, and does it, all or nothing.

    Raises SamePerson, AlreadySettled, and NotPostable where the ledger cannot take the payment.
    """
    now = now or datetime.now(UTC)
    with as_refusals(), transaction.atomic():
        asked = HeldDecision.objects.select_related("held").filter(pk=decision_id).first()
        if asked is None:
            raise UnknownHeld(decision_id)
        actor.require("paycodes.approve", asked.operator_id)
        if asked.requested_by.lower() == actor.name.lower():
            raise SamePerson
        _hold_lane(card_lane(asked.held.card_no))  # before the rows, like everybody
        decision = _decide(_open_decision(decision_id), actor, approved=True)
        row = HeldPayment.objects.select_for_update().get(pk=decision.held_id)
        if row.state != HeldState.OPEN:
            raise AlreadySettled
        _settle(row, decision, now)
        return decision


def _settle(row: HeldPayment, decision: HeldDecision, now: datetime) -> None:
    row.decision, row.settled_at = decision, now
    if decision.outcome == Outcome.RELEASE:
        row.transfer_id = _post(row)
        _claim(row, now)
        row.state = HeldState.POSTED
    else:
        row.state = HeldState.REFUSED
    row.save(update_fields=["state", "settled_at", "decision", "transfer_id"])


def _post(row: HeldPayment) -> int:
    """Posts the payment in the caller's transaction; its transfer."""
    lane = card_lane(row.card_no)
    if lane > MAX_LANE:
        raise NotPostable(Result.UNKNOWN_CARD)
    columns = PostingColumns(
        [Operation.ADVICE], [row.terminal_id], [row.terminal_seq], [row.card_no], [row.merchant], [row.unit_id],
        [row.purse_order], [row.amount_fen], [to_epoch_us(row.occurred_at)], [(row.business_date - _POSTGRES_EPOCH).days],
        [row.meal], [0], [0], [0],
    )  # fmt: skip
    connection.ensure_connection()
    raw = connection.connection
    assert isinstance(raw, psycopg.Connection)
    answers = post_within(raw, lane, columns)
    if answers.code[0] != Result.APPROVED:
        raise NotPostable(answers.code[0])
    return answers.transfer[0]


def _claim(row: HeldPayment, now: datetime) -> None:
    """A genuine code that came late or was overdrawn is used up by the release, unless another record has it already."""
    if row.result not in _GENUINE:
        return
    try:
        code_id = parse_code(bytes(row.code)).body.code_id
    except PayCodeError:
        return
    use = PayCodeUse(
        code_id=code_id, card_no=row.card_no, terminal_id=row.terminal_id, terminal_seq=row.terminal_seq,
        amount_fen=row.amount_fen, offline=True, occurred_at=row.occurred_at, claimed_at=now,
    )  # fmt: skip
    PayCodeUse.objects.bulk_create([use], ignore_conflicts=True)


def _hold_lane(lane: int) -> None:
    if lane <= MAX_LANE:
        with connection.cursor() as cursor:
            cursor.execute("SELECT ledger.hold_lane(%s::smallint)", [lane])


def _held(held_id: int) -> HeldPayment:
    row = HeldPayment.objects.filter(pk=held_id).first()
    if row is None:
        raise UnknownHeld(held_id)
    return row


def _open_decision(decision_id: int) -> HeldDecision:
    decision = HeldDecision.objects.select_for_update().filter(pk=decision_id).first()
    if decision is None:
        raise UnknownHeld(decision_id)
    if decision.approved is not None:
        raise AlreadySettled
    return decision


def _decide(decision: HeldDecision, actor: Actor, *, approved: bool) -> HeldDecision:
    decision.approved, decision.decided_by, decision.decided_at = approved, actor.name, datetime.now(UTC)
    decision.save(update_fields=["approved", "decided_by", "decided_at"])
    return decision
