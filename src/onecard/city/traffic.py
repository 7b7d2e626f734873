"""The traffic of the demonstration city: simulated terminals that pay on line and off line through both drivers, at a given rate.

Among the payments are records sent twice, reversals, refunds, voids, top-ups, metered purchases (hold, then the final amount),
lines that go away and upload what they did meanwhile, and batch settlements. Their journals lie beside their keys, so that the
next run goes on with the next sequence number.
"""

import asyncio
import logging
import random
import signal
from collections import Counter
from dataclasses import dataclass

from onecard.city.chips.corner import ChipCorner
from onecard.city.chips.folder import ChipFolder
from onecard.city.chips.wallet import Wallet
from onecard.city.devices import device_folder, identity
from onecard.city.fronts import FrontEnd
from onecard.city.terminals import NativeTerminals
from onecard.city.traffic_iso import IsoPost
from onecard.city.traffic_native import NativeLine
from onecard.city.world import SimTerminal, World
from onecard.datacenter.home import Home
from onecard.terminal.errors import TerminalError
from onecard.terminal.iso8583 import Iso8583Terminal
from onecard.terminal.journal import Journal
from onecard.terminal.native import NativeClient

log = logging.getLogger(__name__)
HOST = "127.0.0.1"
AT_ONCE = 300
_REPORT_S = 60.0


@dataclass(frozen=True, slots=True)
class Setup:
    """Where the gateway is and how much is asked of it."""

    native_port: int
    iso_port: int
    rate: int
    seed: int | None = None
    front: FrontEnd | None = None
    """Its terminals come to the front-end's port, each over a line of its own."""
    front_port: int = 0


class Traffic:
    """All simulated terminals of the city in one event loop."""

    def __init__(self, home: Home, world: World, setup: Setup) -> None:
        self._rng = random.Random(setup.seed)  # noqa: S311 (a simulation)
        self._rate = setup.rate
        self._journal = Journal(device_folder(home) / "traffic.sqlite", durable=False)
        self._wallet = Wallet(ChipFolder(home), random.Random(self._rng.random()))  # noqa: S311
        self.outcomes: Counter[str] = Counter()
        by_line: dict[int, list[SimTerminal]] = {}
        behind = setup.front.terminals if setup.front else {}
        for terminal in world.terminals:
            # Behind a real front-end each terminal has its own line to it; elsewhere one line plays a whole front-end.
            key = -terminal.terminal_id if terminal.terminal_id in behind else terminal.line_id
            by_line.setdefault(key, []).append(terminal)
        self._posts: list[tuple[NativeLine | IsoPost, SimTerminal]] = []
        self._lines: list[NativeLine | IsoPost] = []
        for line_id, terminals in by_line.items():
            line = (
                self._iso(home, world, setup, terminals[0])
                if terminals[0].is_iso
                else self._native(home, world, setup, terminals)
            )
            assert line_id
            self._lines.append(line)
            self._posts += [(line, terminal) for terminal in terminals]

    async def run(self, stop: asyncio.Event) -> None:
        """Pay until `stop`; what is under way then is finished, at most for some seconds."""
        room = asyncio.Semaphore(AT_ONCE)
        reporting = asyncio.create_task(self._report())
        loop = asyncio.get_running_loop()
        due = loop.time()
        tasks: set[asyncio.Task[None]] = set()
        while not stop.is_set():
            # Gaps of chance, as customers come; after a standstill the lost time is not made up for.
            due = max(due + self._rng.expovariate(self._rate), loop.time() - 1.0)
            if (wait_s := due - loop.time()) > 0:
                await asyncio.sleep(wait_s)
            await room.acquire()
            task = asyncio.create_task(self._pay(*self._rng.choice(self._posts)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            task.add_done_callback(lambda _: room.release())
        reporting.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=5)
        await asyncio.gather(*(line.close() for line in self._lines))
        self._journal.close()

    async def _pay(self, line: NativeLine | IsoPost, terminal: SimTerminal) -> None:
        try:
            self.outcomes[await line.pay(terminal)] += 1
        except TerminalError as error:
            self.outcomes[f"line: {type(error).__name__}"] += 1

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(_REPORT_S)
            log.info("%s", dict(self.outcomes.most_common()))

    def _native(self, home: Home, world: World, setup: Setup, terminals: list[SimTerminal]) -> NativeLine:
        client = self._client(home, setup, terminals[0])
        desk = NativeTerminals(client, self._journal)
        desk.recover(each.terminal_id for each in terminals)
        sams = {each.terminal_id: world.sams[each.terminal_id] for each in terminals if each.terminal_id in world.sams}
        corner = None
        if sams:
            rng = random.Random(self._rng.random())  # noqa: S311
            corner = ChipCorner(ChipFolder(home), desk, self._journal, sams, wallet=self._wallet, rng=rng)
        return NativeLine(desk, self._journal, world, terminals, rng=random.Random(self._rng.random()), corner=corner)  # noqa: S311

    @staticmethod
    def _client(home: Home, setup: Setup, terminal: SimTerminal) -> NativeClient:
        if setup.front is not None and terminal.terminal_id in setup.front.terminals:
            return NativeClient(HOST, setup.front_port, setup.front.identity_of(terminal.terminal_id))
        return NativeClient(HOST, setup.native_port, identity(home, terminal.line_id))

    def _iso(self, home: Home, world: World, setup: Setup, terminal: SimTerminal) -> IsoPost:
        pos = Iso8583Terminal(
            HOST, setup.iso_port, identity(home, terminal.line_id), terminal_id=terminal.terminal_id, tid=terminal.tid,
            mid=terminal.mid, master_key=world.master_keys[terminal.terminal_id], journal=self._journal,
        )  # fmt: skip
        return IsoPost(pos, self._journal, world, rng=random.Random(self._rng.random()))  # noqa: S311


async def serve(home: Home, world: World, setup: Setup) -> Counter[str]:
    """Run the traffic until SIGTERM or SIGINT; what came of it."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    traffic = Traffic(home, world, setup)
    log.info("%d simulated terminals, %d a second", len(world.terminals), setup.rate)
    await traffic.run(stop)
    log.info("ended: %s", dict(traffic.outcomes.most_common()))
    return traffic.outcomes
