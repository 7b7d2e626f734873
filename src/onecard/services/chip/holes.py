"""Holes in counters: opened where one jumps over numbers, filled where a late record brings one. A jump is one row: a range."""

from collections.abc import Sequence
from datetime import datetime

from onecard.services.chip.choices import HoleKind, SettledBy
from onecard.services.chip.models import CounterHole


def take_in(kind: HoleKind, number: int, counters: Sequence[int], *, reached: int, now: datetime, operator_id: int = 0) -> None:
    """Counters (rising) that came in for a card or SAM which had reached `reached`. The caller holds its lock."""
    late = [counter for counter in counters if counter < reached]
    if late:
        _fill(kind, number, late, now)
    opened, expected = [], reached
    for counter in counters:
        if counter < reached:
            continue
        if counter > expected:
            opened.append(_hole(kind, number, (expected, counter - 1), operator_id=operator_id, opened_at=now))
        expected = counter + 1
    CounterHole.objects.bulk_create(opened)


def _fill(kind: HoleKind, number: int, counters: Sequence[int], now: datetime) -> None:
    rows = CounterHole.objects.filter(
        kind=kind, number=number, filled_at__isnull=True, first__lte=counters[-1], last__gte=counters[0]
    ).order_by("first")
    cut, pieces = [], []
    for row in rows:
        inside = [counter for counter in counters if row.first <= counter <= row.last]
        if not inside:
            continue
        cut.append(row.pk)  # what is filled and what is left keep the time at which the hole opened
        expected = row.first
        for counter in inside:
            if counter > expected:
                pieces.append(_hole(kind, number, (expected, counter - 1), operator_id=row.operator_id, opened_at=row.opened_at))
            filled = _hole(kind, number, (counter, counter), operator_id=row.operator_id, opened_at=row.opened_at)
            filled.filled_at, filled.how = now, SettledBy.PROOF
            pieces.append(filled)
            expected = counter + 1
        if expected <= row.last:
            pieces.append(_hole(kind, number, (expected, row.last), operator_id=row.operator_id, opened_at=row.opened_at))
    CounterHole.objects.filter(pk__in=cut).delete()
    CounterHole.objects.bulk_create(pieces)


def _hole(kind: HoleKind, number: int, span: tuple[int, int], *, operator_id: int, opened_at: datetime) -> CounterHole:
    return CounterHole(kind=kind, number=number, first=span[0], last=span[1], operator_id=operator_id, opened_at=opened_at)
