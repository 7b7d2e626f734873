"""The chaos run: a small city under load whose application server, gateway and PostgreSQL are killed with -9 at random.

Terminals retry and reverse as real ones do and keep receipts of what they were told (`receipts.py`). At the end all is left
to come up again, what the terminals still owe is settled, and receipts are compared with the journal. Everything random
comes from the seed; what the operating system does in between does not: a seed repeats the plan of a run, not its every
step.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from onecard.city import roles
from onecard.city.chaos_check import check_receipts
from onecard.city.chaos_front import ChaosFront
from onecard.city.chaos_load import IsoRider, NativeRider, Rider
from onecard.city.database import revive_embedded
from onecard.city.devices import device_folder, identity
from onecard.city.fronts import FrontEnd, enrol_devices, find_front_end
from onecard.city.load import load_city
from onecard.city.lock import is_alive
from onecard.city.ports import Ports, free_ports
from onecard.city.receipts import Receipts
from onecard.city.supervisor import Supervisor
from onecard.city.terminals import NativeTerminals
from onecard.city.world import SimTerminal, World, read_world
from onecard.datacenter import dsn
from onecard.datacenter.embedded import EmbeddedServer
from onecard.datacenter.home import Home
from onecard.terminal.iso8583 import Iso8583Terminal
from onecard.terminal.journal import Journal
from onecard.terminal.native import NativeClient

HOLDERS = 2_000
NATIVE_LINES, TERMINALS_PER_LINE, ISO_POSTS, BEHIND_FRONT = 4, 3, 5, 6
ANSWER_S = 3.0
CALM_S = 90.0
"""How long, after the last kill, the terminals may take to settle what they owe."""
VICTIMS = ("app", "gateway", "fep", "postgres", "backend")


@dataclass(slots=True)
class Run:
    """What came of a run; `problems` is empty when all receipts and the auditor agree."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    weather: Counter[str] = field(default_factory=Counter)
    """What happened on the front-end's line: to packets in a namespace, to connections through a relay."""
    form: str = ""
    outcomes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def chaos(home: Home, *, seed: int, seconds: int, console: Console, relay: bool = False) -> Run:
    """Run it in an empty home, whose embedded database is running and migrated. The city's processes are gone when it returns."""
    load_city(home, holders=HOLDERS, console=console)
    run, ports = Run(seed), free_ports()
    supervisor = Supervisor(log_dir=home.log_dir)
    try:
        supervisor.start(roles.app_role(home))
        supervisor.start(roles.gateway_role(home, ports))
        front = _prepare_front(home, ports)
        with Receipts(home.spool / "receipts.jsonl") as receipts:
            world = read_world(dsn.app_dsn(home))
            asyncio.run(
                _Chaos(home, run, supervisor, ports, world=world, front=front, relay=relay, receipts=receipts).run(seconds)
            )
    finally:
        supervisor.stop(order=roles.STOP_ORDER)
    EmbeddedServer(home).start()  # the last kill may have been its own, with nobody left who needed it
    run.problems += check_receipts(dsn.owner_dsn(home), home.spool / "receipts.jsonl")
    return run


def _prepare_front(home: Home, ports: Ports) -> FrontEnd:
    """The front-end and its terminals enrolled, and what they need to decide off line published."""
    from onecard.services.offline import api as offline

    front = find_front_end(home)
    assert front is not None, "the planned city has it"
    enrol_devices(front, port=ports.enrol)
    offline.tick()
    return front


class _Chaos:
    def __init__(
        self,
        home: Home,
        run: Run,
        supervisor: Supervisor,
        ports: Ports,
        *,
        world: World,
        front: FrontEnd,
        relay: bool,
        receipts: Receipts,
    ) -> None:
        self._world = world
        self._front_end = front
        self._home = home
        self._run = run
        self._supervisor = supervisor
        self._ports = ports
        self._receipts = receipts
        self._rng = random.Random(run.seed)  # noqa: S311 (a simulation)
        self._journal = Journal(device_folder(home) / "chaos.sqlite")
        self._front = ChaosFront(home, front, supervisor=supervisor, ports=ports, rng=self._fork(), relay=relay)

    async def run(self, seconds: int) -> None:
        """Load and kill for so long, then let everything come up and settle."""
        await self._front.start()
        riders = self._riders(self._world)
        stop = asyncio.Event()
        tending = asyncio.create_task(self._tend())
        riding = [asyncio.create_task(rider.ride(stop)) for rider in riders]
        storming = asyncio.create_task(self._front.storm(seconds))
        await self._kill_for(seconds)
        await storming
        stop.set()
        await asyncio.gather(*riding)
        settled = await asyncio.gather(*(rider.settle(CALM_S) for rider in riders))
        self._run.problems += [line for each in settled for line in each.problems]
        self._run.problems += await self._front.drained(CALM_S)
        await asyncio.gather(*(rider.close() for rider in riders))
        self._run.weather.update(self._front.line.counts())
        self._run.form = "packets in a namespace" if self._front.line.is_namespace else "connections through a relay"
        await self._front.close()
        if tending.done():
            tending.result()  # it never ends by itself: this raises what ended it
        tending.cancel()
        self._journal.close()
        for rider in riders:
            self._run.outcomes.update(rider.outcomes)

    async def _kill_for(self, seconds: int) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while True:
            await asyncio.sleep(self._rng.uniform(1.0, 3.5))
            if loop.time() >= end:
                return
            victim = self._rng.choice(VICTIMS)
            pid = await asyncio.to_thread(self._find, victim)
            if pid is not None and is_alive(pid):
                os.kill(pid, signal.SIGKILL)
                self._run.kills[victim] += 1

    def _find(self, victim: str) -> int | None:
        if victim in ("app", "gateway", "fep"):
            return self._supervisor.pid(victim)
        postmaster = EmbeddedServer(self._home).status().pid
        if victim == "postgres" or postmaster is None:
            return postmaster
        # A session of the application server: PostgreSQL throws everybody out and recovers.
        return next((pid for pid in _children(postmaster) if "onecard_app" in _title(pid)), None)

    async def _tend(self) -> None:
        while True:
            self._supervisor.tend()
            await asyncio.to_thread(revive_embedded, self._home)
            await asyncio.sleep(0.1)

    def _riders(self, world: World) -> list[Rider]:
        by_line: dict[int, list[SimTerminal]] = {}
        for terminal in world.terminals:
            if not terminal.is_iso and not terminal.is_metered and terminal.line_id != self._front_end.line_id:
                by_line.setdefault(terminal.line_id, []).append(terminal)
        lines = self._rng.sample(sorted(by_line), NATIVE_LINES)
        posts = self._rng.sample([terminal for terminal in world.terminals if terminal.is_iso], ISO_POSTS)
        riders: list[Rider] = []
        for line in lines:
            client = NativeClient("127.0.0.1", self._ports.native, identity(self._home, line), answer_s=ANSWER_S)
            desk = NativeTerminals(client, self._journal)
            riders += [
                NativeRider(terminal, world, self._journal, self._receipts, rng=self._fork(), desk=desk)
                for terminal in by_line[line][:TERMINALS_PER_LINE]
            ]
        behind = [each for each in world.terminals if each.terminal_id in self._front_end.terminals and not each.is_metered]
        for terminal in behind[:BEHIND_FRONT]:
            desk = NativeTerminals(self._front.client(terminal.terminal_id, answer_s=ANSWER_S), self._journal)
            riders.append(NativeRider(terminal, world, self._journal, self._receipts, rng=self._fork(), desk=desk))
        return riders + [
            IsoRider(each, world, self._journal, self._receipts, rng=self._fork(), pos=self._pos(each, world)) for each in posts
        ]

    def _pos(self, terminal: SimTerminal, world: World) -> Iso8583Terminal:
        return Iso8583Terminal(
            "127.0.0.1", self._ports.iso, identity(self._home, terminal.line_id), terminal_id=terminal.terminal_id,
            tid=terminal.tid, mid=terminal.mid, master_key=world.master_keys[terminal.terminal_id], journal=self._journal,
            answer_s=ANSWER_S,
        )  # fmt: skip

    def _fork(self) -> random.Random:
        return random.Random(self._rng.random())  # noqa: S311


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        return [int(child) for child in path.read_text().split()]
    except FileNotFoundError:
        return []


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""
