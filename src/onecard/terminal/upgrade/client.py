"""The update client of one device (D2): takes one task of a roll-out after another, and says how it goes.

A device flashes only with no unsent money on it and when it may (outside its meal times); firmware goes to the other slot and is
in force only after its self test; data is in force only after the device has read it. Whatever goes wrong, the version before
stays, and an action that failed here is not tried again.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from datetime import datetime
from pathlib import Path

from onecard.kernel.clock import Clock, to_epoch_us
from onecard.kernel.errors import OneCardError
from onecard.kernel.events import EventKind
from onecard.protocol.proto.device_pb2 import DataVersion, DeviceEvent, Task
from onecard.terminal.upgrade.errors import CannotRead, NoLine, NoSuchFile, NotForThis, NotTrusted
from onecard.terminal.upgrade.fetching import Fetch
from onecard.terminal.upgrade.slots import INTERRUPTED, Installed, Slots
from onecard.terminal.upgrade.trusted import Target, TrustedRepository

FIRMWARE = "firmware"
AT_MOST = 512 << 20
_STEP_PERMILLE = 100
_DETAIL = 500
_SELF_TEST_S = 300.0

Validator = Callable[[bytes], None]
"""Reads data and takes it into use; raises whatever it likes where it cannot."""


class UpdateClient:
    """`async with aclosing(client.handle(task)) as events: async for event in events: journal(event)`."""

    def __init__(
        self, folder: Path, *, hardware: str, fetch: Fetch, root: bytes | None, clock: Clock, unsent: Callable[[], int],
        may_install: Callable[[datetime], bool], self_test: Callable[[Path], Awaitable[bool]],
        data_files: Mapping[str, Validator] | None = None, factory: int = 0, poll_s: float = 1.0, retry_s: float = 10.0,
        at_most: int = AT_MOST,
        repository: TrustedRepository | None = None,
    ) -> None:  # fmt: skip
        """`unsent`: records not acknowledged yet. `may_install`: whether the device may stop selling now. `factory`: the release
        counter of the firmware it left its maker with. `poll_s`: how often it looks whether it may; `retry_s`: how long it
        waits for a line. `at_most`: the longest file it has room for.
        """
        self.slots = Slots(folder, factory=Installed(factory) if factory else None)
        self.repository = repository or TrustedRepository(folder / "repository", fetch, root, clock=clock)
        self._hardware = hardware
        self._clock = clock
        self._unsent = unsent
        self._may_install = may_install
        self._self_test = self_test
        self._data_files = dict(data_files or {})
        self._poll_s = poll_s
        self._retry_s = retry_s
        self._at_most = at_most
        self._lock = asyncio.Lock()
        self.is_installing = False
        """Set while firmware is exchanged: the device must not sell."""

    def versions(self) -> list[DataVersion]:
        """What is in force, for Hello and heartbeats."""
        found = self.slots.all().items()
        return [DataVersion(name=kind, version=one.version, sha256=bytes.fromhex(one.sha256)) for kind, one in found]

    def data(self, kind: str) -> bytes | None:
        """The data in force of a kind: what the device loads when it starts."""
        return self.slots.data(kind)

    async def handle(self, task: Task) -> AsyncGenerator[DeviceEvent, None]:
        """One task to its end. Waits for a line, its window and its moment for as long as it takes; cancel it when it is over.

        Never raises for what comes from outside: what is not to be trusted ends in UPDATE_REFUSED, what cannot be used in
        UPDATE_FAILED. A task that is in force already is UPDATE_DONE.
        """
        async with self._lock:
            ended = self._ended(task)
            if ended is not None:
                yield ended
                return
            try:
                async with aclosing(self._take(task)) as steps:
                    async for event in steps:
                        yield event
            except (NotTrusted, NoSuchFile) as error:
                yield self._end(task, EventKind.UPDATE_REFUSED, error.en)
            except OneCardError as error:
                yield self._end(task, EventKind.UPDATE_FAILED, error.en)
            except OSError as error:
                yield self._end(task, EventKind.UPDATE_FAILED, f"disk: {error.strerror or error}")

    def _ended(self, task: Task) -> DeviceEvent | None:
        """How a task ended that was told before."""
        if self.slots.interrupted:
            self.slots.ends(self.slots.interrupted, EventKind.UPDATE_FAILED, INTERRUPTED)
            self.slots.interrupted = 0
        before = self.slots.how_ended(task.action_id)
        if before is not None:
            return self._event(task, EventKind(before[0]), before[1])
        if self.slots.installed(task.kind) == Installed(task.version, task.sha256.hex()):
            return self._event(task, EventKind.UPDATE_DONE, permille=1000)
        return None

    async def _take(self, task: Task) -> AsyncGenerator[DeviceEvent, None]:
        target = await self._checked(task)
        yield self._event(task, EventKind.UPDATE_DOWNLOADING)
        async with aclosing(self._download(task, target)) as steps:
            async for event in steps:
                yield event
        file = await self.repository.finish(target)
        async with aclosing(self._wait(task)) as waits:
            async for event in waits:
                yield event
        # No await from the last look at unsent money to here: nothing can have been sold in between.
        installing = asyncio.ensure_future(self._install(task, target, file))
        self.is_installing = task.kind == FIRMWARE
        try:
            event = await asyncio.shield(installing)
        except asyncio.CancelledError:
            await asyncio.wait([installing])  # a slot that is half written helps nobody
            raise
        finally:
            self.is_installing = False
        yield event

    async def _checked(self, task: Task) -> Target:
        """The target as it is signed. The task itself proves nothing (D2). Raises NotTrusted, NoSuchFile."""
        while True:
            try:
                await self.repository.refresh()
                target = await self.repository.find(task.target)
                break
            except NoLine:
                await asyncio.sleep(self._retry_s)
        check_target(task, target, hardware=self._hardware, installed=self.slots.installed(task.kind).version)
        if target.length > self._at_most:
            raise NotForThis(f"{task.target}: {target.length} bytes, more than the {self._at_most} there is room for")
        if task.kind != FIRMWARE and task.kind not in self._data_files:
            raise NotForThis(f"no data {task.kind} here")
        return target

    async def _download(self, task: Task, target: Target) -> AsyncGenerator[DeviceEvent, None]:
        told = 0
        while True:
            try:
                async with aclosing(self.repository.fill(target)) as filling:
                    async for at in filling:
                        permille = at * 1000 // target.length
                        if permille - told >= _STEP_PERMILLE:
                            told = permille
                            yield self._event(task, EventKind.UPDATE_DOWNLOADING, permille=permille)
                return
            except NoLine:
                await asyncio.sleep(self._retry_s)

    async def _wait(self, task: Task) -> AsyncGenerator[DeviceEvent, None]:
        """Until the device may install; it has been told that it will when this ends."""
        told = ""
        while True:
            reason = self._reason_to_wait(task)
            if not reason:
                if told == "installing":
                    return
                told = "installing"
                yield self._event(task, EventKind.UPDATE_INSTALLING)  # while this is journaled, something may be sold
                continue
            if reason != told:
                told = reason
                yield self._event(task, EventKind.UPDATE_WAITING, reason)
            await asyncio.sleep(self._poll_s)

    def _reason_to_wait(self, task: Task) -> str:
        now = self._clock.now()
        now_us = to_epoch_us(now)
        if task.not_before_us and now_us < task.not_before_us:
            return "its window has not begun"
        if task.not_after_us and now_us >= task.not_after_us:
            return "its window is over"
        if task.kind != FIRMWARE:
            return ""
        if self._unsent():
            return "unsent money"
        return "" if self._may_install(now) else "selling goes on"

    async def _install(self, task: Task, target: Target, file: Path) -> DeviceEvent:
        """Take it into use; gives how it went."""
        installed = Installed(task.version, target.sha256.hex())
        try:
            if task.kind == FIRMWARE:
                await self._flash(task, file)
                await asyncio.to_thread(self.slots.commit, installed)
            else:
                content = await asyncio.to_thread(file.read_bytes)
                self._read(task.kind, content)
                await asyncio.to_thread(self.slots.put_data, task.kind, content, installed)
        except CannotRead as error:
            return self._end(task, EventKind.UPDATE_FAILED, error.en)
        except OSError as error:
            return self._end(task, EventKind.UPDATE_FAILED, f"disk: {error.strerror or error}")
        self.repository.forget(target)
        return self._event(task, EventKind.UPDATE_DONE, permille=1000)

    def _read(self, kind: str, content: bytes) -> None:
        try:
            self._data_files[kind](content)
        except Exception as error:  # whatever a device's reader raises: the last good one stays
            raise CannotRead(kind, str(error) or type(error).__name__) from error

    async def _flash(self, task: Task, file: Path) -> None:
        image = await asyncio.to_thread(self.slots.begin_trial, file, task.action_id)
        try:
            async with asyncio.timeout(_SELF_TEST_S):
                passed = await self._self_test(image)
        except Exception as error:  # an image that makes its own test fail in whatever way
            raise CannotRead(FIRMWARE, f"self test: {error or type(error).__name__}") from error
        if not passed:
            raise CannotRead(FIRMWARE, "self test failed")

    def _end(self, task: Task, kind: EventKind, reason: str) -> DeviceEvent:
        self.slots.ends(task.action_id, kind, reason[:_DETAIL])
        self.repository.forget(Target(task.target, task.length, task.sha256, {}))
        return self._event(task, kind, reason)

    def _event(self, task: Task, kind: EventKind, detail: str = "", *, permille: int = 0) -> DeviceEvent:
        return update_event(task, kind, detail, permille=permille, now=self._clock.now())


def check_target(task: Task, target: Target, *, hardware: str, installed: int) -> None:
    """Whether a signed target is what a task says, meant for this hardware, and newer than what is there. Raises NotForThis."""
    if (target.length, target.sha256) != (task.length, task.sha256):
        raise NotForThis(f"{task.target}: not the announced content")
    if target.custom.get("kind") != task.kind:
        raise NotForThis(f"{task.target}: {target.custom.get('kind')}, not {task.kind}")
    meant = target.custom.get("hardware_ids") or []
    if (meant or task.kind == FIRMWARE) and hardware not in meant:
        raise NotForThis(f"{task.target}: for {', '.join(map(str, meant))}, not {hardware}")
    counter = target.custom.get("release_counter")
    if counter != task.version:
        raise NotForThis(f"{task.target}: release counter {counter}, not {task.version}")
    if task.version <= installed:
        raise NotForThis(f"{task.target}: release counter {task.version} is not above {installed}, which is installed")


def update_event(task: Task, kind: EventKind, detail: str = "", *, permille: int = 0, now: datetime) -> DeviceEvent:
    """What is told of a task."""
    return DeviceEvent(
        event_id=secrets.token_bytes(16),
        terminal_id=task.terminal_id,
        kind=kind,
        occurred_at_us=to_epoch_us(now),
        detail=detail[:_DETAIL],
        action_id=task.action_id,
        progress_permille=permille,
    )
