"""Runs from cut to balanced: which come first, one settler at a time, resumed where they stood, or repeated from the journal."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection
from psycopg.errors import LockNotAvailable

from onecard.services.settlement import steps
from onecard.services.settlement.errors import EarlierRunUnbalanced, PlanChanged, RunBusy, UnknownRun
from onecard.services.settlement.models import RunState, SettlementRun
from onecard.services.settlement.steps import Progress, Report

log = logging.getLogger(__name__)
_SETTLER_LOCK = 7310003  # beside the ledger's 7310001 and 7310002


def _silent(progress: Progress) -> None:
    pass


def run_settlement(
    run_id: int,
    progress: Report = _silent,
    *,
    repeat: bool = False,
    full_audit: bool = False,
    past_unbalanced: bool = False,
    wait_s: int = 60,
) -> SettlementRun:
    """Clear, settle and prove a run; go on where an interrupted one stood. Gives the run, balanced or unbalanced.

    Runs before it that are not done are done first, because fees carry their remainders from run to run. With `repeat` a run is
    computed from the journal again: nothing is posted twice, the sheets come out the same.

    Raises UnknownRun, RunBusy when another process settles for longer than `wait_s`, EarlierRunUnbalanced unless
    `past_unbalanced`, and PlanChanged when a repeated run differs from its postings.
    """
    if not SettlementRun.objects.filter(pk=run_id).exists():
        raise UnknownRun(run_id)
    with _only_settler(wait_s):
        for earlier in SettlementRun.objects.filter(pk__lt=run_id).exclude(state=RunState.BALANCED).order_by("pk"):
            if earlier.state != RunState.UNBALANCED:
                earlier = _carry_through(earlier, progress, full_audit=full_audit)
            if earlier.state == RunState.UNBALANCED and not past_unbalanced:
                raise EarlierRunUnbalanced(earlier.pk)
        run = SettlementRun.objects.get(pk=run_id)
        if repeat or run.state == RunState.UNBALANCED:
            steps.start_again(run)
        return _carry_through(run, progress, full_audit=full_audit)


def _carry_through(run: SettlementRun, progress: Report, *, full_audit: bool) -> SettlementRun:
    """Run the phases that are left, each from the state the one before has reached."""
    run.refresh_from_db()
    try:
        if run.state == RunState.CUT:
            _report(steps.clear(run), progress)
        run.refresh_from_db()
        if run.state == RunState.CLEARED:
            _report(steps.settle(run), progress)
    except PlanChanged as error:
        SettlementRun.objects.filter(pk=run.pk).update(state=RunState.UNBALANCED, failure=str(error))
        raise
    run.refresh_from_db()
    if run.state == RunState.SETTLED:
        _report(steps.check(run, full=full_audit), progress)
        run.refresh_from_db()
        log.info("run %s is %s: %s transfers, gross %s fen %s", run.pk, run.state, run.transfer_count, run.gross_fen, run.failure)
    return run


def _report(phase: Iterator[Progress], progress: Report) -> None:
    for at in phase:
        progress(at)


@contextmanager
def _only_settler(wait_s: int) -> Iterator[None]:
    """One settler at a time. The lock is the session's: a killed process gives it back by dying."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", (f"{max(wait_s * 1000, 1)}ms",))
        try:
            cursor.execute("SELECT pg_advisory_lock(%s)", (_SETTLER_LOCK,))
        except OperationalError as error:
            if isinstance(error.__cause__, LockNotAvailable):
                raise RunBusy from None
            raise
        finally:
            if not connection.connection.closed:
                cursor.execute("RESET lock_timeout")
    try:
        yield
    finally:
        if connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", (_SETTLER_LOCK,))
