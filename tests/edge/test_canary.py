"""A new deny list goes to a few front-ends first, and no further where they refuse it."""

import itertools
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from onecard.kernel.clock import to_epoch_us
from onecard.kernel.errors import Forbidden, InvalidInput, NotFound
from onecard.kernel.events import EventKind
from onecard.protocol.cardset import build_card_set
from onecard.protocol.proto import app_pb2, device_pb2
from onecard.services.actors import Actor
from onecard.services.devices import api as devices
from onecard.services.devices.models.alarms import Alarm
from onecard.services.devices.registry.watch import watch_devices
from onecard.services.offline import api
from onecard.services.offline.canary import REMIND_EVERY, choose_canary
from onecard.services.offline.models import DenyPublication
from onecard.services.rollouts import api as rollouts
from onecard.services.rollouts.repository import prune
from tests.edge.city import ACTOR, City, set_status
from tests.rollouts.house import run

_ids = itertools.count(1)
SOAK = timedelta(seconds=4)


class Lines:
    """Front-ends on line, as a gateway reports them, and what they say of lists."""

    def __init__(self, city: City, count: int) -> None:
        self.city = city
        unit = city.house.tree.unit
        made = devices.create_lines([devices.NewLine(f"前置机 {n}", "front_end", unit_id=unit) for n in range(1, count)])
        self.all = {city.line, *made}
        terminal = devices.create_line(devices.NewLine("straight", "terminal", unit_id=unit))
        self.report({*self.all, terminal})

    def report(self, line_ids: Iterable[int]) -> None:
        report = app_pb2.LineReport(gateway="g", online_line_id=sorted(line_ids))
        devices.report_lines(report, clock=self.city.house.clock)

    def say(self, line_id: int, kind: EventKind, detail: str) -> None:
        now = self.city.house.clock.now()
        event = device_pb2.DeviceEvent(
            event_id=next(_ids).to_bytes(16, "big"), kind=kind, detail=detail, occurred_at_us=to_epoch_us(now)
        )
        devices.take_report(app_pb2.DeviceReport(events=[app_pb2.LineEvents(line_id=line_id, events=[event])]), now=now)

    def named(self) -> dict[int, int]:
        """The version of the deny list that each front-end is told."""
        (common,) = [one.version for one in rollouts.platform_data() if one.name == "deny"] or [0]
        found = rollouts.line_tasks(self.all)
        own = {line: [d.version for d in tasks.current if d.name == "deny"] for line, tasks in found.items()}
        return {line: (own.get(line) or [common])[0] for line in self.all}

    def ahead(self) -> set[int]:
        named = self.named()
        return {line for line, version in named.items() if version > min(named.values())}


@pytest.fixture
def lines(city: City) -> Lines:
    """Twenty front-ends that have list 1; three of them are the canary."""
    api.set_policy(replace(api.policy(), canary_permille=150), actor=ACTOR)
    city.tick()
    return Lines(city, 20)


def lose(city: City, count: int, *, first: int = 0) -> api.Published:
    set_status(city.cards[first : first + count], 2)
    return city.tick()


def later(city: City, wait: timedelta = SOAK) -> api.Published:
    city.house.clock.advance(wait)
    return city.tick()


def states() -> dict[int, str]:
    return dict(DenyPublication.objects.values_list("version", "state"))


def open_alarms() -> list[tuple[int | None, str]]:
    return list(Alarm.objects.filter(kind="data_refused", cleared_at=None).order_by("line_id").values_list("line_id", "detail"))


def test_a_few_front_ends_have_a_list_before_the_others(city: City, lines: Lines):
    assert lines.named() == dict.fromkeys(lines.all, 1)
    assert lose(city, 1).deny_version == 2
    canary = lines.ahead()
    assert len(canary) == 3 and canary == set(choose_canary(city.house.clock.now()))
    for line in canary:
        lines.say(line, EventKind.DATA_TAKEN, "deny 2, 60 bytes")
    later(city, SOAK - timedelta(seconds=1))
    assert lines.ahead() == canary and states() == {1: "out", 2: "canary"}
    later(city, timedelta(seconds=1))
    assert lines.named() == dict.fromkeys(lines.all, 2) and states() == {1: "out", 2: "out"}
    assert open_alarms() == []
    lose(city, 1, first=1)
    assert lines.ahead() == canary  # the same ones, so that none is ever named an older list


def test_one_that_refuses_stops_it_for_the_others(city: City, lines: Lines):
    lose(city, 1)
    first, second, third = sorted(lines.ahead())
    lines.say(first, EventKind.DATA_REFUSED, "deny 2: 名单无法读取 cannot be read")
    lines.say(first, EventKind.DATA_TAKEN, "deny 2, 60 bytes")  # too late to be unsaid
    lines.say(second, EventKind.DATA_TAKEN, "deny 2, 60 bytes")
    assert city.tick().deny_version == 0
    later(city, timedelta(hours=2))
    assert states() == {1: "out", 2: "stopped"} and lines.ahead() == {first, second, third}
    stopped = api.stopped_deny()
    assert stopped is not None and "cannot be read" in stopped.reason and "3 台中 1 台" in stopped.reason
    assert (None, f"黑名单 2 已停止下达：{stopped.reason}") in open_alarms()
    with pytest.raises(Forbidden):
        api.release_deny(actor=Actor("guest"))
    released = api.release_deny(actor=ACTOR, clock=city.house.clock)
    assert released is not None and (released.version, released.released_by, released.state) == (2, "test", "out")
    assert lines.named() == dict.fromkeys(lines.all, 2) and api.stopped_deny() is None
    assert open_alarms() == []
    with pytest.raises(NotFound):
        api.release_deny(actor=ACTOR, clock=city.house.clock)


BY_ITSELF = (
    "deny 2: would refuse 25 of the last 40 cards, more than 50 of 1000",
    "deny 2: older than 7, which is in use",
    "deny 2: the list refuses 9 of the last 20 cards",
)


@pytest.mark.parametrize("reason", BY_ITSELF)
def test_one_front_end_does_not_stop_it_by_its_own_measure(city: City, lines: Lines, reason: str):
    lose(city, 1)
    first, *others = sorted(lines.ahead())
    lines.say(first, EventKind.DATA_REFUSED, reason)
    lines.say(first, EventKind.DATA_REFUSED, reason)
    for line in others:
        lines.say(line, EventKind.DATA_TAKEN, "deny 2, 60 bytes")
    later(city)
    assert states()[2] == "out" and lines.named() == dict.fromkeys(lines.all, 2)


def test_two_front_ends_stop_it_by_their_own_measure(city: City, lines: Lines):
    lose(city, 1)
    first, second, third = sorted(lines.ahead())
    lines.say(third, EventKind.DATA_TAKEN, "deny 2, 60 bytes")
    lines.say(first, EventKind.DATA_REFUSED, BY_ITSELF[0])
    assert city.tick().deny_version == 0 and states()[2] == "canary"
    lines.say(second, EventKind.DATA_REFUSED, BY_ITSELF[0])
    city.tick()
    stopped = api.stopped_deny()
    assert stopped is not None and "3 台中 2 台" in stopped.reason
    assert {lines.named()[line] for line in lines.all - {first, second, third}} == {1}


@pytest.mark.parametrize(
    ("on_line", "share", "canary"), [(1, 10, 1), (2, 10, 1), (3, 10, 2), (20, 10, 3), (20, 500, 10), (5, 1000, 5)]
)
def test_a_canary_is_three_of_a_few_front_ends_and_never_more_than_half_of_them(
    city: City, lines: Lines, on_line: int, share: int, canary: int
):
    api.set_policy(replace(api.policy(), canary_permille=share), actor=ACTOR)
    lines.report(sorted(lines.all)[:on_line])
    assert len(choose_canary(city.house.clock.now())) == canary


def test_the_alarm_lasts_as_long_as_the_list_is_stopped(city: City, lines: Lines):
    lose(city, 1)
    lines.say(min(lines.ahead()), EventKind.DATA_REFUSED, "deny 2: cannot be read")
    city.tick()
    for _ in range(4):
        later(city, REMIND_EVERY)
        watch_devices(clock=city.house.clock)
    assert [line for line, _ in open_alarms()] == [None]  # the front-end's own has cleared after its quiet hour
    assert Alarm.objects.get(kind="data_refused", line=None).times == 5


def test_a_newer_list_replaces_one_that_was_stopped_and_the_last_good_one_is_still_served(city: City, lines: Lines):
    for version in (2, 3):
        lose(city, 1, first=version)
        lines.say(min(lines.ahead()), EventKind.DATA_REFUSED, f"deny {version}: cannot be read")
        city.tick()
    assert states() == {1: "out", 2: "stopped", 3: "stopped"}
    assert set(lines.named().values()) == {1, 3}
    city.house.clock.advance(timedelta(days=2))
    prune(city.house.clock.now())
    rollouts.tick(city.house.clock)  # signs anew
    late = city.house.repository("late")
    assert run(late.get("deny/1.bin", 1 << 20)) == build_card_set((), version=1)
    set_status(city.cards[2:4], 1)
    lines.report(lines.all)  # of a gateway that was silent for two days
    lines.report(lines.all)
    assert city.tick().deny_version == 4  # what all have already, but under a number above those that were stopped
    lines.say(min(lines.ahead()), EventKind.DATA_TAKEN, "deny 4, 40 bytes")
    later(city)
    assert lines.named() == dict.fromkeys(lines.all, 4) and open_alarms() == []


def test_what_changes_during_the_soak_follows_and_nothing_starves(city: City, lines: Lines):
    lose(city, 1)
    canary = min(lines.ahead())
    lines.say(canary, EventKind.DATA_TAKEN, "deny 2, 60 bytes")
    for number in range(1, 4):
        assert lose(city, 1, first=number).deny_version == 0
        city.house.clock.advance(timedelta(seconds=1))
    assert later(city, timedelta(seconds=1)).deny_version == 3
    assert set(lines.named().values()) == {2, 3}
    (newest,) = DenyPublication.objects.filter(version=3)
    assert (newest.cards, newest.added) == (4, 3)
    lines.say(canary, EventKind.DATA_TAKEN, "deny 3, 60 bytes")
    later(city)
    assert lines.named() == dict.fromkeys(lines.all, 3)


def test_a_canary_that_says_nothing_is_waited_for_a_little_longer(city: City, lines: Lines):
    lose(city, 1)
    canary = min(lines.ahead())
    later(city, SOAK * 2)
    assert states()[2] == "canary"
    beat = device_pb2.Heartbeat(versions=[device_pb2.DataVersion(name="deny", version=2)])
    status = app_pb2.LineStatus(line_id=canary, heartbeat=beat, heard_at_us=to_epoch_us(city.house.clock.now()))
    devices.take_report(app_pb2.DeviceReport(lines=[status]), now=city.house.clock.now())
    city.tick()
    assert states()[2] == "out"
    set_status(city.cards[1:2], 2)
    city.tick()
    later(city, SOAK * 3 - timedelta(seconds=1))
    assert states()[3] == "canary"
    later(city, timedelta(seconds=1))
    assert states()[3] == "out"


def test_without_a_front_end_on_line_it_goes_out_at_once(city: City, lines: Lines):
    lines.report([])
    lose(city, 1)
    assert lines.named() == dict.fromkeys(lines.all, 2)
    lines.report(lines.all)
    city.house.clock.advance(timedelta(minutes=2))  # their gateway says nothing more
    lose(city, 1, first=1)
    assert lines.named() == dict.fromkeys(lines.all, 3)


def test_what_others_say_or_of_other_lists_stops_nothing(city: City, lines: Lines):
    lose(city, 1)
    canary = min(lines.ahead())
    other = min(lines.all - lines.ahead())
    for line, detail in (
        (other, "deny 2: no"),
        (canary, "deny 1: no"),
        (canary, "rules 2: no"),
        (canary, "deny 22: no"),
        (canary, ""),
    ):
        lines.say(line, EventKind.DATA_REFUSED, detail)
    lines.say(canary, EventKind.DATA_TAKEN, "deny 2, 60 bytes")
    later(city)
    assert states()[2] == "out"


def test_front_ends_whose_guards_refuse_stop_the_list(city: City, lines: Lines):
    lines.report(sorted(lines.all)[:4])
    fronts = [city.front_end(name) for name in ("fep", "other")]
    for front in fronts:
        assert run(front.keeper.follow(city.tasks()))
        for card in city.cards:
            front.keeper.taps.note(card)
        front.notes.clear()
    lose(city, 25)
    told = {version.name: version for version in rollouts.line_tasks([min(lines.ahead())])[min(lines.ahead())].current}
    for front, line in zip(fronts, sorted(lines.ahead()), strict=True):
        assert run(front.keeper.follow(device_pb2.Tasks(current=told.values()))) and len(front.keeper.denied) == 0
        for kind, detail in front.notes:
            lines.say(line, kind, detail)
    city.tick()
    stopped = api.stopped_deny()
    assert stopped is not None and "would refuse 25 of the last 40 cards" in stopped.reason


def test_the_figures_of_the_canary_have_their_ranges(city: City):
    for figures in ({"canary_permille": 0}, {"canary_permille": 1001}, {"canary_soak_s": 0}, {"canary_soak_s": 11}):
        with pytest.raises(InvalidInput):
            api.set_policy(replace(api.policy(), **figures), actor=ACTOR)
