"""Batches: made from holders, accounts or a bare number of cards; started, paused, resumed, cancelled; how far they are.

Every function locks the batch row first, so that control and giving out cards never cross.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from onecard.kernel.errors import InvalidInput, NotFound, RuleViolated
from onecard.ledger.codes import Medium
from onecard.services.actors import Actor
from onecard.services.issuing import permissions
from onecard.services.issuing.belonging import Recipient, require_unit, resolve
from onecard.services.issuing.models import OPEN_STATES, Batch, BatchState, Job, JobState, Pace

MAX_COUNT = 100_000
_RATE_OVER = 20
ANONYMOUS = Recipient()


@dataclass(frozen=True, slots=True)
class BatchOrder:
    """What a batch is to be. `count` anonymous cards where no recipients are given."""

    name: str
    operator_id: int
    card_type_id: int
    medium: Medium = Medium.CPU
    unit_id: int | None = None
    pace: Pace = Pace.OPERATOR
    recipients: Sequence[Recipient] = ()
    count: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is: `done` of `total`; a rejected card is made again and counts once more when it is done."""

    batch_id: int
    state: BatchState
    total: int
    done: int
    queued: int
    in_work: int
    rejected: int
    rolled_back: int
    per_hour: int | None
    ends_at: datetime | None


def create(order: BatchOrder, *, actor: Actor) -> Batch:
    """A batch with its queue. Raises Forbidden, InvalidInput, NotFound (a unit, holder or account that is not the operator's)."""
    actor.require(permissions.PLAN, order.operator_id)
    require_unit(order.unit_id, order.operator_id)
    _refuse_twice(order.recipients)
    recipients = resolve(order.recipients, order.operator_id) or [ANONYMOUS] * order.count
    if not 1 <= len(recipients) <= MAX_COUNT:
        raise InvalidInput(f"张数须在 1 至 {MAX_COUNT} 之间", f"a batch has 1 to {MAX_COUNT} cards")
    with transaction.atomic():
        batch = Batch.objects.create(
            name=order.name,
            operator_id=order.operator_id,
            unit_id=order.unit_id,
            card_type_id=order.card_type_id,
            medium=order.medium.value,
            count=len(recipients),
            pace=order.pace,
            created_by=actor.name,
        )
        Job.objects.bulk_create(
            [
                Job(
                    batch=batch,
                    operator_id=order.operator_id,
                    unit_id=order.unit_id,
                    card_type_id=order.card_type_id,
                    medium=order.medium.value,
                    holder_id=recipient.holder_id,
                    account_no=recipient.account_no,
                    actor=actor.name,
                )
                for recipient in recipients
            ],
            batch_size=2000,
        )
    return batch


def start(batch_id: int, *, actor: Actor) -> Batch:
    """Give out cards from now on; also takes a paused batch up again. Raises NotFound, Forbidden, RuleViolated (C2)."""
    with transaction.atomic():
        batch = _locked(batch_id, actor)
        _require(batch, BatchState.CREATED, BatchState.PAUSED, BatchState.RUNNING)
        batch.state = BatchState.RUNNING
        batch.started_at = batch.started_at or timezone.now()
        batch.save(update_fields=["state", "started_at"])
    return batch


def pause(batch_id: int, *, actor: Actor) -> Batch:
    """Give out no further card; those in work are finished. Raises NotFound, Forbidden, RuleViolated (C2)."""
    with transaction.atomic():
        batch = _locked(batch_id, actor)
        _require(batch, BatchState.RUNNING, BatchState.PAUSED)
        batch.state = BatchState.PAUSED
        batch.save(update_fields=["state"])
    return batch


def cancel(batch_id: int, *, actor: Actor) -> Batch:
    """Drop what is queued, and have cards in work erased at their next touch; issued ones stay issued.

    Raises NotFound, Forbidden, RuleViolated (C2).
    """
    with transaction.atomic():
        batch = _locked(batch_id, actor)
        _require(batch, BatchState.CREATED, BatchState.RUNNING, BatchState.PAUSED)
        now = timezone.now()
        jobs = Job.objects.filter(batch=batch)
        list(jobs.exclude(state__in=_ENDED).order_by("pk").select_for_update().values_list("pk", flat=True))
        jobs.filter(state=JobState.QUEUED).update(
            state=JobState.ROLLED_BACK, ended_at=now, reason_zh="批次已取消", reason_en="the batch was cancelled"
        )
        jobs.filter(state__in=OPEN_STATES).update(roll_back=True)
        batch.state = BatchState.CANCELLED
        batch.ended_at = now
        batch.save(update_fields=["state", "ended_at"])
    return batch


def lock(batch_id: int) -> Batch:
    """The batch's row, locked: before any row of its jobs. Raises NotFound."""
    try:
        return Batch.objects.select_for_update().get(pk=batch_id)
    except Batch.DoesNotExist:
        raise NotFound(f"无此制卡批次：{batch_id}", f"no such issuing batch: {batch_id}") from None


def finish_if_empty(batch_id: int) -> None:
    """A batch with nothing queued and nothing in work is finished; called in the transaction that ended a job."""
    batch = lock(batch_id)
    left = Job.objects.filter(batch=batch).exclude(state__in=_ENDED).exists()
    if batch.state in (BatchState.RUNNING, BatchState.PAUSED) and not left:
        batch.state = BatchState.FINISHED
        batch.ended_at = timezone.now()
        batch.save(update_fields=["state", "ended_at"])


def progress(batch_id: int) -> Progress:
    """How far a batch is, its rate over the last cards, and when it will be done at that rate. Raises NotFound."""
    batch = get(batch_id)
    counts = dict(Job.objects.filter(batch=batch).order_by().values_list("state").annotate(Count("pk")))
    done = counts.get(JobState.DONE, 0)
    queued = counts.get(JobState.QUEUED, 0)
    in_work = sum(counts.get(state, 0) for state in OPEN_STATES)
    spacing = _spacing(batch)
    ends_at = None
    if spacing is not None and batch.state == BatchState.RUNNING and queued + in_work:
        ends_at = timezone.now() + spacing * (queued + in_work)
    return Progress(
        batch_id=batch.pk,
        state=BatchState(batch.state),
        total=batch.count,
        done=done,
        queued=queued,
        in_work=in_work,
        rejected=counts.get(JobState.FAILED, 0),
        rolled_back=counts.get(JobState.ROLLED_BACK, 0),
        per_hour=timedelta(hours=1) // spacing if spacing else None,
        ends_at=ends_at,
    )


def get(batch_id: int) -> Batch:
    """The batch. Raises NotFound."""
    try:
        return Batch.objects.get(pk=batch_id)
    except Batch.DoesNotExist:
        raise NotFound(f"无此制卡批次：{batch_id}", f"no such issuing batch: {batch_id}") from None


_ENDED = (JobState.DONE, JobState.ROLLED_BACK, JobState.FAILED)


def _spacing(batch: Batch) -> timedelta | None:
    """The mean time from card to card over the last ones, all stations together."""
    ends = Job.objects.filter(batch=batch, state=JobState.DONE).order_by("-ended_at").values_list("ended_at", flat=True)
    moments = [moment for moment in ends[: _RATE_OVER + 1] if moment is not None]
    if len(moments) < 2 or moments[0] == moments[-1]:
        return None
    return (moments[0] - moments[-1]) / (len(moments) - 1)


def _locked(batch_id: int, actor: Actor) -> Batch:
    batch = lock(batch_id)
    actor.require(permissions.CONTROL, batch.operator_id)
    return batch


def _require(batch: Batch, *states: BatchState) -> None:
    if batch.state not in states:
        state = BatchState(batch.state)
        raise RuleViolated(
            f"批次 {batch.pk} {state.label}，不能这样做", f"batch {batch.pk} is {state.value}: that cannot be done", rule="C2"
        )


def _refuse_twice(recipients: Sequence[Recipient]) -> None:
    """One card a recipient in a batch: a list with somebody in it twice is a mistake in the list."""
    seen: set[tuple[int | None, int | None]] = set()
    for number, recipient in enumerate(recipients, start=1):
        key = (recipient.account_no, recipient.holder_id)
        if key != (None, None) and key in seen:
            raise InvalidInput(f"第 {number} 行重复", f"row {number} is there twice")
        seen.add(key)
