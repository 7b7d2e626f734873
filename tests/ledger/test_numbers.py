"""Ids that carry time and columns in binary: the same in Python and in PostgreSQL."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecard.kernel.clock import from_epoch_us, to_epoch_us
from onecard.ledger import ids, int8array
from tests.ledger.town import Town

INT8 = st.integers(min_value=-(2**63), max_value=2**63 - 1)


@given(st.lists(INT8, max_size=200))
def test_columns_go_to_binary_and_back(values: list[int]) -> None:
    assert int8array.parse(int8array.build(values)) == values


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_a_value_outside_64_bits_is_refused(value: int) -> None:
    with pytest.raises(OverflowError):
        int8array.build([value])


def test_columns_are_what_postgresql_reads_and_writes(town: Town) -> None:
    values = [0, 1, -1, 2**63 - 1, -(2**63), 4711]
    with town.app.cursor(binary=True) as cursor:
        cursor.execute("SELECT %b::bigint[]", (values,))
        assert cursor.pgresult is not None
        sent = cursor.pgresult.get_value(0, 0)
    assert sent is not None
    assert int8array.parse(sent) == values
    assert int8array.build(values) == bytes(sent)


@given(st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2085, 1, 1), timezones=st.just(UTC)))
def test_an_id_tells_its_time_to_the_millisecond(at: datetime) -> None:
    assert timedelta(0) <= at - ids.id_time(ids.id_at(at)) < timedelta(milliseconds=1)


def test_ids_and_times_are_the_same_in_sql(town: Town) -> None:
    for moment in (
        ids.EPOCH,
        datetime(2026, 5, 4, 3, 2, 1, 999_999, tzinfo=UTC),
        datetime(2081, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
    ):
        row = town.app.execute("SELECT ledger.id_at(%s), ledger.id_time(ledger.id_at(%s) + 5)", (moment, moment)).fetchone()
        assert row == (ids.id_at(moment), ids.id_time(ids.id_at(moment) + 5))


@given(st.integers(min_value=0, max_value=4_000_000_000_000_000))
def test_microseconds_survive_the_way_through_postgresql(us: int) -> None:
    """to_timestamp takes a double; up to the year 2096 that is exact to the microsecond after its rounding."""
    assert to_epoch_us(from_epoch_us(us)) == us
    assert round((us / 1e6 - 946_684_800) * 1e6) == us - 946_684_800_000_000
