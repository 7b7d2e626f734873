"""What others call of the monitoring domain."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

_KEEP = timedelta(hours=1)
_INSERT = """
    INSERT INTO monitoring_livefigure (server, at, interval_ms, purchases, advices, others, approved, refused, busy,
                                       latency_p50_us, latency_p99_us, batches, queue_rows, oldest_unposted_ms)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_INSERT_UNITS = """
    INSERT INTO monitoring_livefigureunit (server, at, operator_id, unit_id, approved)
    SELECT %s, %s, operator_id, unit_id, approved
      FROM unnest(%s::int[], %s::int[], %s::bigint[]) AS u(operator_id, unit_id, approved)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One interval of one application server; the fields are those of `LiveFigure`, in their order."""

    server: str
    at: datetime
    interval_ms: int
    purchases: int
    advices: int
    others: int
    approved: int
    refused: int
    busy: int
    latency_p50_us: int
    latency_p99_us: int
    batches: int
    queue_rows: int
    oldest_unposted_ms: int


@dataclass(frozen=True, slots=True)
class UnitFigure:
    """Approved records of one unit (0: public merchants outside any unit)."""

    operator_id: int
    unit_id: int
    approved: int


async def record(
    connection: psycopg.AsyncConnection[Any], figures: Figures, *, units: Sequence[UnitFigure] = (), forget: bool = False
) -> None:
    """Writes the figures of one interval; `forget` also deletes what is older than an hour."""
    async with connection.transaction(), connection.cursor() as cursor:
        await cursor.execute(_INSERT, astuple(figures))
        if units:
            columns = ([u.operator_id for u in units], [u.unit_id for u in units], [u.approved for u in units])
            await cursor.execute(_INSERT_UNITS, (figures.server, figures.at, *columns))
        if forget:
            for table in ("monitoring_livefigure", "monitoring_livefigureunit"):
                await cursor.execute(f"DELETE FROM {table} WHERE at < %s", (figures.at - _KEEP,))  # noqa: S608  # two constants


def latest(*, seconds: int = 300) -> list[dict[str, Any]]:
    """Figures of the last `seconds`, oldest first, one dictionary for each interval of each application server."""
    from django.utils import timezone

    from onecard.services.monitoring.models import LiveFigure

    since = timezone.now() - timedelta(seconds=seconds)
    return [dict(row) for row in LiveFigure.objects.filter(at__gte=since).order_by("at").values()]


def by_unit(*, seconds: int = 10) -> list[UnitFigure]:
    """Approved records of the last `seconds` by operator and unit, the busiest first."""
    from django.db.models import Sum
    from django.utils import timezone

    from onecard.services.monitoring.models import LiveFigureUnit

    since = timezone.now() - timedelta(seconds=seconds)
    sums = LiveFigureUnit.objects.filter(at__gte=since).values_list("operator_id", "unit_id").annotate(sum=Sum("approved"))
    return [UnitFigure(operator, unit, total) for operator, unit, total in sums.order_by("-sum")]
