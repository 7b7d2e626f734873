"""The business day (S1): a day that ends at the cut time of the platform's own time zone."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

PLATFORM_ZONE = ZoneInfo("Asia/Shanghai")


def business_date(at: datetime, *, cut_time: time = time(0, 0), zone: ZoneInfo = PLATFORM_ZONE) -> date:
    """The business date a moment belongs to.

    A cut time of 00:00 makes it the calendar day of `zone`; with 23:00, what happens from 23:00 on belongs to the next date.
    """
    assert at.tzinfo is not None, "naive datetime"
    local = at.astimezone(zone)
    if cut_time != time(0, 0) and local.time() >= cut_time:
        return local.date() + timedelta(days=1)
    return local.date()
