"""Meters on an emulated bus and over TCP, through the gateway, to the fake application server."""

import asyncio
from pathlib import Path

import pytest

from onecard.gateway.buses.emulator import BusEmulator
from onecard.gateway.drivers.manifest import read_manifest
from onecard.gateway.drivers.modbus import codec
from onecard.gateway.drivers.modbus.codec import build_map
from onecard.gateway.drivers.modbus.meter import Meter, MeterServer
from onecard.kernel.codes import Operation, Result
from onecard.kernel.errors import InvalidInput
from tests.drivers.conftest import Ports
from tests.gateway.harness import CARD, until

FOLDER = Path(codec.__file__).parent
MAPS = read_manifest(FOLDER).data["maps"]
SETTINGS = {"map": "water", "hold_fen": 1000, "price_fen": 400, "poll_s": 0.02, "timeout_s": 0.15, "idle_s": 30.0}
CREDIT = 250  # pulses for 1000 fen at 400 fen per 100 pulses
TERMINAL = 201


def make_meter(address: int = 1, *, name: str = "water", **how) -> Meter:
    return Meter(address, build_map(MAPS[name]), **how)


@pytest.fixture
async def bus():
    async with BusEmulator(baud=115_200, seed=1) as bus:
        yield bus


def money(house) -> list[tuple[int, int, int]]:
    """What was posted, each key once: operation, amount, original."""
    seen = {}
    for r in house.app.records:
        seen.setdefault((r["terminal_id"], r["terminal_seq"], r["op"]), (r["op"], r["amount_fen"], r["orig_seq"]))
    return list(seen.values())


async def sell(house, meter: Meter, pulses: int) -> None:
    """A whole session: card, flow, card again."""
    meter.present(CARD)
    await until(lambda: meter.is_open, 10)
    meter.flow(pulses)
    meter.present(CARD)
    await until(lambda: not meter.values["session"], 10)


async def test_what_flowed_is_taken_and_the_rest_of_the_hold_goes_back(ports: Ports, bus):
    meter = make_meter()
    bus.plug(meter)
    await ports.attach("modbus", bus.spec, {"1": TERMINAL}, **SETTINGS)
    await sell(ports.house, meter, 30)
    await until(lambda: len(money(ports.house)) == 2)
    assert money(ports.house) == [(Operation.HOLD, 1000, 0), (Operation.COMMIT, 120, 1)]
    assert not meter.is_open


async def test_the_meter_stops_at_its_credit(ports: Ports, bus):
    meter = make_meter()
    bus.plug(meter)
    await ports.attach("modbus", bus.spec, {"1": TERMINAL}, **SETTINGS)
    meter.present(CARD)
    await until(lambda: meter.is_open)
    assert meter.flow(10_000) == CREDIT
    await until(lambda: len(money(ports.house)) == 2)
    assert money(ports.house)[1] == (Operation.COMMIT, 1000, 1)


async def test_nothing_flowing_gives_the_hold_back(ports: Ports, bus):
    meter = make_meter()
    bus.plug(meter)
    await ports.attach("modbus", bus.spec, {"1": TERMINAL}, **SETTINGS | {"idle_s": 0.2})
    meter.present(CARD)
    await until(lambda: len(money(ports.house)) == 2)
    assert money(ports.house)[1] == (Operation.RELEASE, 0, 1)


async def test_a_refused_card_opens_nothing(ports: Ports, bus):
    meter = make_meter()
    bus.plug(meter)
    ports.house.app.answer = lambda row: (int(Result.INSUFFICIENT_FUNDS), 0, 0, 0)
    await ports.attach("modbus", bus.spec, {"1": TERMINAL}, **SETTINGS)
    meter.present(CARD)
    await until(lambda: money(ports.house) and not meter.values["card"])
    await asyncio.sleep(0.1)
    assert (meter.values["session"], meter.values["valve"]) == (0, 0)


@pytest.mark.parametrize("quirk", ["words_swapped", "counter_16_bit", "single_values"])
async def test_a_sale_with_quirk(ports: Ports, bus, quirk):
    how = {"words_swapped": {"low_first": True}, "counter_16_bit": {"counter_bits": 16}, "single_values": {"single_values": True}}
    meter = make_meter(**how[quirk])
    meter.values["total"] = 65_530
    bus.plug(meter)
    await ports.attach("modbus", bus.spec, {"1": TERMINAL}, quirks=[quirk], **SETTINGS)
    await sell(ports.house, meter, 30)
    await until(lambda: len(money(ports.house)) == 2)
    assert money(ports.house)[1] == (Operation.COMMIT, 120, 1)


async def test_several_meters_share_a_bus(ports: Ports, bus):
    meters = [make_meter(address) for address in (1, 2, 3)]
    for meter in meters:
        bus.plug(meter)
    await ports.attach("modbus", bus.spec, {str(m.address): 200 + m.address for m in meters}, **SETTINGS)
    await asyncio.gather(*(sell(ports.house, meter, 10 * meter.address) for meter in meters))
    await until(lambda: len(money(ports.house)) == 6)
    assert sorted(amount for op, amount, _ in money(ports.house) if op == Operation.COMMIT) == [40, 80, 120]


async def test_modbus_tcp_and_another_map(ports: Ports):
    meter = make_meter(name="power")
    async with MeterServer([meter]) as server:
        attached = await ports.attach("modbus", server.spec, {"1": TERMINAL}, **SETTINGS | {"map": "power"})
        await sell(ports.house, meter, 800)
        await until(lambda: len(money(ports.house)) == 2)
        await attached.stop()
    assert money(ports.house)[1] == (Operation.COMMIT, 200, 1)


@pytest.mark.parametrize("register", ["card", "credit", "session", "valve"])
async def test_power_lost_at_any_write_loses_and_doubles_nothing(ports: Ports, bus, register):
    """The meter loses its power just after it took a write, before its answer is out."""
    meter = make_meter()
    bus.plug(meter)
    lost = asyncio.Event()

    def lose(name: str) -> None:
        if name == register and not lost.is_set():
            lost.set()
            loop = asyncio.get_running_loop()
            bus.unplug(meter)
            loop.call_later(0.3, bus.plug, meter)

    meter.on_write = lose
    await ports.attach("modbus", bus.spec, {"1": TERMINAL}, **SETTINGS)
    meter.present(CARD)
    await lost.wait()
    await until(lambda: meter in bus.devices)
    sold = meter.flowed
    await until(lambda: not meter.values["session"])
    await sell(ports.house, meter, 25)
    await settled(ports.house, sold_pulses=sold + 25)


async def test_a_meter_that_loses_its_power_while_it_flows_is_paid_for_what_flowed(ports: Ports, bus):
    meter = make_meter()
    bus.plug(meter)
    await ports.attach("modbus", bus.spec, {"1": TERMINAL}, **SETTINGS)
    meter.present(CARD)
    await until(lambda: meter.is_open)
    meter.flow(50)
    bus.unplug(meter)
    await asyncio.sleep(0.3)
    bus.plug(meter)
    await settled(ports.house, sold_pulses=50)


async def test_a_driver_that_restarts_in_the_middle_takes_what_flowed_once(ports: Ports, bus):
    meter = make_meter()
    bus.plug(meter)
    attached = await ports.attach("modbus", bus.spec, {"1": TERMINAL}, **SETTINGS)
    meter.present(CARD)
    await until(lambda: meter.is_open)
    meter.flow(40)
    await attached.stop()
    assert not meter.is_open  # nothing flows that nobody watches
    assert money(ports.house) == [(Operation.HOLD, 1000, 0)]
    await ports.attach("modbus", bus.spec, {"1": TERMINAL}, **SETTINGS)
    await settled(ports.house, sold_pulses=40)


async def test_a_commit_waits_for_the_platform_and_arrives_once(ports: Ports, bus):
    meter = make_meter()
    bus.plug(meter)
    await ports.attach("modbus", bus.spec, {"1": TERMINAL}, **SETTINGS)
    meter.present(CARD)
    await until(lambda: meter.is_open)
    meter.flow(10)
    ports.house.app.gate.clear()
    meter.present(CARD)
    await until(lambda: not meter.values["session"])
    ports.house.app.gate.set()
    await settled(ports.house, sold_pulses=10)


async def test_a_session_nobody_knows_is_closed_and_left_for_a_person(ports: Ports, bus):
    meter = make_meter()
    meter.values |= {"session": 77, "valve": 1, "credit": 10}
    bus.plug(meter)
    await ports.attach("modbus", bus.spec, {"1": TERMINAL}, **SETTINGS)
    await until(lambda: not meter.values["valve"])
    await asyncio.sleep(0.2)
    assert (meter.values["session"], money(ports.house)) == (77, [])


async def test_noise_costs_time_and_no_money(ports: Ports, bus):
    meter = make_meter()
    bus.plug(meter)
    bus.noise = 0.003
    await ports.attach("modbus", bus.spec, {"1": TERMINAL}, **SETTINGS | {"timeout_s": 0.05})
    for pulses in (5, 10, 15):
        await sell(ports.house, meter, pulses)
    await settled(ports.house, sold_pulses=30)
    assert bus.counts.noisy_bytes


async def settled(house, *, sold_pulses: int) -> None:
    """Every hold has one end, and what was taken is what flowed."""

    def is_settled() -> bool:
        posted = money(house)
        holds = [row for row in posted if row[0] == Operation.HOLD]
        ends = [row for row in posted if row[0] in (Operation.COMMIT, Operation.RELEASE)]
        taken = sum(row[1] for row in posted if row[0] == Operation.COMMIT)
        return len(ends) == len(holds) == len({row[2] for row in ends}) and taken == sold_pulses * 4

    try:
        await until(is_settled, 8)
    except TimeoutError:
        raise AssertionError(money(house)) from None


@pytest.mark.parametrize("options", [{"map": "gas"}, {"price_fen": 0}, {"hold_fen": "much"}, {"colour": 1}])
async def test_settings_that_cannot_work_are_refused(ports: Ports, options):
    with pytest.raises(InvalidInput, match="trial"):
        await ports.attach("modbus", "tcp:127.0.0.1:1", {"1": TERMINAL}, **SETTINGS | options)
