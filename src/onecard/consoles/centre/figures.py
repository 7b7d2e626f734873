"""The figures of the home page: read often, so each costs a bounded piece of an index; one answer serves everybody for a second.

Charts come from what application servers and gateways report; counts and sums of today come from the journal itself, followed
from the last id seen on each lane (ids of a lane rise in the order of their commits, so nothing is passed over).
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, F, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.ledger import ids
from onecard.ledger.accounts import BookKind, book_id, split_book_id
from onecard.services.devices.models import GatewayStatus, Line, LineKind, LineState, Terminal, TerminalState
from onecard.services.monitoring import api as monitoring
from onecard.services.operators.models import Merchant, Operator, Unit
from onecard.services.settlement import api as settlement_api

SERIES_SECONDS = 300
BOOK_LANE = 99
DEVICE_FIGURES = ("front_ends_total", "front_ends_online", "terminals_total", "terminals_online")
_SLICE = 100_000
_BUDGET_SECONDS = 1.0
_GATEWAY_SILENT_AFTER = timedelta(seconds=15)

# Legs of one purchase count once, also where the only one is a debt; what was voided, refunded or
# reversed goes off the sum and stays in the count.
_FOLLOW = """
    WITH slice AS MATERIALIZED (
        SELECT id, kind, debit, credit, amount_fen, link_id FROM ledger.transfer
        WHERE lane = %(lane)s AND id > %(after)s ORDER BY id LIMIT %(limit)s
    )
    SELECT 0::bigint AS merchant, count(*)::bigint, max(id)::numeric FROM slice
    UNION ALL
    SELECT credit, count(*) FILTER (WHERE kind IN (1, 2, 5, 10, 13) AND coalesce(link_id, id) = id), sum(amount_fen) FROM slice
        WHERE credit BETWEEN %(first)s AND %(last)s AND (kind <= 10 OR kind = 13) GROUP BY credit
    UNION ALL
    SELECT debit, 0, -sum(amount_fen) FROM slice
        WHERE debit BETWEEN %(first)s AND %(last)s AND (kind <= 10 OR kind = 13) GROUP BY debit
"""
_MERCHANTS = {"first": book_id(BookKind.MERCHANT, 0), "last": book_id(BookKind.MERCHANT, 99_999_999)}


@dataclass(slots=True)
class Sum:
    """A number of transactions and their net amount."""

    count: int = 0
    fen: int = 0


@dataclass(slots=True)
class Today:
    """Today's transactions by merchant, and how far each lane has been read."""

    day: date
    after: dict[int, int] = field(default_factory=dict)
    merchants: defaultdict[int, Sum] = field(default_factory=lambda: defaultdict(Sum))

    def follow(self, *, until: float) -> None:
        """Add what was posted since the last call; on a deadline the rest is left to the next."""
        start_of_day = datetime.combine(self.day, datetime.min.time(), tzinfo=PLATFORM_ZONE)
        with connection.cursor() as cursor:
            cursor.execute("SELECT lane, last_id FROM ledger.lane WHERE lane <> %s AND last_id > 0", [BOOK_LANE])
            lanes = cursor.fetchall()
            for lane, last_id in lanes:
                after = self.after.setdefault(lane, ids.id_at(start_of_day) - 1)
                while after < last_id and time.monotonic() < until:
                    cursor.execute(_FOLLOW, {"lane": lane, "after": after, "limit": _SLICE, **_MERCHANTS})
                    (_, rows, reached), *sums = cursor.fetchall()
                    if not rows:
                        break
                    after = self.after[lane] = int(reached)
                    for book, count, fen in sums:
                        merchant = self.merchants[split_book_id(book)[1]]
                        merchant.count += count
                        merchant.fen += int(fen)


class _Shared:
    """What all requests of this process share: a value that is made again when it is older than its time."""

    def __init__(self, make: Callable[[], Any], *, seconds: float) -> None:
        self._make, self._seconds = make, seconds
        self._lock = threading.Lock()
        self._made_at, self._value = float("-inf"), None

    def get(self) -> Any:
        with self._lock:
            if time.monotonic() - self._made_at >= self._seconds:
                self._value = self._make()
                self._made_at = time.monotonic()
            return self._value

    def forget(self) -> None:
        with self._lock:
            self._made_at = float("-inf")


_today: Today | None = None


def _follow_today() -> Today:
    global _today
    day = timezone.now().astimezone(PLATFORM_ZONE).date()
    if _today is None or _today.day != day:
        _today = Today(day)
    _today.follow(until=time.monotonic() + _BUDGET_SECONDS)
    return _today


def _series() -> list[dict[str, Any]]:
    """Rates and latencies, application servers put together by two-second slots; the slowest server's latency counts.

    A server's intervals drift against the slots, so that two may fall into one: of a server the mean counts.
    """
    slots: dict[int, dict[str, list[dict[str, Any]]]] = {}
    for row in monitoring.latest(seconds=SERIES_SECONDS):
        slots.setdefault(int(row["at"].timestamp()) // 2 * 2, {}).setdefault(row["server"], []).append(row)
    return [_point(slot, slots[slot]) for slot in sorted(slots)]


def _point(slot: int, servers: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    rows = [row for of_server in servers.values() for row in of_server]
    return {
        "at": datetime.fromtimestamp(slot, UTC),
        "rate_milli": sum(sum(map(_rate_milli, of_server)) // len(of_server) for of_server in servers.values()),
        "p50_us": max(row["latency_p50_us"] for row in rows),
        "p99_us": max(row["latency_p99_us"] for row in rows),
        "oldest_ms": max(row["oldest_unposted_ms"] for row in rows),
    }


def _rate_milli(row: dict[str, Any]) -> int:
    return int((row["purchases"] + row["advices"]) * 1_000_000 // max(row["interval_ms"], 1))


def _devices() -> dict[int, dict[str, int]]:
    """Of each operator lines and terminals, on line and in all; a gateway that no longer reports has nobody on line."""
    gateways = GatewayStatus.objects.filter(reported_at__gte=timezone.now() - _GATEWAY_SILENT_AFTER).values_list(
        "gateway", flat=True
    )
    up = {"status__online": True, "status__gateway__in": list(gateways)}
    front_ends = Line.objects.filter(kind=LineKind.FRONT_END, state=LineState.ACTIVE)
    terminals = Terminal.objects.filter(state=TerminalState.ACTIVE)
    line_owner, terminal_owner = Coalesce("operator_id", "unit__operator_id"), F("merchant__operator_id")
    behind_up = {f"line__{key}": value for key, value in up.items()}
    counted = (
        _by_operator(front_ends, line_owner),
        _by_operator(front_ends.filter(**up), line_owner),
        _by_operator(terminals, terminal_owner),
        _by_operator(terminals.filter(**behind_up), terminal_owner),
    )
    owners = {owner for numbers in counted for owner in numbers}
    return {
        owner: {name: numbers.get(owner, 0) for name, numbers in zip(DEVICE_FIGURES, counted, strict=True)} for owner in owners
    }


def _by_operator(rows: QuerySet[Any], owner: Coalesce | F) -> dict[int, int]:
    return dict(rows.order_by().annotate(owner=owner).values_list("owner").annotate(Count("pk")))


def _settlement() -> dict[str, Any]:
    """The last run, and the moment of the oldest record that is in no settled run yet."""
    runs = settlement_api.latest_runs(1)
    return {"run": runs[0] if runs else None, "oldest_unsettled_at": settlement_api.oldest_unsettled()}


def _directory() -> dict[str, Any]:
    """Names, and to whom each merchant belongs."""
    return {
        "operators": {row.pk: row for row in Operator.objects.all()},
        "units": dict(Unit.objects.values_list("id", "name")),
        "merchants": {
            pk: (operator, unit) for pk, operator, unit in Merchant.objects.values_list("id", "operator_id", "unit_id")
        },
    }


today = _Shared(_follow_today, seconds=1)
series = _Shared(_series, seconds=1)
devices = _Shared(_devices, seconds=2)
settlement = _Shared(_settlement, seconds=5)
directory = _Shared(_directory, seconds=30)


def forget() -> None:
    """Read everything anew: for tests, which change the database under the process."""
    global _today
    _today = None
    for shared in (today, series, devices, settlement, directory):
        shared.forget()


def devices_of(bound: frozenset[int] | None) -> dict[str, int]:
    """Lines and terminals, on line and in all, of some operators where given."""
    found = [numbers for owner, numbers in devices.get().items() if bound is None or owner in bound]
    return {name: sum(numbers[name] for numbers in found) for name in DEVICE_FIGURES}


def today_of(bound: frozenset[int] | None) -> Sum:
    """Today's sum, of the merchants of some operators where given."""
    parts = by_owner("operators", bound).values()
    return Sum(sum(part.count for part in parts), sum(part.fen for part in parts))


def by_owner(which: str, bound: frozenset[int] | None = None) -> dict[int, Sum]:
    """Today's sums by `operators` or `units` (0: public merchants outside any unit); within some operators where given."""
    merchants = directory.get()["merchants"]
    sums: defaultdict[int, Sum] = defaultdict(Sum)
    for merchant, part in today.get().merchants.items():
        operator, unit = merchants.get(merchant, (0, None))
        if bound is not None and operator not in bound:
            continue
        owner = sums[operator if which == "operators" else unit or 0]
        owner.count += part.count
        owner.fen += part.fen
    return dict(sums)
