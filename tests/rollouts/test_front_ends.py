"""A front-end fetches an artefact once for the unit, serves its terminals from it, and takes the devices of a bus in turn."""

import asyncio
from functools import partial

from onecard.kernel.codes import Result
from onecard.kernel.events import EventKind
from onecard.protocol.proto.device_pb2 import DataVersion, Task, Tasks
from onecard.services.rollouts import api
from tests.rollouts.frontend import front_end
from tests.rollouts.house import House, release, run
from tests.rollouts.test_devices import IMAGE, Device, firmware, kinds


def tasks_of(made, terminals: list[int], *, length: int) -> list[Task]:
    sha, path = bytes(made.blob_id), made.path
    return [
        Task(action_id=n, terminal_id=t, kind=made.kind, target=path, length=length, sha256=sha, version=made.version)
        for n, t in enumerate(terminals, 1)
    ]


def test_one_download_serves_every_terminal_of_the_unit(house: House):
    made = release(house, "firmware", 4, IMAGE, hardware=["till-a"])
    tasks = tasks_of(made, [11, 12, 13], length=len(IMAGE))
    current = [DataVersion(name="deny", version=3)]

    async def play() -> list[int]:
        async with front_end(house, {}) as box:
            box.updates.on_tasks(Tasks(current=current, tasks=tasks))
            await box.until(lambda: all(box.updates.tasks_for(terminal) for terminal in (11, 12, 13)))
            assert box.updates.tasks_of([11]) == Tasks(current=current, tasks=tasks[:1])
            box.wire.cut_after, box.is_up = 0, False  # the line is down: terminals take it all the same
            ends = []
            for task in tasks:
                device = Device(house, name=f"till-{task.terminal_id}")
                device.client.repository._fetch = box.updates.serve
                async for event in device.client.handle(task):
                    ends.append(event.kind)
                    box.updates.note(event)
                assert device.tested == [IMAGE]
                assert box.updates.tasks_for(task.terminal_id) == []  # it has said how it ended
            assert box.updates.artefacts.fetched == 1
            return ends

    assert run(play()).count(EventKind.UPDATE_DONE) == 3


def test_the_front_end_goes_on_where_its_download_stopped(house: House):
    made = release(house, "firmware", 4, IMAGE, hardware=["till-a"])
    tasks = Tasks(tasks=tasks_of(made, [11], length=len(IMAGE)))

    async def begin() -> None:
        async with front_end(house, {}) as box:
            box.updates.on_tasks(tasks)
            await box.until(lambda: any("release" in name and offset for name, offset in box.wire.asked))

    async def go_on() -> list[int]:
        async with front_end(house, {}) as box:
            box.updates.on_tasks(tasks)
            await box.until(lambda: box.updates.tasks_for(11))
            return [offset for name, offset in box.wire.asked if "release" in name]

    run(begin())
    offsets = run(go_on())
    assert offsets and offsets[0] > 0


def test_the_devices_of_a_bus_are_taken_in_turn_and_buses_side_by_side(house: House):
    made = release(house, "firmware", 4, b"reader image", hardware=["reader"])
    terminals = list(range(1, 9))

    async def play():
        async with front_end(house, dict.fromkeys(terminals, "reader"), per_bus=4) as box:
            box.updates.on_tasks(Tasks(tasks=tasks_of(made, terminals, length=12)))
            await box.ended(*range(1, 9))
            return box

    box = run(play())
    assert set(box.ends.values()) == {EventKind.UPDATE_DONE}
    assert sorted(device for device, _, _ in box.flashed) == [str(t) for t in terminals]
    assert box.most == {"bus-0": 1, "bus-1": 1}
    assert box.updates.artefacts.fetched == 1


def test_a_reader_that_does_not_answer_is_tried_again_and_then_counts_as_an_error(house: House):
    made = release(house, "firmware", 4, b"reader image", hardware=["reader"])

    async def play():
        async with front_end(house, {1: "reader", 2: "reader"}) as box:
            box.fails |= {"1": 2, "2": 99}
            box.updates.on_tasks(Tasks(tasks=tasks_of(made, [1, 2], length=12)))
            await box.ended(1, 2)
            return box

    box = run(play())
    assert box.ends == {1: EventKind.UPDATE_DONE, 2: EventKind.UPDATE_FAILED}
    assert [device for device, _, _ in box.flashed] == ["1"]


def test_a_reader_is_not_flashed_while_money_is_unsent(house: House):
    made = release(house, "firmware", 4, b"reader image", hardware=["reader"])

    async def play():
        async with front_end(house, {1: "reader"}) as box:
            box.may_flash = False
            box.updates.on_tasks(Tasks(tasks=tasks_of(made, [1], length=12)))
            await box.until(lambda: EventKind.UPDATE_WAITING in box.kinds(1))
            assert box.flashed == []
            box.may_flash = True
            await box.ended(1)
            return box

    assert run(play()).ends == {1: EventKind.UPDATE_DONE}


def test_no_release_counter_of_a_reader_goes_back_also_after_a_restart(house: House):
    new = release(house, "firmware", 5, b"newer image", hardware=["reader"])
    old = release(house, "firmware", 4, b"reader image", hardware=["reader"])

    async def play(made, length: int, action: int):
        async with front_end(house, {1: "reader"}) as box:
            (task,) = tasks_of(made, [1], length=length)
            task.action_id = action
            box.updates.on_tasks(Tasks(tasks=[task]))
            await box.ended(action)
            return box.ends[action]

    assert run(play(new, 11, 1)) == EventKind.UPDATE_DONE
    assert run(play(old, 12, 2)) == EventKind.UPDATE_REFUSED


def test_what_the_front_end_has_not_checked_is_asked_of_the_line(house: House):
    api.publish_data("deny", b"a list", version=1, clock=house.clock)

    async def play() -> None:
        async with front_end(house, {}) as box:
            assert await box.updates.serve("metadata/1.root.json", 0, 100) is None
            await box.updates.artefacts.refresh(force=True)
            root = await box.updates.serve("metadata/1.root.json", 0, 1 << 19)
            assert root is not None and root.code == Result.APPROVED and root.data == house.root
            target = await box.updates.artefacts.find("deny/1.bin")
            part = await box.updates.serve(target.name, 2, 3)
            assert part is not None and (part.total, part.data) == (6, b"lis")
            wrong = target.name.replace(target.sha256.hex(), "0" * 64)
            assert (await box.updates.serve(wrong, 0, 3)).code == Result.NO_ORIGINAL
            box.is_up = False
            assert (await box.updates.serve("targets/none/" + "0" * 64 + ".x", 0, 3)).code == Result.NO_ORIGINAL

    run(play())


def test_a_terminal_behind_a_front_end_refuses_what_is_not_for_it(house: House):
    task = firmware(house, 4, hardware="till-b")

    async def play() -> list:
        async with front_end(house, {}) as box:
            await box.updates.artefacts.refresh(force=True)
            device = Device(house)
            device.client.repository._fetch = box.updates.serve
            return [event async for event in device.client.handle(task)]

    assert kinds(run(play())) == [EventKind.UPDATE_REFUSED]


def test_whoever_wants_a_file_at_the_same_time_gets_it_whole(house: House):
    """The front-end itself takes the deny list at the moment its terminals ask for it."""
    content = bytes(range(256)) * 3000  # of several parts
    api.publish_data("deny", content, version=1, clock=house.clock)

    async def play() -> None:
        async with front_end(house, {}) as box:
            artefacts = box.updates.artefacts
            repository = artefacts._repository
            await artefacts.refresh()
            target = await artefacts.find("deny/1.bin")
            for _ in range(5):
                wants = [repository.get("deny/1.bin", 1 << 20), artefacts.fetch(target), repository.get("deny/1.bin", 1 << 20)]
                first, path, second = await asyncio.gather(*wants)
                assert first == second == path.read_bytes() == content
                artefacts.want(frozenset())
                artefacts._ready.clear()
                repository.keep_only(frozenset())
            assert await repository.get("deny/1.bin", 1 << 20) == content
            assert list(repository._files.iterdir()) == []  # nothing is kept that nobody keeps
            assert repository._in_hand == {}

    run(play())


def test_a_new_list_of_tasks_does_not_drop_what_is_being_fetched(house: House):
    content = bytes(range(256)) * 3000
    api.publish_data("deny", content, version=1, clock=house.clock)

    async def play() -> None:
        async with front_end(house, {}) as box:
            box.wire.on_ask = lambda: box.updates.on_tasks(Tasks(current=[DataVersion(name="deny", version=1)]))
            assert await box.updates.artefacts._repository.get("deny/1.bin", 1 << 20) == content

    run(play())


def test_metadata_is_looked_at_again_where_something_was_told_of_meanwhile(house: House):
    api.publish_data("deny", b"one", version=1, clock=house.clock)

    async def play() -> None:
        async with front_end(house, {}) as box:
            artefacts = box.updates.artefacts
            looking = asyncio.create_task(artefacts.refresh())
            await box.until(lambda: any(name.endswith(".snapshot.json") for name, _ in box.wire.asked))  # has its timestamp
            publish = partial(api.publish_data, "deny", b"two", version=2, clock=house.clock)
            await asyncio.get_running_loop().run_in_executor(house.threads, publish)
            box.updates.on_tasks(Tasks(current=[DataVersion(name="deny", version=2)]))
            await looking
            await artefacts.refresh()
            assert await artefacts._repository.get("deny/2.bin", 1 << 20) == b"two"

    run(play())
