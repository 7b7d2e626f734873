"""What ties a job to a card and to the stock: recognising whose a card is, taking it over, claiming. Its ends are in `ends.py`.

The neighbour `cards` holds stock, numbers and the life of cards; its calls here stand in the transaction that moves the job, so
that the stock, the ledger and the job cannot disagree. Locks are taken in the order batch, job, stock, lane.
"""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from onecard.kernel.business_day import business_date
from onecard.kernel.errors import InvalidInput, NotFound, OneCardError, RuleViolated
from onecard.ledger.codes import Medium
from onecard.protocol.purse.files import HolderData, PublicData
from onecard.services.actors import Actor
from onecard.services.cards import api as cards_api
from onecard.services.issuing import batches, permissions, renewals
from onecard.services.issuing.chip import Content, Seen
from onecard.services.issuing.ends import end, issuer, name_of, post, wind_up
from onecard.services.issuing.errors import AlreadyIssued, ForeignCard
from onecard.services.issuing.models import OPEN_STATES, BatchState, Job, JobState

MAX_REFUSALS = 20
"""Recipients refused one after another before the station stops: then it is not the recipients."""
_LIVE = tuple(state.value for state in cards_api.State if state.value not in ("replaced", "returned", "closed"))
_CHIPS = (Medium.CPU.value, Medium.SIM.value)


@dataclass(frozen=True, slots=True)
class Request:
    """Who touches a card where, and what for: a batch, one job, or neither (only cards in work are then gone on with).

    `serial` is the number printed on the card, where the operator scans it; without one the next of the place is taken. `uid` is
    what the reader knows of the card; a card that tells none (a SIM) is known by its serial.
    """

    station: str
    actor: Actor
    batch_id: int | None = None
    job_id: int | None = None
    serial: int | None = None
    uid: bytes = b""


def find_open(seen: Seen, request: Request, token: UUID) -> Job | None:
    """The job a card in hand belongs to, taken over for this touch; None for a blank.

    Raises AlreadyIssued, ForeignCard, Forbidden.
    """
    with transaction.atomic():
        job = Job.objects.select_for_update().filter(uid=seen.uid, state__in=OPEN_STATES).first()
        if job is not None:
            _require_number(seen, job)
            request.actor.require(permissions.WRITE, job.operator_id)
            job.token, job.station, job.attempts = token, request.station, job.attempts + 1
            job.save(update_fields=["token", "station", "attempts"])
            return job
    if seen.public is not None:
        _refuse_number(seen, seen.public)
    if seen.has_application:
        raise ForeignCard("卡上已有应用，且不属于任何制卡作业", "the card carries an application that no job of ours wrote")
    return None


def operator_of(request: Request) -> int | None:
    """Whose card a blank would become."""
    if request.batch_id is not None:
        return int(batches.get(request.batch_id).operator_id)
    if request.job_id is not None:
        return Job.objects.filter(pk=request.job_id).values_list("operator_id", flat=True).first()
    return None


def state_of(card_no: int) -> str | None:
    """The state of an issued card; None for a number that is nobody's."""
    state: str | None = cards_api.Card.objects.filter(pk=card_no).values_list("state", flat=True).first()
    return state


def live_state(card_no: int | None) -> str | None:
    """The state of a card that still is somebody's; None once it was replaced, returned or closed."""
    if card_no is None:
        return None
    state = state_of(card_no)
    return state if state in _LIVE else None


def bound_to(uid: str) -> Job | None:
    """The job that issued a live card with this UID and without a chip."""
    for job in Job.objects.filter(uid=uid, state=JobState.DONE, medium=Medium.UID.value).order_by("-pk"):
        if live_state(job.card_no) is not None:
            return job
    return None


def claim_next(seen: Seen, request: Request, token: UUID) -> Job | None:
    """The next job of the queue bound to the blank in hand: number, stock card and chip in one commit. None: nothing is queued.

    A recipient whose card would be refused goes to the reject pile before any card is touched. Raises Forbidden and RuleViolated
    (C1, O2: no stock, wrong mode; the batch is not running), then nothing has moved.
    """
    refused: OneCardError | None = None
    for _ in range(MAX_REFUSALS):
        with transaction.atomic():
            job = _next_queued(request)
            if job is None:
                return None
            request.actor.require(permissions.WRITE, job.operator_id)
            try:
                with transaction.atomic():
                    return _claim(job, seen.uid, request, token)
            except _RecipientRefused as refusal:
                refused = refusal.cause
                job.refresh_from_db()  # the claim was undone, and what it had put on the row with it
                end(job, JobState.FAILED, reason=refused)
                wind_up(job)
        if request.batch_id is None:
            break
    assert refused is not None
    raise refused


def content_of(job: Job) -> Content:
    """What the card carries, as it was decided when it was claimed."""
    assert job.card_no is not None
    start, end = (date.fromisoformat(text) if text else None for text in (job.content["from"], job.content["until"]))
    public = PublicData.of_card(job.operator_id, job.card_no, valid_from=start, valid_until=end)
    return Content(public, HolderData(card_type=job.card_type_id & 0xFF, name=job.content["name"]))


def issue_without_chip(job: Job, request: Request, *, uid: str | None) -> None:
    """UID-only cards and payment codes (C4): nothing is written: claim, issue and `done` are one. The row is locked."""
    _claim_numbers(job, request, uid)
    post(job, request.actor)
    end(job, JobState.DONE)
    wind_up(job)


class _RecipientRefused(Exception):  # noqa: N818 - undoes a claim
    def __init__(self, cause: OneCardError) -> None:
        super().__init__()
        self.cause = cause


class _Rehearsed(Exception):  # noqa: N818 - undoes a rehearsal
    pass


def _next_queued(request: Request) -> Job | None:
    """The next job, locked; those that other stations are just taking are passed over."""
    queue = Job.objects.filter(state=JobState.QUEUED, medium__in=_CHIPS).select_for_update(skip_locked=True, of=("self",))
    if request.batch_id is not None:
        _require_running(request.batch_id)
        return queue.filter(batch_id=request.batch_id).order_by("pk").first()
    if request.job_id is None:
        return None
    found = queue.filter(pk=request.job_id).first()
    if found is None:
        raise RuleViolated(f"作业 {request.job_id} 不在排队", f"job {request.job_id} is not in the queue", rule="C2")
    return found


def _require_running(batch_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT state FROM issuing_batch WHERE id = %s FOR SHARE", [batch_id])
        row = cursor.fetchone()
    if row is None:
        raise NotFound(f"无此制卡批次：{batch_id}", f"no such issuing batch: {batch_id}")
    if row[0] not in (BatchState.RUNNING, BatchState.FINISHED):
        state = BatchState(row[0])
        raise RuleViolated(f"批次 {batch_id} {state.label}", f"batch {batch_id} is {state.value}", rule="C2")


def _claim(job: Job, uid: str, request: Request, token: UUID) -> Job:
    if job.old_card_no is not None:
        renewals.follow(job)  # the old card's row is locked before the stock's: the order of its life
    _claim_numbers(job, request, uid)
    job.token, job.station, job.attempts = token, request.station, 1
    job.save()
    try:
        with transaction.atomic():
            post(job, request.actor)
            raise _Rehearsed
    except _Rehearsed:
        return job
    except (RuleViolated, InvalidInput, NotFound) as refusal:
        raise _RecipientRefused(refusal) from None


def _claim_numbers(job: Job, request: Request, uid: str | None) -> None:
    """Number, stock card, chip and content; the row is locked, its save is the caller's."""
    numbers = cards_api.new_numbers(job.operator_id, job.account_no, medium=Medium(job.medium))
    serial = _serial(job, request)
    if job.medium in (Medium.CPU.value, Medium.UID.value) or serial is not None:
        claim = cards_api.claim_for_issue(
            serial,
            operator_id=job.operator_id,
            card_type_id=job.card_type_id,
            unit_id=job.unit_id,
            job=name_of(job),
            actor=issuer(request.actor),
        )
        job.stock_serial = claim.serial
    today = business_date(timezone.now())
    until = cards_api.valid_until(cards_api.rules_at(job.card_type_id, today), today)
    job.account_no, job.card_no, job.uid = numbers.account_no, numbers.card_no, uid
    job.content = {
        "from": today.isoformat(),
        "until": until.isoformat() if until else "",
        "name": job.holder.name if job.holder is not None else "",
        "opens": numbers.new_account,
    }
    job.state, job.claimed_at = JobState.CLAIMED, timezone.now()


def _serial(job: Job, request: Request) -> int | None:
    """The blank that is to be taken: as scanned, else as ordered, else None for the next one."""
    if request.serial is not None and job.asked_serial not in (None, request.serial):
        raise RuleViolated(
            f"作业 {job.pk} 指定序号 {job.asked_serial}，卡上是 {request.serial}",
            f"job {job.pk} is for serial {job.asked_serial}, the card has {request.serial}",
            rule="C1",
        )
    return request.serial if request.serial is not None else job.asked_serial


def _require_number(seen: Seen, job: Job) -> None:
    if seen.public is not None and seen.public.card_no != job.card_no:
        raise ForeignCard(
            f"卡上写有卡号 {seen.public.card_no}，作业 {job.pk} 的卡号是 {job.card_no}",
            f"the card carries number {seen.public.card_no}, job {job.pk} has {job.card_no}",
        )


def _refuse_number(seen: Seen, public: PublicData) -> None:
    """A card that carries a number and belongs to no job in work: issued by us, a copy of one, or foreign."""
    job = Job.objects.filter(card_no=public.card_no).first()
    if job is not None and job.uid != seen.uid:
        raise ForeignCard(
            f"卡号 {public.card_no} 属于另一枚芯片：疑为复制卡", f"number {public.card_no} is another chip's: a copied card"
        )
    state = state_of(public.card_no)
    if state is not None:
        raise AlreadyIssued(public.card_no, state)
    raise ForeignCard(f"本平台没有卡号 {public.card_no}", f"this platform has no card {public.card_no}")
