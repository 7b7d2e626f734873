"""What TUF is there for: tampering, roll-back, freeze, mix-and-match and endless data, refused by a device and by a front-end."""

import asyncio
import json
from datetime import timedelta

import pytest

from onecard.kernel.errors import InvalidInput, RuleViolated
from onecard.kernel.events import EventKind
from onecard.protocol.proto.device_pb2 import Task, Tasks
from onecard.services.rollouts import api, repository
from onecard.terminal.upgrade.errors import NoLine, NotTrusted
from onecard.terminal.upgrade.fetching import FilePart
from tests.rollouts.frontend import Box, front_end
from tests.rollouts.house import ACTOR, PASSPHRASE, House, Wire, release, run


def file_of(name: str) -> bytes:
    part = api.read_file(name, 0, 1 << 19)
    assert part is not None, name
    return part.data


def metadata(role: str) -> tuple[str, bytes]:
    version = repository.newest_versions()[role]
    name = "metadata/timestamp.json" if role == "timestamp" else f"metadata/{version}.{role}.json"
    return name, file_of(name)


def refused(house: House, wire: Wire, name: str = "device") -> str:
    """A device that looks at the repository over this wire refuses it."""
    device = house.repository(name, wire)

    async def look() -> None:
        await device.refresh()
        await device.get("deny/1.bin", 1 << 20)

    with pytest.raises(NotTrusted) as error:
        run(look())
    return error.value.en


def changed(content: bytes) -> bytes:
    """The same file with one figure changed."""
    document = json.loads(content)
    document["signed"]["expires"] = "2099-01-01T00:00:00Z"
    return json.dumps(document).encode()


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "deny"])
def test_a_changed_metadata_file_is_refused(house: House, role: str):
    api.publish_data("deny", b"list one", version=1, clock=house.clock)
    wire = house.wire()
    name, content = metadata(role)
    wire.instead[name] = changed(content)
    assert "signed" in refused(house, wire)


def test_changed_content_is_refused_and_not_kept(house: House):
    api.publish_data("deny", b"list one", version=1, clock=house.clock)
    device = house.repository(wire=(wire := house.wire()))
    target = run(device.find("deny/1.bin"))
    wire.instead[target.name] = b"LIST ONE"
    with pytest.raises(NotTrusted):
        run(device.get("deny/1.bin", 100))
    del wire.instead[target.name]
    assert run(device.get("deny/1.bin", 100)) == b"list one"


def test_an_older_timestamp_is_a_roll_back(house: House):
    api.publish_data("deny", b"list one", version=1, clock=house.clock)
    old = metadata("timestamp")[1]
    api.publish_data("deny", b"list two", version=2, clock=house.clock)
    device = house.repository(wire=(wire := house.wire()))
    run(device.refresh())
    wire.instead["metadata/timestamp.json"] = old
    with pytest.raises(NotTrusted, match="BadVersionNumber"):
        run(device.refresh())
    again = house.repository(wire=wire)  # after a restart, too
    with pytest.raises(NotTrusted, match="BadVersionNumber"):
        run(again.refresh())


def test_a_timestamp_that_never_changes_is_a_freeze(house: House):
    api.publish_data("deny", b"list one", version=1, clock=house.clock)
    device = house.repository(wire=(wire := house.wire()))
    run(device.refresh())
    wire.instead["metadata/timestamp.json"] = metadata("timestamp")[1]
    house.clock.advance(timedelta(hours=25))
    with pytest.raises(NotTrusted, match="Expired"):
        run(device.refresh())
    del wire.instead["metadata/timestamp.json"]
    api.tick(house.clock)  # what the on-line keys sign is signed again in time
    run(device.refresh())


def test_files_of_two_snapshots_do_not_mix(house: House):
    api.publish_data("deny", b"list one", version=1, clock=house.clock)
    old = metadata("deny")[1]
    api.publish_data("deny", b"list two", version=2, clock=house.clock)
    wire = house.wire()
    wire.instead[metadata("deny")[0]] = old
    assert "BadVersionNumber" in refused(house, wire)


def test_endless_data_is_cut_off(house: House):
    api.publish_data("deny", b"list one", version=1, clock=house.clock)
    served = 0

    async def endless(name: str, offset: int, length: int) -> FilePart:
        nonlocal served
        served += length
        return FilePart(1 << 40, b"x" * length)

    async def root_only(name: str, offset: int, length: int):
        return None if name.endswith(".root.json") else await endless(name, offset, length)

    device = house.repository()
    device._fetch = root_only
    with pytest.raises(NotTrusted):
        run(device.refresh())
    assert served <= 2 << 20
    known = house.repository("second", wire=house.wire())
    target = run(known.find("deny/1.bin"))
    known._fetch = endless
    with pytest.raises(NotTrusted):
        run(known.download(target.path, 100))


def test_a_line_that_breaks_is_no_distrust(house: House):
    wire = house.wire()
    wire.cut_after = 1
    with pytest.raises(NoLine):
        run(house.repository(wire=wire).refresh())


def test_a_refresh_that_is_cut_short_ends_its_thread(house: House):
    async def give_up() -> None:
        asked = asyncio.Event()

        async def stuck(name: str, offset: int, length: int) -> FilePart:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

        device = house.repository()
        device._fetch = stuck
        task = asyncio.create_task(device.refresh())
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(give_up())  # asyncio.run waits for the threads of its executor


def test_root_and_targets_need_their_threshold(house: House):
    api.add_release("tariff", "t", version=1, content=b"prices", actor=ACTOR)
    proposed = api.propose_targets(actor=ACTOR, clock=house.clock)
    with pytest.raises(RuleViolated, match="lacks signatures"):
        house.sign(proposed, by=(2,))
    with pytest.raises(RuleViolated, match="lacks signatures"):
        house.sign(proposed, role="root", by=(1, 2))  # keys of another role
    with pytest.raises(InvalidInput):
        api.read_key_file(house.keys / "targets-1.pem", b"another passphrase")
    signed = house.sign(proposed, by=(2, 3))
    with pytest.raises(InvalidInput, match="next version"):
        api.accept(signed, actor=ACTOR, clock=house.clock)  # twice
    assert api.get_release(1).state == "released"


def test_a_new_root_is_followed_when_the_old_one_signs_it(house: House):
    device = house.repository()
    run(device.refresh())
    house.sign(api.propose_root(actor=ACTOR, clock=house.clock), role="root")
    wire = house.wire()
    again = house.repository(wire=wire)
    run(again.refresh())
    assert ("metadata/2.root.json", 0) in wire.asked and again.metadata("2.root.json") is not None


def test_a_second_repository_is_refused(house: House):
    with pytest.raises(RuleViolated):
        api.init_repository(house.folder / "others", PASSPHRASE, actor=ACTOR)
    assert not (house.folder / "others").exists()


def test_a_front_end_refuses_what_is_not_signed(house: House):
    made = release(house, "firmware", 7, b"image seven", hardware=["reader-1"])
    genuine = Task(
        action_id=1, terminal_id=5, kind="firmware", target=made.path, length=11, sha256=bytes(made.blob_id), version=7
    )
    forged = Task(action_id=2, terminal_id=5, kind="firmware", target=made.path, length=11, sha256=bytes(32), version=7)
    absent = Task(action_id=3, terminal_id=5, kind="firmware", target="release/none.bin", length=1, sha256=bytes(32), version=8)
    other = Task(action_id=4, terminal_id=6, kind="firmware", target=made.path, length=11, sha256=bytes(made.blob_id), version=7)

    async def offer() -> Box:
        async with front_end(house, {5: "reader-1", 6: "another"}) as box:
            box.updates.on_tasks(Tasks(tasks=[genuine, forged, absent, other]))
            await box.ended(1, 2, 3, 4)
            return box

    box = run(offer())
    assert box.ends == {
        1: EventKind.UPDATE_DONE, 2: EventKind.UPDATE_REFUSED, 3: EventKind.UPDATE_REFUSED, 4: EventKind.UPDATE_REFUSED,
    }  # fmt: skip
    assert box.flashed == [("5", b"image seven", 7)]


def test_a_front_end_refuses_a_roll_back_of_the_repository(house: House):
    api.publish_data("deny", b"one", version=1, clock=house.clock)
    old = metadata("timestamp")[1]
    made = release(house, "firmware", 7, b"image seven", hardware=["reader-1"])
    task = Task(action_id=1, terminal_id=5, kind="firmware", target=made.path, length=11, sha256=bytes(made.blob_id), version=7)

    async def offer() -> Box:
        async with front_end(house, {5: "reader-1"}) as box:
            await box.updates.artefacts.refresh(force=True)
            box.wire.instead["metadata/timestamp.json"] = old
            box.updates.on_tasks(Tasks(tasks=[task]))
            await box.ended(1)
            served = await box.updates.serve("metadata/timestamp.json", 0, 1 << 16)
            assert served is not None and served.data != old
            return box

    box = run(offer())
    assert box.ends == {1: EventKind.UPDATE_REFUSED} and box.flashed == []
