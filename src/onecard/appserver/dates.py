"""Business date and minute of the day of a moment, from a small cache: the calendar is too slow to be asked for every record."""

from datetime import date, time

from onecard.kernel.business_day import PLATFORM_ZONE, business_date
from onecard.kernel.clock import from_epoch_us

MINUTE_US = 60_000_000
DAY_US = 24 * 60 * MINUTE_US
_POSTGRES_EPOCH = date(2000, 1, 1).toordinal()
_EARLIEST_US = 946_684_800_000_000
_CACHE_SIZE = 50_000


def postgres_date(day: date) -> int:
    """Days since 2000-01-01, as PostgreSQL counts them."""
    return day.toordinal() - _POSTGRES_EPOCH


class DayTable(dict[int, tuple[int, int]]):
    """Minute since 1970 UTC → (business date in days since 2000-01-01, local minute of the day); filled as it is asked.

    The minute that holds a cut time which has seconds belongs whole to the day before.
    """

    def __init__(self, cut_time: time = time(0, 0)) -> None:
        super().__init__()
        self.cut_time = cut_time

    def set_cut_time(self, cut_time: time) -> None:
        """Another cut time from now on."""
        if cut_time != self.cut_time:
            self.cut_time = cut_time
            self.clear()

    def __missing__(self, minute: int) -> tuple[int, int]:
        if len(self) >= _CACHE_SIZE:
            self.clear()
        at = from_epoch_us(minute * MINUTE_US)
        local = at.astimezone(PLATFORM_ZONE)
        entry = (postgres_date(business_date(at, cut_time=self.cut_time)), local.hour * 60 + local.minute)
        self[minute] = entry
        return entry


def business_day(days: DayTable, at_us: int) -> date:
    """The business date of a moment."""
    return date.fromordinal(days[at_us // MINUTE_US][0] + _POSTGRES_EPOCH)


def believable_us(occurred_us: int, *, now_us: int, offline: bool) -> int:
    """The moment whose business date a record gets, when the terminal's clock says `occurred_us`.

    An on-line record happens now: a clock more than a day off is not believed, or a terminal with a wrong clock would spend the
    limits of another day. A record made off line may be years old, but not from tomorrow.
    """
    if occurred_us > now_us + DAY_US or occurred_us < (_EARLIEST_US if offline else now_us - DAY_US):
        return now_us
    return occurred_us
