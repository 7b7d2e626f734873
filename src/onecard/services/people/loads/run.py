"""A load from its file to its end, in steps that can be cut off anywhere.

    reading   the rows wait in people_load_row; a cut leaves them there, and the next try begins anew
    checking  duplicates, and in a dry run the cap
    writing   all holders in ONE transaction, together with the state after it
    opening   accounts, in chunks; a cut is taken up again where it was

So a load that was killed has loaded nobody, or everybody it will.
"""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from onecard.kernel.codes import Text
from onecard.kernel.errors import NotFound, OneCardError, Unavailable
from onecard.services.people.loads.jobs import FINISHED, Job, give_up, job_lock, job_of, spool_file
from onecard.services.people.loads.options import LoadOptions
from onecard.services.people.loads.staging import check, count_bad, stage
from onecard.services.people.loads.writing import (
    RowsRefused,
    mark_over_cap,
    open_missing_accounts,
    room_of,
    tidy,
    write_holders,
)
from onecard.services.people.models import LoadJob, LoadMode, LoadState

Show = Callable[[Job], None]


def run_load(job_id: int, path: Path | None = None, show: Show = lambda job: None) -> Job:
    """Do what is left of a load; `path` is its file where it does not wait in the spool.

    A file that cannot be read closes the load as failed and raises InvalidInput; rows that are wrong do not raise.
    """
    with job_lock(job_id) as free:
        if not free:
            return _job(job_id)
        job = _job(job_id)
        if not job.is_finished:
            try:
                _Run(job_id, show).go(path or spool_file(job_id))
            except OneCardError as error:
                _close_where_nothing_is_written(job_id, Text(error.zh, error.en))
                raise
            except KeyboardInterrupt:
                _close_where_nothing_is_written(job_id, Text("已中止，未导入任何人", "stopped: nobody was loaded"))
                raise
        return _job(job_id)


class _Run:
    def __init__(self, job_id: int, show: Show) -> None:
        self.job_id = job_id
        self._show = show
        row = LoadJob.objects.get(pk=job_id)
        self.options = LoadOptions.from_json({name: value for name, value in row.options.items() if name != "headers"})
        self.state = row.state

    def go(self, path: Path) -> None:
        if self.state != LoadState.OPENING:
            self._read(path)
            self._check()
            if self.options.dry_run:
                mark_over_cap(self.job_id, room_of(self.options.operator_id))
                self._finish(LoadState.CHECKED)
                return
            if not self._write():
                self._finish(LoadState.REFUSED)
                return
        if self.options.card_type_id is not None:
            self._enter(LoadState.OPENING)
            opened = open_missing_accounts(self.job_id, self.options, self._tell)
            LoadJob.objects.filter(pk=self.job_id).update(account_count=opened)
        self._finish(LoadState.DONE)

    def _read(self, path: Path) -> None:
        if not path.exists():
            raise NotFound(f"文件不存在：{path.name}", f"there is no file {path.name}")
        self._enter(LoadState.READING)
        count = stage(self.job_id, path, self.options, self._tell)
        LoadJob.objects.filter(pk=self.job_id).update(row_count=count)

    def _check(self) -> None:
        self._enter(LoadState.CHECKING)
        check(self.job_id, self.options.operator_id)

    def _write(self) -> bool:
        self._enter(LoadState.WRITING)
        if self.options.mode == LoadMode.ALL and count_bad(self.job_id):
            mark_over_cap(self.job_id, room_of(self.options.operator_id))
            return False
        try:
            write_holders(self.job_id, self.options, self._tell)
        except RowsRefused:
            check(self.job_id, self.options.operator_id)
            mark_over_cap(self.job_id, room_of(self.options.operator_id))
            return False
        return True

    def _enter(self, state: LoadState) -> None:
        self.state = state
        LoadJob.objects.filter(pk=self.job_id).update(state=state, done=0)
        self._show(_job(self.job_id))

    def _tell(self, done: int, total: int) -> None:
        LoadJob.objects.filter(pk=self.job_id).update(done=done, total=total)
        self._show(_job(self.job_id))

    def _finish(self, state: LoadState) -> None:
        bad = count_bad(self.job_id)
        tidy(self.job_id)
        LoadJob.objects.filter(pk=self.job_id).update(state=state, bad_count=bad, finished_at=datetime.now(UTC))
        spool_file(self.job_id).unlink(missing_ok=True)
        self._show(_job(self.job_id))


def _job(job_id: int) -> Job:
    row = LoadJob.objects.filter(pk=job_id).first()
    if row is None:
        raise NotFound(f"无此导入：{job_id}", f"no such load: {job_id}")
    return job_of(row)


def _close_where_nothing_is_written(job_id: int, why: Text) -> None:
    with contextlib.suppress(Unavailable):
        state = _job(job_id).state
        if state not in FINISHED and state != LoadState.OPENING:
            give_up(job_id, why)
