"""The clock and the business day."""

from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecard.kernel.business_day import PLATFORM_ZONE, business_date
from onecard.kernel.clock import ManualClock, SystemClock, from_epoch_us, to_epoch_us

MOMENTS = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))


@given(MOMENTS)
def test_microseconds_are_exact_both_ways(at: datetime) -> None:
    assert from_epoch_us(to_epoch_us(at)) == at


def test_microseconds_do_not_depend_on_the_zone() -> None:
    at = datetime(2026, 11, 22, 8, 0, 0, 1, tzinfo=UTC)
    assert to_epoch_us(at) == to_epoch_us(at.astimezone(timezone(timedelta(hours=8)))) == 1_795_334_400_000_001


def test_a_naive_moment_is_a_programmers_error() -> None:
    with pytest.raises(AssertionError):
        to_epoch_us(datetime(2026, 1, 1))
    with pytest.raises(AssertionError):
        business_date(datetime(2026, 1, 1))


def test_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    assert clock.now() == clock.now()
    clock.advance(timedelta(seconds=5))
    assert clock.now() == datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC)


def test_system_clock_is_aware_and_in_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_the_day_turns_at_midnight_of_the_platform_not_of_utc() -> None:
    assert business_date(datetime(2026, 11, 22, 15, 59, 59, 999_999, tzinfo=UTC)) == date(2026, 11, 22)
    assert business_date(datetime(2026, 11, 22, 16, 0, tzinfo=UTC)) == date(2026, 11, 23)


def test_with_an_early_cut_the_evening_belongs_to_the_next_day() -> None:
    cut = time(23, 0)
    before = datetime(2026, 12, 31, 22, 59, 59, tzinfo=PLATFORM_ZONE)
    assert business_date(before, cut_time=cut) == date(2026, 12, 31)
    assert business_date(before + timedelta(seconds=1), cut_time=cut) == date(2027, 1, 1)


@given(MOMENTS, st.times())
def test_business_dates_never_run_backwards(at: datetime, cut: time) -> None:
    today = business_date(at, cut_time=cut)
    assert business_date(at + timedelta(hours=1), cut_time=cut) >= today
    assert business_date(at + timedelta(days=1), cut_time=cut) == today + timedelta(days=1)
