"""A private mosquitto on a free loopback port, for trials: its own configuration, nothing of the machine's."""

import asyncio
import getpass
import shutil
import socket
from pathlib import Path

from onecard.kernel.errors import Unavailable

_START_S = 10.0


def mosquitto() -> str | None:
    """The program, if the machine has it."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


class Broker:
    """`async with Broker(folder) as broker: broker.port`. Raises Unavailable when there is no mosquitto."""

    def __init__(self, folder: Path, *, tls: tuple[Path, Path, Path] | None = None) -> None:
        """`tls`: CA, certificate and key of the broker; clients must then have a certificate of that CA."""
        self._folder = folder
        self._tls = tls
        self._process: asyncio.subprocess.Process | None = None
        self.port = 0

    async def __aenter__(self) -> "Broker":
        self.port = self.port or _free_port()
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start it, on the same port each time."""
        program = mosquitto()
        if program is None:
            raise Unavailable("本机没有 mosquitto", "there is no mosquitto on this machine (Debian: mosquitto)")
        lines = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
            "persistence false",
            "log_type none",
            "set_tcp_nodelay true",
        ]
        # Started by root, it would become another user, who can't read a trial's files.
        lines.append(f"user {getpass.getuser()}")
        if self._tls is not None:
            ca, certificate, key = self._tls
            lines += [f"cafile {ca}", f"certfile {certificate}", f"keyfile {key}", "require_certificate true"]
        configuration = self._folder / "mosquitto.conf"
        configuration.write_text("\n".join(lines) + "\n", "utf-8")
        self._process = await asyncio.create_subprocess_exec(
            program, "-c", str(configuration), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(_START_S):
            while not await _answers(self.port):
                if self._process.returncode is not None:
                    raise Unavailable("mosquitto 未能启动", f"mosquitto ended with {self._process.returncode}")
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Kill it, as a power cut would."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._process = None


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
