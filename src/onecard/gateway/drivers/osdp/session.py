"""One bus of OSDP readers as a port: a card is read, the platform decides, the reader shows it and the relay opens.

A reader is in mode `identify` (BALANCE: may this card be used now?) or `pay` (PURCHASE of the amount in the settings). A card
that is held there for long is read again and again: a reader that is waiting for a decision takes no other card.
"""

import asyncio
import logging
import tomllib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from osdp import Command, CommandLEDColor, Event, StatusReportType

from onecard.gateway.buses.line import parse_spec
from onecard.gateway.drivers.base import LineNow, PortSettings, Services
from onecard.gateway.drivers.osdp.codec import RULES, card_number
from onecard.gateway.drivers.osdp.files import FileSender
from onecard.gateway.drivers.osdp.panel import KEY_BYTES, Panel
from onecard.gateway.drivers.till import Till, delivering
from onecard.kernel.codes import Operation, Result
from onecard.kernel.errors import InvalidInput

_log = logging.getLogger(__name__)
_MAX_ADDRESS = 126
_LED_TICKS = 20
"""Of 100 ms: how long a decision is shown."""

Decide = Callable[[int, int], Awaitable[bool]]
"""Terminal id and card number: whether to open."""


@dataclass(slots=True)
class ReaderState:
    """What is known of one reader."""

    terminal_id: int
    is_tampered: bool = False
    has_power_fault: bool = False
    busy: bool = False
    reads: int = 0
    unreadable: int = 0
    decisions_s: list[float] = field(default_factory=list)
    """From the read's arrival to the command that shows the decision; the last ones."""


class OsdpPort:
    """A Port (drivers/base.py). `decide` replaces the platform's decision, for trials."""

    def __init__(self, settings: PortSettings, line: LineNow, services: Services, *, decide: Decide | None = None) -> None:
        options = dict(settings.options)
        self._spec = parse_spec(settings.transport)
        self._keys = _keys(options, settings)
        self._rule = str(options.pop("rule", "bcd16"))
        self._amount_fen = int(options.pop("amount_fen", 0))
        self._relay_ticks = int(options.pop("relay_ticks", 30))
        self._deadline_s = float(options.pop("poll_deadline_s", 0) or default_deadline_s(len(self._keys), self._spec.wire_s(1)))
        if options or self._rule not in RULES or self._amount_fen < 0:
            raise _wrong(settings, f"options {', '.join(options)}; rule {self._rule}")
        self._settings = settings
        self._services = services
        self._line = line
        self._decide = decide or self._ask_platform
        self._tasks: set[asyncio.Task[None]] = set()
        self.readers = {address: ReaderState(settings.terminals[str(address)]) for address in self._keys}
        self.panel: Panel | None = None
        self.till: Till | None = None

    async def run(self) -> None:
        till = Till(self._settings.state_dir, line=self._line, services=self._services)
        self.panel = Panel(self._spec, self._keys, on_event=self._event, deadline_s=self._deadline_s)
        async with delivering(till):
            self.till = till
            till.adopt(frozenset(state.terminal_id for state in self.readers.values()))
            self.panel.start()
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                await self.panel.stop()
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    def status(self) -> Mapping[str, bool]:
        secure = self.panel.secure if self.panel is not None else set()
        return {str(address): address in secure for address in self.readers}

    async def send_file(self, address: int, image: bytes, progress: Callable[[int], None] | None = None) -> FileSender:
        """Bring a file to a reader, while the others are polled on. Raises Unavailable."""
        assert self.panel is not None, "the port is not running"
        sender = FileSender(self.panel, address, image, is_whole="whole_files" in self._settings.quirks, progress=progress)
        await sender.send()
        return sender

    def _event(self, address: int, event: dict[str, Any]) -> None:
        state = self.readers[address]
        if "online" in event:
            if event["online"]:
                self._hear(state)
            _log.info("reader %d of %s: %s", address, self._settings.name, "on line" if event["online"] else "off line")
        elif event["event"] == Event.CardRead:
            self._hear(state)
            self._card(address, state, event)
        elif event["event"] == Event.Status and event["type"] == StatusReportType.Local:
            report = bytes(event["report"]) + b"\0\0"
            state.is_tampered, state.has_power_fault = bool(report[0]), bool(report[1])
            _log.warning("reader %d of %s: tamper %d, power fault %d", address, self._settings.name, *report[:2])

    def _hear(self, state: ReaderState) -> None:
        if self.till is not None:
            self.till.hear(state.terminal_id)

    def _card(self, address: int, state: ReaderState, event: dict[str, Any]) -> None:
        self._services.counters.frames["osdp"] += 1
        state.reads += 1
        if state.busy:
            return
        state.busy = True
        task = asyncio.get_running_loop().create_task(self._serve(address, state, event))
        self._tasks.add(task)
        task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a card could not be served", exc_info=error)

    async def _serve(self, address: int, state: ReaderState, event: dict[str, Any]) -> None:
        loop = asyncio.get_running_loop()
        since = loop.time()
        try:
            try:
                card_no = card_number(self._rule, bytes(event["data"]), int(event["length"]))
            except ValueError as error:
                state.unreadable += 1
                _log.warning("reader %d of %s: unreadable card: %s", address, self._settings.name, error)
                is_open = False
            else:
                is_open = await self._decide(state.terminal_id, card_no)
            await self._show(address, is_open=is_open)
            state.decisions_s.append(loop.time() - since)
            del state.decisions_s[:-1000]
        finally:
            state.busy = False

    async def _ask_platform(self, terminal_id: int, card_no: int) -> bool:
        assert self.till is not None
        op = Operation.PURCHASE if self._amount_fen else Operation.BALANCE
        record = await self.till.ask(op, terminal_id, card_no=card_no, amount_fen=self._amount_fen)
        return record.code == Result.APPROVED

    async def _show(self, address: int, *, is_open: bool) -> None:
        assert self.panel is not None
        is_green = is_open != ("leds_swapped" in self._settings.quirks)
        commands: list[dict[str, Any]] = [
            {
                "command": Command.LED,
                "reader": 0,
                "led_number": 0,
                "control_code": 2,
                "on_count": 2,
                "off_count": 0 if is_open else 2,
                "on_color": CommandLEDColor.Green if is_green else CommandLEDColor.Red,
                "off_color": CommandLEDColor.Black,
                "timer_count": _LED_TICKS,
                "temporary": True,
            }
        ]
        if is_open and self._relay_ticks:
            commands.insert(0, {"command": Command.Output, "output_no": 0, "control_code": 5, "timer_count": self._relay_ticks})
        if "no_buzzer" not in self._settings.quirks:
            repeats = 1 if is_open else 3
            commands.append(
                {"command": Command.Buzzer, "reader": 0, "control_code": 2, "on_count": 1, "off_count": 1, "rep_count": repeats}
            )
        for command in commands:
            if not await self.panel.command(address, command):
                _log.warning("reader %d of %s took no command", address, self._settings.name)
                return


def default_deadline_s(readers: int, byte_s: float) -> float:
    """Twice a round in which every reader is polled and answers, and two are sent a long command; 0.3 s at least."""
    poll_bytes, long_bytes = 50, 160
    return max(0.3, 2 * byte_s * (readers * poll_bytes + 2 * long_bytes))


def _keys(options: dict[str, Any], settings: PortSettings) -> dict[int, bytes]:
    """SCBK by address, from the settings or from a file of its own. Raises InvalidInput naming the reader."""
    given: dict[str, Any] = dict(options.pop("keys", {}))
    if (file := options.pop("keys_file", None)) is not None:
        try:
            given |= tomllib.loads(Path(file).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise _wrong(settings, f"{file}: {error}") from None
    keys = {}
    for name in settings.terminals:
        try:
            address, key = int(name), bytes.fromhex(given[name])
        except (ValueError, KeyError, TypeError):
            raise _wrong(settings, f"reader {name}: an address and its SCBK in 'keys'") from None
        if not 0 <= address <= _MAX_ADDRESS or len(key) != KEY_BYTES:
            raise _wrong(settings, f"reader {name}: address 0 to {_MAX_ADDRESS}, SCBK of {KEY_BYTES} bytes")
        keys[address] = key
    return keys


def _wrong(settings: PortSettings, what: str) -> InvalidInput:
    return InvalidInput(f"端口 {settings.name}：{what}", f"port {settings.name}: {what}")
