"""DE12/DE13 carry hhmmss and MMDD without a year, in the platform's own time zone; here the year is found.

Rule: the latest year in which the moment is not more than one day after the platform's clock. So a record of 31 December that
comes up in January belongs to last year, a terminal whose clock runs ahead over midnight on New Year's Eve belongs to the new
year, and an offline record may be up to 363 days old. 29 February goes back to the last leap year.
"""

from datetime import datetime, timedelta

from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.kernel.clock import from_epoch_us, to_epoch_us

_AHEAD = timedelta(days=1)
_HOUR_US = 3_600_000_000
_MINUTE_US = 60_000_000
_SECOND_US = 1_000_000
_LEAP_CYCLE = 9  # 1896 … 1904: the longest wait for a 29 February


def resolve_moment(mmddhhmmss: str, now: datetime) -> datetime:
    """The aware moment of ten digits MMDDhhmmss. Raises ValueError if there is no such moment."""
    month, day, hour, minute, second = (int(mmddhhmmss[i : i + 2]) for i in range(0, 10, 2))
    local = now.astimezone(PLATFORM_ZONE)
    for year in range(local.year + 1, local.year - _LEAP_CYCLE, -1):
        if (month, day) == (2, 29) and not _is_leap(year):
            continue
        moment = datetime(year, month, day, hour, minute, second, tzinfo=PLATFORM_ZONE)
        if moment - local <= _AHEAD:
            return moment
    raise ValueError(f"no such moment: {mmddhhmmss}")


class MomentCache:
    """`resolve_moment` to microseconds since 1970, remembering the hours it has resolved while the platform's hour lasts."""

    __slots__ = ("_hour", "_hours")

    def __init__(self) -> None:
        self._hour = -1
        self._hours: dict[str, int] = {}

    def resolve_us(self, mmddhhmmss: str, now_us: int) -> int:
        """Microseconds since 1970-01-01 UTC. Raises ValueError if there is no such moment."""
        hour = now_us // _HOUR_US
        if hour != self._hour:
            self._hour = hour
            self._hours.clear()
        base = self._hours.get(mmddhhmmss[:6])
        if base is None:
            # The year is settled for the hour's start, so that all of one hour falls into one year.
            at_hour = resolve_moment(mmddhhmmss[:6] + "0000", from_epoch_us(hour * _HOUR_US))
            base = to_epoch_us(at_hour)
            if len(self._hours) < 10_000:
                self._hours[mmddhhmmss[:6]] = base
        minute, second = int(mmddhhmmss[6:8]), int(mmddhhmmss[8:10])
        if minute > 59 or second > 59:
            raise ValueError(f"no such moment: {mmddhhmmss}")
        return base + minute * _MINUTE_US + second * _SECOND_US


def format_moment(at: datetime) -> str:
    """MMDDhhmmss of a moment, in the platform's zone."""
    return at.astimezone(PLATFORM_ZONE).strftime("%m%d%H%M%S")


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
