"""A terminal as a process: its folder, its line, its device, and what goes on while nobody touches it.

folder/terminal.db   journal, events, data in use        folder/receipts.txt   what was printed
folder/codes.db      payment codes taken                 folder/chips.db       chip sales in doubt
"""

import asyncio
import contextlib
import fcntl
import hashlib
import random
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.codes import Result
from onecard.kernel.errors import InvalidInput, RuleViolated
from onecard.protocol.parameters import NAME as PARAMETERS
from onecard.protocol.proto.device_pb2 import DataVersion, Heartbeat, LineState, Tasks, Welcome
from onecard.terminal.chipcard import SamSlot
from onecard.terminal.chipjournal import ChipJournal
from onecard.terminal.errors import LineDown, LineRefused
from onecard.terminal.kinds.attendance import Attendance
from onecard.terminal.kinds.data import DeviceData
from onecard.terminal.kinds.device import Device, Fitting
from onecard.terminal.kinds.door import Door
from onecard.terminal.kinds.firmware import is_healthy
from onecard.terminal.kinds.following import Following
from onecard.terminal.kinds.journal import DeviceJournal
from onecard.terminal.kinds.kiosk import Kiosk
from onecard.terminal.kinds.meter import Meter
from onecard.terminal.kinds.parts import Act, Display, Printer
from onecard.terminal.kinds.pos import Pos
from onecard.terminal.native import Device as Presented
from onecard.terminal.native import Listeners, NativeClient
from onecard.terminal.paycode import CodeMemory
from onecard.terminal.tls import Identity
from onecard.terminal.upgrade.client import FIRMWARE, UpdateClient
from onecard.terminal.upgrade.fetching import FilePart
from onecard.terminal.upgrade.runner import TaskRunner

KINDS: Mapping[str, type[Device]] = {
    "pos": Pos, "door": Door, "attendance": Attendance, "kiosk": Kiosk, "meter": Meter,
}  # fmt: skip
ANSWER_S = 8.0
_TICK_S = 0.2
_RETRY_S = (0.5, 1.5)
_EVENTS = 200
_OWN = (PARAMETERS,)
"""Data that comes for the line alone, never by a roll-out: two who set the same thing would undo one another."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a terminal is told at its installation."""

    kind: type[Device]
    folder: Path
    host: str
    port: int
    identity: Identity
    terminal_id: int = 0
    """0: the only one of the line."""
    serial: str = ""
    root: bytes | None = None
    """The root of the signed repository; None: the first that comes over the line is kept."""
    sam: SamSlot | None = None
    clock: Clock = field(default_factory=SystemClock)
    durable: bool = True
    server_hostname: str = "localhost"
    heartbeat_s: float = 30.0
    answer_s: float = ANSWER_S
    on_display: Callable[[Display], None] | None = None


class Program:
    """`async with Program.start(setup) as program: await program.act(…)`."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        setup.folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(setup.folder)
        self.journal = DeviceJournal(setup.folder / "terminal.db", durable=setup.durable)
        self._codes = CodeMemory(setup.folder / "codes.db", durable=setup.durable)
        self._chips = ChipJournal(setup.folder / "chips.db", durable=setup.durable) if setup.sam else None
        self.updates = UpdateClient(
            setup.folder / "updates", hardware=f"onecard-{setup.kind.MODEL}", fetch=self._fetch, root=setup.root,
            clock=setup.clock, unsent=self._unsent, may_install=self._may_install,
            self_test=self._self_test,
            data_files={name: partial(self._take, name) for name in setup.kind.USES if name not in _OWN},
        )  # fmt: skip
        self.client = NativeClient(
            setup.host, setup.port, setup.identity, clock=setup.clock, answer_s=setup.answer_s, heartbeat_s=setup.heartbeat_s,
            server_hostname=setup.server_hostname,
            device=Presented(
                model=setup.kind.MODEL, firmware=str(self.updates.slots.firmware.version),
                hardware=f"onecard-{setup.kind.MODEL}", serial=setup.serial,
            ),
            on_pay_code_keys=self._codes.set_keys,
            listeners=Listeners(
                on_up=self._up, on_down=self._down, on_tasks=self._on_tasks, on_line_state=self._on_state, status=self._status
            ),
        )  # fmt: skip
        self._device: Device | None = None
        self._following: Following | None = None
        self._runner: TaskRunner | None = None
        self._tasks = Tasks()
        self._owing = asyncio.Event()
        self.settled = asyncio.Event()
        """Set while nothing waits to go up."""

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls, setup: Setup) -> AsyncIterator["Program"]:
        """A terminal that runs while the block does. Raises InvalidInput, RuleViolated, LineDown, LineRefused (first start)."""
        program = cls(setup)
        try:
            await program._make_device()
            assert program._following is not None
            runs = (program.client.keep_open(), program._deliver(), program._pass_time(), program._following.run())
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(run) for run in runs]
                yield program
                for task in tasks:
                    task.cancel()
        finally:
            await program._close()

    @property
    def device(self) -> Device:
        """The device, once started."""
        assert self._device is not None
        return self._device

    async def act(self, act: Act) -> None:
        """What a person does."""
        await self.device.act(act)
        self._owe()

    async def _make_device(self) -> None:
        setup, terminal_id = self._setup, self._setup.terminal_id or self.journal.read_setting(0, "terminal")
        if not terminal_id:
            terminal_id = _only_terminal(await self.client.connect())
        self.journal.write_setting(0, "terminal", terminal_id)
        fitting = Fitting(
            terminal_id, self.journal, DeviceData(self.journal, setup.kind.USES, terminal_id), self.client, setup.clock,
            Display(setup.on_display), Printer(setup.folder / "receipts.txt"), self._codes, setup.sam, self._chips,
        )  # fmt: skip
        self._device = setup.kind(fitting)
        self._device.show_line(is_open=self.client.is_open)
        self._device.is_updating = lambda: self.updates.is_installing
        self._following = Following(self._device, self.client, self.updates.repository)
        self._runner = TaskRunner({0: self.updates, terminal_id: self.updates}, self.journal.add_event)
        self._on_tasks(self._tasks)
        self._owe()

    # ---- the line

    def _up(self, welcome: Welcome) -> None:
        self.journal.begin_above({ref.terminal_id: ref.known_seq for ref in welcome.terminals})
        if self._device is not None:
            self._device.show_line(is_open=True)
            self._owe()

    def _down(self, error: LineDown | LineRefused) -> None:
        if self._device is not None:
            refused = error.zh if isinstance(error, LineRefused) else ""
            self._device.show_line(is_open=False, refused=refused)

    def _on_state(self, state: LineState) -> None:
        if self._device is not None:
            self._device.show_line(is_open=True, platform_offline=state.offline, lease_step=state.lease_step)

    def _on_tasks(self, tasks: Tasks) -> None:
        self._tasks = tasks
        if self._following is not None and self._runner is not None:
            self._following.on_tasks(tasks)
            self._runner.on_tasks(tasks)

    def _status(self) -> Heartbeat:
        beat = Heartbeat(backlog=self.client.backlog, oldest_unsent_us=self.client.oldest_unsent_us)
        if self._device is not None:
            data = self._device.data
            if data.version(PARAMETERS):
                self.client.heartbeat_s = float(data.parameters.heartbeat_s)
            in_use = data.versions()
            beat.versions.extend(DataVersion(name=data.name, version=data.version, sha256=data.sha256) for data in in_use)
            beat.versions.extend(version for version in self.updates.versions() if version.name == FIRMWARE)
            beat.disk_free_permille = _disk_free_permille(self._setup.folder)
        return beat

    # ---- updates

    async def _fetch(self, name: str, offset: int, length: int) -> FilePart | None:
        """A part of the repository over the terminal's line. Raises LineDown, LineRefused."""
        reply = await self.client.fetch(name, offset, length)
        if reply.code == Result.NO_ORIGINAL:
            return None
        if reply.code != Result.APPROVED:
            raise LineDown(f"取不到 {name}", f"{name} cannot be had now")
        return FilePart(reply.total, reply.data)

    def _unsent(self) -> int:
        return self.device.teller.unsent + self.device.is_busy

    def _may_install(self, now: datetime) -> bool:
        return self.device.may_install(now)

    async def _self_test(self, image: Path) -> bool:
        return await asyncio.to_thread(is_healthy, image, self._setup.kind.MODEL)

    def _take(self, name: str, content: bytes) -> None:
        """Data of a roll-out: its version is its task's. Raises InvalidInput."""
        digest = hashlib.sha256(content).digest()
        versions = [task.version for task in self._tasks.tasks if task.kind == name and task.sha256 == digest]
        self.device.data.take(name, content, version=max(versions, default=self.device.data.version(name)))

    # ---- what goes on by itself

    def _owe(self) -> None:
        self.settled.clear()
        self._owing.set()

    async def _deliver(self) -> None:
        """Money first, then events; over and over while something waits."""
        while True:
            await self._owing.wait()
            self._owing.clear()
            if self.client.is_open and await self.device.teller.deliver() and await self._send_events():
                if not self._owing.is_set():
                    self.settled.set()
                continue
            self._owing.set()
            await asyncio.sleep(random.uniform(*_RETRY_S))  # noqa: S311 - spreading, not a secret

    async def _send_events(self) -> bool:
        while events := self.journal.events(limit=_EVENTS):
            try:
                result = await self.client.send_events(events)
            except (LineDown, LineRefused):
                return False
            if result not in (Result.APPROVED, Result.FORMAT):
                return False
            self.journal.forget_events([event.event_id for event in events])
        return True

    async def _pass_time(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            await self.device.pass_time()
            if self.settled.is_set() and (self.client.backlog or self.journal.has_events):
                self._owe()

    async def _close(self) -> None:
        if self._runner is not None:
            await self._runner.stop()
        await self.client.close()
        self.journal.close()
        self._codes.close()
        if self._chips is not None:
            self._chips.close()
        self._lock.close()


def _only_terminal(welcome: Welcome) -> int:
    if len(welcome.terminals) != 1:
        found = ", ".join(str(ref.terminal_id) for ref in welcome.terminals) or "-"
        raise InvalidInput(f"线路有多台终端，请指明：{found}", f"the line has these terminals, say which: {found}")
    return int(welcome.terminals[0].terminal_id)


def _disk_free_permille(folder: Path) -> int:
    usage = shutil.disk_usage(folder)
    return max(1, usage.free * 1000 // usage.total)


def _lock(folder: Path) -> IO[str]:
    """Two programs on one journal would use the same numbers."""
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise RuleViolated(f"{folder} 已有终端程序在运行", f"a terminal runs in {folder} already", rule="N2") from None
    return lock
