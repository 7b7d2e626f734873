"""Kinds on a line: a real gateway, real TLS, their data and firmware over it."""

import asyncio
from pathlib import Path

import pytest

from onecard.kernel.codes import Operation, Result
from onecard.kernel.errors import RuleViolated
from onecard.kernel.events import EventKind
from onecard.protocol.cardset import build_card_set
from onecard.protocol.native import build_frame
from onecard.protocol.proto.app_pb2 import LineTasks
from onecard.protocol.proto.device_pb2 import LineState, PlatformFrame
from onecard.terminal.kinds.firmware import build_image
from onecard.terminal.kinds.kiosk import Kiosk
from onecard.terminal.kinds.parts import Tap
from onecard.terminal.kinds.pos import Pos
from onecard.terminal.kinds.program import KINDS, Program, Setup
from tests.gateway.harness import House, until
from tests.kinds.bench import PARAMETERS, TARIFF, card, press, sell
from tests.kinds.repo import Repository

CARD = card(1)


def setup(house: House, folder: Path, kind=Pos, **options) -> Setup:
    identity = house.issue(1).identity
    options = {"heartbeat_s": 0.1, "durable": False, **options}
    return Setup(kind, folder / kind.MODEL, "127.0.0.1", house.port("native"), identity, clock=house.clock, **options)


def events(house: House) -> list[tuple[int, int, str]]:
    stored = [entry for report in house.app.device_reports for line in report.events for entry in line.events]
    return [(event.kind, event.terminal_id, event.detail) for event in stored]


def versions(house: House) -> dict[str, int]:
    lines = [status for report in house.app.device_reports for status in report.lines]
    return {version.name: version.version for version in lines[-1].heartbeat.versions} if lines else {}


async def test_a_pos_sells_over_its_line_and_alone_while_it_is_cut(house: House, tmp_path: Path):
    house.list_line(1)
    gateway = await house.start()
    async with Program.start(setup(house, tmp_path)) as program:
        pos = program.device
        pos.data.take("parameters", PARAMETERS, version=1)
        await until(lambda: "联机" in pos.display.text)
        await sell(pos, "1250", CARD)
        assert "成功" in pos.display.text
        house.app.unlist_line(1)
        await until(lambda: "脱机" in pos.display.text)
        await sell(pos, "300", CARD)
        assert "成功" in pos.display.text
        assert pos.teller.unsent == 1
        house.list_line(1)
        await program.act(Tap(CARD))  # somebody else at the idle POS: nothing happens
        await asyncio.wait_for(program.settled.wait(), 20)
    assert [(r["op"], r["terminal_seq"], r["amount_fen"]) for r in house.app.records] == [
        (Operation.PURCHASE, 1, 1250), (Operation.ADVICE, 2, 300),
    ]  # fmt: skip
    assert gateway.counters.frames["native"] > 2


async def test_what_a_front_end_says_of_its_line_stands_on_the_display(house: House, tmp_path: Path):
    house.list_line(1)
    gateway = await house.start()
    async with Program.start(setup(house, tmp_path, Kiosk)) as program:
        await until(lambda: "联机" in program.device.display.text)
        (connection,) = gateway._connections
        connection.send(build_frame(PlatformFrame(line_state=LineState(offline=True, lease_step=3))))
        await until(lambda: "脱机 停止消费" in program.device.display.text)
        await press(program.device, "topup")
        assert "暂停服务" in program.device.display.text
        connection.send(build_frame(PlatformFrame(line_state=LineState())))
        await until(lambda: "联机" in program.device.display.text)


async def test_published_lists_reach_a_terminal_and_a_damaged_one_does_not_replace_the_last(house: House, tmp_path: Path):
    repository = Repository(house.clock.now())
    house.app.files = repository.files
    repository.add("deny/1.bin", build_card_set([CARD], version=1), kind="deny", version=1)
    house.list_line(1)
    house.app.publish({"deny": 1})
    await house.start()
    async with Program.start(setup(house, tmp_path)) as program:
        await until(lambda: CARD in program.device.data.denied)
        repository.add("deny/2.bin", build_card_set([], version=2)[:-1], kind="deny", version=2)
        house.app.publish({"deny": 2})
        await until(lambda: any(kind == EventKind.DATA_REFUSED for kind, *_ in events(house)))
        assert CARD in program.device.data.denied
        repository.add("deny/3.bin", build_card_set([card(2)], version=3), kind="deny", version=3)
        house.app.publish({"deny": 3})
        await until(lambda: card(2) in program.device.data.denied)
        await until(lambda: versions(house).get("deny") == 3)
    assert [detail.split(":")[0] for kind, _, detail in events(house) if kind == EventKind.DATA_TAKEN] == ["deny 3"]


async def test_a_tariff_and_firmware_of_a_rollout_come_into_force_and_bad_ones_do_not(house: House, tmp_path: Path):
    repository = Repository(house.clock.now())
    house.app.files = repository.files
    model = ("onecard-pos",)
    tasks = [
        repository.add("tariff/5.json", TARIFF, kind="tariff", version=5),
        repository.add("tariff/6.json", TARIFF.replace(b"250", b"-50"), kind="tariff", version=6),
        repository.add("firmware/7.bin", build_image("pos", 7, bytes(300_000)), kind="firmware", version=7, hardware=model),
        repository.add("firmware/8.bin", build_image("pos", 8, healthy=False), kind="firmware", version=8, hardware=model),
        repository.add("firmware/9.bin", build_image("door", 9), kind="firmware", version=9, hardware=("onecard-door",)),
    ]
    house.list_line(1)
    house.app.publish({"timestamp": 1})
    await house.start()
    async with Program.start(setup(house, tmp_path)) as program:
        done, failed, refused = EventKind.UPDATE_DONE, EventKind.UPDATE_FAILED, EventKind.UPDATE_REFUSED
        for task, end in zip(tasks, (done, failed, done, failed, refused), strict=True):
            before = len(house.app.device_reports)
            house.app.set_tasks(1, LineTasks(line_id=1, tasks=[task]))
            await until(lambda end=end, before=before: end in _kinds(house, before), 10)
        assert program.device.data.tariff.fixed_fen == 250
        assert program.device.data.version("tariff") == 5
        assert program.updates.slots.firmware.version == 7
        await until(lambda: versions(house) == {"tariff": 5, "firmware": 7})


def _kinds(house: House, start: int) -> list[int]:
    reports = house.app.device_reports[start:]
    return [event.kind for report in reports for line in report.events for event in line.events]


async def test_firmware_waits_for_unsent_money_and_nothing_is_sold_while_it_is_exchanged(house: House, tmp_path: Path):
    repository = Repository(house.clock.now())
    house.app.files = repository.files
    image = build_image("pos", 2)
    task = repository.add("firmware/2.bin", image, kind="firmware", version=2, hardware=("onecard-pos",))
    house.list_line(1)
    house.app.publish({"timestamp": 1})
    approve, house.app.answer = house.app.answer, lambda row: (int(Result.UNAVAILABLE), 0, 0, 0)
    await house.start()
    async with Program.start(setup(house, tmp_path)) as program:
        pos = program.device
        pos.data.take("parameters", PARAMETERS, version=1)
        pos.teller.pay_offline(CARD, 100)
        await program.act(Tap(CARD))
        house.app.set_tasks(1, LineTasks(line_id=1, tasks=[task]))
        await until(lambda: EventKind.UPDATE_WAITING in [e.kind for e in pos.journal.events()], 10)
        assert program.updates.slots.firmware.version == 0
        program.updates.is_installing = True
        await press(pos, "100", "enter")
        assert "升级中" in pos.display.text
        program.updates.is_installing = False
        house.app.answer = approve
        house.app.first.clear()
        await until(lambda: program.updates.slots.firmware.version == 2, 10)
        assert pos.teller.unsent == 0


async def test_every_kind_reports_itself_and_its_events_over_the_line(house: House, tmp_path: Path):
    identities = [house.list_line(number).identity for number in range(1, len(KINDS) + 1)]
    await house.start()
    for number, (name, kind) in enumerate(KINDS.items(), start=1):
        identity = identities[number - 1]
        setup = Setup(
            kind, tmp_path / name, "127.0.0.1", house.port("native"), identity, clock=house.clock, serial=f"S{number}",
            heartbeat_s=0.1, durable=False,
        )  # fmt: skip
        async with Program.start(setup) as program:
            program.device.note(EventKind.ERROR, detail=name)
            await until(lambda name=name, n=number: (EventKind.ERROR, n * 10, name) in events(house))
            assert program.device.terminal_id == number * 10
    hellos = {status.hello.model for report in house.app.device_reports for status in report.lines}
    assert hellos >= set(KINDS)


async def test_two_programs_do_not_share_a_journal(house: House, tmp_path: Path):
    house.list_line(1)
    await house.start()
    async with Program.start(setup(house, tmp_path)):
        with pytest.raises(RuleViolated):
            Program(setup(house, tmp_path))


async def test_a_terminal_off_line_from_its_start_knows_its_own_number(house: House, tmp_path: Path):
    house.list_line(1)
    gateway = await house.start()
    async with Program.start(setup(house, tmp_path)) as program:
        program.device.data.take("parameters", PARAMETERS, version=1)
    where = setup(house, tmp_path)
    await gateway.stop()
    house.gateway = None
    async with Program.start(where) as program:
        await sell(program.device, "100", CARD)
        assert program.device.journal.records(10)[0].op == Operation.ADVICE
        assert program.device.data.version("parameters") == 1
