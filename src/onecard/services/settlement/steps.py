"""The steps of a run, in order, each a transaction of its own that can be repeated: an interrupted run goes on where it was.

    cut ──clear each lane──copy parties──► cleared ──merchants──netting──plan──post…──► settled ──sheets──check──► balanced

A step replaces its own rows whole, so running it again changes nothing; postings are exactly once by their key. What a run reads
(journal windows, its copy of the directory, carries of earlier runs) never changes, so a repeated run gives the same figures.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import connection, transaction
from django.utils import timezone

from onecard.services.settlement.checks import audit_failure, first_failure
from onecard.services.settlement.errors import PlanChanged
from onecard.services.settlement.models import Posting, RunState, SettlementRun, SettlementWindow
from onecard.services.settlement.statements import first_row, run_file, set_based, statements

POSTING_CHUNK = 5_000
KEY_TERMINAL = -2
KEY_SLOTS = 100_000_000
"""Line numbers a run may use: the key of line n of run r is sequence r × KEY_SLOTS + n of system terminal -2."""

_PLAN = "line_no, kind, debit, credit, amount_fen"
_KEPT = f"SELECT {_PLAN} FROM settlement_posting WHERE run_id = %(run)s"  # noqa: S608 (names of ours, here and below)
_DIFFERENCE = f"SELECT min(line_no) FROM ((({{wanted}}) EXCEPT {_KEPT}) UNION ALL ({_KEPT} EXCEPT ({{wanted}}))) d"  # noqa: S608
_KEEP = f"INSERT INTO settlement_posting ({_PLAN}, run_id) SELECT q.*, %(run)s FROM ({{wanted}}) q"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: `done` of `total` steps of the phase `name`."""

    run_id: int
    name: str
    done: int
    total: int


Report = Callable[[Progress], None]


def clear(run: SettlementRun) -> Iterator[Progress]:
    """Count and sum every lane window (清分); windows already cleared are not read again."""
    windows = list(SettlementWindow.objects.filter(run=run).order_by("lane"))
    for done, window in enumerate(windows, 1):
        if not window.cleared:
            _clear_window(window)
        yield Progress(run.pk, "clear", done, len(windows))
    with set_based():
        run_file("copy_parties", {"run": run.pk})


def settle(run: SettlementRun) -> Iterator[Progress]:
    """Fees, netting, and the book transfers of the run (结算)."""
    with set_based():
        run_file("settle_merchants", {"run": run.pk})
    yield Progress(run.pk, "settle", 1, 3)
    with set_based():
        run_file("net_operators", {"run": run.pk})
    yield Progress(run.pk, "settle", 2, 3)
    with set_based():
        last = _plan(run)
    yield Progress(run.pk, "settle", 3, 3)
    for first in range(1, last + 1, POSTING_CHUNK):
        with transaction.atomic(durable=True):
            _post(run, first)
        yield Progress(run.pk, "post", min(first + POSTING_CHUNK - 1, last), last)
    SettlementRun.objects.filter(pk=run.pk, state=RunState.CLEARED).update(state=RunState.SETTLED, settled_at=timezone.now())


def check(run: SettlementRun, *, full: bool) -> Iterator[Progress]:
    """Write the sheets, then prove the run: its own checks, then the ledger's auditor (S3). The verdict is kept on the run."""
    with set_based():
        run_file("write_sheets", {"run": run.pk})
    yield Progress(run.pk, "sheets", 1, 1)
    failure = first_failure(run.pk)
    yield Progress(run.pk, "check", 1, 1)
    failure = failure or audit_failure(full=full)
    state = RunState.UNBALANCED if failure else RunState.BALANCED
    SettlementRun.objects.filter(pk=run.pk).update(state=state, failure=failure or "", checked_at=timezone.now())
    yield Progress(run.pk, "audit", 1, 1)


def start_again(run: SettlementRun) -> None:
    """Forget that the windows were cleared: the next steps read the journal anew. The plan of postings stays, to be compared."""
    with transaction.atomic(durable=True):
        SettlementWindow.objects.filter(run=run).update(cleared=False)
        SettlementRun.objects.filter(pk=run.pk).update(state=RunState.CUT, failure="")


def _clear_window(window: SettlementWindow) -> None:
    with set_based():
        run_file(
            "clear_lane",
            {"run": window.run_id, "lane": window.lane, "from_id": window.from_id, "through_id": window.through_id},
        )


def _plan(run: SettlementRun) -> int:
    """Write the plan of postings, or prove that it is the one written before; gives the number of its last line."""
    (wanted,) = statements("plan_postings")
    if Posting.objects.filter(run=run).exists():
        changed = first_row(_DIFFERENCE.format(wanted=wanted), {"run": run.pk})
        if changed and changed[0] is not None:
            raise PlanChanged(run.pk, changed[0])
    else:
        with connection.cursor() as cursor:
            cursor.execute(_KEEP.format(wanted=wanted), {"run": run.pk})
    last = first_row("SELECT coalesce(max(line_no), 0) FROM settlement_posting WHERE run_id = %(run)s", {"run": run.pk})
    return last[0] if last else 0


def _post(run: SettlementRun, first: int) -> None:
    """Post one chunk of the plan, from line `first` on."""
    parameters = {
        "run": run.pk,
        "first": first,
        "last": first + POSTING_CHUNK - 1,
        "terminal": KEY_TERMINAL,
        "base": run.pk * KEY_SLOTS,
        "business_date": run.business_date,
    }
    (statement,) = statements("post_lines")
    conflict = first_row(statement, parameters)
    if conflict and conflict[0] is not None:
        raise PlanChanged(run.pk, conflict[0])
