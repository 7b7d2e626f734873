"""Which events raise an alarm and which clear one."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from onecard.kernel.events import EventKind
from onecard.protocol.lease import STEP_TEXT, Step
from onecard.services.devices.models.alarms import AlarmKind
from onecard.services.devices.registry.alarms import Raised, clear_many, raise_many

RAISES: dict[int, AlarmKind] = {
    EventKind.LEASE_STEP: AlarmKind.LEASE,
    EventKind.CLOCK_OFF: AlarmKind.CLOCK_OFF,
    EventKind.DATA_REFUSED: AlarmKind.DATA_REFUSED,
    EventKind.RECORD_REFUSED: AlarmKind.RECORD_REFUSED,
    EventKind.LINE_REFUSED: AlarmKind.LINE_REFUSED,
    EventKind.UPDATE_FAILED: AlarmKind.UPDATE_FAILED,
    EventKind.UPDATE_REFUSED: AlarmKind.UPDATE_FAILED,
    EventKind.TAMPER: AlarmKind.TAMPER,
    EventKind.ERROR: AlarmKind.ERROR,
}
CLEARS: dict[int, AlarmKind] = {
    EventKind.DATA_TAKEN: AlarmKind.DATA_REFUSED,
    EventKind.UPDATE_DONE: AlarmKind.UPDATE_FAILED,
}
_WELL = {Step.OK.name.lower(), str(int(Step.OK)), STEP_TEXT[Step.OK].zh, STEP_TEXT[Step.OK].en.lower()}


class Event(Protocol):
    """What this needs of an event."""

    @property
    def line_id(self) -> int: ...
    @property
    def terminal_id(self) -> int | None: ...
    @property
    def kind(self) -> int: ...
    @property
    def detail(self) -> str: ...
    @property
    def occurred_at(self) -> datetime: ...


def follow_events(events: Iterable[Event], *, now: datetime) -> None:
    """Raise and clear what a set of new events says; the last word on a subject counts."""
    last: dict[tuple[str, int | None, int | None], tuple[bool, Raised]] = {}
    for event in sorted(events, key=lambda each: each.occurred_at):
        raises, clears = RAISES.get(event.kind), CLEARS.get(event.kind)
        if raises is AlarmKind.LEASE and _is_well(event.detail):
            raises, clears = None, AlarmKind.LEASE
        kind = raises or clears
        if kind is None:
            continue
        line_id, terminal_id = (None, event.terminal_id) if event.terminal_id else (event.line_id, None)
        key = (kind.value, line_id, terminal_id)
        before = last.get(key)
        times = 1 + (before[1].times if before and before[0] and raises else 0)
        last[key] = (raises is not None, Raised(kind.value, line_id, terminal_id, event.detail, times))
    raise_many([reason for is_raised, reason in last.values() if is_raised], now=now)
    clear_many([reason for is_raised, reason in last.values() if not is_raised], now=now)


def _is_well(detail: str) -> bool:
    """Whether a lease's step says that all is in order."""
    word = detail.strip().lower()
    return word in _WELL or any(word.startswith((f"{each} ", f"{each}:")) for each in _WELL)
