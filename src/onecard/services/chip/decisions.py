"""The desk: what one person proposes and another approves, for kept records, doubts, holes and chips below zero.

The database refuses the same person for both.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction

from onecard.kernel.business_day import business_date as business_date_of
from onecard.kernel.codes import Result
from onecard.kernel.errors import InvalidInput
from onecard.kernel.numbers import card_lane
from onecard.ledger import chip as ledger
from onecard.ledger.accounts import BookKind, book_id
from onecard.ledger.codes import SystemTerminal
from onecard.services.actors import Actor
from onecard.services.chip import belowzero, gray, settling
from onecard.services.chip.choices import DoubtKind, HoleKind, LoadState, Outcome, RecordState, SettledBy, Subject
from onecard.services.chip.errors import AlreadySettled, NotPostable, SamePerson, UnknownSubject, as_refusals
from onecard.services.chip.models import CardState, CounterHole, Decision, HeldRecord, LoadDoubt
from onecard.services.chip.raw import hold_lane, raw

_CHARGES = 1 << 40
"""Ledger keys of charges are the loads' numbers from here on: a load is charged again once, however many rows doubt it."""
_OUTCOMES: dict[str, tuple[Outcome, ...]] = {
    Subject.RECORD: (Outcome.RELEASE, Outcome.REFUSE),
    Subject.HOLE: (Outcome.CLOSE,),
    Subject.CHIP: (Outcome.WRITE_OFF,),
    DoubtKind.TAKEN: (Outcome.WRITTEN, Outcome.NOT_WRITTEN),
    DoubtKind.TAC_WRONG: (Outcome.WRITTEN, Outcome.NOT_WRITTEN),
    DoubtKind.GIVEN_BACK: (Outcome.CHARGE, Outcome.WAIVE),
    DoubtKind.UNEXPLAINED: (Outcome.CLOSE,),
}


_Row = HeldRecord | LoadDoubt | CounterHole | CardState


@dataclass(frozen=True, slots=True)
class _Subject:
    row: _Row
    operator_id: int
    is_open: bool
    outcomes: tuple[Outcome, ...]


def outcomes_for(subject: Subject | str, subject_id: int) -> tuple[Outcome, ...]:
    """What may be proposed for a row; nothing where it is settled. Raises NotFound."""
    found = _find(Subject(subject), subject_id)
    return found.outcomes if found.is_open else ()


def propose(subject: Subject | str, subject_id: int, outcome: Outcome | str, *, actor: Actor, reason: str) -> Decision:
    """Proposes what is to become of a row; of a chip (its card number) to write off what it lacks now.

    Raises NotFound, InvalidInput for an outcome that is none for it, AlreadySettled, ChipInDoubt.
    """
    found = _find(Subject(subject), subject_id)
    actor.require("chip.decide", found.operator_id)
    if not reason.strip():
        raise InvalidInput("请写明事由", "give a reason")
    if outcome not in found.outcomes:
        raise InvalidInput("不适用的决定", "not a decision for this")
    if not found.is_open:
        raise AlreadySettled
    amount = None
    if isinstance(found.row, CardState):
        belowzero.require_no_doubt(found.row.card_no)
        amount = belowzero.missing_fen(found.row.card_no)
    with as_refusals(), transaction.atomic():
        return Decision.objects.create(
            subject=subject, subject_id=subject_id, operator_id=found.operator_id, outcome=outcome, reason=reason.strip()[:200],
            requested_by=actor.name, amount_fen=amount,
        )  # fmt: skip


def reject(decision_id: int, *, actor: Actor) -> Decision:
    """Turns a proposal down; who made it may take it back the same way. The row stays open."""
    with as_refusals(), transaction.atomic():
        decision = _open_decision(decision_id)
        if decision.requested_by.lower() != actor.name.lower():
            actor.require("chip.approve", decision.operator_id)
        return _decide(decision, actor, approved=False)


def approve(decision_id: int, *, actor: Actor, now: datetime | None = None) -> Decision:
    """Approves what another proposed, and does it, all or nothing.

    Raises SamePerson, AlreadySettled, AmountChanged, ChipInDoubt, and NotPostable where the ledger cannot take the record.
    """
    now = now or datetime.now(UTC)
    with as_refusals(), transaction.atomic():
        decision = Decision.objects.get(pk=_open_decision(decision_id, lock=False).pk)
        actor.require("chip.approve", decision.operator_id)
        if decision.requested_by.lower() == actor.name.lower():
            raise SamePerson
        found = _find(Subject(decision.subject), decision.subject_id)
        if not isinstance(found.row, CounterHole):
            hold_lane(card_lane(found.row.card_no))  # before the rows, like everybody
        elif found.row.kind == HoleKind.CARD:
            hold_lane(card_lane(found.row.number))
        decision = _decide(_open_decision(decision_id), actor, approved=True)
        found = _find(Subject(decision.subject), decision.subject_id)
        if not found.is_open:
            raise AlreadySettled
        _carry_out(decision, found.row, now)
        return decision


def open_decisions(*, actor: Actor, limit: int = 200) -> list[Decision]:
    """What waits for a second person, oldest first."""
    actor.require("chip.view")
    rows = Decision.objects.filter(approved__isnull=True)
    if actor.operators is not None:
        rows = rows.filter(operator_id__in=actor.operators)
    return list(rows.order_by("id")[:limit])


def _open_decision(decision_id: int, *, lock: bool = True) -> Decision:
    rows = Decision.objects.select_for_update() if lock else Decision.objects.all()
    decision = rows.filter(pk=decision_id).first()
    if decision is None:
        raise UnknownSubject("申请 / decision", decision_id)
    if decision.approved is not None:
        raise AlreadySettled
    return decision


def _decide(decision: Decision, actor: Actor, *, approved: bool) -> Decision:
    decision.approved, decision.decided_by, decision.decided_at = approved, actor.name, datetime.now(UTC)
    decision.save(update_fields=["approved", "decided_by", "decided_at"])
    return decision


def _find(subject: Subject, subject_id: int) -> _Subject:
    if subject == Subject.RECORD:
        record = HeldRecord.objects.filter(pk=subject_id).first()
        if record is not None:
            return _Subject(record, record.operator_id, record.state == RecordState.OPEN, _OUTCOMES[Subject.RECORD])
    elif subject == Subject.DOUBT:
        doubt = LoadDoubt.objects.select_related("load").filter(pk=subject_id).first()
        if doubt is not None:
            return _Subject(doubt, doubt.operator_id, doubt.settled_at is None, _doubt_outcomes(doubt))
    elif subject == Subject.CHIP:
        chip = CardState.objects.filter(pk=subject_id).first()
        if chip is not None:
            return _Subject(chip, chip.operator_id, belowzero.missing_fen(subject_id) > 0, _OUTCOMES[Subject.CHIP])
    else:
        hole = CounterHole.objects.filter(pk=subject_id).first()
        if hole is not None:
            return _Subject(hole, hole.operator_id, hole.filled_at is None, _OUTCOMES[Subject.HOLE])
    raise UnknownSubject("对象 / row", subject_id)


def _doubt_outcomes(doubt: LoadDoubt) -> tuple[Outcome, ...]:
    """A load that is over is not settled again: what is still open about it can only be closed."""
    is_open, of_itself = doubt.settled_at is None, doubt.kind in (DoubtKind.TAKEN, DoubtKind.TAC_WRONG)
    if is_open and of_itself and doubt.load is not None and doubt.load.state != LoadState.TAKEN:
        return (Outcome.CLOSE,)
    return _OUTCOMES[doubt.kind]


def _carry_out(decision: Decision, row: _Row, now: datetime) -> None:
    if isinstance(row, HeldRecord):
        _settle_record(decision, row, now)
    elif isinstance(row, LoadDoubt):
        _settle_doubt(decision, row, now)
    elif isinstance(row, CardState):
        belowzero.write_off(decision, row, now=now)
    else:
        row.filled_at, row.how, row.decision = now, SettledBy.PEOPLE, decision
        row.save(update_fields=["filled_at", "how", "decision"])


def _settle_record(decision: Decision, row: HeldRecord, now: datetime) -> None:
    row.decision = decision
    if decision.outcome == Outcome.REFUSE:
        gray.settle(row, RecordState.REFUSED, SettledBy.PEOPLE, now=now)
        return
    one = gray.post(row, now=now, released=True)
    if one.code != Result.APPROVED:
        raise NotPostable(one.code)
    gray.settle(row, RecordState.POSTED, SettledBy.PEOPLE, now=now, transfer_id=one.transfer_id)
    gray.resolve([row.card_no], now=now)


def _settle_doubt(decision: Decision, doubt: LoadDoubt, now: datetime) -> None:
    load, today = doubt.load, business_date_of(now)
    if decision.outcome == Outcome.CLOSE:
        settling.settle_doubt(doubt, SettledBy.PEOPLE, now=now, decision=decision)
        if doubt.kind == DoubtKind.UNEXPLAINED:
            # People have looked, and nothing is known: the chip's next proof is believed as it is.
            CardState.objects.filter(pk=doubt.card_no).update(next_online=None)
    elif decision.outcome == Outcome.WRITTEN:
        assert load is not None
        settling.close_load(load, LoadState.WRITTEN, SettledBy.PEOPLE, now=now, decision=decision)
        _expect_online(load.card_no, load.online_counter + 1)
    elif decision.outcome == Outcome.NOT_WRITTEN:
        assert load is not None
        settling.give_back(load, SettledBy.PEOPLE, now=now, business_date=today, decision=decision)
        _expect_online(load.card_no, load.online_counter)
    else:
        assert load is not None
        payer = None if decision.outcome == Outcome.CHARGE else book_id(BookKind.CHIP_LOSS, doubt.operator_id)
        answer = ledger.load_chip(
            raw(), (SystemTerminal.CHIP, _CHARGES + load.pk), doubt.card_no, amount_fen=load.amount_fen, occurred_at=now,
            business_date=today, payer=payer,
        )  # fmt: skip
        if answer.code != Result.APPROVED:
            raise NotPostable(answer.code)
        settling.settle_doubt(doubt, SettledBy.PEOPLE, now=now, decision=decision)


def _expect_online(card_no: int, next_online: int) -> None:
    """What follows from the decision: a chip that proves another counter later is in doubt, so that the decision can be wrong."""
    CardState.objects.filter(pk=card_no).update(next_online=next_online)
