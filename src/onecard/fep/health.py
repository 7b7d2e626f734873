"""How the front-end is: heartbeats, what is reported once when it changes, and the housekeeping of every few seconds (G3, D1)."""

import asyncio
import logging
from typing import TYPE_CHECKING

from onecard.fep import book
from onecard.fep.clock import OFF_US
from onecard.fep.journal import JournalFull
from onecard.kernel.codes import Result
from onecard.kernel.events import EventKind
from onecard.protocol.lease import STEP_TEXT, Step
from onecard.protocol.offline import local_time
from onecard.protocol.proto.device_pb2 import DataVersion, Heartbeat

if TYPE_CHECKING:
    from onecard.fep.fep import Fep

_log = logging.getLogger(__name__)
_TICK_S = 2.0
_TRIM_EVERY = 900
_MAX_ERROR = 200


class Health:
    """`run` is its task; `heartbeat` is asked by the line."""

    def __init__(self, fep: "Fep") -> None:
        self._fep = fep
        self.oldest_us = 0
        self.last_error = ""
        self._step: Step | None = None
        self._was_offline: bool | None = None
        self._was_low = False
        self._was_off = False
        self._holes = 0

    def heartbeat(self) -> Heartbeat:
        """All that the platform is told every half minute."""
        fep = self._fep
        return Heartbeat(
            backlog=sum(fep.intake.waiting.values()),
            oldest_unsent_us=self.oldest_us if fep.intake.waiting else 0,
            versions=self.versions(),
            last_error=self._error()[:_MAX_ERROR],
            holes=fep.numbers.holes(),
            disk_free_permille=fep.disk.room.permille,
            lease_serial=fep.lease.serial,
            devices=fep.devices.take_changed() if fep.line.is_up else (),
        )

    def versions(self) -> list[DataVersion]:
        """What is in use."""
        return [*self._fep.data.versions(), *self._fep.rollout.versions()]

    def clock_heard(self, off_us: int) -> None:
        """The platform has told the time."""
        is_off = abs(off_us) > OFF_US or self._fep.clock.is_off
        if is_off and not self._was_off:
            self._fep.events.add(EventKind.CLOCK_OFF, f"{self._fep.clock.offset_us // 1000} ms off")
        self._was_off = is_off

    def went_up(self) -> None:
        """The line is open."""
        self._look_at_line()

    def went_down(self, refused: Result | None) -> None:
        """The line is down, or was cut off."""
        if refused is not None:
            self.last_error = f"cut off: {refused.name}"
        self._look_at_line()

    def look_at_lease(self) -> None:
        """Report another step, and tell the terminals."""
        step = self._fep.lease.step()
        if step is not self._step:
            if self._step is not None or step is not Step.OK:
                self._fep.events.add(EventKind.LEASE_STEP, f"{int(step)} {STEP_TEXT[step].en}")
            self._step = step
            self._fep.tell_state()
            if step is Step.STOP:
                self._fep.lan.recheck()

    async def run(self) -> None:
        """Look at everything every few seconds, until cancelled."""
        ticks = 0
        while True:
            try:
                await self._tick(trim=ticks % _TRIM_EVERY == 0)
            except JournalFull:
                _log.warning("the journal is full")
            except Exception:
                _log.exception("housekeeping")
            ticks += 1
            await asyncio.sleep(_TICK_S)

    async def _tick(self, *, trim: bool) -> None:
        fep = self._fep
        fep.disk.look()
        self._look_at_disk()
        self._look_at_line()
        self.look_at_lease()
        fep.devices.look(fep.lan.present(), self._on_ports())
        fep.events.flush()
        self.oldest_us = await fep.journal.run(book.oldest_us)
        await fep.numbers.save()
        self._look_at_holes()
        seen = fep.intake.take_seen()
        if seen:
            await fep.journal.run(lambda db: book.see(db, seen))
        if trim:
            now_us = fep.clock.now_us()
            today = local_time(now_us).date().toordinal()
            await fep.journal.run(lambda db: book.trim(db, now_us, today))

    def _look_at_line(self) -> None:
        """Whether we decide by ourselves; terminals and, in time, the platform are told when that changes."""
        fep = self._fep
        offline = fep.is_offline
        if offline is self._was_offline:
            return
        if offline:
            fep.offline_since_us = fep.clock.now_us()
            fep.events.add(EventKind.OFFLINE_BEGAN, "the platform does not answer" if fep.line.is_up else "the line is down")
        elif self._was_offline is not None:
            seconds = (fep.clock.now_us() - fep.offline_since_us) // 1_000_000
            fep.events.add(EventKind.OFFLINE_ENDED, f"after {seconds} s, {sum(fep.intake.waiting.values())} records wait")
            self.last_error = ""
        self._was_offline = offline
        fep.tell_state()

    def _look_at_disk(self) -> None:
        disk = self._fep.disk
        if disk.is_low and not self._was_low:
            free = disk.room.free >> 20
            self._fep.events.add(
                EventKind.DISK_LOW, f"{free} MB free" + ("" if disk.takes_sales else "; nothing is sold off line")
            )
        self._was_low = disk.is_low

    def _look_at_holes(self) -> None:
        holes = self._fep.numbers.holes()
        if len(holes) > self._holes:
            newest = holes[-1]
            text = f"numbers {newest.from_seq} to {newest.through_seq} are missing"
            self._fep.events.add(EventKind.SEQUENCE_HOLE, text, terminal_id=newest.terminal_id)
        self._holes = len(holes)

    def _on_ports(self) -> dict[int, bool]:
        """Devices on buses and behind brokers."""
        found = {}
        for attachment in self._fep.attachments:
            port = self._fep.ports.ports[attachment.settings.name]
            status = port.status()
            found.update({number: status.get(name, False) for name, number in attachment.settings.terminals.items()})
        return found

    def _error(self) -> str:
        disk = self._fep.disk
        if not disk.takes_sales:
            return f"disk full: {disk.room.free >> 20} MB free"
        if self._fep.upload.stranded:
            return f"records of terminals that left this line: {sorted(self._fep.upload.stranded)[:5]}"
        return self.last_error
