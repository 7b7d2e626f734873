"""The signed repository as devices see it: what is signed comes through, whatever is not is refused, and nothing goes back."""

import hashlib

import pytest

from onecard.kernel.errors import RuleViolated
from onecard.services.devices.api import NewLine, create_line
from onecard.services.rollouts import api, repository
from onecard.terminal.upgrade.errors import NoSuchFile, NotTrusted
from tests.rollouts.house import House, run


def test_published_data_reaches_a_device_whole(house: House):
    content = bytes(range(256)) * 3000
    api.publish_data("deny", content, version=7, clock=house.clock)
    api.publish_data(f"rules/{house.tree.unit}", b"{}", version=1, clock=house.clock)
    device = house.repository()

    async def look() -> None:
        target = await device.find("deny/7.bin")
        assert (target.length, target.sha256) == (len(content), hashlib.sha256(content).digest())
        assert target.custom == {"kind": "deny", "release_counter": 7}
        assert await device.get("deny/7.bin", 1 << 20) == content
        assert await device.get(f"rules/{house.tree.unit}/1.json", 100) == b"{}"
        with pytest.raises(NoSuchFile):
            await device.find("deny/8.bin")
        with pytest.raises(NotTrusted):  # longer than the caller takes
            await device.get("deny/7.bin", len(content) - 1)

    run(look())


def test_a_device_without_a_root_keeps_the_first_one(house: House):
    api.publish_data("deny", b"list", version=1, clock=house.clock)
    wire = house.wire()
    device = house.repository(wire=wire)
    device._root = None
    run(device.refresh())
    assert wire.asked[0] == ("metadata/1.root.json", 0)
    again = house.repository(wire=(second := house.wire()))
    again._root = None
    run(again.refresh())
    assert ("metadata/1.root.json", 0) not in second.asked


def test_versions_of_data_only_grow(house: House):
    api.publish_data("deny", b"two", version=2, clock=house.clock)
    before = repository.newest_versions()
    api.publish_data("deny", b"two", version=2, clock=house.clock)  # a repetition
    assert repository.newest_versions() == before
    for version, content in ((2, b"other"), (1, b"two"), (1, b"one")):
        with pytest.raises(RuleViolated):
            api.publish_data("deny", content, version=version, clock=house.clock)
    assert repository.newest_versions() == before


def test_a_unit_reads_its_own_data_only(house: House):
    api.publish_many([api.NewData(f"cards/{unit}", b"%d" % unit, 1) for unit in (house.tree.unit, house.tree.own_unit)])
    mine = create_line(NewLine("front-end", "front_end", unit_id=house.tree.unit))
    device = house.repository(wire=house.wire(mine))
    assert run(device.get(f"cards/{house.tree.unit}/1.bin", 100)) == b"%d" % house.tree.unit
    with pytest.raises(NoSuchFile):
        run(device.get(f"cards/{house.tree.own_unit}/1.bin", 100))
    digest = hashlib.sha256(b"%d" % house.tree.own_unit).hexdigest()
    assert api.read_file(f"targets/deny/{digest}.1.bin", 0, 100, line_id=mine) is None  # by its hash under another name neither
    assert {one.name for one in api.line_tasks([mine])[mine].current} == {"cards"}
