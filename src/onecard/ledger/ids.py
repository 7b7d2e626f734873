"""Ids of transfers carry time: milliseconds since 2020-01-01 UTC << 22 | counter, as `ledger.id_at` and `id_time` do in SQL."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
COUNTER_BITS = 22
_MILLISECOND = timedelta(milliseconds=1)


def id_at(at: datetime) -> int:
    """The smallest id that can be given from that moment's millisecond on."""
    assert at.tzinfo is not None, "naive datetime"
    return ((at - EPOCH) // _MILLISECOND) << COUNTER_BITS


def id_time(transfer_id: int) -> datetime:
    """When the transfer was posted, to the millisecond."""
    return EPOCH + (transfer_id >> COUNTER_BITS) * _MILLISECOND
