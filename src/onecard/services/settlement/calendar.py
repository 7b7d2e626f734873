"""The platform's calendar and the day cut (日切, S1): which business date is open, and what belongs to a run.

A run is a window of transfer ids a lane. Ids of a lane rise under the lane's lock, so with all lane rows locked every transfer is
either in the window or comes after it: nothing is lost between two runs, nothing is in both.
"""

import logging
from datetime import UTC, date, datetime, time, timedelta

from django.db import transaction

from onecard.kernel.business_day import PLATFORM_ZONE, business_date
from onecard.kernel.clock import Clock, SystemClock
from onecard.services.settlement.models import Calendar, SettlementRun
from onecard.services.settlement.statements import run_file

log = logging.getLogger(__name__)
_SYSTEM = SystemClock()


def calendar(clock: Clock = _SYSTEM) -> Calendar:
    """The calendar; the first call opens the business date of that moment."""
    row, _ = Calendar.objects.get_or_create(id=1, defaults={"open_date": business_date(clock.now())})
    return row


def set_cut_time(cut_time: time) -> None:
    """Move the automatic cut; takes effect with the day that is open now."""
    calendar()
    Calendar.objects.filter(id=1).update(cut_time=cut_time)


def ends_at(day: date, cut_time: time) -> datetime:
    """The moment a business date ends: its cut time, or the midnight after it when that is 00:00."""
    last = day + timedelta(days=1) if cut_time == time(0, 0) else day
    return datetime.combine(last, cut_time, tzinfo=PLATFORM_ZONE).astimezone(UTC)


def day_cut(clock: Clock = _SYSTEM) -> SettlementRun:
    """Cut the open business date by hand: a further part of the same date. Records may be posted all the while."""
    with transaction.atomic():
        return _cut(_locked(clock), automatic=False)


def cut_if_due(clock: Clock = _SYSTEM) -> SettlementRun | None:
    """The automatic cut: closes the open business date once its end has come, and opens the one of this moment.

    Dates on which the platform stood still get no run of their own: what was posted belongs to the date that was open.
    """
    now = clock.now()
    row = calendar(clock)
    if now < ends_at(row.open_date, row.cut_time):
        return None
    with transaction.atomic():
        row = _locked(clock)
        if now < ends_at(row.open_date, row.cut_time):  # another worker was quicker
            return None
        run = _cut(row, automatic=True)
        row.open_date = business_date(now, cut_time=row.cut_time)
        row.save(update_fields=["open_date"])
    return run


def _locked(clock: Clock) -> Calendar:
    """The calendar row, locked: cuts happen one after the other, each sees the windows of the one before."""
    calendar(clock)
    return Calendar.objects.select_for_update().get(id=1)


def _cut(row: Calendar, *, automatic: bool) -> SettlementRun:
    last = SettlementRun.objects.filter(business_date=row.open_date).order_by("-part_no").first()
    run = SettlementRun.objects.create(
        business_date=row.open_date, part_no=last.part_no + 1 if last else 1, automatic=automatic, cut_at=datetime.now(UTC)
    )
    lanes = run_file("open_windows", {"run": run.pk})
    log.info("day cut: run %s, business date %s part %s, %s lanes", run.pk, run.business_date, run.part_no, lanes)
    return run
