"""The front-end of the chaos run: its line in the storm, its terminals, and what is still in its journal at the end."""

import asyncio
import contextlib
import random
import sqlite3
from dataclasses import replace

from onecard.city import roles
from onecard.city.fronts import FrontEnd
from onecard.city.ports import Ports
from onecard.city.supervisor import Role, Supervisor
from onecard.city.weather.lines import StormyLine, open_line
from onecard.city.weather.weather import storms
from onecard.datacenter.home import Home
from onecard.terminal.native import NativeClient

_READY_S = 60.0
_LOOK_S = 0.1


class ChaosFront:
    """One front-end under a supervisor, behind a line with weather."""

    def __init__(
        self, home: Home, front: FrontEnd, *, supervisor: Supervisor, ports: Ports, rng: random.Random, relay: bool
    ) -> None:
        self._home = home
        self._front = front
        self._supervisor = supervisor
        self._ports = ports
        self._rng = rng
        self._relay = relay
        self._line: StormyLine | None = None
        self._lan_port = 0

    @property
    def line(self) -> StormyLine:
        assert self._line is not None, "start first"
        return self._line

    async def start(self) -> None:
        """The line, then the front-end at its end; returns when its terminals can come."""
        self._line = line = await open_line(self._ports.native, rng=self._rng, may_use_namespace=not self._relay)
        role = self._role(line)
        self._supervisor.begin(role)
        async with asyncio.timeout(_READY_S):
            while not await asyncio.to_thread(role.is_ready):  # noqa: ASYNC110 - of another process
                await asyncio.sleep(_LOOK_S)
        self._lan_port = await line.lan_port(self._ports.fep_native)

    def client(self, terminal_id: int, *, answer_s: float) -> NativeClient:
        """A terminal's line to the front-end."""
        return NativeClient("127.0.0.1", self._lan_port, self._front.identity_of(terminal_id), answer_s=answer_s)

    async def storm(self, seconds: float) -> None:
        """Weather for so long, then clear for good."""
        begin = asyncio.get_running_loop().time()
        for at, weather in storms(self._rng, seconds=seconds):
            await asyncio.sleep(max(0.0, begin + at - asyncio.get_running_loop().time()))
            self.line.set_weather(weather)

    async def drained(self, within_s: float) -> list[str]:
        """Wait until nothing is left in the journal; what is wrong if it does not come to that."""
        try:
            async with asyncio.timeout(within_s):
                while left := await asyncio.to_thread(self._waiting):  # noqa: ASYNC110 - of another process
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            return [f"front-end: {left} records not brought up in {within_s:.0f} s"]
        return []

    async def close(self) -> None:
        """Take the line down; the supervisor has ended the process."""
        await self.line.close()

    def _waiting(self) -> int:
        path = self._front.folder / "journal.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as journal:
            return int(journal.execute("SELECT count(*) FROM record").fetchone()[0])

    def _role(self, line: StormyLine) -> Role:
        host, port = line.address
        plain = roles.fep_role(self._home, self._ports, self._front.folder, gateway=f"{host}:{port}")
        return replace(plain, wrapper=line.wrapper, is_ready=lambda: line.answers(self._ports.fep_native))
