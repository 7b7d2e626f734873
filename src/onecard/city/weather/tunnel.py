"""A line through a network namespace: every IP packet between front-end and gateway passes here (root only).

The front-end's process lives in a namespace of its own. Two TUN devices, one there and one in a second namespace, are joined by
this process, which loses, delays, doubles and reorders what it carries; the real TCP of both ends copes. From the second one a
relay goes on to the gateway's loopback port, and another leads the terminals outside to the front-end's ports inside.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import os
import random
import shutil
import socket
import struct
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from onecard.city.weather.weather import CLEAR
from onecard.kernel.errors import Unavailable

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_CLONE_NEWNET = 0x40000000
_NETWORK = "10.231.77"  # inside the two namespaces only
_PACKET_BYTES = 65_536
_HELD_BACK_MS = (10, 120)
_READ_BYTES = 65_536
_T = TypeVar("_T")


def is_possible() -> bool:
    """Whether this process may make namespaces here: root, iproute2, and a kernel with TUN."""
    if os.geteuid() != 0 or shutil.which("ip") is None or not os.path.exists("/dev/net/tun"):  # noqa: PTH110 - a device
        return False
    name = f"oc-try-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode == 0
    if made:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
    return made


class Tunnel:
    """Two namespaces and what runs between them. `start` before the front-end, `stop` after it."""

    def __init__(self, gateway_port: int, *, rng: random.Random) -> None:
        self.counts: Counter[str] = Counter()
        self.weather = CLEAR
        self._gateway_port = gateway_port
        self._rng = rng
        token = f"{os.getpid() % 100_000}{rng.randrange(1000):03d}"
        self._inside, self._outside = f"oc-fep-{token}", f"oc-gw-{token}"
        self._fds: list[int] = []
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.get_running_loop()

    @property
    def wrapper(self) -> tuple[str, ...]:
        """Words before a command that is to run where the front-end lives."""
        return ("ip", "netns", "exec", self._inside)

    async def start(self) -> tuple[str, int]:
        """Make it all; gives the gateway's address as the front-end sees it. Raises Unavailable when the system refuses."""
        try:
            await asyncio.to_thread(self._make)
        except (OSError, subprocess.CalledProcessError) as error:
            await self.stop()
            raise Unavailable(f"不能建立网络命名空间：{error}", f"can't make network namespaces: {error}") from None
        inside, outside = self._fds
        self._loop.add_reader(inside, self._carry, inside, outside)
        self._loop.add_reader(outside, self._carry, outside, inside)
        listening = in_namespace(self._outside, lambda: _listening(f"{_NETWORK}.1", 0))
        self._servers.append(await asyncio.start_server(self._up, sock=listening))
        return f"{_NETWORK}.1", int(listening.getsockname()[1])

    async def open_inside(self, port: int) -> int:
        """A loopback port out here that leads to a loopback port of the front-end's namespace."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            within = in_namespace(self._inside, lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            within.setblocking(False)
            try:
                await self._loop.sock_connect(within, ("127.0.0.1", port))
                far = await asyncio.open_connection(sock=within)
            except OSError:
                within.close()
                writer.transport.abort()
                return
            await _relay((reader, writer), far)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Take everything down again; processes inside must have ended."""
        for server in self._servers:
            server.close()
        for fd in self._fds:
            self._loop.remove_reader(fd)
            os.close(fd)
        self._fds.clear()
        for name in (self._inside, self._outside):
            await asyncio.to_thread(subprocess.run, ["ip", "netns", "del", name], check=False, capture_output=True)

    def _make(self) -> None:
        for name, host in ((self._inside, 2), (self._outside, 1)):
            _run("netns", "add", name)
            self._fds.append(in_namespace(name, _open_tun))
            for words in (
                ("link", "set", "lo", "up"),
                ("addr", "add", f"{_NETWORK}.{host}/30", "dev", "line0"),
                ("link", "set", "line0", "up", "mtu", "1400"),
            ):
                _run("-n", name, *words)

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far = await asyncio.open_connection("127.0.0.1", self._gateway_port)
        except OSError:
            writer.transport.abort()
            return
        await _relay((reader, writer), far)

    def _carry(self, source: int, target: int) -> None:
        """One packet."""
        try:
            packet = os.read(source, _PACKET_BYTES)
        except BlockingIOError:
            return
        weather, rng = self.weather, self._rng
        if weather.cut or rng.randrange(1000) < weather.loss_permille:
            self.counts["lost"] += 1
            return
        copies = 1 + (rng.randrange(1000) < weather.duplicate_permille)
        self.counts["doubled"] += copies - 1
        for _ in range(copies):
            late_ms = rng.uniform(*weather.delay_ms)
            if rng.randrange(1000) < weather.reorder_permille:
                self.counts["held back"] += 1
                late_ms += rng.uniform(*_HELD_BACK_MS)
            if late_ms:
                self._loop.call_later(late_ms / 1000, self._put, target, packet)
            else:
                self._put(target, packet)

    def _put(self, target: int, packet: bytes) -> None:
        self.counts["carried"] += 1
        if target in self._fds:
            with contextlib.suppress(OSError):  # the queue of the device is full: a packet is lost, as on any line
                os.write(target, packet)


def in_namespace(name: str, work: Callable[[], _T]) -> _T:
    """Do something in a named network namespace, in a thread of its own: what it opens stays there. Raises what it raises."""
    result: list[_T] = []
    failure: list[BaseException] = []

    def enter() -> None:
        try:
            with open(f"/run/netns/{name}", "rb") as handle:  # noqa: PTH123 - a handle, not a file
                if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), _CLONE_NEWNET) != 0:
                    number = ctypes.get_errno()
                    raise OSError(number, os.strerror(number))
            result.append(work())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def _open_tun() -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", b"line0", _IFF_TUN | _IFF_NO_PI))
    return fd


def _listening(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((host, port))
    made.listen(64)
    made.setblocking(False)
    return made


_End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _relay(one: _End, other: _End) -> None:
    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_READ_BYTES):
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()

    try:
        await asyncio.gather(pump(one[0], other[1]), pump(other[0], one[1]))
    finally:
        one[1].close()
        other[1].close()


def _run(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
