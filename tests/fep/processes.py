"""A whole unit of real processes: application server, gateway, a line that can be cut, front-ends, and one terminal each."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from onecard.fep.faults import VARIABLE
from onecard.kernel.codes import Operation, Result
from onecard.protocol.cardset import build_card_set
from onecard.protocol.offline import build_rules
from onecard.terminal.errors import LineDown, LineRefused
from onecard.terminal.native import NativeClient
from onecard.terminal.tls import Backoff, Identity
from tests.fep.unit import record, rules


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Process:
    """`onecard` with words, restarted at will; what it says is in a file."""

    words: list[str]
    log: Path
    environment: dict[str, str]
    popen: "subprocess.Popen[bytes] | None" = None
    deaths: int = 0

    def start(self, **extra: str) -> None:
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "onecard", *self.words],
                env={**self.environment, **extra}, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        assert self.popen is not None
        return self.popen.pid

    def revive(self) -> bool:
        """Start it again if it is dead."""
        assert self.popen is not None
        if self.popen.poll() is None:
            return False
        assert self.popen.returncode == -signal.SIGKILL, self.log.read_text()[-3000:]
        self.deaths += 1
        self.start()
        return True

    def kill(self) -> None:
        assert self.popen is not None
        self.popen.kill()
        self.popen.wait()

    async def stop(self) -> int:
        """As a person would end it; its exit code."""
        assert self.popen is not None
        self.popen.terminate()
        return await asyncio.to_thread(self.popen.wait, 15)

    async def says(self, text: str) -> None:
        async with asyncio.timeout(30):
            while text not in self.log.read_text():
                assert self.popen is not None and self.popen.poll() is None, self.log.read_text()[-3000:]
                await asyncio.sleep(0.05)


class Relay:
    """The cable between a front-end and the gateway."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.is_cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        self.is_cut = True
        for writer in list(self._writers):
            writer.transport.abort()

    def mend(self) -> None:
        self.is_cut = False

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        try:
            if self.is_cut:
                writer.transport.abort()
                return
            with contextlib.suppress(OSError):
                up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target)
                self._writers.add(up_writer)
                await asyncio.gather(_pipe(reader, up_writer), _pipe(up_reader, writer))
        finally:
            self._writers.discard(writer)
            writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@dataclass
class FrontEnd:
    """One front-end process, its line, its terminal, and what the terminal has printed."""

    process: Process
    relay: Relay
    home: Path
    terminal_id: int
    card: int
    ports: dict[str, int]
    line_id: int
    due: dict[int, int] = field(default_factory=dict)
    """What each receipt says, in fen, by sequence number."""
    client: NativeClient | None = None

    def connect(self, identity: Identity) -> None:
        self.client = NativeClient(
            "127.0.0.1", self.ports["native"], identity, backoff=Backoff(), answer_s=8.0, server_hostname="localhost"
        )

    def status(self) -> dict:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['metrics']}/status", timeout=5) as answer:
            return json.load(answer)

    async def ask(self, op: Operation, seq: int, fen: int, *, orig: int = 0) -> int:
        """One record, repeated under its number until somebody answers, over whatever dies meanwhile."""
        assert self.client is not None
        async with asyncio.timeout(60):
            while True:
                self.process.revive()
                try:
                    answers = await self.client.submit(record(op, seq, fen, card=self.card, terminal=self.terminal_id, orig=orig))
                except (LineDown, LineRefused):
                    await asyncio.sleep(0.1)
                    continue
                if answers.code[0] != Result.BUSY:
                    return answers.code[0]
                await asyncio.sleep(0.1)

    async def buy(self, seq: int, fen: int = 100) -> None:
        """A purchase to its end: paid, refused, or reversed."""
        code = await self.ask(Operation.PURCHASE, seq, fen)
        self.due[seq] = fen if code == Result.APPROVED else 0
        if code == Result.UNAVAILABLE:
            await self.undo(seq)

    async def undo(self, seq: int) -> None:
        while await self.ask(Operation.REVERSAL, seq, 0) != Result.APPROVED:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        self.due[seq] = 0

    async def ready(self) -> None:
        """Until the line is up and the lease is here, over whatever dies meanwhile."""
        async with asyncio.timeout(60):
            while True:
                self.process.revive()
                with contextlib.suppress(OSError):
                    state = await asyncio.to_thread(self.status)
                    if state["line"]["up"] and state["lease"]["serial"]:
                        return
                await asyncio.sleep(0.1)

    async def drained(self) -> None:
        """Until nothing waits here any more."""
        async with asyncio.timeout(60):
            while True:
                self.process.revive()
                with contextlib.suppress(OSError):
                    state = await asyncio.to_thread(self.status)
                    if state["line"]["up"] and not state["backlog"]["records"] and not state["backlog"]["events"]:
                        return
                await asyncio.sleep(0.1)


def write_lists(home: Path, unit_id: int) -> None:
    (home / "data").mkdir(parents=True)
    (home / "data" / "rules.bin").write_bytes(build_rules(rules(unit_id=unit_id, fallback_ms=1500)))
    (home / "data" / "deny.bin").write_bytes(build_card_set((), version=0))


def environment(database_dsn: str, home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != VARIABLE}
    return {**kept, "ONECARD_DATABASE": database_dsn, "ONECARD_HOME": str(home)}
