"""How numbers, money, moments and spans of time are written on pages: one place, in the reader's language."""

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.kernel.money import format_yuan


def yuan(fen: int | None) -> str:
    """Fen as yuan with thousands grouped; a dash for nothing."""
    return "–" if fen is None else format_yuan(fen, grouped=True)


def count(number: int) -> str:
    """A whole number with thousands grouped."""
    return f"{number:,}"


def tenths(thousandths: int) -> str:
    """Thousandths with one decimal, grouped; none from a hundred on."""
    if thousandths >= 100_000:
        return f"{(thousandths + 500) // 1000:,}"
    return f"{(thousandths + 50) // 100 // 10}.{(thousandths + 50) // 100 % 10}"


def moment(at: datetime | None) -> str:
    """A moment in the platform's time zone."""
    return "–" if at is None else at.astimezone(PLATFORM_ZONE).strftime("%Y-%m-%d %H:%M:%S")


def span(since: datetime | None, *, now: datetime | None = None) -> str:
    """How long ago, in the largest whole unit that fits."""
    if since is None:
        return _("none")
    return duration((now or timezone.now()) - since)


def duration(length: timedelta) -> str:
    """A span of time in the largest whole unit that fits."""
    seconds = max(int(length.total_seconds()), 0)
    if seconds < 60:
        return ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}
    if seconds < 3600:
        return ngettext("%(n)d minute", "%(n)d minutes", seconds // 60) % {"n": seconds // 60}
    if seconds < 86400:
        return ngettext("%(n)d hour", "%(n)d hours", seconds // 3600) % {"n": seconds // 3600}
    return ngettext("%(n)d day", "%(n)d days", seconds // 86400) % {"n": seconds // 86400}


def clock(at: datetime) -> str:
    """The time of day of a chart's point."""
    return at.astimezone(PLATFORM_ZONE).strftime("%H:%M:%S")
