"""Time comes from an injected clock, always aware and in UTC, so that tests and simulations can hold it still."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time; `now()` is aware and in UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(slots=True)
class ManualClock:
    """A clock that stands still until it is moved."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def advance(self, by: timedelta) -> None:
        self.at += by


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_epoch_us(at: datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an aware datetime, exact."""
    assert at.tzinfo is not None, "naive datetime"
    return (at - _EPOCH) // _MICROSECOND


def from_epoch_us(us: int) -> datetime:
    """The aware UTC datetime of a count of microseconds since 1970-01-01 UTC."""
    return _EPOCH + timedelta(microseconds=us)
