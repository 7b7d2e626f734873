"""Jobs for a card in the place of another (补卡, 换卡): asked for, following the old card, done with the old card's life.

The old card's row is `cards`' and comes before the stock in the order of locks. Until the job is done nothing of the old card
changes: a loss reported stays reported, its number stays on the list.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from onecard.kernel.errors import InvalidInput, RuleViolated
from onecard.ledger.codes import Medium
from onecard.services.actors import Actor
from onecard.services.cards import api as cards_api
from onecard.services.issuing.models import UNENDED, Job, Purpose

WITH_CHIP = (Medium.CPU, Medium.SIM)
RENEWAL = "issuing_job_renewal"
"""The constraint that holds: one job at a time for an old card."""
_LATELY = timedelta(days=30)
_WAIVE = "cards.waive_fee"


@dataclass(frozen=True, slots=True)
class Renewal:
    """What takes the place of which card, and on what terms; `serial` insists on a blank."""

    old_card_no: int
    purpose: Purpose
    medium: Medium = Medium.CPU
    reason: str = ""
    serial: int | None = None
    fee_waived: bool = False
    fee_from_purse: bool = False


def create(wanted: Renewal, *, actor: Actor) -> Job:
    """A job to be written at a station. Asks the permission of the operation, and not that of writing.

    Raises Forbidden, NotFound, InvalidInput (a medium without a chip), RuleViolated (C3: not in this state; C2: there is a job).
    """
    if wanted.medium not in WITH_CHIP:
        raise InvalidInput("此介质不写卡：直接办理", "this medium is not written: do the operation at the desk")
    with transaction.atomic():
        old = locked(wanted.old_card_no)
        actor.require(f"cards.{wanted.purpose.value}", old.operator_id)
        if wanted.fee_waived:
            actor.require(_WAIVE, old.operator_id)
        require_possible(old, wanted.purpose)
        require_none_open(old.card_no)
        return Job.objects.create(
            purpose=wanted.purpose,
            old_card_no=old.card_no,
            why=wanted.reason[:200],
            fee_waived=wanted.fee_waived,
            fee_from_purse=wanted.fee_from_purse,
            asked_serial=wanted.serial,
            operator_id=old.operator_id,
            unit_id=old.unit_id,
            card_type_id=old.card_type_id,
            medium=wanted.medium.value,
            holder_id=old.holder_id,
            account_no=old.account_no,
            actor=actor.name,
        )


def locked(card_no: int) -> cards_api.Card:
    """The old card, its row locked. Raises NotFound."""
    found = cards_api.Card.objects.select_for_update(of=("self",), no_key=True).filter(pk=card_no).first()
    if found is None:  # opened in bulk: its row comes with the first look
        cards_api.card(card_no, actor=Actor.system("issuing"))
        found = cards_api.Card.objects.select_for_update(of=("self",), no_key=True).get(pk=card_no)
    return found


def require_possible(old: cards_api.Card, purpose: Purpose) -> None:
    """Raises RuleViolated (C3) where the life table refuses it by the state alone."""
    operation = cards_api.Operation(purpose.value)
    state = cards_api.State(old.state)
    if operation not in cards_api.allowed(state):
        raise RuleViolated(
            f"卡片{state.label}，不能{operation.label}", f"a card that is {state.value} cannot have {operation.value}", rule="C3"
        )


def require_none_open(card_no: int) -> None:
    """Raises RuleViolated (C2): the constraint holds it, this names the job."""
    job = of(card_no).filter(state__in=UNENDED).first()
    if job is not None:
        raise RuleViolated(
            f"卡 {card_no} 已有{job.get_purpose_display()}作业 {job.pk}",
            f"card {card_no} has a job already: {job.purpose} {job.pk}",
            rule="C2",
        )


def follow(job: Job) -> None:
    """The job becomes what the old card is by now: holder and type may have changed since. Locks the old card."""
    assert job.old_card_no is not None
    old = locked(job.old_card_no)
    job.unit_id, job.card_type_id, job.holder_id = old.unit_id, old.card_type_id, old.holder_id


def post(job: Job, new_card: cards_api.NewCard, *, actor: Actor, key: str) -> None:
    """The old card's operation with the new card, in the caller's transaction. Raises what `cards` refuses, RuleViolated (C2)."""
    assert job.old_card_no is not None
    old = locked(job.old_card_no)
    if (old.card_type_id, old.holder_id, old.unit_id) != (job.card_type_id, job.holder_id, job.unit_id):
        raise RuleViolated(
            "原卡的持卡人、卡种或单位在制卡期间已变更", "the old card's holder, type or unit changed meanwhile", rule="C2"
        )
    cards_api.operate(
        job.old_card_no,
        cards_api.Operation(job.purpose),
        actor=_clerk(job, actor),
        reason=job.why or key,
        key=key,
        details=cards_api.Details(new_card=new_card, fee_waived=job.fee_waived, fee_from_purse=job.fee_from_purse),
    )


def of(card_no: int) -> QuerySet[Job]:
    """The jobs for cards in the place of this one, newest first."""
    return Job.objects.filter(old_card_no=card_no).order_by("-id")


def stations(operator_id: int, *, most: int = 5) -> list[str]:
    """Where cards of an operator were written lately, by name."""
    recent = Job.objects.filter(operator_id=operator_id, claimed_at__gte=timezone.now() - _LATELY).exclude(station="")
    return list(recent.order_by("station").values_list("station", flat=True).distinct()[:most])


def _clerk(job: Job, actor: Actor) -> Actor:
    """What the order was allowed is done at its end, whoever writes the card: the permissions were asked when it was made."""
    granted = {f"cards.{job.purpose}"} | ({_WAIVE} if job.fee_waived else set())
    return Actor(actor.name, actor.permissions | granted, actor.operators)
