"""A device takes a roll-out: downloads resume, flashing waits for its moment, what fails leaves the old version."""

import asyncio
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecard.kernel.clock import to_epoch_us
from onecard.kernel.events import EventKind
from onecard.kernel.numbers import build_card_no
from onecard.protocol.cardset import build_card_set, parse_card_set
from onecard.protocol.proto.device_pb2 import DeviceEvent, Task, Tasks
from onecard.terminal.upgrade.client import UpdateClient
from onecard.terminal.upgrade.fetching import PART_BYTES
from onecard.terminal.upgrade.runner import TaskRunner
from onecard.terminal.upgrade.slots import Installed, Slots
from tests.rollouts.house import House, Wire, release, run

IMAGE = bytes(range(256)) * 3000  # three parts
CARDS = [build_card_no(issuer=8800, lane=1, serial=serial) for serial in range(1, 1001)]
OLD_LIST = build_card_set(CARDS[:1], version=1)


class Device:
    """A till with what a test sets."""

    def __init__(self, house: House, wire: Wire | None = None, *, name: str = "till", factory: int = 3) -> None:
        self.house, self.wire = house, wire or house.wire()
        self.unsent = 0
        self.is_meal = False
        self.healthy = True
        self.tested: list[bytes] = []
        self.cards = parse_card_set(OLD_LIST)
        self.client = UpdateClient(
            house.folder / name, hardware="till-a", fetch=self.wire.fetch, root=house.root, clock=house.clock,
            unsent=lambda: self.unsent, may_install=lambda _: not self.is_meal, self_test=self._test,
            data_files={"list": self._read}, factory=factory, poll_s=0.01, retry_s=0.01,
        )  # fmt: skip

    async def _test(self, image: Path) -> bool:
        self.tested.append(await asyncio.to_thread(image.read_bytes))
        assert self.client.is_installing
        return self.healthy

    def _read(self, content: bytes) -> None:
        self.cards = parse_card_set(content)

    def take(self, task: Task) -> list[DeviceEvent]:
        async def whole() -> list[DeviceEvent]:
            async with aclosing(self.client.handle(task)) as events:
                return [event async for event in events]

        return run(whole())


def firmware(house: House, version: int = 4, image: bytes = IMAGE, *, hardware: str = "till-a") -> Task:
    return task_of(release(house, "firmware", version, image, hardware=[hardware]))


def task_of(made, action_id: int = 1, **changes) -> Task:
    length = len(bytes(made.blob.content))
    task = Task(
        action_id=action_id, kind=made.kind, target=made.path, length=length, sha256=bytes(made.blob_id), version=made.version
    )
    for name, value in changes.items():
        setattr(task, name, value)
    return task


def kinds(events: list[DeviceEvent]) -> list[EventKind]:
    return [EventKind(event.kind) for event in events if event.kind != EventKind.UPDATE_DOWNLOADING]


def test_firmware_goes_to_the_other_slot_and_is_in_force_after_its_self_test(house: House):
    device, task = Device(house), firmware(house)
    events = device.take(task)
    assert kinds(events) == [EventKind.UPDATE_INSTALLING, EventKind.UPDATE_DONE]
    assert [event.progress_permille for event in events if event.kind == EventKind.UPDATE_DOWNLOADING] == [0, 341, 682, 1000]
    assert device.tested == [IMAGE] and device.client.slots.image.read_bytes() == IMAGE
    assert device.client.slots.firmware == Installed(4, task.sha256.hex())
    again = Device(house)
    assert again.client.slots.firmware.version == 4 and kinds(again.take(task)) == [EventKind.UPDATE_DONE]
    assert again.tested == []


def test_a_failed_self_test_keeps_the_old_version_and_is_not_tried_again(house: House):
    device = Device(house)
    device.take(firmware(house, 4, b"good image"))
    device.healthy = False
    bad = firmware(house, 5, b"bad image")
    bad.action_id = 2
    events = device.take(bad)
    assert kinds(events)[-1] == EventKind.UPDATE_FAILED and "self test" in events[-1].detail
    assert device.client.slots.firmware.version == 4 and device.client.slots.image.read_bytes() == b"good image"
    again = Device(house)
    assert kinds(again.take(bad)) == [EventKind.UPDATE_FAILED] and again.tested == []


def test_power_lost_in_the_self_test_leaves_the_old_version(house: House, tmp_path: Path):
    device = Device(house)
    device.take(firmware(house, 4, b"good image"))
    new = tmp_path / "new"
    new.write_bytes(b"new image")
    device.client.slots.begin_trial(new, 2)
    slots = Slots(house.folder / "till")
    assert slots.image.read_bytes() == b"good image" and slots.interrupted == 2
    task = firmware(house, 5, b"new image")
    task.action_id = 2
    assert kinds(Device(house).take(task)) == [EventKind.UPDATE_FAILED]


def test_a_device_flashes_with_no_unsent_money_and_outside_meal_times_only(house: House):
    device, task = Device(house), firmware(house)
    device.unsent, device.is_meal = 2, True

    async def watch() -> list[str]:
        said: list[str] = []
        async with aclosing(device.client.handle(task)) as events:
            async for event in events:
                said.append(event.detail)
                if event.detail == "unsent money":
                    device.unsent = 0
                elif event.detail == "selling goes on":
                    device.is_meal = False
                    device.unsent = 1 if said.count("unsent money") < 2 else 0  # one more sale before it closes
        return [detail for detail in said if detail]

    assert run(watch()) == ["unsent money", "selling goes on", "unsent money"]
    assert device.client.slots.firmware.version == 4


def test_a_sale_made_while_installing_is_journaled_comes_first(house: House):
    device, task = Device(house), firmware(house)

    async def watch() -> list[EventKind]:
        said: list[EventKind] = []
        async with aclosing(device.client.handle(task)) as events:
            async for event in events:
                said.append(EventKind(event.kind))
                if event.kind == EventKind.UPDATE_INSTALLING and said.count(EventKind.UPDATE_INSTALLING) == 1:
                    device.unsent = 1  # sold between the word and the deed
                elif event.kind == EventKind.UPDATE_WAITING:
                    assert device.tested == []
                    device.unsent = 0
        return said

    said = [kind for kind in run(watch()) if kind != EventKind.UPDATE_DOWNLOADING]
    first, done = EventKind.UPDATE_INSTALLING, EventKind.UPDATE_DONE
    assert said == [first, EventKind.UPDATE_WAITING, first, done]


def test_a_device_waits_for_its_window(house: House):
    device, now = Device(house), house.clock.now()
    task = firmware(house)
    task.not_before_us, task.not_after_us = to_epoch_us(now + timedelta(hours=1)), to_epoch_us(now + timedelta(hours=2))

    async def watch() -> list[str]:
        said: list[str] = []
        async with aclosing(device.client.handle(task)) as events:
            async for event in events:
                said.append(event.detail)
                if event.detail:
                    house.clock.advance(timedelta(hours=1))
        return [detail for detail in said if detail]

    assert run(watch()) == ["its window has not begun"]


def test_a_download_goes_on_where_it_stopped(house: House):
    task = firmware(house)
    wire = house.wire()
    device = Device(house, wire)
    part = f"targets/{task.target.rpartition('/')[0]}/{task.sha256.hex()}.{task.target.rpartition('/')[2]}"

    async def stop_midway() -> None:
        async with aclosing(device.client.handle(task)) as events:
            async for event in events:
                if event.progress_permille:
                    return

    run(stop_midway())
    assert (part, 0) in wire.asked
    second = house.wire()
    assert kinds(Device(house, second).take(task))[-1] == EventKind.UPDATE_DONE
    assert [offset for name, offset in second.asked if name == part] == [PART_BYTES, 2 * PART_BYTES]


def test_a_line_that_breaks_is_waited_for(house: House):
    task, wire = firmware(house), house.wire()
    device = Device(house, wire)
    wire.cut_after = 3

    async def mend() -> None:
        while wire.broken < 3:  # noqa: ASYNC110 - the wire has no event
            await asyncio.sleep(0.01)
        wire.cut_after = None

    async def whole() -> list[DeviceEvent]:
        async with asyncio.TaskGroup() as group:
            group.create_task(mend())
            async with aclosing(device.client.handle(task)) as events:
                return [event async for event in events]

    assert kinds(run(whole()))[-1] == EventKind.UPDATE_DONE


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 5}, "release counter 4, not 5"),
        ({"sha256": bytes(32)}, "not the announced content"),
        ({"kind": "list"}, "not list"),
        ({"target": "release/firmware/9-0000.bin"}, "no release/firmware/9"),
    ],
)
def test_a_task_that_is_not_what_is_signed_is_refused(house: House, change: dict, reason: str):
    device, task = Device(house), firmware(house)
    for name, value in change.items():
        setattr(task, name, value)
    events = device.take(task)
    assert kinds(events) == [EventKind.UPDATE_REFUSED] and reason in events[0].detail
    assert device.tested == [] and device.client.slots.firmware.version == 3


def test_other_hardware_and_older_firmware_are_refused(house: House):
    device = Device(house)
    events = device.take(firmware(house, 4, hardware="till-b"))
    assert kinds(events) == [EventKind.UPDATE_REFUSED] and "till-b" in events[0].detail
    older = firmware(house, 2, b"older image")
    older.action_id = 2
    events = device.take(older)
    assert kinds(events) == [EventKind.UPDATE_REFUSED] and "not above 3" in events[0].detail


def test_data_that_the_device_cannot_read_leaves_the_last_good_one(house: House):
    device = Device(house)
    good = build_card_set(CARDS, version=2)
    assert kinds(device.take(task_of(release(house, "list", 2, good))))[-1] == EventKind.UPDATE_DONE
    events = device.take(task_of(release(house, "list", 3, b"not a list at all"), 2))
    assert kinds(events)[-1] == EventKind.UPDATE_FAILED
    assert CARDS[-1] in device.cards and device.client.data("list") == good
    assert Device(house).client.data("list") == good
    assert device.client.slots.installed("list").version == 2


def test_the_runner_follows_the_list(house: House):
    device = Device(house)
    device.unsent = 1
    task, said = firmware(house), []

    async def play() -> None:
        runner = TaskRunner({0: device.client}, said.append)
        runner.on_tasks(Tasks(tasks=[task]))
        while not any(event.kind == EventKind.UPDATE_WAITING for event in said):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        runner.on_tasks(Tasks())  # cancelled
        device.unsent = 0
        await asyncio.sleep(0.05)
        assert device.tested == []
        runner.on_tasks(Tasks(tasks=[task]))
        while not any(event.kind == EventKind.UPDATE_DONE for event in said):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await runner.stop()

    run(play())
    assert device.tested == [IMAGE]


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=2000), st.binary(min_size=1, max_size=40))
def test_whatever_is_cut_by_a_power_loss_one_version_of_data_is_whole(tmp_path_factory, first: bytes, second: bytes):
    folder = tmp_path_factory.mktemp("slots")
    slots = Slots(folder)
    slots.put_data("list", first, Installed(1, ""))
    slots.put_data("list", second, Installed(2, ""))
    (folder / "data" / "list.bin").unlink()  # between the two renames
    assert Slots(folder).data("list") == first
