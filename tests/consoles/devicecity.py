"""Devices in the small city: the works' front-end and terminals, a line of the root's public shop; heartbeats, events, alarms."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from django.utils import timezone

from onecard.kernel.clock import to_epoch_us
from onecard.kernel.events import EventKind
from onecard.protocol.proto import app_pb2, device_pb2
from onecard.services.devices import api
from onecard.services.devices.models import LineStatus
from tests.settlement.city import City


@dataclass(frozen=True)
class DeviceCity:
    """Ids of lines and terminals."""

    works: int
    broken: int
    public: int
    terminal: int


def build(city: City) -> DeviceCity:
    """Two front-ends of the works (one lost), a straight line of a public shop of another operator."""
    now = timezone.now()
    unit, root = city.units["works"].pk, city.operators["root"].pk
    works, broken = (api.create_line(api.NewLine(name, "front_end", unit_id=unit)) for name in ("一号门前置机", "食堂前置机"))
    public = api.create_line(api.NewLine("地铁直连", operator_id=root))
    canteen, metro = city.merchants["canteen"].pk, city.merchants["metro"].pk
    (terminal,) = api.create_terminals([api.NewTerminal(canteen, line_id=works, name="窗口 1")])
    api.create_terminals([api.NewTerminal(metro, line_id=public)])
    LineStatus.objects.create(line_id=works, online=True, since=now - timedelta(hours=3), gateway="gw")
    LineStatus.objects.create(line_id=broken, online=False, since=now - timedelta(hours=1), gateway="gw")
    api.take_report(_report(works, broken, public, terminal, now), now=now)
    api.watch_devices()
    return DeviceCity(works, broken, public, terminal)


def _report(works: int, broken: int, public: int, terminal: int, now: datetime) -> app_pb2.DeviceReport:
    state = device_pb2.DeviceState(
        terminal_id=terminal, online=True, maker="Acme", model="P-80", firmware="3.2", serial="P80-0001"
    )
    hole = device_pb2.SequenceHole(
        terminal_id=terminal, from_seq=41, through_seq=43, since_us=to_epoch_us(now - timedelta(hours=2))
    )
    beat = device_pb2.Heartbeat(
        backlog=7, oldest_unsent_us=to_epoch_us(now - timedelta(minutes=3)), last_error="bus 2: no answer",
        disk_free_permille=612, lease_serial=4, versions=[device_pb2.DataVersion(name="deny", version=12)],
        devices=[state], holes=[hole],
    )  # fmt: skip
    tamper = device_pb2.DeviceEvent(
        event_id=uuid4().bytes, terminal_id=terminal, kind=EventKind.TAMPER, occurred_at_us=to_epoch_us(now), detail="lid open"
    )
    return app_pb2.DeviceReport(
        gateway="gw",
        lines=[
            _line(works, now, beat, serial="FE-0001", offset_us=-1_200),
            _line(broken, now - timedelta(hours=1), device_pb2.Heartbeat(disk_free_permille=40), serial="FE-0002"),
            _line(public, now, device_pb2.Heartbeat(), serial="FE-0003", offset_us=9_000_000),
        ],
        events=[app_pb2.LineEvents(line_id=works, events=[tamper])],
    )


def _line(line_id: int, at: datetime, beat: device_pb2.Heartbeat, *, serial: str, offset_us: int = 0) -> app_pb2.LineStatus:
    hello = device_pb2.Hello(maker="Acme", model="FE-10", firmware="1.4.0", hardware="fe10", serial=serial)
    return app_pb2.LineStatus(
        line_id=line_id,
        heard_at_us=to_epoch_us(at),
        address="10.0.0.7",
        clock_offset_us=offset_us,
        hello=hello,
        heartbeat=beat,
    )
