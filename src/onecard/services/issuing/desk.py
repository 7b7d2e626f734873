"""Single jobs, and what people do to jobs by hand: retry, roll back, write a card off; media that need no chip (C4)."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import QuerySet

from onecard.kernel.errors import InvalidInput, NotFound, RuleViolated
from onecard.ledger.codes import Medium
from onecard.services.actors import Actor
from onecard.services.cards import api as cards_api
from onecard.services.issuing import batches, claims, ends, journal, permissions, renewals
from onecard.services.issuing.batches import ANONYMOUS
from onecard.services.issuing.belonging import Recipient, require_unit, resolve
from onecard.services.issuing.claims import Request
from onecard.services.issuing.models import OPEN_STATES, Batch, Job, JobState, JournalLine, Purpose
from onecard.services.issuing.renewals import Renewal

_WITHOUT_CHIP = (Medium.UID.value, Medium.QR.value)
_MAX_UID_BYTES = 10


@dataclass(frozen=True, slots=True)
class JobOrder:
    """One card outside any batch; `serial` insists on a blank.

    With a `purpose` other than ISSUE it takes the place of `old_card_no`: account, holder and unit are the old card's, operator
    and type must be, and what follows says why and on what terms (`renewals.Renewal`).
    """

    operator_id: int
    card_type_id: int
    medium: Medium = Medium.CPU
    unit_id: int | None = None
    recipient: Recipient = ANONYMOUS
    serial: int | None = None
    purpose: Purpose = Purpose.ISSUE
    old_card_no: int | None = None
    reason: str = ""
    fee_waived: bool = False
    fee_from_purse: bool = False


def create_job(order: JobOrder, *, actor: Actor) -> Job:
    """A job for one card, ready to be touched. Raises Forbidden; for an old card's place what `renewals.create` raises."""
    if order.purpose != Purpose.ISSUE:
        return _create_renewal(order, actor)
    if order.old_card_no is not None or order.fee_waived or order.fee_from_purse:
        raise InvalidInput("发卡作业没有原卡，收费按规则", "a first card has no old one, and its fee is as the rules say")
    actor.require(permissions.WRITE, order.operator_id)
    require_unit(order.unit_id, order.operator_id)
    (recipient,) = resolve([order.recipient], order.operator_id)
    return Job.objects.create(
        operator_id=order.operator_id,
        unit_id=order.unit_id,
        card_type_id=order.card_type_id,
        medium=order.medium.value,
        holder_id=recipient.holder_id,
        account_no=recipient.account_no,
        asked_serial=order.serial,
        why=order.reason[:200],
        actor=actor.name,
    )


def _create_renewal(order: JobOrder, actor: Actor) -> Job:
    if order.old_card_no is None:
        raise InvalidInput("补卡、换卡须写明原卡号", "a replacement or an exchange names its old card")
    if order.recipient != ANONYMOUS:
        raise InvalidInput("新卡随原卡的账户", "the new card is of the old card's account")
    old = cards_api.card(order.old_card_no, actor=Actor.system("issuing"))
    if (order.operator_id, order.card_type_id) != (old.operator_id, old.card_type_id):
        raise InvalidInput("运营单位、卡种须与原卡相同", "operator and card type are those of the old card")
    wanted = Renewal(
        old.card_no,
        order.purpose,
        order.medium,
        reason=order.reason,
        serial=order.serial,
        fee_waived=order.fee_waived,
        fee_from_purse=order.fee_from_purse,
    )
    return renewals.create(wanted, actor=actor)


def get_job(job_id: int) -> Job:
    """The job. Raises NotFound."""
    found = Job.objects.select_related("batch").filter(pk=job_id).first()
    if found is None:
        raise NotFound(f"无此制卡作业：{job_id}", f"no such issuing job: {job_id}")
    return found


def jobs(*, batch_id: int | None = None, operator_id: int | None = None, state: JobState | None = None) -> QuerySet[Job]:
    """Jobs, oldest first; of a batch, an operator, in a state."""
    found = Job.objects.select_related("holder", "card_type", "batch").order_by("id")
    if batch_id is not None:
        found = found.filter(batch_id=batch_id)
    if operator_id is not None:
        found = found.filter(operator_id=operator_id)
    return found if state is None else found.filter(state=state)


def steps(job_id: int) -> Sequence[JournalLine]:
    """The journal of a job, in order. Raises NotFound."""
    return list(get_job(job_id).journal.order_by("id"))


def bind(job_id: int, *, uid: bytes = b"", serial: int | None = None, actor: Actor) -> Job:
    """Issue a medium that is not written: a UID card by its UID (identity only), a payment code without any card.

    Raises NotFound, Forbidden, InvalidInput, and RuleViolated (C1 stock, C2 not queued or UID in use, C5 card type).
    """
    with transaction.atomic():
        job = _locked(job_id, actor, permissions.WRITE)
        medium = Medium(job.medium)
        if medium.value not in _WITHOUT_CHIP:
            raise InvalidInput("此介质须写卡", "this medium is written by a reader")
        if job.state != JobState.QUEUED:
            raise _not_so(job)
        if (medium is Medium.UID) != bool(uid) or len(uid) > _MAX_UID_BYTES:
            raise InvalidInput("UID 卡须给出其 UID，二维码则无", "a UID card is bound by its UID, a payment code has none")
        if uid:
            _require_unbound(uid)
        if medium is Medium.QR and serial is not None:
            raise InvalidInput("二维码没有库存序号", "a payment code has no serial")
        claims.issue_without_chip(job, Request("", actor, job_id=job_id, serial=serial), uid=uid.hex() or None)
    return job


def retry(job_id: int, *, actor: Actor) -> Job:
    """A new job for the recipient of one that failed or was rolled back. Raises NotFound, Forbidden, RuleViolated (C2)."""
    with transaction.atomic():
        job = _locked(job_id, actor, permissions.ROLL_BACK)
        if job.state not in (JobState.FAILED, JobState.ROLLED_BACK) or Job.objects.filter(retry_of=job).exists():
            raise _not_so(job)
        if job.old_card_no is not None:
            renewals.require_possible(renewals.locked(job.old_card_no), Purpose(job.purpose))
            renewals.require_none_open(job.old_card_no)
        made = ends.requeue(job, by_hand=True)
        if made is None:
            raise RuleViolated("批次已取消，不能重做", "the batch was cancelled: nothing is retried", rule="C2")
    return made


def roll_back(job_id: int, *, actor: Actor, again: bool = False, reason: str = "") -> JobState:
    """Undo a job that is not done. Nothing written yet: at once. Otherwise the card is erased at its next touch.

    A job that is done is undone by the life cycle (`cards`). Raises NotFound, Forbidden, RuleViolated (C2).
    """
    with transaction.atomic():
        job = _locked(job_id, actor, permissions.ROLL_BACK)
        job.reason_zh = job.reason_en = reason[:200]
        job.again = again
        if job.state == JobState.QUEUED:
            return ends.end_without_card(job, actor, scrap=False)
        if job.state not in OPEN_STATES:
            raise _not_so(job)
        job.token = None
        if not journal.has_written(job):
            return ends.end_without_card(job, actor, scrap=False)
        job.roll_back = True
        job.save()
    return JobState(job.state)


def write_off(job_id: int, *, actor: Actor, reason: str, again: bool = True) -> JobState:
    """Give up a card that does not come back: its stock is scrapped, its number retired. Raises as roll_back, InvalidInput."""
    if not reason.strip():
        raise InvalidInput("作废须写明事由", "writing a card off needs a reason")
    with transaction.atomic():
        job = _locked(job_id, actor, permissions.ROLL_BACK)
        if job.state not in OPEN_STATES:
            raise _not_so(job)
        job.reason_zh = job.reason_en = reason[:200]
        job.bad, job.again = True, job.again and again
        return ends.end_without_card(job, actor, scrap=True)


def batch_list(*, operators: frozenset[int] | None = None) -> QuerySet[Batch]:
    """Batches, newest first; of some operators only."""
    found = Batch.objects.select_related("operator", "card_type").order_by("-id")
    return found if operators is None else found.filter(operator_id__in=operators)


def _locked(job_id: int, actor: Actor, permission: str) -> Job:
    job = get_job(job_id)
    if job.batch_id is not None:
        batches.lock(job.batch_id)
    job = Job.objects.select_for_update().get(pk=job_id)
    actor.require(permission, job.operator_id)
    return job


def _require_unbound(uid: bytes) -> None:
    """One UID, one live card. Under a lock: two desks do not bind one card at once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7310041))", [uid.hex()])
    for card_no in Job.objects.filter(uid=uid.hex(), state=JobState.DONE).values_list("card_no", flat=True):
        state = claims.live_state(card_no)
        if state is not None:
            raise RuleViolated(
                f"此 UID 已绑定卡号 {card_no}（{state}）", f"the UID is bound to card {card_no} ({state})", rule="C2"
            )


def _not_so(job: Job) -> RuleViolated:
    state = JobState(job.state)
    return RuleViolated(f"作业 {job.pk} {state.label}，不能这样做", f"job {job.pk} is {state.value}: not possible", rule="C2")
