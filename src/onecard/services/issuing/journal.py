"""The journal of a job and the fence around it: every line is a committed transaction of its own, by who holds the job now."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import connection, transaction

from onecard.services.issuing.errors import TakenOver
from onecard.services.issuing.models import Batch, Job, JobState, JournalLine, LinePhase

ERASED = "master.erase"
_NOTE = 200
_WRITE = """
WITH durable AS MATERIALIZED (SELECT set_config('synchronous_commit', CASE WHEN %(phase)s = 'intent'
                                                THEN current_setting('synchronous_commit') ELSE 'off' END, true)),
     held AS (SELECT id, attempts, state FROM issuing_job, durable WHERE id = %(job)s AND token = %(token)s
                 FOR UPDATE OF issuing_job),
     moved AS (UPDATE issuing_job j SET state = 'writing' FROM held
                WHERE j.id = held.id AND held.state <> 'writing' AND %(phase)s = 'intent')
INSERT INTO issuing_journalline (job_id, attempt, step, phase, note, at)
SELECT id, attempts, %(step)s, %(phase)s, %(note)s, clock_timestamp() FROM held RETURNING id"""
"""An INTENT is on the disk before its command goes out. An outcome need not be: it is flushed with the next INTENT, and one that
a crash of the server takes away leaves a question that the card answers."""
_CHANGING = ("state", "roll_back", "bad", "again", "reason_zh", "reason_en", "key_versions", "account_no", "ended_at")


@contextmanager
def fenced(job: Job, token: UUID, *, with_batch: bool = False) -> Iterator[Job]:
    """A transaction with the job's row locked, and before it the batch's where the job may be its last.

    Raises TakenOver when another station holds the job. What changed on the row is copied to `job` when it is committed.
    """
    with transaction.atomic():
        if with_batch and job.batch_id is not None:
            Batch.objects.select_for_update().get(pk=job.batch_id)
        held = Job.objects.select_for_update().get(pk=job.pk)
        if held.token != token:
            raise TakenOver(job.pk)
        yield held
    for name in _CHANGING:
        setattr(job, name, getattr(held, name))


def write(job: Job, token: UUID, step: str, phase: LinePhase, *, note: str = "") -> None:
    """Append a line and commit it: one statement, one transaction. An INTENT makes the job `writing`. Raises TakenOver."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, {"job": job.pk, "token": token, "step": step, "phase": phase.value, "note": note[:_NOTE]})
        row = cursor.fetchone()
    if row is None:
        raise TakenOver(job.pk)
    if phase is LinePhase.INTENT:
        job.state = JobState.WRITING


def advance(job: Job, token: UUID, state: JobState) -> None:
    """Note how far the job is. Raises TakenOver."""
    with fenced(job, token) as held:
        if held.state != state:
            held.state = state
            held.save(update_fields=["state"])


def steps_done(job: Job) -> set[str]:
    """The steps that are on the card as far as the journal knows: not those of before an erasure that may have happened."""
    done: set[str] = set()
    for step, phase in JournalLine.objects.filter(job=job).order_by("id").values_list("step", "phase"):
        if step == ERASED:
            done.clear()
        elif phase in (LinePhase.DONE, LinePhase.FOUND):
            done.add(step)
    return done


def open_intent(job: Job) -> str | None:
    """The step whose INTENT has no outcome: it may or may not be on the card."""
    last = JournalLine.objects.filter(job=job).order_by("-id").first()
    return last.step if last is not None and last.phase == LinePhase.INTENT else None


def has_written(job: Job) -> bool:
    """Whether any command that changes the chip may have gone out for the job."""
    return JournalLine.objects.filter(job=job, phase=LinePhase.INTENT).exists()
