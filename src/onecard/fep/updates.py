"""Roll-outs at a front-end (D2): artefacts are fetched once, terminals are told when theirs are here, buses are served in turn.

A device on a bus is brought its file by its driver (`Port.upgrade`), one at a time on each bus so that selling goes on there; a
terminal that speaks the native protocol takes it itself. What is not signed, not for the hardware or not newer than what is
installed is refused here already.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, cast

from onecard.fep.artefacts import Artefacts
from onecard.fep.files import replace_file
from onecard.kernel.clock import Clock, to_epoch_us
from onecard.kernel.errors import InvalidInput, NotFound, OneCardError
from onecard.kernel.events import EventKind
from onecard.protocol.proto.device_pb2 import DeviceEvent, FetchReply, Task, Tasks
from onecard.terminal.upgrade.client import FIRMWARE, check_target, update_event
from onecard.terminal.upgrade.errors import NoLine, NoSuchFile, NotForThis, NotTrusted
from onecard.terminal.upgrade.trusted import Target, TrustedRepository

_log = logging.getLogger(__name__)
_TRIES = 3
_STEP_PERMILLE = 100
_ENDED = frozenset({EventKind.UPDATE_DONE, EventKind.UPDATE_FAILED, EventKind.UPDATE_REFUSED})


class UpgradePort(Protocol):
    """A port whose driver can bring files to its devices."""

    def upgrade(self, device: str, artefact: Path, *, version: int, kind: str = FIRMWARE) -> AsyncIterator[int]: ...


@dataclass(frozen=True, slots=True)
class OnBus:
    """A device on a bus or behind a broker."""

    bus: str
    port: UpgradePort
    device: str
    hardware: str
    is_online: bool = True


class Updates:
    """`await run()` in a task; `on_tasks` from the line; `serve` and `tasks_for` towards terminals."""

    def __init__(
        self, folder: Path, repository: TrustedRepository, *, clock: Clock, emit: Callable[[DeviceEvent], None],
        on_bus: Callable[[int], OnBus | None], may_flash: Callable[[int], bool], is_up: Callable[[], bool],
        own: Callable[[Tasks], None] | None = None, poll_s: float = 1.0, retry_s: float = 10.0,
    ) -> None:  # fmt: skip
        """`emit` journals an event. `on_bus`: where a terminal is, None for one with a line of its own. `may_flash`: whether a
        device on a bus may stop working now (no unsent money of it, outside meal times). `own` follows tasks of the front-end.
        """
        self.artefacts = Artefacts(repository, is_up=is_up)
        self._installed = _Installed(folder / "installed.json")
        self._clock = clock
        self._emit = emit
        self._on_bus = on_bus
        self._may_flash = may_flash
        self._own = own
        self._poll_s = poll_s
        self._retry_s = retry_s
        self._tasks = Tasks()
        self._ready: dict[int, Target] = {}
        self._over: set[int] = set()
        self._wanted = asyncio.Event()
        self._buses: dict[str, asyncio.Task[None]] = {}
        self._under_way: dict[str, Task] = {}
        self.changed: Callable[[], None] = lambda: None
        """Called when terminals are to be told of their tasks again."""

    # --- from the line

    def on_tasks(self, tasks: Tasks) -> None:
        """The whole list as it is now. Call it in the event loop."""
        actions = {task.action_id for task in tasks.tasks}
        was = self._tasks
        self._tasks = tasks
        self._over &= actions
        self._ready = {action: target for action, target in self._ready.items() if action in actions}
        for bus, under_way in list(self._under_way.items()):
            if under_way not in tasks.tasks and bus in self._buses:
                self._stop_bus(bus)  # its action is over; the next one begins
        self.artefacts.want(frozenset(task.sha256 for task in tasks.tasks))
        if self._own is not None:
            self._own(Tasks(current=tasks.current, tasks=[task for task in tasks.tasks if not task.terminal_id]))
        if list(was.current) != list(tasks.current):
            self.artefacts.forget_freshness()  # terminals that are told of new data ask for it at once
        if was != tasks:
            self.changed()
        self._wanted.set()

    async def run(self) -> None:
        """Fetch what tasks name and serve the buses, until cancelled."""
        try:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                try:
                    await self._prepare()
                except NoLine:
                    asyncio.get_running_loop().call_later(self._retry_s, self._wanted.set)
                self._start_buses()
        finally:
            for bus in list(self._buses):
                self._stop_bus(bus)
            await self.artefacts.stop()

    # --- towards terminals

    async def serve(self, name: str, offset: int, length: int) -> FetchReply | None:
        """A part of the repository for a terminal; None: the line is to be asked."""
        return await self.artefacts.serve(name, offset, length)

    def tasks_for(self, terminal_id: int) -> list[Task]:
        """A terminal's tasks whose artefacts are here."""
        mine = (task for task in self._tasks.tasks if task.terminal_id == terminal_id and self._on_bus(terminal_id) is None)
        return [task for task in mine if task.action_id in self._ready and task.action_id not in self._over]

    def tasks_of(self, terminal_ids: Iterable[int]) -> Tasks:
        """The whole list for a terminal's line: the data the platform publishes, and its own tasks."""
        found = [task for terminal_id in sorted(terminal_ids) for task in self.tasks_for(terminal_id)]
        return Tasks(current=self._tasks.current, tasks=found)

    def note(self, event: DeviceEvent) -> None:
        """An event of a terminal: an action that has ended is not told again."""
        if event.action_id and event.kind in _ENDED and event.action_id in self._ready:
            self._over.add(event.action_id)

    # --- artefacts

    async def _prepare(self) -> None:
        """Have every artefact here. Raises NoLine."""
        waiting = [task for task in self._tasks.tasks if self._is_mine(task)]
        if not waiting:
            return
        try:
            await self.artefacts.refresh(force=True)
        except NotTrusted as error:
            for task in waiting:
                self._end(task, EventKind.UPDATE_REFUSED, error.en)
            return
        for task in waiting:
            await self._prepare_one(task)

    async def _prepare_one(self, task: Task) -> None:
        try:
            target = await self.artefacts.find(task.target)
            place = self._on_bus(task.terminal_id)
            if place is None:
                check_content(task, target)
            else:
                check_target(task, target, hardware=place.hardware, installed=self._installed.version(task))
            await self.artefacts.fetch(target)
        except (NotTrusted, NoSuchFile) as error:
            self._end(task, EventKind.UPDATE_REFUSED, error.en)
            return
        except OSError as error:
            self._end(task, EventKind.UPDATE_FAILED, f"disk: {error.strerror or error}")
            return
        self._ready[task.action_id] = target
        self.changed()

    def _is_mine(self, task: Task) -> bool:
        return task.terminal_id != 0 and task.action_id not in self._ready and task.action_id not in self._over

    def _end(self, task: Task, kind: EventKind, reason: str) -> None:
        _log.warning("updates: action %d: %s", task.action_id, reason)
        self._over.add(task.action_id)
        self._tell(task, kind, reason)

    def _tell(self, task: Task, kind: EventKind, detail: str = "", *, permille: int = 0) -> None:
        self._emit(update_event(task, kind, detail, permille=permille, now=self._clock.now()))

    # --- buses

    def _start_buses(self) -> None:
        """One worker for each bus that has something to do."""
        for task in self._tasks.tasks:
            place = self._on_bus(task.terminal_id) if task.action_id in self._ready else None
            if place is not None and place.bus not in self._buses and task.action_id not in self._over:
                worker = asyncio.create_task(self._serve_bus(place.bus), name=f"updates on {place.bus}")
                self._buses[place.bus] = worker
                worker.add_done_callback(partial(self._bus_ended, place.bus))

    def _bus_ended(self, bus: str, worker: asyncio.Task[None]) -> None:
        if self._buses.get(bus) is worker:
            del self._buses[bus]
        if not worker.cancelled() and (error := worker.exception()) is not None:
            _log.error("updates on %s", bus, exc_info=error)

    def _stop_bus(self, bus: str) -> None:
        self._buses.pop(bus).cancel()

    async def _serve_bus(self, bus: str) -> None:
        """Its devices one after another; those that cannot now are looked at again."""
        said: dict[int, str] = {}
        while True:
            queue = [task for task in self._tasks.tasks if task.action_id in self._ready and task.action_id not in self._over]
            mine = [(task, place) for task in queue if (place := self._on_bus(task.terminal_id)) and place.bus == bus]
            if not mine:
                return
            for task, place in mine:
                reason = self._reason_to_wait(task, place)
                if not reason:
                    self._under_way[bus] = task
                    try:
                        await self._upgrade(task, place)
                    finally:
                        if self._under_way.get(bus) is task:
                            del self._under_way[bus]
                    break
                if said.get(task.action_id) != reason:
                    said[task.action_id] = reason
                    self._tell(task, EventKind.UPDATE_WAITING, reason)
            else:
                await asyncio.sleep(self._poll_s)

    def _reason_to_wait(self, task: Task, place: OnBus) -> str:
        now_us = to_epoch_us(self._clock.now())
        if task.not_before_us and now_us < task.not_before_us:
            return "its window has not begun"
        if task.not_after_us and now_us >= task.not_after_us:
            return "its window is over"
        if not place.is_online:
            return "off line"
        if task.kind == FIRMWARE and not self._may_flash(task.terminal_id):
            return "unsent money, or selling goes on"
        return ""

    async def _upgrade(self, task: Task, place: OnBus) -> None:
        target = self._ready[task.action_id]
        self._tell(task, EventKind.UPDATE_INSTALLING)
        reason = ""
        for _ in range(_TRIES):
            try:
                await self._bring(task, target, place)
            except (InvalidInput, NotFound, NotTrusted) as error:
                reason = error.en
                break
            except (OneCardError, OSError) as error:
                reason = str(error)
                await asyncio.sleep(self._poll_s)
            else:
                self._installed.put(task)
                self._over.add(task.action_id)
                self._tell(task, EventKind.UPDATE_DONE, permille=1000)
                return
        self._end(task, EventKind.UPDATE_FAILED, reason)

    async def _bring(self, task: Task, target: Target, place: OnBus) -> None:
        artefact = await self.artefacts.fetch(target)
        told = 0
        moving = place.port.upgrade(place.device, artefact, version=task.version, kind=task.kind)
        async with aclosing(cast(AsyncGenerator[int, None], moving)) as steps:
            async for permille in steps:
                if permille - told >= _STEP_PERMILLE and permille < 1000:
                    told = permille
                    self._tell(task, EventKind.UPDATE_INSTALLING, permille=permille)


def check_content(task: Task, target: Target) -> None:
    """Whether a signed target is what a task says; the rest the terminal itself checks. Raises NotForThis."""
    signed = (target.length, target.sha256, target.custom.get("kind"), target.custom.get("release_counter"))
    if signed != (task.length, task.sha256, task.kind, task.version):
        raise NotForThis(f"{task.target}: not the announced content")


class _Installed:
    """What was brought to each device on a bus: no release counter goes back, whatever is asked for later."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._counters: dict[str, int] = json.loads(path.read_text("utf-8")) if path.exists() else {}

    def version(self, task: Task) -> int:
        """The release counter of the last file of that kind; 0: none."""
        return self._counters.get(f"{task.terminal_id}/{task.kind}", 0)

    def put(self, task: Task) -> None:
        """It has that version now."""
        self._counters[f"{task.terminal_id}/{task.kind}"] = task.version
        replace_file(self._path, json.dumps(self._counters).encode())
