"""What gateways report: newest states, history, events once, a registry that fills itself; and how fast."""

import json
import time
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from onecard.kernel.clock import to_epoch_us
from onecard.kernel.events import EventKind
from onecard.protocol.proto import app_pb2, device_pb2
from onecard.services.devices import api
from onecard.services.devices.models import Alarm, Device, DeviceStatus, LineStatus, StatusHistory, StoredEvent
from onecard.services.devices.registry import intake, statements
from tests.devices.conftest import NOW, Places, event, heartbeat, report

MINUTE = timedelta(minutes=1)


def versions(**told: int) -> list[device_pb2.DataVersion]:
    return [device_pb2.DataVersion(name=name, version=version) for name, version in told.items()]


def test_a_heartbeat_becomes_the_state_of_its_line(places: Places) -> None:
    hole = device_pb2.SequenceHole(terminal_id=places.terminals[0], from_seq=7, through_seq=9, since_us=to_epoch_us(NOW))
    sent = heartbeat(
        places.front_end,
        offset_us=-1500,
        hello=True,
        backlog=12,
        oldest_unsent_us=to_epoch_us(NOW - MINUTE),
        versions=versions(deny=4, rules=2),
        last_error="bus 2: no answer",
        disk_free_permille=730,
        lease_serial=5,
        holes=[hole],
    )
    api.take_report(report(sent), now=NOW)
    state = DeviceStatus.objects.get(line_id=places.front_end)
    assert (state.clock_offset_us, state.backlog, state.oldest_unsent_at) == (-1500, 12, NOW - MINUTE)
    assert (state.versions, state.last_error, state.disk_free_permille) == ({"deny": 4, "rules": 2}, "bus 2: no answer", 730)
    assert (state.lease_serial, state.address, state.firmware, state.heard_at) == (5, "10.0.0.7", "1.0", NOW)
    assert [(each["from"], each["through"]) for each in state.holes] == [(7, 9)]


def test_what_a_later_heartbeat_leaves_out_stays_and_what_it_denies_goes(places: Places) -> None:
    first = heartbeat(places.front_end, hello=True, backlog=3, versions=versions(deny=4), last_error="x", disk_free_permille=500)
    api.take_report(report(first), now=NOW)
    api.take_report(report(heartbeat(places.front_end, NOW + MINUTE)), now=NOW + MINUTE)
    state = DeviceStatus.objects.get(line_id=places.front_end)
    assert (state.backlog, state.last_error, state.versions, state.disk_free_permille) == (0, "", {"deny": 4}, 500)
    assert (state.maker, state.serial) == ("Acme", f"S{places.front_end}")


def test_a_report_that_comes_again_or_late_changes_nothing(places: Places) -> None:
    old = report(heartbeat(places.front_end, backlog=9), events={places.front_end: [event(EventKind.OFFLINE_BEGAN)]})
    new = report(heartbeat(places.front_end, NOW + MINUTE, backlog=1))
    for sent in (old, new, new, old):
        api.take_report(sent, now=NOW + MINUTE)
    assert DeviceStatus.objects.get().backlog == 1
    assert StoredEvent.objects.count() == 1
    assert StatusHistory.objects.filter(line_id=places.front_end).count() == 1, "a backlog that only shrinks is a sample later"


def test_history_has_each_change_and_a_sample_now_and_then(places: Places) -> None:
    for minute in range(40):
        error = "paper out" if 5 <= minute < 8 else ""
        at = NOW + minute * MINUTE
        api.take_report(report(heartbeat(places.straight, at, last_error=error)), now=at)
    found = list(StatusHistory.objects.filter(line_id=places.straight).order_by("id").values_list("at", "last_error"))
    assert [(round((at - NOW) / MINUTE), error) for at, error in found] == [(0, ""), (5, "paper out"), (8, ""), (24, "")]


def test_deny_lists_do_not_fill_the_history_of_front_ends(places: Places) -> None:
    for minute, deny in enumerate((1, 2, 3, 4)):
        at = NOW + minute * MINUTE
        api.take_report(report(heartbeat(places.front_end, at, versions=versions(deny=deny, rules=1 + deny // 4))), now=at)
    assert DeviceStatus.objects.get(line_id=places.front_end).versions == {"deny": 4, "rules": 2}
    found = StatusHistory.objects.filter(line_id=places.front_end).order_by("id")
    assert [each.versions for each in found] == [{"deny": 1, "rules": 1}, {"deny": 4, "rules": 2}]


def test_going_up_and_down_stands_in_the_history_too(places: Places) -> None:
    LineStatus.objects.create(line_id=places.straight, online=True, since=NOW, gateway="gw")
    LineStatus.objects.filter(pk=places.straight).update(online=False, since=NOW + MINUTE)
    LineStatus.objects.filter(pk=places.straight).update(gateway="other")
    assert list(StatusHistory.objects.order_by("id").values_list("at", "online")) == [(NOW, True), (NOW + MINUTE, False)]


def test_devices_behind_a_front_end_have_states_of_their_own_but_only_of_that_line(places: Places) -> None:
    mine = device_pb2.DeviceState(terminal_id=places.terminals[0], online=True, backlog=2, maker="Acme", model="P1", serial="P-1")
    theirs = device_pb2.DeviceState(terminal_id=places.factory_terminal, online=False, last_error="not yours to tell")
    api.take_report(report(heartbeat(places.front_end, devices=[mine, theirs])), now=NOW)
    assert list(DeviceStatus.objects.filter(terminal__isnull=False).values_list("terminal_id", "online", "backlog")) == [
        (places.terminals[0], True, 2)
    ]
    off = device_pb2.DeviceState(terminal_id=places.terminals[0], online=False)
    api.take_report(report(heartbeat(places.front_end, NOW + MINUTE, devices=[off])), now=NOW + MINUTE)
    state = DeviceStatus.objects.get(terminal_id=places.terminals[0])
    assert (state.online, state.since, state.serial) == (False, NOW + MINUTE, "P-1")
    assert Device.objects.get(terminal_id=places.terminals[0]).serial == "P-1"


def test_an_event_is_kept_once_and_one_of_a_foreign_terminal_stays_with_the_line(places: Places) -> None:
    first = event(EventKind.TAMPER, detail="lid", terminal_id=places.terminals[1], card_no=0)
    foreign = event(EventKind.ERROR, detail="x", terminal_id=places.factory_terminal)
    sent = report(events={places.front_end: [first, first, foreign]})
    api.take_report(sent, now=NOW)
    api.take_report(sent, now=NOW + MINUTE)
    assert set(StoredEvent.objects.values_list("kind", "terminal_id", "detail", "received_at")) == {
        (EventKind.TAMPER, places.terminals[1], "lid", NOW),
        (EventKind.ERROR, None, f"[{places.factory_terminal}?] x", NOW),
    }
    assert Alarm.objects.get(kind="tamper").times == 1, "the second time is the same event"


def test_nothing_in_a_report_can_make_it_fail(places: Places) -> None:
    bad = heartbeat(
        places.front_end,
        offset_us=2**62,
        backlog=2**64 - 1,
        oldest_unsent_us=2**62,
        last_error="a\x00b" + "长" * 900,
        versions=[device_pb2.DataVersion(name="n\x00" * 60, version=2**64 - 1)] * 90,
        disk_free_permille=2**31,
        lease_serial=-4,
    )
    bad.heard_at_us = -(2**62)
    unknown = heartbeat(999_999_999)
    short = device_pb2.DeviceEvent(event_id=b"short", kind=1)
    odd = event(EventKind.ERROR, detail="\x00" * 3 + "y" * 700)
    odd.occurred_at_us, odd.kind = 2**62, 2**31 - 1
    api.take_report(report(bad, unknown, events={places.front_end: [short, odd], 999_999_999: [odd]}), now=NOW)
    state = DeviceStatus.objects.get()
    assert (state.line_id, state.heard_at, state.backlog, state.disk_free_permille) == (places.front_end, NOW, 2**63 - 1, 1000)
    assert state.last_error.startswith("a b") and len(state.last_error) == 500
    assert [len(each.detail) for each in StoredEvent.objects.all()] == [500]


def test_a_first_hello_registers_the_device_and_a_later_one_its_firmware(places: Places) -> None:
    api.take_report(report(heartbeat(places.front_end, hello=True)), now=NOW)
    device = Device.objects.get()
    assert (str(device.model), device.serial, device.line_id) == ("Acme FE-1", f"S{places.front_end}", places.front_end)
    assert (device.hardware, device.firmware) == ("fe1", "1.0")
    again = heartbeat(places.front_end, NOW + MINUTE, hello=True)
    again.hello.firmware = "1.1"
    api.take_report(report(again), now=NOW + MINUTE)
    assert Device.objects.get().firmware == "1.1"


@pytest.mark.parametrize(("told", "shown"), [("0", "2"), ("", "2"), ("2.1-rc4", "2.1-rc4")])
def test_the_firmware_is_the_one_of_the_newest_heartbeat_unless_it_has_a_name(places: Places, told: str, shown: str) -> None:
    first = heartbeat(places.straight, hello=True, versions=versions(firmware=1))
    first.hello.firmware = told
    api.take_report(report(first), now=NOW)
    later = heartbeat(places.straight, NOW + MINUTE, versions=versions(deny=9, firmware=2))
    api.take_report(report(later), now=NOW + MINUTE)
    assert (DeviceStatus.objects.get().firmware, Device.objects.get().firmware) == (shown, shown)


def test_a_serial_number_that_stands_elsewhere_is_not_taken(places: Places) -> None:
    api.take_report(report(heartbeat(places.front_end, hello=True)), now=NOW)
    thief = heartbeat(places.factory_line, hello=True)
    thief.hello.serial = f"S{places.front_end}"
    api.take_report(report(thief), now=NOW)
    assert Device.objects.get().line_id == places.front_end


def test_roll_outs_hear_of_an_event_once(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[intake.TakenEvent] = []
    monkeypatch.setattr("onecard.services.rollouts.api.note_events", heard.extend, raising=False)
    done = event(EventKind.UPDATE_DONE, action_id=77, terminal_id=places.terminals[0])
    for _ in range(2):
        api.take_report(report(events={places.front_end: [done, event(EventKind.ATTENDANCE)]}), now=NOW)
    assert [(each.kind, each.action_id, each.terminal_id, each.line_id) for each in heard] == [
        (EventKind.UPDATE_DONE, 77, places.terminals[0], places.front_end)
    ]


def test_a_hello_does_not_go_through_the_devices_that_are_there_already(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = api.create_lines(api.NewLine(f"fe{n}", "front_end", unit_id=places.school) for n in range(1000))
    api.take_report(report(*[heartbeat(line, hello=True) for line in lines[:500]]), now=NOW)
    plans: list[str] = []

    def explained(cursor: Any, lines: list[int], terminals: list[int], now: datetime) -> None:
        given = {"lines": lines, "terminals": terminals, "now": now}
        for name in ("FIRMWARE", "FOLLOWS", "MODELS", "DEVICES"):
            cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + getattr(statements, name), given)
            plans.append(cursor.fetchone()[0])

    monkeypatch.setattr(intake, "_register", explained)
    api.take_report(report(*[heartbeat(line, hello=True) for line in lines[500:]]), now=NOW)
    assert Device.objects.count() == 1000
    handled = [most_rows(json.loads(plan) if isinstance(plan, str) else plan) for plan in plans]
    assert max(handled) < 10 * 1000, f"rows handled by the heaviest step of each statement: {handled}"


def most_rows(plan: Any) -> int:
    """The rows that the heaviest step of a plan made or threw away."""
    if isinstance(plan, list):
        return max(map(most_rows, plan), default=0)
    own = (plan.get("Actual Rows", 0) + plan.get("Rows Removed by Join Filter", 0)) * plan.get("Actual Loops", 1)
    return max([int(own), *(most_rows(part) for part in plan.get("Plans", [])), most_rows(plan.get("Plan", []))])


def test_a_whole_city_s_heartbeats_are_taken_well_within_their_half_minute(places: Places) -> None:
    lines = api.create_lines(api.NewLine(f"fe{n}", "front_end", unit_id=places.school) for n in range(16_320))
    random = Random(3)

    def sent(at: int) -> list[app_pb2.DeviceReport]:
        moment = NOW + at * timedelta(seconds=30)
        told = [
            heartbeat(line, moment, hello=at == 0, offset_us=random.randint(-9000, 9000), versions=versions(deny=9, rules=3))
            for line in lines
        ]
        return [report(*told[n : n + 1000]) for n in range(0, len(told), 1000)]

    took = []
    for beat in range(3):
        reports = sent(beat)
        began = time.perf_counter()
        for each in reports:
            api.take_report(each, now=NOW + beat * timedelta(seconds=30))
        took.append(time.perf_counter() - began)
    print(f"16,320 heartbeats in {', '.join(f'{seconds:.2f}' for seconds in took)} s")
    assert DeviceStatus.objects.count() == len(lines) and StatusHistory.objects.count() == len(lines)
    assert max(took) < 15, f"a round took {took} s of 30"
