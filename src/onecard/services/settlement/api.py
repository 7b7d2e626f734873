"""What others call of settlement: cut the day, settle a run, read runs and sheets, export them."""

from datetime import datetime

from django.db import connection

from onecard.kernel.errors import InvalidInput
from onecard.services.settlement.calendar import calendar, cut_if_due, day_cut, ends_at, set_cut_time
from onecard.services.settlement.columns import SHEET_COLUMNS, SHEET_TITLES, Column
from onecard.services.settlement.errors import EarlierRunUnbalanced, PlanChanged, RunBusy, UnknownRun
from onecard.services.settlement.models import Calendar, FeeShare, RunState, SettlementRun, SheetRow
from onecard.services.settlement.runs import run_settlement
from onecard.services.settlement.sheets import csv_chunks, export, sheet_rows, write_xlsx
from onecard.services.settlement.steps import Progress

__all__ = [
    "SHEET_COLUMNS",
    "SHEET_TITLES",
    "Calendar",
    "Column",
    "EarlierRunUnbalanced",
    "PlanChanged",
    "Progress",
    "RunBusy",
    "RunState",
    "SettlementRun",
    "SheetRow",
    "UnknownRun",
    "calendar",
    "csv_chunks",
    "cut_if_due",
    "day_cut",
    "ends_at",
    "export",
    "latest_runs",
    "oldest_unsettled",
    "run_settlement",
    "set_cut_time",
    "set_fee_share",
    "sheet_rows",
    "unfinished_runs",
    "write_xlsx",
]

_OLDEST = """
SELECT ledger.id_time(min(first.id))
  FROM ledger.lane l
 CROSS JOIN LATERAL (SELECT coalesce(max(w.through_id), 0) AS through_id
                       FROM settlement_settlementwindow w JOIN settlement_settlementrun r ON r.id = w.run_id
                      WHERE w.lane = l.lane AND r.state IN ('settled', 'balanced', 'unbalanced')) done
 CROSS JOIN LATERAL (SELECT t.id FROM ledger.transfer t
                      WHERE t.lane = l.lane AND t.id > done.through_id ORDER BY t.id LIMIT 1) first
 WHERE l.lane <> 99 AND l.last_id > done.through_id
"""


def latest_runs(limit: int = 20) -> list[SettlementRun]:
    """The newest runs, newest first."""
    return list(SettlementRun.objects.order_by("-pk")[:limit])


def set_fee_share(operator_id: int, per_mille: int) -> None:
    """The operator's part of its merchants' fees, from the next run on; the rest is the root's.

    Raises InvalidInput outside 0…1000.
    """
    if not 0 <= per_mille <= 1000:
        raise InvalidInput(f"分成千分比须在 0 至 1000 之间：{per_mille}", f"a share is 0 to 1000 per mille, not {per_mille}")
    FeeShare.objects.update_or_create(operator_id=operator_id, defaults={"per_mille": per_mille})


def unfinished_runs() -> list[SettlementRun]:
    """Runs that are cut and not yet proved, oldest first."""
    open_states = (RunState.CUT, RunState.CLEARED, RunState.SETTLED)
    return list(SettlementRun.objects.filter(state__in=open_states).order_by("pk"))


def oldest_unsettled() -> datetime | None:
    """When the oldest transfer that no settled run holds was posted; None when everything is settled."""
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST)
        row = cursor.fetchone()
    return row[0] if row else None
