"""The bus emulator: pace, collisions, hot-plug, cuts, and the line that never raises."""

import asyncio
import os

import pytest

from onecard.gateway.buses.emulator import BusEmulator
from onecard.gateway.buses.line import SerialLine, parse_spec
from onecard.kernel.errors import InvalidInput
from tests.gateway.harness import until


class Ear:
    """A device that keeps what it hears."""

    def __init__(self) -> None:
        self.heard = bytearray()

    def plugged(self, bus) -> None:
        pass

    def unplugged(self) -> None:
        pass

    def hear(self, data: bytes) -> None:
        self.heard += data


@pytest.mark.parametrize("bits", [10, 11])
async def test_bytes_take_the_time_of_their_bits(bits):
    async with BusEmulator(baud=9600, bits_per_byte=bits) as bus:
        ear = Ear()
        bus.plug(ear)
        line = SerialLine(parse_spec(bus.spec))
        since = asyncio.get_running_loop().time()
        await asyncio.to_thread(line.write, bytes(96))
        await until(lambda: len(ear.heard) == 96)
        assert asyncio.get_running_loop().time() - since >= 96 * bits / 9600
        line.close()


async def test_two_devices_at_once_spoil_each_other_and_one_alone_does_not():
    async with BusEmulator(baud=9600, seed=1) as bus:
        one, other = Ear(), Ear()
        bus.plug(one)
        bus.plug(other)
        bus.say(one, b"alone")
        await until(lambda: bytes(other.heard) == b"alone")
        bus.say(one, b"first")
        bus.say(other, b"second")
        await until(lambda: len(one.heard) == 6)
        assert bus.counts.collisions == 1
        assert bytes(one.heard) != b"second"


async def test_what_an_unplugged_device_had_not_said_is_lost():
    async with BusEmulator(baud=1200) as bus:
        one, other = Ear(), Ear()
        bus.plug(one)
        bus.plug(other)
        bus.say(one, bytes(100))
        await asyncio.sleep(0.1)
        bus.unplug(one)
        await until(lambda: len(other.heard) > 0)
        assert bus.counts.lost + len(other.heard) == 100
        assert bus.counts.lost > 0


async def test_a_cut_cable_swallows_what_comes_after_and_is_mended():
    async with BusEmulator(baud=115_200) as bus:
        one, other = Ear(), Ear()
        bus.plug(one)
        bus.plug(other)
        bus.cut(after_bytes=3, down_s=0.1)
        bus.say(one, b"abcdef")
        await until(lambda: bytes(other.heard) == b"abc")
        await until(lambda: not bus.is_cut)
        bus.say(one, b"x")
        await until(lambda: bytes(other.heard) == b"abcx")


def test_a_line_that_cannot_be_opened_is_empty_and_raises_nothing():
    for spec in ("pty:/dev/pts/no-such", "serial:/dev/ttyNone", "tcp:127.0.0.1:1"):
        line = SerialLine(parse_spec(spec))
        line.write(b"x")
        assert line.read(10) == b""
        assert not line.is_open
        line.close()


async def test_a_tcp_serial_server_that_closes_is_opened_again():
    joined: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda reader, writer: joined.append(writer), "127.0.0.1", 0)
    line = SerialLine(parse_spec(f"tcp:127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    line.read(1)
    await until(lambda: joined)
    joined[0].close()

    def is_back() -> bool:
        line.read(1)
        return len(joined) == 2

    await until(is_back)
    line.close()
    joined[1].close()
    server.close()


@pytest.mark.parametrize("spec", ["", "serial:", "usb:x", "pty:/x?baud=ten", "tcp:host", "pty:/x?speed=9", "pty:/x?parity=mark"])
def test_a_transport_that_is_none_is_refused(spec):
    with pytest.raises(InvalidInput):
        parse_spec(spec)
    assert os.name == "posix"
