"""The front-end put together: journal, line, lists, lease, intake, upload, terminals, ports, proxy, and the orderly end (G1)."""

import asyncio
import logging
import sqlite3
from collections.abc import Coroutine
from functools import partial
from typing import Any

from onecard.fep import book
from onecard.fep.clock import FrontEndClock
from onecard.fep.data import DataKeeper
from onecard.fep.desk import Moment
from onecard.fep.devices import Devices
from onecard.fep.disk import Disk
from onecard.fep.doors import Doors
from onecard.fep.events import Events
from onecard.fep.follow import Follow
from onecard.fep.health import Health
from onecard.fep.intake import Intake
from onecard.fep.journal import Journal, JournalFull
from onecard.fep.lan import Lan
from onecard.fep.lease import LeaseKeeper
from onecard.fep.line import Line
from onecard.fep.numbers import Numbers
from onecard.fep.passing import Passing
from onecard.fep.platform import Platform
from onecard.fep.proxy import WorkstationProxy
from onecard.fep.rollout import HARDWARE, Rollout
from onecard.fep.settings import FepSettings, read_enrolled
from onecard.fep.uplink import Upload
from onecard.gateway.attached import AttachedPorts, read_attachments
from onecard.gateway.drivers.base import Services
from onecard.gateway.metrics import Counters
from onecard.gateway.settings import LineLimits
from onecard.gateway.tls import server_contexts
from onecard.kernel.codes import Result
from onecard.kernel.events import EventKind
from onecard.protocol.lease import Step
from onecard.protocol.proto.device_pb2 import FetchReply, Heartbeat, LineState, PlatformFrame, Welcome
from onecard.terminal.native import Device
from onecard.terminal.upgrade.trusted import TrustedRepository

_log = logging.getLogger(__name__)
_WELCOME, _CUT_OFF = "welcome", "cut_off"
_REFUSED_QUIET_S = 60.0


class Fep:
    """One front-end process. `start`, then `stop`; needs a running loop."""

    def __init__(self, settings: FepSettings, *, clock: FrontEndClock | None = None) -> None:
        """Raises InvalidInput when the home is not enrolled or the ports' settings are wrong. Nothing is open then."""
        self.settings = settings
        self.enrolled = read_enrolled(settings)
        attachments = read_attachments(settings.attach) if settings.attach is not None else []
        home, loop = settings.home, asyncio.get_running_loop()
        self.clock = clock or FrontEndClock(home / "clock")
        self.counters = Counters()
        self.disk = Disk(home, settings.disk)
        self.journal = Journal(home / "journal.db", make_room=self.disk.give_ballast)
        self.journal.on_full = partial(self._disk_full, loop)
        self.events = Events(self.journal, now_us=self.clock.now_us, on_stored=self._stored)
        self.lease = LeaseKeeper(home, self.enrolled.ca_pem, self.clock, line_id=self.enrolled.line_id)
        self.line = Line(
            settings.gateway_host, settings.gateway_port, settings.identity, clock=self.clock, device=_device(),
            status=self._heartbeat, server_hostname=settings.gateway_name, heartbeat_s=settings.heartbeat_s,
            silence_s=settings.silence_s,
        )  # fmt: skip
        self.repository = TrustedRepository(home / "repository", self.fetch, clock=self.clock)
        self.data = DataKeeper(
            home / "data", self.repository, unit=lambda: self.lease.unit_id, clock=self.clock, note=self.events.add
        )
        self.passing = Passing(self.line, on_answers=self.data.taps.hear)
        self.numbers = Numbers(self.journal)
        self.intake = Intake(
            self.journal, self.passing, self.numbers, moment=self.moment, is_up=lambda: self.line.is_up,
            on_queued=self._queued, on_tap=self.data.taps.note,
        )  # fmt: skip
        self.platform = Platform(self.journal, self.line, state=self.line_state, waiting=self.intake.waiting)
        services = Services(
            uplink=self.intake, platform=self.platform, reports=None, counters=self.counters, clock=self.clock,  # type: ignore[arg-type]
            limits=LineLimits(), spawn=self._spawn, name=f"fep line {self.enrolled.line_id}", seqs=self.numbers,
        )  # fmt: skip
        self.devices = Devices(self.events, now_us=self.clock.now_us, heard=services.heard)
        services.reports = self.devices
        self.doors = Doors(self.moment)
        services.access = self.doors.decide
        self.services = services
        self.lan = Lan(settings, self.enrolled, services, closed_for=self.closed_for)
        self.platform.certificate_of = self.lan.certificate_of
        self.ports = AttachedPorts(self.lan, attachments)
        self.attachments = attachments
        self.upload = Upload(
            self.journal, self.line, self.events, waiting=self.intake.waiting, terminals=lambda: self.lan.terminals,
            now_us=self.clock.now_us, on_answer=self.intake.heard, on_answers=self.data.taps.hear,
        )  # fmt: skip
        self.follow = Follow(self)
        self.rollout = Rollout(self)
        self.health = Health(self)
        self.proxy = self._make_proxy()
        self.cut_off: Result | None = None
        self.offline_since_us = self.clock.now_us()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writes: set[asyncio.Task[None]] = set()
        self._refused_at: dict[str, float] = {}

    # life

    async def start(self) -> None:
        """Read the journal, open the ports, then the line. Raises OSError if a port is taken."""
        await self._recall()
        heard = self.line.heard
        heard.up.append(self._up)
        heard.down.append(self._down)
        heard.keys.append(lambda keys: self._spawn(self._keep_keys(keys)))
        heard.tasks.append(self.follow.take)
        heard.tasks.append(self.rollout.updates.on_tasks)
        heard.clock.append(self.health.clock_heard)
        self.lan.on_refused = self._refused
        await self.lan.start()
        if self.proxy is not None:
            await self.proxy.start()
        self.ports.start()
        for work in (
            self.line.run(),
            self.upload.run(),
            self.lan.run(),
            self.health.run(),
            self.follow.run(),
            self.rollout.updates.run(),
        ):
            self._spawn(work)
        self.upload.wake()

    async def stop(self) -> None:
        """Say good-bye to the terminals, finish what is being answered, close the journal properly."""
        await self.ports.stop()
        await self.rollout.stop()
        if self.proxy is not None:
            await self.proxy.stop()
        await self.intake.stop()
        await self.lan.stop()
        await self.passing.stop()
        if self._writes:
            await asyncio.wait(self._writes)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.events.settle()
        try:
            await self.numbers.close()
        except JournalFull:
            _log.error("the disk is full: the numbers of terminals were not saved")
        await asyncio.to_thread(self.journal.close)

    # what holds now

    def moment(self) -> Moment:
        """What a decision needs to know."""
        return Moment(
            now_us=self.clock.now_us(),
            lists=self.data.lists,
            step=self.lease.step(),
            code_keys=self.platform.code_keys,
            cut_off=self.cut_off,
            takes_sales=self.disk.takes_sales,
        )

    def closed_for(self) -> Result | None:
        """Why no terminal is served: the platform has cut the line off, or the lease has run out to its end (O4)."""
        if self.cut_off is not None:
            return self.cut_off
        return Result.UNIT_EXPIRED if self.lease.step() is Step.STOP and not self.line.is_up else None

    def no_sales(self) -> Result | None:
        """Why nothing is sold while the line is down."""
        if self.cut_off is not None:
            return self.cut_off
        return Result.UNIT_EXPIRED if self.lease.step() >= Step.NO_SALES else None

    @property
    def is_offline(self) -> bool:
        """Whether the front-end decides by itself."""
        return not self.line.is_up or self.intake.is_resting

    def line_state(self) -> LineState:
        """What terminals show."""
        return LineState(
            offline=self.is_offline, since_us=self.offline_since_us if self.is_offline else 0, lease_step=int(self.lease.step())
        )

    def tell_state(self) -> None:
        """Tell the terminals."""
        self.lan.tell(PlatformFrame(line_state=self.line_state()))

    # the line

    def _up(self, welcome: Welcome) -> None:
        if self.cut_off is not None:
            self.cut_off = None
            self._write(_CUT_OFF, None)
        self.numbers.know({ref.terminal_id: ref.known_seq for ref in welcome.terminals})
        self.lan.take(welcome)
        self.devices.keep_only(set(self.lan.terminals))
        self.devices.all_changed()
        kept = Welcome(line_id=welcome.line_id, window=welcome.window, terminals=welcome.terminals)
        self._write(_WELCOME, kept.SerializeToString())
        self.intake.heard()
        self.health.went_up()
        self.follow.wake()
        self.upload.wake()

    def _down(self, refused: Result | None) -> None:
        if refused is not None:
            self.cut_off = refused
            self._write(_CUT_OFF, int(refused))
            self.lan.recheck()
        self.health.went_down(refused)

    def _heartbeat(self) -> Heartbeat:
        return self.health.heartbeat()

    async def fetch(self, name: str, offset: int, length: int) -> FetchReply:
        """A part of a file of the signed repository. Raises LineDown."""
        return await self.line.ask.fetch(name, offset, length)

    async def _keep_keys(self, keys: dict[int, bytes]) -> None:
        await self.platform.take_keys(keys)

    def _stored(self) -> None:
        self.upload.wake()

    def _queued(self, queued: dict[int, int]) -> None:
        self.upload.wake()

    def _refused(self, address: str, reason: str) -> None:
        """An event for each address and reason, once a minute: a device that keeps trying must not fill the journal."""
        now, key = asyncio.get_running_loop().time(), f"{address} {reason}"
        if now - self._refused_at.get(key, float("-inf")) > _REFUSED_QUIET_S:
            self._refused_at = {name: at for name, at in self._refused_at.items() if now - at < _REFUSED_QUIET_S}
            self._refused_at[key] = now
            self.events.add(EventKind.LINE_REFUSED, key)

    # memory

    async def _recall(self) -> None:
        def read(db: sqlite3.Connection) -> tuple[Any, ...]:
            settings = (book.read_setting(db, _WELCOME), book.read_setting(db, _CUT_OFF))
            return (*settings, book.waiting_by_terminal(db), book.holds_by_terminal(db), book.count_events(db))

        await self.events.tell_rescue()
        welcome, cut_off, waiting, holders, events = await self.journal.run(read)
        if isinstance(welcome, bytes):
            self.lan.take(Welcome.FromString(welcome))
        self.cut_off = Result(cut_off) if cut_off is not None else None
        self.intake.waiting.update(waiting)
        self.intake.holders |= holders
        self.events.waiting = events
        await self.numbers.load()
        await self.platform.load()
        if self.journal.lost_power and self.journal.set_aside is None:
            self.events.add(EventKind.POWER_LOST, "the journal had not been closed; it was checked and is whole")

    def _write(self, name: str, value: bytes | int | None) -> None:
        """Keep a value over restarts; begun at once, and waited for at the end."""
        task = asyncio.get_running_loop().create_task(self._write_now(name, value))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def _write_now(self, name: str, value: bytes | int | None) -> None:
        try:
            await self.journal.run(lambda db: book.write_setting(db, name, value))
        except JournalFull:
            _log.error("the disk is full: %s was not stored", name)

    def _disk_full(self, loop: asyncio.AbstractEventLoop) -> None:
        """From the journal's thread."""
        loop.call_soon_threadsafe(self.disk.full)

    def _make_proxy(self) -> WorkstationProxy | None:
        settings = self.settings
        if settings.workstation_port is None:
            return None
        if not settings.workstation_host:
            return WorkstationProxy(self.line, host="127.0.0.1", port=settings.workstation_port, tls=None, no_sales=self.no_sales)
        identity = settings.identity
        tls = server_contexts(identity.certificate, identity.key, ca=None).handshake
        return WorkstationProxy(
            self.line, host=settings.workstation_host, port=settings.workstation_port, tls=tls, no_sales=self.no_sales
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background work failed", exc_info=error)


def _device() -> Device:
    return Device(maker="onecard", model="fep", firmware="1", hardware=HARDWARE)
