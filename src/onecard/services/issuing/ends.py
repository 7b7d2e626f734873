"""How a job ends: issued, rolled back, on the reject pile; and what of it has to be written down before that.

Each end is one transaction with the neighbour `cards`: the stock, the ledger and the job cannot disagree.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from django.utils import timezone

from onecard.kernel.errors import OneCardError
from onecard.ledger.codes import Medium
from onecard.services.actors import Actor
from onecard.services.cards import api as cards_api
from onecard.services.issuing import batches, renewals
from onecard.services.issuing.journal import fenced
from onecard.services.issuing.models import BatchState, Job, JobState

MAX_RETRIES = 3


def fix_versions(job: Job, token: UUID, current: Mapping[Any, tuple[int, int, int]]) -> dict[str, tuple[int, int, int]]:
    """The key versions the job is made with: those of its first touch. Keys rotated since have it rolled back and made anew."""
    now = {str(use): [int(part) for part in version] for use, version in current.items()}
    if job.key_versions != now:
        with fenced(job, token) as held:
            if held.key_versions and not held.roll_back:
                _condemn(held, "密钥已换版，重新制作", "the keys were rotated meanwhile: it is made anew", bad=False, again=True)
            elif not held.key_versions:
                held.key_versions = now
            held.save()
    return {use: (version[0], version[1], version[2]) for use, version in job.key_versions.items()}


def condemn(job: Job, token: UUID, why: OneCardError, *, bad: bool, again: bool = True) -> None:
    """Have the card rolled back, now or at its next touch. Raises TakenOver."""
    with fenced(job, token) as held:
        _condemn(held, why.zh, why.en, bad=bad, again=again)
        held.save()


def issue(job: Job, token: UUID, actor: Actor) -> None:
    """The issue and `done` in one transaction: stock, account, money, life. Raises TakenOver, and what `cards` refuses."""
    with fenced(job, token, with_batch=True) as held:
        post(held, actor)
        end(held, JobState.DONE)
        wind_up(held)


def end_rolled_back(job: Job, token: UUID, actor: Actor, *, scrap: bool) -> JobState:
    """The stock card back or scrapped, its job ended, a new one in the queue if the recipient still waits. Raises TakenOver."""
    with fenced(job, token, with_batch=True) as held:
        return end_without_card(held, actor, scrap=scrap)


def end_without_card(held: Job, actor: Actor, *, scrap: bool) -> JobState:
    """The same on a job whose rows are locked already."""
    if held.stock_serial is not None:
        cards_api.unclaim(held.stock_serial, actor=issuer(actor), scrap=scrap, reason=f"{name_of(held)} {held.reason_zh}")
    state = JobState.FAILED if held.bad else JobState.ROLLED_BACK
    end(held, state)
    if held.again:
        requeue(held)
    wind_up(held)
    return state


def requeue(job: Job, *, by_hand: bool = False) -> Job | None:
    """A new job for the recipient of one that ended without a card; none once it has been tried often, or the batch is over."""
    if job.batch is not None and job.batch.state == BatchState.CANCELLED:
        return None
    if not by_hand and _tries(job) > MAX_RETRIES:
        return None
    if job.batch is not None and job.batch.state == BatchState.FINISHED:
        job.batch.state, job.batch.ended_at = BatchState.RUNNING, None
        job.batch.save(update_fields=["state", "ended_at"])
    return Job.objects.create(
        batch_id=job.batch_id,
        retry_of=job,
        operator_id=job.operator_id,
        unit_id=job.unit_id,
        card_type_id=job.card_type_id,
        medium=job.medium,
        holder_id=job.holder_id,
        purpose=job.purpose,
        old_card_no=job.old_card_no,
        why=job.why,
        fee_waived=job.fee_waived,
        fee_from_purse=job.fee_from_purse,
        account_no=None if job.content.get("opens") else job.account_no,
        actor=job.actor,
    )


def post(job: Job, actor: Actor) -> None:
    """The issue itself, or the replacement, in the caller's transaction. Raises what `cards` refuses."""
    assert job.card_no is not None
    assert job.account_no is not None
    until = job.content["until"]
    card = cards_api.NewCard(
        card_no=job.card_no,
        medium=Medium(job.medium),
        serial=job.stock_serial,
        valid_until=date.fromisoformat(until) if until else None,
    )
    if job.old_card_no is not None:
        renewals.post(job, card, actor=issuer(actor), key=name_of(job))
        return
    order = cards_api.Order(
        operator_id=job.operator_id,
        card_type_id=job.card_type_id,
        account_no=job.account_no,
        holder_id=job.holder_id,
        unit_id=job.unit_id,
    )
    cards_api.issue(card, order, actor=issuer(actor), reason=name_of(job), key=name_of(job))


def end(job: Job, state: JobState, *, reason: OneCardError | None = None) -> None:
    """The job is over; in the caller's transaction, its row locked."""
    job.state, job.ended_at, job.token = state, timezone.now(), None
    if reason is not None:
        job.reason_zh, job.reason_en = reason.zh[:200], reason.en[:200]
    job.save()


def wind_up(job: Job) -> None:
    """And its batch, where it was the last."""
    if job.batch_id is not None:
        batches.finish_if_empty(job.batch_id)


def name_of(job: Job) -> str:
    """What the stock and the life call the job."""
    return f"issuing-{job.pk}"


def issuer(actor: Actor) -> Actor:
    """Who may personalise may also take the blank for it and issue the card, here and nowhere else."""
    return Actor(actor.name, actor.permissions | {"cards.claim", "cards.issue"}, actor.operators)


def _condemn(held: Job, zh: str, en: str, *, bad: bool, again: bool) -> None:
    held.roll_back = True
    held.bad = held.bad or bad
    held.again = held.again and again
    held.reason_zh, held.reason_en = held.reason_zh or zh[:200], held.reason_en or en[:200]


def _tries(job: Job) -> int:
    count, before = 1, job.retry_of
    while before is not None:
        count, before = count + 1, before.retry_of
    return count
