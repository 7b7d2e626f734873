"""OSDP readers on an emulated bus, through the gateway, to the fake application server."""

import asyncio
import secrets

import pytest
from osdp import Command, CommandLEDColor

from onecard.gateway.buses.emulator import BusEmulator
from onecard.gateway.drivers.osdp.codec import card_number, crc16
from onecard.gateway.drivers.osdp.reader import Reader
from onecard.kernel.codes import Operation, Result
from onecard.kernel.errors import InvalidInput
from tests.drivers.conftest import LINE, Ports
from tests.gateway.harness import CARD, until

BCD = bytes.fromhex(f"{CARD:016d}")


class Site:
    """A bus with readers and the port that serves it."""

    def __init__(self, ports: Ports, bus: BusEmulator, count: int) -> None:
        self.ports, self.bus = ports, bus
        self.keys = {address: secrets.token_bytes(16) for address in range(1, count + 1)}
        self.readers = {address: Reader(address, key) for address, key in self.keys.items()}

    async def open(self, **options):
        for reader in self.readers.values():
            self.bus.plug(reader)
        terminals = {str(a): 100 + a for a in self.keys}
        self.attached = await self.ports.attach("osdp", self.bus.spec, terminals, keys=self.ports.key_file(self.keys), **options)
        await self.online()

    @property
    def port(self):
        return self.attached.ports["trial"]

    async def online(self):
        await until(lambda: all(self.port.status().values()), 20)

    async def tap(self, address: int = 1, data: bytes = BCD, *, bits: int = 64) -> dict[str, dict]:
        """The commands a tap led to, by kind."""
        reader = self.readers[address]
        reader.commands.clear()
        before = len(self.port.readers[address].decisions_s)
        reader.present(data, bits=bits)
        await until(lambda: len(self.port.readers[address].decisions_s) > before and reader.commands)
        await until(lambda: any(c["command"] in (Command.LED, Command.Buzzer) for c in reader.commands))
        names = {Command.LED: "led", Command.Output: "relay", Command.Buzzer: "buzzer"}
        return {names[c["command"]]: c for c in reader.commands}


@pytest.fixture
async def bus():
    async with BusEmulator(baud=115_200, seed=1) as bus:
        yield bus


async def test_a_card_is_asked_for_and_the_relay_opens(ports, bus):
    site = Site(ports, bus, 2)
    await site.open()
    shown = await site.tap(2)
    assert shown["relay"]["timer_count"] == 30
    await until(lambda: any(c["command"] == Command.LED for c in site.readers[2].commands))
    (record,) = ports.house.app.records
    assert (record["op"], record["terminal_id"], record["card_no"], record["line_id"]) == (Operation.BALANCE, 102, CARD, LINE)


async def test_a_refused_card_opens_nothing_and_shows_red(ports, bus):
    site = Site(ports, bus, 1)
    ports.house.app.answer = lambda row: (int(Result.CARD_LOST), 0, 0, 0)
    await site.open(amount_fen=200)
    shown = await site.tap()
    assert "relay" not in shown
    assert shown["led"]["on_color"] == CommandLEDColor.Red
    assert [r["amount_fen"] for r in ports.house.app.records] == [200]


async def test_a_card_the_rule_cannot_read_is_refused_without_asking(ports, bus):
    site = Site(ports, bus, 1)
    await site.open(rule="wiegand26")
    assert "relay" not in await site.tap(data=bytes.fromhex("80000040"), bits=26)  # wrong parity
    assert site.port.readers[1].unreadable == 1
    assert ports.house.app.records == []


async def test_quirk_leds_swapped_shows_red_for_yes(ports, bus):
    site = Site(ports, bus, 1)
    await site.open(quirks=["leds_swapped"])
    await site.tap()
    await until(lambda: any(c["command"] == Command.LED for c in site.readers[1].commands))
    led = next(c for c in site.readers[1].commands if c["command"] == Command.LED)
    assert led["on_color"] == CommandLEDColor.Red


async def test_quirk_no_buzzer_never_sends_one(ports, bus):
    site = Site(ports, bus, 1)
    await site.open(quirks=["no_buzzer"])
    await site.tap()
    await site.tap()
    assert all(c["command"] != Command.Buzzer for c in site.readers[1].commands)


async def test_tamper_and_power_are_told(ports, bus):
    site = Site(ports, bus, 1)
    await site.open()
    site.readers[1].set_state(tamper=True, power=True)
    await until(lambda: site.port.readers[1].is_tampered and site.port.readers[1].has_power_fault)


async def test_a_reader_unplugged_and_plugged_in_again_is_back_while_the_others_go_on(ports, bus):
    site = Site(ports, bus, 2)
    await site.open()
    bus.unplug(site.readers[1])
    await until(lambda: not site.port.status()["1"], 15)
    assert "relay" in await site.tap(2)
    bus.plug(site.readers[1])
    await site.online()
    assert "relay" in await site.tap(1)


async def test_a_reader_with_another_key_is_never_served(ports, bus):
    site = Site(ports, bus, 1)
    stranger = Reader(2, secrets.token_bytes(16))
    bus.plug(stranger)
    site.keys[2] = secrets.token_bytes(16)
    site.readers[2] = stranger
    for reader in site.readers.values():
        bus.plug(reader) if reader not in bus.devices else None
    site.attached = await ports.attach("osdp", bus.spec, {"1": 101, "2": 102}, keys=ports.key_file(site.keys))
    await until(lambda: site.port.status()["1"], 15)
    assert "relay" in await site.tap(1)
    assert not site.port.status()["2"]


async def test_noise_on_the_wire_is_survived_and_nothing_is_read_wrong(ports, bus):
    site = Site(ports, bus, 1)
    await site.open()
    bus.noise = 0.003
    state = site.port.readers[1]
    async with asyncio.timeout(40):
        while len(state.decisions_s) < 5:  # a read whose packet is spoilt is gone: the holder taps again
            if site.readers[1].is_secure:
                site.readers[1].present(BCD, bits=64)
            await asyncio.sleep(0.2)
    bus.noise = 0.0
    await site.online()
    assert "relay" in await site.tap()
    assert bus.counts.noisy_bytes > 0
    assert {r["card_no"] for r in ports.house.app.records} == {CARD}


async def test_a_line_cut_off_by_the_list_takes_its_readers_off_line_and_back(ports, bus):
    site = Site(ports, bus, 1)
    await site.open()
    ports.house.app.unlist_line(LINE)
    await until(lambda: not site.port.status()["1"])
    await until(lambda: not ports.house.gateway.attached_lines)
    ports.house.list_line(LINE, {101: "00000101"}, front_end=True)
    await site.online()
    assert "relay" in await site.tap()


async def test_a_purchase_without_an_answer_is_reversed_before_the_next(ports, bus):
    site = Site(ports, bus, 1)
    await site.open(amount_fen=300)
    app = ports.house.app
    app.gate.clear()
    shown = await site.tap()
    assert "relay" not in shown
    app.gate.set()
    assert "relay" in await site.tap()
    ops = [(r["op"], r["terminal_seq"]) for r in app.records]
    first = ops[0][1]
    assert (Operation.REVERSAL, first) in ops
    assert ops.index((Operation.REVERSAL, first)) < ops.index((Operation.PURCHASE, first + 1))


@pytest.mark.parametrize("quirks", [(), ("whole_files",)])
async def test_a_file_arrives_whole_although_the_reader_loses_its_power(ports, bus, quirks):
    site = Site(ports, bus, 2)
    await site.open(quirks=quirks)
    image = secrets.token_bytes(5000)
    reader = site.readers[1]
    if quirks:
        reader.takes_plain_files = len(image)
    lost = asyncio.Event()

    def lose_power(flashed: int) -> None:
        if flashed > 2000 and not lost.is_set():
            lost.set()
            asyncio.get_running_loop().call_soon(bus.unplug, reader)
            asyncio.get_running_loop().call_later(0.2, bus.plug, reader)

    reader.on_flash = lose_power
    await asyncio.wait_for(site.port.send_file(1, image), 40)
    assert reader.files[1] == image
    assert lost.is_set()
    if not quirks:  # nothing is sent twice but what was on its way when the power went
        assert site.port.panel.polling[1].packets <= len(image) // 200 + 4


def test_card_rules():
    assert card_number("bcd16", BCD, 64) == CARD
    assert card_number("uid_big_endian", bytes.fromhex("01020304"), 32) == 0x01020304
    assert card_number("uid_little_endian", bytes.fromhex("01020304"), 32) == 0x04030201
    assert card_number("ascii", b"1234", 32) == 1234
    # Facility 1, number 1 in Wiegand 26: even parity 1 before, odd parity 0 behind.
    wiegand = int(("1" + f"{1:08b}{1:016b}" + "0").ljust(32, "0"), 2).to_bytes(4, "big")
    assert card_number("wiegand26", wiegand, 26) == (1 << 16) + 1
    for rule, data, bits in (
        ("bcd16", b"\xff" * 8, 64),
        ("ascii", b"12x4", 32),
        ("uid_big_endian", b"\1\2", 16),
        ("bcd16", BCD, 63),
    ):
        with pytest.raises(ValueError):
            card_number(rule, data, bits)


def test_the_check_value_of_the_sia_examples():
    assert crc16(bytes.fromhex("537F0D00046E0080250000")).to_bytes(2, "little").hex() == "6e38"
    assert crc16(bytes.fromhex("530009000461 00")).to_bytes(2, "little").hex() == "c066"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"rule": "guess"}, "no card rule guess"),
        ({"colour": 1}, "unknown options colour"),
        ({"mode": "pay"}, "mode pay with amount_fen 0"),
        ({"mode": "attend", "amount_fen": 5}, "mode attend with amount_fen 5"),
        ({"amount_fen": "much"}, "much"),
        ({"keys": "/no/such/file"}, "/no/such/file"),
        ({"keys": None}, "port trial"),
    ],
)
async def test_settings_that_cannot_work_are_refused_before_anything_is_opened(ports, bus, options, named):
    with pytest.raises(InvalidInput, match=named):
        await ports.attach("osdp", bus.spec, {"1": 101}, **{"keys": ports.key_file({1: secrets.token_bytes(16)})} | options)


async def test_a_port_without_keys_or_with_a_strange_address_is_refused(ports, bus):
    with pytest.raises(InvalidInput, match="no 'keys'"):
        await ports.attach("osdp", bus.spec, {"1": 101})
    with pytest.raises(InvalidInput, match="reader 127"):
        await ports.attach("osdp", bus.spec, {"127": 101}, keys=ports.key_file({}))
