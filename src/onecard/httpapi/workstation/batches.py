"""Issuing (C2): batches and jobs, and touches relayed to a workstation's reader, one call an APDU."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema, Status

from onecard.httpapi.idempotency import once
from onecard.httpapi.identity import actor
from onecard.httpapi.middleware import QUIET
from onecard.httpapi.paging import Page, PageQuery, take
from onecard.httpapi.workstation.scope import one, seen
from onecard.kernel.errors import InvalidInput
from onecard.ledger.codes import Medium
from onecard.services.actors import Actor
from onecard.services.issuing import api
from onecard.services.issuing import permissions as may
from onecard.services.issuing.api import Batch, Job, JobState, JournalLine, Pace, Purpose, Recipient, Step

router = Router()
_HEX = r"^([0-9A-Fa-f]{2})*$"


class BatchOut(Schema):
    """A batch."""

    id: int
    name: str
    operator_id: int
    unit_id: int | None
    card_type_id: int
    medium: int
    count: int
    pace: str
    state: str
    created_by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class ProgressOut(Schema):
    """How far a batch is: `done` of `total`."""

    batch_id: int
    state: str
    total: int
    done: int
    queued: int
    in_work: int
    rejected: int
    rolled_back: int
    per_hour: int | None
    ends_at: datetime | None


class RecipientIn(Schema):
    """For whom: an account, a holder, or neither for an anonymous card."""

    account_no: int | None = None
    holder_id: int | None = None


class BatchIn(Schema):
    """A batch to make: for recipients, or `count` anonymous cards; medium 1 CPU, 2 SIM, 3 QR, 4 UID."""

    name: str = Field(..., min_length=1, max_length=60)
    operator_id: int
    card_type_id: int
    medium: Medium = Medium.CPU
    unit_id: int | None = None
    pace: Pace = Pace.OPERATOR
    recipients: list[RecipientIn] = Field(default_factory=list, max_length=100_000)
    count: int = Field(0, ge=0, le=100_000)


class JobIn(Schema):
    """One card outside any batch; with a purpose other than `issue` it takes the place of `old_card_no`."""

    operator_id: int
    card_type_id: int
    medium: Medium = Medium.CPU
    unit_id: int | None = None
    recipient: RecipientIn = RecipientIn()
    serial: int | None = None
    purpose: Purpose = Purpose.ISSUE
    old_card_no: int | None = None
    reason: str = Field("", max_length=200)
    fee_waived: bool = False
    fee_from_purse: bool = False


class JobOut(Schema):
    """A job: one medium to be made."""

    id: int
    batch_id: int | None
    retry_of_id: int | None
    operator_id: int
    unit_id: int | None
    card_type_id: int
    medium: int
    purpose: str
    old_card_no: int | None
    why: str
    fee_waived: bool
    fee_from_purse: bool
    holder_id: int | None
    account_no: int | None
    card_no: int | None
    stock_serial: int | None
    uid: str | None
    state: str
    roll_back: bool
    attempts: int
    station: str
    reason_zh: str
    reason_en: str
    created_at: datetime
    ended_at: datetime | None


class LineOut(Schema):
    """A line of a job's journal."""

    attempt: int
    step: str
    phase: str
    note: str
    at: datetime


class JobWhole(JobOut):
    """A job with its journal."""

    steps: list[LineOut]


class JobQuery(PageQuery):
    """Which jobs."""

    batch_id: int | None = None
    state: JobState | None = None


class ReasonIn(Schema):
    """Why."""

    reason: str = Field("", max_length=200)
    again: bool = False


class BindIn(Schema):
    """What a medium without a chip is bound by: a UID card's UID and serial, nothing for a payment code."""

    uid: str = Field("", pattern=_HEX, max_length=20)
    serial: int | None = None


class TouchIn(Schema):
    """A card on a workstation's reader: of a batch, of a job, or (with neither) only to go on with; `uid` as the reader tells."""

    station: str = Field(..., min_length=1, max_length=80)
    batch_id: int | None = None
    job_id: int | None = None
    serial: int | None = None
    uid: str = Field("", pattern=_HEX, max_length=20)


class AnswerIn(Schema):
    """The card's answer to command `number`: data and status word, in hexadecimal."""

    number: int = Field(..., ge=1)
    response: str = Field(..., pattern=_HEX, min_length=4, max_length=520)


class TouchResult(Schema):
    """What came of a touch."""

    outcome: str
    job_id: int | None
    card_no: int | None
    zh: str
    en: str
    resumed: bool


class StepOut(Schema):
    """What the workstation does next: carry `command` (hexadecimal) to the card, or stop with `result`."""

    session: str
    number: int
    command: str | None
    result: TouchResult | None

    @staticmethod
    def resolve_command(step: Step) -> str | None:
        """In hexadecimal."""
        return step.command.hex().upper() if step.command is not None else None


@router.get("/batches", response=Page[BatchOut], operation_id="list_batches")
def batches(request: HttpRequest, query: Query[PageQuery]) -> dict[str, Any]:
    """Batches, newest first / 制卡批次."""
    who = actor(request, may.READ)
    return take(api.batch_list(operators=who.operators), query, newest_first=True)


@router.post("/batches", response=BatchOut, operation_id="make_batch")
@once(BatchOut)
def make(request: HttpRequest, body: BatchIn) -> Batch:
    """Make a batch / 建立批次."""
    who = actor(request, may.PLAN, body.operator_id)
    given = body.dict(exclude={"recipients"})
    return api.create(api.BatchOrder(recipients=[Recipient(**row.dict()) for row in body.recipients], **given), actor=who)


def _batch(request: HttpRequest, batch_id: int, permission: str) -> Actor:
    who = actor(request, permission)
    one(Batch.objects.filter(pk=batch_id), who)
    return who


@router.get("/batches/{batch_id}", response=BatchOut, operation_id="get_batch")
def batch(request: HttpRequest, batch_id: int) -> Batch:
    """One batch / 一个批次."""
    return one(Batch.objects.filter(pk=batch_id), actor(request, may.READ))


@router.get("/batches/{batch_id}/progress", response=ProgressOut, operation_id="get_batch_progress")
def progress(request: HttpRequest, batch_id: int) -> api.Progress:
    """How far a batch is / 批次进度."""
    _batch(request, batch_id, may.READ)
    return api.progress(batch_id)


@router.post("/batches/{batch_id}/start", response=BatchOut, operation_id="start_batch")
def start(request: HttpRequest, batch_id: int) -> Batch:
    """Give out cards from now on / 开始或继续."""
    return api.start(batch_id, actor=_batch(request, batch_id, may.CONTROL))


@router.post("/batches/{batch_id}/pause", response=BatchOut, operation_id="pause_batch")
def pause(request: HttpRequest, batch_id: int) -> Batch:
    """Give out no further card / 暂停."""
    return api.pause(batch_id, actor=_batch(request, batch_id, may.CONTROL))


@router.post("/batches/{batch_id}/cancel", response=BatchOut, operation_id="cancel_batch")
def cancel(request: HttpRequest, batch_id: int) -> Batch:
    """Drop what is queued / 取消."""
    return api.cancel(batch_id, actor=_batch(request, batch_id, may.CONTROL))


@router.get("/jobs", response=Page[JobOut], operation_id="list_jobs")
def jobs(request: HttpRequest, query: Query[JobQuery]) -> dict[str, Any]:
    """Jobs, oldest first / 制卡作业."""
    return take(seen(api.jobs(batch_id=query.batch_id, state=query.state), actor(request, may.READ)), query)


@router.post("/jobs", response=JobOut, operation_id="make_job")
@once(JobOut)
def make_job(request: HttpRequest, body: JobIn) -> Job:
    """A job for one card / 单张制卡作业."""
    who = actor(request, may.WRITE, body.operator_id)
    given = body.dict(exclude={"recipient"})
    return api.create_job(api.JobOrder(recipient=Recipient(**body.recipient.dict()), **given), actor=who)


def _job(request: HttpRequest, job_id: int, permission: str) -> Actor:
    who = actor(request, permission)
    one(Job.objects.filter(pk=job_id), who)
    return who


@router.get("/jobs/{job_id}", response=JobWhole, operation_id="get_job")
def job(request: HttpRequest, job_id: int) -> dict[str, Any]:
    """A job with its journal / 作业与写卡日志."""
    found = one(Job.objects.filter(pk=job_id), actor(request, may.READ))
    lines: list[JournalLine] = list(api.steps(job_id))
    return {**JobOut.from_orm(found).dict(), "steps": lines}


@router.post("/jobs/{job_id}/retry", response=JobOut, operation_id="retry_job")
def retry(request: HttpRequest, job_id: int) -> Job:
    """Make it again, as a new job / 重做."""
    return api.retry(job_id, actor=_job(request, job_id, may.ROLL_BACK))


@router.post("/jobs/{job_id}/roll-back", response=JobOut, operation_id="roll_back_job")
def roll_back(request: HttpRequest, job_id: int, body: ReasonIn) -> Job:
    """Undo a job that is not done: at once, or at the card's next touch / 回退."""
    api.roll_back(job_id, actor=_job(request, job_id, may.ROLL_BACK), reason=body.reason, again=body.again)
    return api.get_job(job_id)


@router.post("/jobs/{job_id}/write-off", response=JobOut, operation_id="write_off_job")
def write_off(request: HttpRequest, job_id: int, body: ReasonIn) -> Job:
    """Give up a card that does not come back / 作废在制卡."""
    api.write_off(job_id, actor=_job(request, job_id, may.ROLL_BACK), reason=body.reason, again=body.again)
    return api.get_job(job_id)


@router.post("/jobs/{job_id}/bind", response=JobOut, operation_id="bind_job")
@once(JobOut)
def bind(request: HttpRequest, job_id: int, body: BindIn) -> Job:
    """Issue a medium that is not written: UID card or payment code / 绑定并发行."""
    who = _job(request, job_id, may.WRITE)
    return api.bind(job_id, uid=bytes.fromhex(body.uid), serial=body.serial, actor=who)


@router.post("/touches", response=StepOut, operation_id="begin_touch")
def begin(request: HttpRequest, body: TouchIn) -> Step:
    """A card lies on the reader: the first command to carry to it / 开始触卡."""
    who = actor(request, may.WRITE)
    given = body.dict(exclude={"uid"})
    return api.remote_begin(actor=who, uid=bytes.fromhex(body.uid), **given)


@router.post("/touches/{session}", response=StepOut, operation_id="step_touch")
def step(request: HttpRequest, session: str, body: AnswerIn) -> Step:
    """The card's answer; the next command, or the result. Sent again, it gets the same answer / 送回应答."""
    who = actor(request, may.WRITE)
    setattr(request, QUIET, True)
    if len(body.response) % 2:
        raise InvalidInput("应答须为整字节", "an answer has whole bytes")
    return api.remote_step(session, body.number, bytes.fromhex(body.response), actor=who)


@router.delete("/touches/{session}", response={204: None}, operation_id="end_touch")
def end(request: HttpRequest, session: str) -> Status[None]:
    """The card was taken away; its next touch goes on / 卡已拿走."""
    api.remote_end(session, actor=actor(request, may.WRITE))
    return Status(204, None)
