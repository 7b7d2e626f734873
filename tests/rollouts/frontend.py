"""A front-end's roll-outs with buses of the test's own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from onecard.fep.updates import OnBus, Updates
from onecard.kernel.errors import Unavailable
from onecard.kernel.events import EventKind
from onecard.protocol.proto.device_pb2 import DeviceEvent
from onecard.terminal.upgrade.trusted import TrustedRepository
from tests.rollouts.house import House, Wire

ENDS = (EventKind.UPDATE_DONE, EventKind.UPDATE_FAILED, EventKind.UPDATE_REFUSED)


@dataclass
class Box:
    """The front-end, its wire to the platform, what it has said and what its buses have brought."""

    wire: Wire
    updates: Updates = field(init=False)
    said: list[DeviceEvent] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)
    flashed: list[tuple[str, bytes, int]] = field(default_factory=list)
    busy: int = 0
    most: dict[str, int] = field(default_factory=dict)
    under_way: dict[str, int] = field(default_factory=dict)
    fails: dict[str, int] = field(default_factory=dict)
    may_flash: bool = True
    is_up: bool = True
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def emit(self, event: DeviceEvent) -> None:
        self.said.append(event)
        if event.kind in ENDS:
            self.ends[event.action_id] = event.kind
        self.changed.set()

    def kinds(self, action_id: int) -> list[EventKind]:
        return [EventKind(event.kind) for event in self.said if event.action_id == action_id]

    async def until(self, condition) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def ended(self, *actions: int) -> None:
        await self.until(lambda: set(actions) <= set(self.ends))


class Bus:
    """A port whose devices take what they are brought, a hundredth at a time."""

    def __init__(self, box: Box, name: str) -> None:
        self._box, self.name = box, name

    async def upgrade(self, device: str, artefact: Path, *, version: int, kind: str = "firmware") -> AsyncIterator[int]:
        box = self._box
        box.under_way[self.name] = box.under_way.get(self.name, 0) + 1
        box.most[self.name] = max(box.most.get(self.name, 0), box.under_way[self.name])
        try:
            for permille in range(0, 1000, 100):
                await asyncio.sleep(0)
                yield permille
            if box.fails.get(device, 0):
                box.fails[device] -= 1
                raise Unavailable("读卡器没有应答", "the reader does not answer")
            box.flashed.append((device, await asyncio.to_thread(artefact.read_bytes), version))
            yield 1000
        finally:
            box.under_way[self.name] -= 1


@asynccontextmanager
async def front_end(
    house: House, on_bus: dict[int, str], *, per_bus: int = 100, name: str = "fep", wire: Wire | None = None
) -> AsyncIterator[Box]:
    """With terminals on buses, by id and hardware; so many on each bus."""
    box = Box(wire or house.wire())
    buses = [Bus(box, f"bus-{n}") for n in range(1 + len(on_bus) // per_bus)]

    def place(terminal_id: int) -> OnBus | None:
        if terminal_id not in on_bus:
            return None
        bus = buses[sorted(on_bus).index(terminal_id) // per_bus]
        return OnBus(bus.name, bus, str(terminal_id), on_bus[terminal_id])

    repository = TrustedRepository(house.folder / name / "repository", box.wire.fetch, house.root, clock=house.clock)
    box.updates = Updates(
        house.folder / name, repository, clock=house.clock, emit=box.emit, on_bus=place, may_flash=lambda _: box.may_flash,
        is_up=lambda: box.is_up, poll_s=0.01, retry_s=0.05,
    )  # fmt: skip
    box.updates.changed = box.wire.on_ask = box.changed.set
    running = asyncio.create_task(box.updates.run())
    try:
        yield box
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
