"""A school with a front-end, two terminals behind it and one that attaches straight; a factory of another operator."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from onecard.datacenter import dj
from onecard.kernel.clock import ManualClock, to_epoch_us
from onecard.kernel.events import EventKind
from onecard.protocol.proto import app_pb2, device_pb2
from tests.support.postgres import TestDatabase

dj.setup()  # models cannot be imported before, and a conftest is read before pytest-django is ready

from onecard.services.actors import Actor  # noqa: E402
from onecard.services.devices import api  # noqa: E402
from onecard.services.devices.registry import permissions  # noqa: E402
from onecard.services.operators import api as operators  # noqa: E402
from onecard.services.operators.models import Unit  # noqa: E402

NOW = datetime(2026, 5, 1, 4, 0, tzinfo=UTC)
SYSTEM = Actor.system("test")


@dataclass(frozen=True, slots=True)
class Places:
    """Ids of what the fixture made."""

    school_operator: int
    factory_operator: int
    school: int
    factory: int
    front_end: int
    straight: int
    factory_line: int
    terminals: tuple[int, int]
    factory_terminal: int

    @property
    def lines(self) -> list[int]:
        return [self.front_end, self.straight, self.factory_line]


@pytest.fixture(scope="session", autouse=True)
def database_allowed(django_db_blocker: Any) -> Iterator[None]:
    """pytest-django closes the database to tests that do not carry its own mark; ours have fixtures of their own."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def places(django_database: TestDatabase) -> Places:
    root = operators.create_operator("ROOT", "根运营单位", parent_id=None, holder_cap=1000).pk
    first = operators.create_operator("U", "统一运营", parent_id=root, holder_cap=1000).pk
    second = operators.create_operator("I", "独立运营", parent_id=root, holder_cap=1000).pk
    school, factory = _unit(first, "SCHOOL", "一中"), _unit(second, "FACTORY", "工厂")
    canteen = operators.create_merchant("食堂", unit_id=school).pk
    shop = operators.create_merchant("小卖部", unit_id=factory).pk
    front_end = api.create_line(api.NewLine("一中前置机", "front_end", unit_id=school))
    straight = api.create_line(api.NewLine("一中直连", unit_id=school))
    other = api.create_line(api.NewLine("工厂前置机", "front_end", unit_id=factory))
    behind = api.create_terminals([api.NewTerminal(canteen, line_id=front_end) for _ in range(2)])
    api.create_terminals([api.NewTerminal(canteen, line_id=straight)])
    (theirs,) = api.create_terminals([api.NewTerminal(shop, line_id=other)])
    return Places(first, second, school, factory, front_end, straight, other, (behind[0], behind[1]), theirs)


def _unit(operator_id: int, code: str, name: str) -> int:
    made = Unit.objects.create(
        operator_id=operator_id,
        code=code,
        name=name,
        state="active",
        purse_order=2,
        valid_from=NOW - timedelta(days=1),
        valid_until=NOW + timedelta(days=365),
    )
    return made.pk


def bound(*operator_ids: int) -> Actor:
    """Somebody who may do everything with devices, but for some operators only."""
    return Actor("wang", frozenset(permissions.PERMISSIONS), frozenset(operator_ids))


def report(*lines: app_pb2.LineStatus, events: dict[int, list[device_pb2.DeviceEvent]] | None = None) -> app_pb2.DeviceReport:
    """A gateway's report."""
    told = [app_pb2.LineEvents(line_id=line_id, events=found) for line_id, found in (events or {}).items()]
    return app_pb2.DeviceReport(gateway="gw", lines=lines, events=told)


def heartbeat(line_id: int, at: datetime = NOW, *, offset_us: int = 0, hello: bool = False, **fields: Any) -> app_pb2.LineStatus:
    """What a gateway says of a line that was heard of."""
    return app_pb2.LineStatus(
        line_id=line_id,
        heard_at_us=to_epoch_us(at),
        address="10.0.0.7",
        clock_offset_us=offset_us,
        hello=device_pb2.Hello(maker="Acme", model="FE-1", firmware="1.0", hardware="fe1", serial=f"S{line_id}")
        if hello
        else None,
        heartbeat=device_pb2.Heartbeat(**fields),
    )


def event(
    kind: EventKind, at: datetime = NOW, *, detail: str = "", terminal_id: int = 0, **fields: Any
) -> device_pb2.DeviceEvent:
    """An event as a device makes it."""
    return device_pb2.DeviceEvent(
        event_id=uuid4().bytes, kind=kind, occurred_at_us=to_epoch_us(at), detail=detail, terminal_id=terminal_id, **fields
    )


@pytest.fixture
def take() -> Callable[..., None]:
    """Takes a report as of its own moment."""

    def run(sent: app_pb2.DeviceReport, at: datetime = NOW) -> None:
        api.take_report(sent, now=at)

    return run
