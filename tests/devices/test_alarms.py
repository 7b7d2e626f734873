"""Alarms: raised by rules and events, one open a subject and kind, acknowledged and cleared with names or by themselves."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from onecard.kernel.clock import ManualClock, to_epoch_us
from onecard.kernel.errors import Forbidden, InvalidInput, NotFound, RuleViolated
from onecard.kernel.events import EventKind
from onecard.protocol.proto import device_pb2
from onecard.services.devices import api
from onecard.services.devices.models import (
    Alarm,
    AlarmStep,
    Device,
    GatewayStatus,
    Keeping,
    LineStatus,
    StatusHistory,
    StoredEvent,
)
from onecard.services.devices.registry import alarms
from onecard.services.operators.models import Unit
from tests.devices.conftest import NOW, SYSTEM, Places, bound, event, heartbeat, report

SECOND = timedelta(seconds=1)


def open_kinds() -> set[tuple[str, int | None, int | None]]:
    return set(Alarm.objects.filter(cleared_at__isnull=True).values_list("kind", "line_id", "terminal_id"))


def watch_at(clock: ManualClock, seconds: float = 0) -> None:
    clock.advance(seconds * SECOND)
    assert api.watch_devices(clock=clock)


def test_each_rule_raises_its_alarm_and_clears_it_when_all_has_been_well_for_a_while(places: Places, clock: ManualClock) -> None:
    hole = device_pb2.SequenceHole(terminal_id=places.terminals[0], from_seq=3, through_seq=4, since_us=to_epoch_us(NOW - 601 * SECOND))  # fmt: skip # noqa: E501
    lost = device_pb2.DeviceState(terminal_id=places.terminals[1], online=False)
    bad = heartbeat(
        places.front_end,
        offset_us=-5_000_001,
        hello=True,
        backlog=4,
        oldest_unsent_us=to_epoch_us(NOW - 601 * SECOND),
        disk_free_permille=99,
        holes=[hole],
        devices=[lost],
    )
    api.take_report(report(bad), now=NOW)
    Device.objects.update(serial="another")
    watch_at(clock)
    line = places.front_end
    at_once = {("clock_off", line, None), ("backlog_old", line, None), ("disk_low", line, None), ("sequence_hole", line, None)}
    at_once |= {("hardware_changed", line, None)}
    assert open_kinds() == at_once
    assert Alarm.objects.get(kind="sequence_hole").detail.endswith(" 3–4")
    still = heartbeat(line, NOW + 181 * SECOND, offset_us=-5_000_001, disk_free_permille=99)
    api.take_report(report(still), now=NOW + 181 * SECOND)
    watch_at(clock, 181)
    assert ("device_lost", None, places.terminals[1]) in open_kinds()
    assert ("backlog_old", line, None) in open_kinds(), "well, but not for long"
    watch_at(clock, 61)
    assert open_kinds() == {("clock_off", line, None), ("disk_low", line, None), ("hardware_changed", line, None)} | {
        ("device_lost", None, places.terminals[1])
    }
    assert list(AlarmStep.objects.filter(alarm__kind="backlog_old").values_list("what", "who")) == [
        ("raised", ""),
        ("cleared", ""),
    ]


def test_what_comes_and_goes_is_one_alarm(places: Places, clock: ManualClock) -> None:
    for second in range(0, 300, 20):
        offset = 6_000_000 if second % 40 == 0 else 0
        at = NOW + second * SECOND
        api.take_report(report(heartbeat(places.straight, at, offset_us=offset)), now=at)
        watch_at(clock, 20 if second else 0)
    assert Alarm.objects.filter(kind="clock_off").count() == 1 and AlarmStep.objects.count() == 1


def test_a_lost_line_is_an_alarm_but_not_where_its_gateway_or_its_unit_is_out(places: Places, clock: ManualClock) -> None:
    def gateway(name: str, at: timedelta) -> None:
        GatewayStatus.objects.update_or_create(
            gateway=name,
            defaults={"reported_at": NOW + at, "online_lines": 9, "online_terminals": 0, "refused_handshakes": 0,
                      "requests_per_second_milli": 0, "latency_p50_us": 0, "latency_p99_us": 0},
        )  # fmt: skip

    for name, line in (("up", places.front_end), ("up", places.straight), ("silent", places.factory_line)):
        gateway(name, timedelta())
        LineStatus.objects.create(line_id=line, online=False, since=NOW, gateway=name)
    watch_at(clock)
    assert open_kinds() == set()
    gateway("up", 120 * SECOND)
    api.take_report(report(heartbeat(places.straight, NOW + 100 * SECOND)), now=NOW + 100 * SECOND)
    watch_at(clock, 121)
    assert open_kinds() == {("line_lost", places.front_end, None), ("gateway_silent", None, None)}
    assert Alarm.objects.get(kind="gateway_silent").gateway == "silent"
    Unit.objects.filter(pk=places.school).update(state="suspended")
    watch_at(clock, 10)
    watch_at(clock, 60)
    assert ("line_lost", places.front_end, None) not in open_kinds(), "a unit that is out of service misses nobody"


def test_events_raise_count_and_clear(places: Places, take: Callable[..., None]) -> None:
    terminal, line = places.terminals[0], places.front_end
    failed = [event(EventKind.UPDATE_FAILED, NOW + n * SECOND, detail=f"slot {n}", terminal_id=terminal) for n in range(3)]
    step = event(EventKind.LEASE_STEP, detail="NO_NEW_CARDS")
    take(report(events={line: [*failed, step, event(EventKind.ATTENDANCE)]}))
    assert open_kinds() == {("update_failed", None, terminal), ("lease", line, None)}
    alarm = Alarm.objects.get(kind="update_failed")
    assert (alarm.times, alarm.detail, alarm.steps.count()) == (3, "slot 2", 1)
    take(report(events={line: [event(EventKind.UPDATE_FAILED, terminal_id=terminal, detail="again")]}))
    assert Alarm.objects.get(kind="update_failed").times == 4
    later = NOW + 60 * SECOND
    done = event(EventKind.UPDATE_DONE, later, terminal_id=terminal)
    take(report(events={line: [done, event(EventKind.LEASE_STEP, later, detail="OK")]}), later)
    assert open_kinds() == set()


def test_a_person_acknowledges_once_and_clears_with_a_note(places: Places, clock: ManualClock) -> None:
    for _ in range(2):
        api.raise_alarm("tamper", line_id=places.front_end, detail="lid", clock=clock)
    alarm = Alarm.objects.get()
    school, factory = bound(places.school_operator), bound(places.factory_operator)
    with pytest.raises(NotFound):
        api.acknowledge(alarm.pk, note="x", actor=factory)
    with pytest.raises(InvalidInput, match="a note is needed"):
        api.acknowledge(alarm.pk, note="", actor=school)
    api.acknowledge(alarm.pk, note="guard on the way", actor=school, clock=clock)
    with pytest.raises(RuleViolated, match="wang has acknowledged"):
        api.acknowledge(alarm.pk, note="me too", actor=SYSTEM)
    watch_at(clock, 10_000)
    assert open_kinds() == {("tamper", places.front_end, None)}, "a rule of 0 s waits for a person"
    api.clear_by_hand(alarm.pk, note="closed", actor=school, clock=clock)
    with pytest.raises(RuleViolated, match="over"):
        api.clear_by_hand(alarm.pk, note="again", actor=school)
    assert [(step.what, step.who, step.note) for step in AlarmStep.objects.order_by("id")] == [
        ("raised", "", "lid"),
        ("acknowledged", "wang", "guard on the way"),
        ("cleared", "wang", "closed"),
    ]
    api.raise_alarm("tamper", line_id=places.front_end, detail="lid", clock=clock)
    assert Alarm.objects.count() == 2, "the next time is another alarm"


def test_alarms_of_the_platform_s_own_are_not_for_those_bound_to_operators(places: Places) -> None:
    api.raise_alarm("error", detail="gateway")
    with pytest.raises(NotFound):
        api.clear_by_hand(Alarm.objects.get().pk, note="x", actor=bound(places.school_operator))
    with pytest.raises(InvalidInput, match="no such alarm: nonsense"):
        api.raise_alarm("nonsense", detail="")


def test_a_rule_is_changed_by_those_who_see_everything_and_one_that_is_off_ends_its_alarms(
    places: Places, clock: ManualClock
) -> None:
    change = {"enabled": True, "severity": 3, "threshold": 900, "settle_s": 0}
    with pytest.raises(Forbidden):
        alarms.set_rule("clock_off", **change, actor=bound(places.school_operator))  # type: ignore[arg-type]
    with pytest.raises(InvalidInput):
        alarms.set_rule("clock_off", **change | {"threshold": -1}, actor=SYSTEM)  # type: ignore[arg-type]
    alarms.set_rule("clock_off", **change, actor=SYSTEM)  # type: ignore[arg-type]
    api.take_report(report(heartbeat(places.straight, offset_us=1_000_000)), now=NOW)
    watch_at(clock)
    assert Alarm.objects.get().severity == 3
    alarms.set_rule("clock_off", **change | {"enabled": False}, actor=SYSTEM)  # type: ignore[arg-type]
    watch_at(clock)
    assert open_kinds() == set()


def test_what_is_older_than_it_is_kept_goes(places: Places, clock: ManualClock) -> None:
    Keeping.objects.update(history_days=30, event_days=60)
    for days in (0, 31, 61):
        at = NOW - timedelta(days=days)
        StatusHistory.objects.create(line_id=places.straight, at=at, online=True)
        sent = event(EventKind.ERROR, NOW)
        api.take_report(report(events={places.straight: [sent]}), now=at)
        StoredEvent.objects.order_by("-id").update(occurred_at=NOW)
    assert api.prune(clock=clock) == 3
    assert (StatusHistory.objects.count(), StoredEvent.objects.count()) == (1, 2)
