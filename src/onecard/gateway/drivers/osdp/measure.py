"""Figures of a bus of readers: how often each is polled, and how long a holder waits for the decision."""

import asyncio
import random
import secrets
import statistics
from dataclasses import dataclass
from typing import Any

from osdp import Command, CommandLEDColor, Event

from onecard.gateway.buses.emulator import BusEmulator
from onecard.gateway.buses.line import parse_spec
from onecard.gateway.drivers.osdp.panel import Panel
from onecard.gateway.drivers.osdp.reader import Reader
from onecard.gateway.drivers.osdp.session import default_deadline_s

_CARD = bytes.fromhex("1000010000000017")
_ONLINE_S = 120.0
_LED = {
    "command": Command.LED, "reader": 0, "led_number": 0, "control_code": 2, "on_count": 2, "off_count": 0,
    "on_color": CommandLEDColor.Green, "off_color": CommandLEDColor.Black, "timer_count": 20, "temporary": True,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds."""

    readers: int
    baud: int
    online: int
    online_s: float
    period_p50_s: float
    period_max_s: float
    deadline_s: float
    polls: int
    late: int
    taps: int
    decision_p50_s: float
    decision_p99_s: float

    def lines(self) -> list[str]:
        """For people."""
        ms = 1000
        return [
            f"{self.readers} 台读卡器 readers, {self.baud} baud; 安全信道 secure channel: {self.online} in {self.online_s:.1f} s",
            f"轮询周期 poll period: p50 {self.period_p50_s * ms:.0f} ms, 最大 max {self.period_max_s * ms:.0f} ms, "
            f"时限 deadline {self.deadline_s * ms:.0f} ms；{self.polls} 次 polls, 超时 late {self.late}",
            f"刷卡至示灯 card to LED: p50 {self.decision_p50_s * ms:.0f} ms, "
            f"p99 {self.decision_p99_s * ms:.0f} ms ({self.taps} taps)",
        ]


def measure(*, readers: int, baud: int, seconds: float, seed: int) -> Figures:
    """Poll for so long, with a tap now and then; the decision itself takes no time here."""
    return asyncio.run(_measure(readers, baud, seconds=seconds, seed=seed))


async def _measure(count: int, baud: int, *, seconds: float, seed: int) -> Figures:
    rng = random.Random(seed)  # noqa: S311 - repeatable on purpose
    loop = asyncio.get_running_loop()
    keys = {address: secrets.token_bytes(16) for address in range(1, count + 1)}
    devices = {address: Reader(address, key) for address, key in keys.items()}
    async with BusEmulator(baud=baud, seed=seed) as bus:
        for device in devices.values():
            bus.plug(device)
        spec = parse_spec(bus.spec)
        shown: list[asyncio.Task[Any]] = []

        def on_event(address: int, event: dict[str, Any]) -> None:
            if event.get("event") == Event.CardRead:
                shown.append(loop.create_task(panel.command(address, _LED)))

        panel = Panel(spec, keys, on_event=on_event, deadline_s=default_deadline_s(count, spec.wire_s(1)))
        panel.start()
        try:
            started = loop.time()
            while len(panel.secure) < count and loop.time() - started < _ONLINE_S:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            online_s, online = loop.time() - started, len(panel.secure)
            await asyncio.sleep(1.0)
            for polling in panel.polling.values():
                polling.polls = polling.late = 0
                polling.worst_s = 0.0
                polling.gaps.clear()
            waits = []
            until = loop.time() + seconds
            while loop.time() < until:
                await asyncio.sleep(rng.uniform(0.0, 0.3))
                waits.append(await _tap(devices[rng.randint(1, count)]))
        finally:
            await panel.stop()
        return _figures(panel, waits, count=count, baud=baud, online=(online, online_s))


async def _tap(reader: Reader) -> float:
    """From the card's touch to the LED."""
    loop = asyncio.get_running_loop()
    since = loop.time()
    reader.heard.clear()
    reader.present(_CARD, bits=64)
    await asyncio.wait_for(reader.heard.wait(), 30.0)
    return loop.time() - since


def _figures(panel: Panel, waits: list[float], *, count: int, baud: int, online: tuple[int, float]) -> Figures:
    pollings = list(panel.polling.values())
    gaps = [gap for polling in pollings for gap in polling.gaps] or [0.0]
    waits = sorted(waits) or [0.0]
    return Figures(
        readers=count,
        baud=baud,
        online=online[0],
        online_s=online[1],
        period_p50_s=statistics.median(gaps),
        period_max_s=max(polling.worst_s for polling in pollings),
        deadline_s=panel.deadline_s,
        polls=sum(polling.polls for polling in pollings),
        late=sum(polling.late for polling in pollings),
        taps=len(waits),
        decision_p50_s=statistics.median(waits),
        decision_p99_s=waits[min(len(waits) - 1, int(len(waits) * 0.99))],
    )
