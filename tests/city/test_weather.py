"""A line that is cut, delayed, doubled and reordered still carries every byte that arrives in order, and ends clean."""

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from onecard.city.weather.lines import StormyLine, open_line
from onecard.city.weather.tunnel import in_namespace, is_possible
from onecard.city.weather.weather import CLEAR, CUT, Weather, storms

SENT = random.Random(7).randbytes(200_000)
_PULL = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20) as line:
    line.shutdown(socket.SHUT_WR)
    data = b""
    while part := line.recv(65536):
        data += part
sys.stdout.buffer.write(data)
"""


@pytest.fixture
async def gateway_port() -> AsyncIterator[int]:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SENT)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture(params=["relay", "namespace"])
async def line(request: pytest.FixtureRequest, gateway_port: int) -> AsyncIterator[StormyLine]:
    if request.param == "namespace" and not is_possible():
        pytest.skip("needs root, iproute2 and TUN to make network namespaces")
    opened = await open_line(gateway_port, rng=random.Random(3), may_use_namespace=request.param == "namespace")
    assert opened.is_namespace == (request.param == "namespace")
    yield opened
    await opened.close()


async def pull(line: StormyLine) -> bytes:
    """What a process where the front-end lives gets from the gateway; empty if it does not get through."""
    host, port = line.address
    words = [*line.wrapper, sys.executable, "-c", _PULL, host, str(port)]
    process = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    data, _ = await process.communicate()
    return data if process.returncode == 0 else b""


async def test_every_byte_arrives_in_clear_weather(line: StormyLine) -> None:
    assert await pull(line) == SENT


async def test_every_byte_arrives_late_doubled_and_out_of_order(line: StormyLine) -> None:
    line.set_weather(Weather(delay_ms=(0, 15), duplicate_permille=200, reorder_permille=100))
    assert await pull(line) == SENT
    counts = line.counts()
    if line.is_namespace:
        assert counts["doubled"] > 0
        assert counts["held back"] > 0
    else:
        assert counts["delayed"] > 0


async def test_what_is_cut_is_cut_and_comes_back(gateway_port: int) -> None:
    line = await open_line(gateway_port, rng=random.Random(1), may_use_namespace=False)
    line.set_weather(CUT)
    assert await pull(line) == b""
    line.set_weather(CLEAR)
    assert await pull(line) == SENT
    await line.close()


async def test_a_port_of_the_front_end_is_reached_from_outside(line: StormyLine) -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"inside")
        await writer.drain()
        writer.close()

    if line.is_namespace:
        import socket

        def listen() -> socket.socket:
            made = socket.create_server(("127.0.0.1", 0))
            made.setblocking(False)
            return made

        sock = in_namespace(line.wrapper[-1], listen)
        server = await asyncio.start_server(serve, sock=sock)
    else:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", await line.lan_port(port))
    assert await reader.read() == b"inside"
    writer.close()
    server.close()


def test_storms_come_from_the_seed_and_end_clear() -> None:
    first, second = (list(storms(random.Random(5), seconds=60)) for _ in range(2))
    assert first == second
    assert first[0] == (0.0, CLEAR)
    assert first[-1] == (60, CLEAR)
    assert [at for at, _ in first] == sorted(at for at, _ in first)
    assert {weather.cut for _, weather in first} == {True, False}
