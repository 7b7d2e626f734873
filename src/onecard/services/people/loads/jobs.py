"""Loads as rows: making one, leaving its file for a worker, and telling how far it is."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from django.db import connection

from onecard.datacenter.home import Home, own_folder
from onecard.kernel.codes import Text
from onecard.kernel.errors import InvalidInput, NotFound
from onecard.services.actors import Actor
from onecard.services.operators.api import refusals
from onecard.services.people.errors import build_refusals
from onecard.services.people.loads.options import LoadOptions
from onecard.services.people.loads.safety import MAX_FILE_BYTES
from onecard.services.people.models import LoadJob, LoadMode, LoadState

_CHUNK = 1024 * 1024
_LOCK_CLASS = 0x70656F70  # "peop": the class of our advisory locks
_LEFT_ALONE = timedelta(seconds=30)

FINISHED = frozenset({LoadState.DONE, LoadState.CHECKED, LoadState.REFUSED, LoadState.FAILED})


@dataclass(frozen=True, slots=True)
class Job:
    """A load as pages and the command line see it; `done` of `total` is the part of the present state."""

    id: int
    operator_id: int
    unit_id: int | None
    file_name: str
    mode: str
    dry_run: bool
    state: str
    state_text: str
    done: int
    total: int
    row_count: int
    bad_count: int
    holder_count: int
    account_count: int
    failure: Text | None
    created_by: str
    created_at: datetime
    finished_at: datetime | None

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in FINISHED


def job_of(row: LoadJob) -> Job:
    """The view of a row."""
    return Job(
        id=row.pk,
        operator_id=row.operator_id,
        unit_id=row.unit_id,
        file_name=row.file_name,
        mode=row.mode,
        dry_run=row.dry_run,
        state=row.state,
        state_text=str(LoadState(row.state).label),
        done=row.done,
        total=row.total,
        row_count=row.row_count,
        bad_count=row.bad_count,
        holder_count=row.holder_count,
        account_count=row.account_count,
        failure=Text(row.failure_zh, row.failure_en) if row.failure_zh else None,
        created_by=row.created_by,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def start_load(file: Path | IO[bytes], options: LoadOptions, *, actor: Actor, file_name: str = "") -> Job:
    """Keep the file and queue its loading for a worker. Raises Forbidden, InvalidInput for a file that is too large.

    The file waits in the home's spool, readable by this user only, and is removed when the load ends.
    """
    job = create_job(options, actor=actor, file_name=file_name or (file.name if isinstance(file, Path) else ""))
    try:
        _spool(job.id, file)
        LoadJob.objects.filter(pk=job.id).update(spooled=True)
        _queue(job.id)
    except BaseException:
        spool_file(job.id).unlink(missing_ok=True)
        LoadJob.objects.filter(pk=job.id).delete()
        raise
    return job_progress(job.id, actor=actor)


def create_job(options: LoadOptions, *, actor: Actor, file_name: str) -> Job:
    """A load that nobody works on yet. Raises Forbidden, InvalidInput."""
    actor.require("people.load", options.operator_id)
    if options.mode not in LoadMode.values:
        raise InvalidInput(f"没有方式 {options.mode}（all、good）", f"there is no mode {options.mode} (all, good)")
    with refusals(build_refusals(None)):
        row = LoadJob.objects.create(
            operator_id=options.operator_id,
            unit_id=options.unit_id,
            file_name=Path(file_name).name[:200],
            options=options.to_json(),
            mode=options.mode,
            dry_run=options.dry_run,
            created_by=actor.name[:100],
        )
    return job_of(row)


def job_progress(job_id: int, *, actor: Actor) -> Job:
    """How far a load is. Raises NotFound, Forbidden."""
    row = LoadJob.objects.filter(pk=job_id).first()
    if row is None:
        raise NotFound(f"无此导入：{job_id}", f"no such load: {job_id}")
    actor.require("people.load", row.operator_id)
    return job_of(row)


def recent_jobs(*, actor: Actor, operator_id: int | None = None, limit: int = 50) -> list[Job]:
    """The newest loads the actor may see."""
    actor.require("people.load", operator_id)
    rows = LoadJob.objects.all()
    if operator_id is not None:
        rows = rows.filter(operator_id=operator_id)
    elif actor.operators is not None:
        rows = rows.filter(operator_id__in=actor.operators)
    return [job_of(row) for row in rows[:limit]]


def unfinished_jobs(*, actor: Actor) -> list[Job]:
    """Loads that are under way or were cut off, the oldest first."""
    actor.require("people.load")
    return [job_of(row) for row in LoadJob.objects.filter(finished_at__isnull=True).order_by("id")]


def resume_loads() -> int:
    """Take up what a killed process left: queued again where the file or the rows are there, else closed as failed.

    Gives how many were queued. A tick of the worker; harmless twice.
    """
    queued = 0
    waiting = LoadJob.objects.filter(finished_at__isnull=True, created_at__lt=datetime.now(UTC) - _LEFT_ALONE).order_by("id")
    for row in waiting:
        with job_lock(row.pk) as free:
            if not free:
                continue
            if row.state == LoadState.OPENING or (row.spooled and spool_file(row.pk).exists()):
                queued += _queue(row.pk)
            else:
                give_up(row.pk, Text("被中断，未导入任何人", "interrupted: nobody was loaded"))
    return queued


def give_up(job_id: int, why: Text) -> None:
    """Close a load of which nothing was written."""
    LoadJob.objects.filter(pk=job_id).update(
        state=LoadState.FAILED, failure_zh=why.zh, failure_en=why.en, finished_at=datetime.now(UTC), done=0, total=0
    )
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM people_load_row WHERE job_id = %s", [job_id])
    spool_file(job_id).unlink(missing_ok=True)


@contextlib.contextmanager
def job_lock(job_id: int) -> Iterator[bool]:
    """Whether this session is the only one at work on a load; the lock is gone with the session, whatever ends it."""
    number = job_id % 2**31
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCK_CLASS, number])
        free = bool(cursor.fetchone()[0])
    try:
        yield free
    finally:
        if free and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK_CLASS, number])


def spool_file(job_id: int) -> Path:
    """Where the file of a load waits."""
    return Home.from_environment().spool / "people" / f"load-{job_id}"


def _spool(job_id: int, file: Path | IO[bytes]) -> None:
    Home.from_environment().prepare()
    target = spool_file(job_id)
    own_folder(target.parent, 0o700)
    if isinstance(file, Path):
        with file.open("rb") as stream:
            _copy(stream, target)
    else:
        _copy(file, target)


def _copy(stream: IO[bytes], target: Path) -> None:
    with target.open("xb") as out:
        target.chmod(0o600)
        shutil.copyfileobj(_Bounded(stream), out, _CHUNK)


class _Bounded:
    """A stream that refuses to be longer than a file may be, whatever its sender said."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._left = stream, MAX_FILE_BYTES

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._stream.read(size)
        self._left -= len(chunk)
        if self._left < 0:
            limit = MAX_FILE_BYTES // 1024 // 1024
            raise InvalidInput(f"文件超过 {limit} MB", f"the file has more than {limit} MB")
        return chunk


def _queue(job_id: int) -> int:
    from procrastinate.exceptions import AlreadyEnqueued

    from onecard.services.people.tasks import load_people

    try:
        load_people.configure(queueing_lock=f"people-load-{job_id}").defer(job_id=job_id)
    except AlreadyEnqueued:
        return 0
    return 1
