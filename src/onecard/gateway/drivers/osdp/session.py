"""One bus of OSDP readers as a port: a card is read, somebody decides, the reader shows it and the relay opens.

Mode `pay`: a PURCHASE of the amount in the settings. Mode `identify`: may this card pass? Decided by the rules kept where the
port runs (a front-end), else by a BALANCE; told as ACCESS_GRANTED or ACCESS_DENIED. Mode `attend`: told as ATTENDANCE.

A packet that is spoilt or too late is lost, and a read with it: the holder taps again. So that this never takes money twice or
for nothing, an approved purchase stands only when the reader has acknowledged that it opened (else it is reversed), and a card
that taps again just after it was let in is shown the same once more.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from osdp import Event, StatusReportType

from onecard.gateway.drivers.base import LineNow, PortSettings, Services
from onecard.gateway.drivers.osdp.codec import card_number
from onecard.gateway.drivers.osdp.files import FileSender
from onecard.gateway.drivers.osdp.panel import Panel
from onecard.gateway.drivers.osdp.settings import read_settings
from onecard.gateway.drivers.osdp.show import build_clock, build_show
from onecard.gateway.drivers.till import JournalRecord, Till, delivering
from onecard.kernel.codes import Operation, Result
from onecard.kernel.errors import InvalidInput, NotFound
from onecard.kernel.events import EventKind
from onecard.protocol.proto.device_pb2 import DeviceEvent

_log = logging.getLogger(__name__)
_CLOCK_EVERY_S = 3600.0
FILE_IDS = {"firmware": 1, "deny": 2, "rules": 3, "cards": 4, "tariff": 5, "parameters": 6}
"""The file types told to readers."""

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
    unshown: int = 0
    """Decisions that the reader did not acknowledge."""
    let_in: int = 0
    """The card that was let in last."""
    let_in_until: float = 0.0
    clock_at: float = -_CLOCK_EVERY_S
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)
    decisions_s: list[float] = field(default_factory=list)
    """From the read's arrival to the reader's acknowledgement of what it shows; the last ones."""


class OsdpPort:
    """A Port (drivers/base.py). `decide` replaces the decision, for trials."""

    def __init__(self, settings: PortSettings, line: LineNow, services: Services, *, decide: Decide | None = None) -> None:
        self._bus = read_settings(settings)
        self._settings = settings
        self._services = services
        self._line = line
        self._decide = decide
        self._tasks: set[asyncio.Task[None]] = set()
        self.readers = {address: ReaderState(settings.terminals[str(address)]) for address in self._bus.keys}
        self.panel: Panel | None = None
        self.till: Till | None = None

    async def run(self) -> None:
        till = Till(self._settings.state_dir, line=self._line, services=self._services)
        bus = self._bus
        self.panel = Panel(bus.spec, bus.keys, on_event=self._event, deadline_s=bus.deadline_s, period_s=bus.period_s)
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

    # files

    async def upgrade(self, device: str, artefact: Path, *, version: int, kind: str = "firmware") -> AsyncIterator[int]:
        """Bring firmware or data to a reader while the bus is served; gives permille, 1000 when the reader has and proves it all.

        Called again after an interruption, also in a new process, it goes on where it stopped. Raises NotFound, InvalidInput,
        Unavailable when the reader does not take it.
        """
        state = self._reader(device)
        image = await asyncio.to_thread(artefact.read_bytes)
        if not image or kind not in FILE_IDS:
            raise InvalidInput(f"空文件或未知种类 {kind}", f"an empty file, or no kind {kind} ({', '.join(FILE_IDS)})")
        moved: asyncio.Queue[int] = asyncio.Queue()
        _log.info("reader %s of %s: %s %d, %d bytes", device, self._settings.name, kind, version, len(image))
        async with state.sending:
            note = self._settings.state_dir / f"{kind}-{device}.json"
            sender = self._sender(int(device), image, file_id=FILE_IDS[kind], note=note)
            task = asyncio.create_task(sender.send(moved.put_nowait))
            task.add_done_callback(lambda _: moved.put_nowait(-1))
            told = -1
            try:
                while (done := await moved.get()) >= 0:
                    permille = min(999, done * 1000 // len(image))
                    if permille > told:
                        told = permille
                        yield permille
                await task
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait({task})
        yield 1000

    async def send_file(self, address: int, image: bytes) -> FileSender:
        """Bring bytes to a reader, from the first one on. Raises Unavailable."""
        sender = self._sender(address, image, file_id=FILE_IDS["firmware"], note=None)
        await sender.send()
        return sender

    def _sender(self, address: int, image: bytes, *, file_id: int, note: Path | None) -> FileSender:
        assert self.panel is not None, "the port is not running"
        is_whole = "whole_files" in self._settings.quirks
        return FileSender(self.panel, address, image, file_id=file_id, is_whole=is_whole, note=note)

    def _reader(self, device: str) -> ReaderState:
        if device not in self._settings.terminals:
            raise NotFound(
                f"端口 {self._settings.name} 没有读卡器 {device}", f"port {self._settings.name} has no reader {device}"
            )
        return self.readers[int(device)]

    # events of the bus

    def _event(self, address: int, event: dict[str, Any]) -> None:
        state = self.readers[address]
        if "online" in event:
            if event["online"]:
                self._hear(state)
                self._set_clock(address, state)
            _log.info("reader %d of %s: %s", address, self._settings.name, "on line" if event["online"] else "off line")
        elif event["event"] == Event.CardRead:
            self._hear(state)
            self._card(address, state, event)
        elif event["event"] == Event.Status and event["type"] == StatusReportType.Local:
            report = bytes(event["report"]) + b"\0\0"
            if report[0] and not state.is_tampered:
                self._tell(EventKind.TAMPER, state, detail=f"reader {address}")
            state.is_tampered, state.has_power_fault = bool(report[0]), bool(report[1])
            _log.warning("reader %d of %s: tamper %d, power fault %d", address, self._settings.name, *report[:2])

    def _hear(self, state: ReaderState) -> None:
        if self.till is not None:
            self.till.hear(state.terminal_id)

    def _set_clock(self, address: int, state: ReaderState) -> None:
        now = asyncio.get_running_loop().time()
        if self._bus.clock_vendor is None or now - state.clock_at < _CLOCK_EVERY_S:
            return
        state.clock_at = now
        assert self.panel is not None
        self._begin(self._command(address, build_clock(self._bus.clock_vendor, self._services.now_us())))

    async def _command(self, address: int, command: dict[str, Any]) -> None:
        assert self.panel is not None
        if not await self.panel.command(address, command):
            _log.warning("reader %d of %s took no command", address, self._settings.name)

    def _begin(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a reader could not be served", exc_info=error)

    # cards

    def _card(self, address: int, state: ReaderState, event: dict[str, Any]) -> None:
        self._services.counters.frames["osdp"] += 1
        state.reads += 1
        if not state.busy:  # a card that is held there for long is read again and again
            state.busy = True
            self._begin(self._serve(address, state, event))

    async def _serve(self, address: int, state: ReaderState, event: dict[str, Any]) -> None:
        loop = asyncio.get_running_loop()
        since = loop.time()
        try:
            try:
                card_no = card_number(self._bus.rule, bytes(event["data"]), int(event["length"]))
            except ValueError as error:
                state.unreadable += 1
                _log.warning("reader %d of %s: unreadable card: %s", address, self._settings.name, error)
                await self._show(address, is_open=False)
            else:
                await self._answer(address, state, card_no)
            state.decisions_s.append(loop.time() - since)
            del state.decisions_s[:-1000]
        finally:
            state.busy = False

    async def _answer(self, address: int, state: ReaderState, card_no: int) -> None:
        loop = asyncio.get_running_loop()
        if card_no == state.let_in and loop.time() < state.let_in_until:
            await self._show(address, is_open=True)
            return
        is_open, sale = await self._judge(state.terminal_id, card_no)
        is_shown = await self._show(address, is_open=is_open)
        if not is_shown:
            state.unshown += 1
        if is_open and is_shown:
            state.let_in, state.let_in_until = card_no, loop.time() + self._bus.repeat_s
        if sale is not None and self.till is not None:
            self._finish(state, sale, is_shown=is_shown)
        if self._bus.mode == "attend" and is_open:
            self._tell(EventKind.ATTENDANCE, state, card_no=card_no)
        elif self._bus.mode == "identify":
            self._tell(EventKind.ACCESS_GRANTED if is_open else EventKind.ACCESS_DENIED, state, card_no=card_no)

    def _finish(self, state: ReaderState, sale: JournalRecord, *, is_shown: bool) -> None:
        assert self.till is not None
        if is_shown:
            self.till.confirm(sale)
            return
        self.till.undo(sale)
        detail = f"sale {sale.terminal_seq} was reversed: the reader did not confirm that it opened"
        self._tell(EventKind.ERROR, state, card_no=sale.card_no, detail=detail)

    async def _judge(self, terminal_id: int, card_no: int) -> tuple[bool, JournalRecord | None]:
        """Whether to open, and the purchase that has to be confirmed or undone then."""
        if self._decide is not None:
            return await self._decide(terminal_id, card_no), None
        assert self.till is not None
        if self._bus.mode == "pay":
            sale = await self.till.offer(Operation.PURCHASE, terminal_id, card_no=card_no, amount_fen=self._bus.amount_fen)
            is_paid = sale.code == Result.APPROVED
            return is_paid, sale if is_paid else None
        if self._services.access is not None and self._bus.mode == "identify":
            return self._services.access(terminal_id, card_no) is Result.APPROVED, None
        if self._bus.mode == "attend":
            return True, None
        asked = await self.till.ask(Operation.BALANCE, terminal_id, card_no=card_no, amount_fen=0)
        return asked.code == Result.APPROVED, None

    async def _show(self, address: int, *, is_open: bool) -> bool:
        """Whether the reader has acknowledged the first of its commands, which is the one that counts."""
        panel = self.panel
        assert panel is not None
        commands = build_show(is_open=is_open, relay_ticks=self._bus.relay_ticks, quirks=self._settings.quirks)
        done = await asyncio.gather(*(panel.command(address, command) for command in commands))
        if not all(done):
            _log.warning("reader %d of %s took %d of %d commands", address, self._settings.name, sum(done), len(done))
        return done[0]

    def _tell(self, kind: EventKind, state: ReaderState, *, card_no: int = 0, detail: str = "") -> None:
        if (line := self._line()) is not None:
            event = DeviceEvent(
                event_id=secrets.token_bytes(16), terminal_id=state.terminal_id, kind=int(kind),
                occurred_at_us=self._services.now_us(), card_no=card_no, detail=detail,
            )  # fmt: skip
            self._services.events(line.line_id, event)
