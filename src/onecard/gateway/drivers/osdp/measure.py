"""Figures of a bus of readers: how often each is polled, how long a holder waits for the decision, also while all are upgraded.

The bus is emulated at the pace of its baud rate on an event loop whose clock is finer than a millisecond: epoll's would add up to
2 ms to every exchange that no real bus has.
"""

import asyncio
import contextlib
import random
import secrets
import selectors
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from typing import Any

from osdp import Event

from onecard.gateway.buses.emulator import BusEmulator
from onecard.gateway.buses.line import parse_spec
from onecard.gateway.drivers.osdp.files import FileSender
from onecard.gateway.drivers.osdp.panel import Panel
from onecard.gateway.drivers.osdp.reader import Reader
from onecard.gateway.drivers.osdp.settings import default_deadline_s
from onecard.gateway.drivers.osdp.show import build_show
from onecard.kernel.errors import Unavailable

_CARD = bytes.fromhex("1000010000000017")
_ONLINE_S = 120.0
_LONGEST_TAP_S = 30.0
_OPEN = build_show(is_open=True, relay_ticks=30, quirks=frozenset())
SERVED_S = 0.3
"""A tap is to be served within this while readers are upgraded (mission G4)."""


@dataclass(slots=True)
class Figures:
    """Seconds and bytes."""

    readers: int
    baud: int
    seconds: float = 0.0
    online: int = 0
    online_s: float = 0.0
    deadline_s: float = 0.0
    gaps: list[float] = field(default_factory=list)
    polls: int = 0
    late: int = 0
    taps: list[float] = field(default_factory=list)
    image_bytes: int = 0
    upgraded: int = 0
    """Readers that hold the whole image, compared byte by byte."""

    def lines(self) -> list[str]:
        """For people."""
        found = [
            f"{self.readers} 台读卡器 readers, {self.baud} baud; 安全信道 secure channel: {self.online} in {self.online_s:.1f} s",
            f"轮询周期 poll period: p50 {_ms(self.gaps, 0.5)} ms, 最大 max {_ms(self.gaps, 1.0)} ms, "
            f"时限 deadline {self.deadline_s * 1000:.0f} ms；{self.polls} 次 polls, 超时 late {self.late}",
            f"刷卡至开闸 card to relay: p50 {_ms(self.taps, 0.5)} ms, p99 {_ms(self.taps, 0.99)} ms, "
            f"最大 max {_ms(self.taps, 1.0)} ms ({len(self.taps)} taps)",
        ]
        if self.image_bytes:
            total = self.upgraded * self.image_bytes
            found.append(
                f"升级 upgrade: {self.upgraded} 台 × {self.image_bytes} bytes 用时 in {self.seconds:.1f} s, "
                f"{total / self.seconds:.0f} bytes/s"
            )
        return found

    @property
    def has_failed(self) -> bool:
        """A reader off line or not upgraded, a poll after its deadline, or, in an upgrade, 1 % of taps served too late."""
        if self.image_bytes:
            return self.upgraded < self.readers or quantile(self.taps, 0.99) > SERVED_S
        return bool(self.late) or self.online < self.readers


def quantile(values: list[float], share: float) -> float:
    """Of a list that may be empty."""
    ordered = sorted(values) or [0.0]
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _ms(values: list[float], share: float) -> str:
    return f"{quantile(values, share) * 1000:.0f}"


def measure(*, readers: int, baud: int, seconds: float, seed: int) -> Figures:
    """Poll for so long, with a tap now and then."""
    return _run(Trial(readers, baud, seed=seed).poll(seconds))


def measure_upgrade(*, readers: int, baud: int, image_bytes: int, decision_s: float, seed: int) -> Figures:
    """Send every reader a file of its own at once, and tap until all have it. `decision_s`: what somebody takes to decide."""
    return _run(Trial(readers, baud, seed=seed, decision_s=decision_s).upgrade(image_bytes))


def _run(work: Coroutine[Any, Any, Figures]) -> Figures:
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        return runner.run(work)


class Trial:
    """One bus, its readers, and the people who tap."""

    def __init__(self, readers: int, baud: int, *, seed: int, decision_s: float = 0.0) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._seed = seed
        self._decision_s = decision_s
        self._keys = {address: secrets.token_bytes(16) for address in range(1, readers + 1)}
        self._readers = {address: Reader(address, key) for address, key in self._keys.items()}
        self._shown: set[asyncio.Task[None]] = set()
        self._panel: Panel
        self.figures = Figures(readers, baud)

    async def poll(self, seconds: float) -> Figures:
        async with self._open():
            async with self._tapping():
                await asyncio.sleep(seconds)
            self._count(seconds)
        return self.figures

    async def upgrade(self, image_bytes: int) -> Figures:
        images = {address: self._rng.randbytes(image_bytes) for address in self._readers}
        loop = asyncio.get_running_loop()
        async with self._open():
            since = loop.time()
            async with self._tapping():
                with contextlib.suppress(Unavailable):
                    await asyncio.gather(*(FileSender(self._panel, a, image).send() for a, image in images.items()))
            self._count(loop.time() - since)
        self.figures.image_bytes = image_bytes
        self.figures.upgraded = sum(self._readers[a].files.get(1) == image for a, image in images.items())
        return self.figures

    @contextlib.asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        figures, loop = self.figures, asyncio.get_running_loop()
        async with BusEmulator(baud=figures.baud, seed=self._seed) as bus:
            for reader in self._readers.values():
                bus.plug(reader)
            spec = parse_spec(bus.spec)
            figures.deadline_s = default_deadline_s(figures.readers, spec.wire_s(1))
            self._panel = Panel(spec, self._keys, on_event=self._event, deadline_s=figures.deadline_s)
            self._panel.start()
            try:
                since = loop.time()
                while len(self._panel.secure) < figures.readers and loop.time() - since < _ONLINE_S:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                figures.online, figures.online_s = len(self._panel.secure), loop.time() - since
                await asyncio.sleep(1.0)
                for polling in self._panel.polling.values():
                    polling.reset()
                yield
            finally:
                await self._panel.stop()

    def _event(self, address: int, event: dict[str, object]) -> None:
        if event.get("event") == Event.CardRead:
            task = asyncio.get_running_loop().create_task(self._show(address))
            self._shown.add(task)
            task.add_done_callback(self._shown.discard)

    async def _show(self, address: int) -> None:
        await asyncio.sleep(self._decision_s)
        await asyncio.gather(*(self._panel.command(address, command) for command in _OPEN))

    @contextlib.asynccontextmanager
    async def _tapping(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._tap_on())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _tap_on(self) -> None:
        while True:
            await asyncio.sleep(self._rng.uniform(0.0, 0.3))
            self.figures.taps.append(await _tap(self._readers[self._rng.randint(1, self.figures.readers)]))

    def _count(self, seconds: float) -> None:
        pollings = list(self._panel.polling.values())
        self.figures.seconds = seconds
        self.figures.gaps = [gap for polling in pollings for gap in polling.gaps] or [0.0]
        self.figures.polls = sum(polling.polls for polling in pollings)
        self.figures.late = sum(polling.late for polling in pollings)


async def _tap(reader: Reader) -> float:
    """From the card's touch to the relay."""
    loop = asyncio.get_running_loop()
    since = loop.time()
    reader.heard.clear()
    reader.present(_CARD, bits=64)
    await asyncio.wait_for(reader.heard.wait(), _LONGEST_TAP_S)
    return loop.time() - since
