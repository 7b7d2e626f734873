"""What the worker does for chips: settles gray records by what has come in since, and says what has been open for too long."""

import logging
from datetime import UTC, datetime, timedelta

from onecard.kernel.codes import Result
from onecard.services.chip import gray
from onecard.services.chip.choices import RecordState
from onecard.services.chip.models import CounterHole, HeldRecord, LoadDoubt
from onecard.services.chip.parameters import parameter

log = logging.getLogger("onecard.chip")


def resolve_gray(now: datetime | None = None) -> int:
    """Settles gray records as far as a rule does; returns how many."""
    return gray.resolve_all(now=now or datetime.now(UTC))


def raise_alarms(now: datetime | None = None) -> dict[str, int]:
    """How many rows are open for longer than the platform's figures allow, by what they are; each kind is one line in the log."""
    now, figures = now or datetime.now(UTC), parameter()
    records = HeldRecord.objects.filter(state=RecordState.OPEN)
    late = {
        "quarantine": records.exclude(code=Result.GRAY)
        .filter(received_at__lt=now - timedelta(hours=figures.alarm_quarantine_hours))
        .count(),
        "gray": records.filter(code=Result.GRAY, received_at__lt=now - timedelta(hours=figures.alarm_gray_hours)).count(),
        "holes": CounterHole.objects.filter(
            filled_at__isnull=True, opened_at__lt=now - timedelta(hours=figures.alarm_hole_hours)
        ).count(),
        "doubts": LoadDoubt.objects.filter(
            settled_at__isnull=True, opened_at__lt=now - timedelta(minutes=figures.alarm_doubt_minutes)
        ).count(),
    }
    for what, count in late.items():
        if count:
            log.warning("chip: %d %s open for too long", count, what)
    return {what: count for what, count in late.items() if count}
