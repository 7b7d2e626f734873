"""The front-end's own time (O4, G3): the platform's where it was heard, carried on by the machine's monotonic counter.

Nobody at the unit can turn it back. The machine's clock is asked once, at the start; while the process runs only the monotonic
counter and the platform move the time. A high-water mark on disk, with the boot it was made in, is what a restart begins from:
within the same boot the counter of the boot says how much time has passed; after a new boot the machine's clock is believed where
it is later than the mark. With a clock set back the time away is not counted, and everything the process lives through is.
"""

import logging
import os
import struct
import time
import zlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from onecard.fep.files import replace_file
from onecard.kernel.clock import Clock, SystemClock, from_epoch_us, to_epoch_us

log = logging.getLogger(__name__)
_MARK = struct.Struct(">q16sqI")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SAVE_EVERY_US = 10_000_000
OFF_US = 5_000_000
"""A clock that differs by more is reported."""


class FrontEndClock:
    """A `Clock`. `set_back_us` says by how much the machine's clock was found behind the mark at the start; 0: it was not."""

    def __init__(
        self,
        path: Path,
        *,
        wall: Clock | None = None,
        counter_us: Callable[[], int] | None = None,
        boot_id: Callable[[], bytes] | None = None,
    ) -> None:
        self._path = path
        self._wall = wall or SystemClock()
        self._counter_us = counter_us or _boot_counter_us
        self._boot_id = (boot_id or _boot_id)()
        self.offset_us = 0
        """The machine's clock minus the platform's, when that was last heard."""
        self.platform_heard_at: datetime | None = None
        self._base_counter_us = self._counter_us()
        self._base_us, self.set_back_us = self._begin()
        self._saved_us = 0
        self._save(self._base_us)

    def now(self) -> datetime:
        """The time; never before an earlier answer, unless the platform itself has corrected it."""
        return from_epoch_us(self.now_us())

    def now_us(self) -> int:
        """The same in microseconds; the mark on disk is at most ten seconds behind."""
        now_us = self._base_us + self._counter_us() - self._base_counter_us
        if now_us - self._saved_us >= _SAVE_EVERY_US:
            self._save(now_us)
        return now_us

    def not_before(self, moment_us: int) -> None:
        """Something the platform has signed says that it is at least this late: deleting the mark does not help either."""
        behind_us = moment_us - self.now_us()
        if behind_us > 0:
            self._base_us += behind_us
            self.set_back_us = max(self.set_back_us, behind_us)
            self._save(moment_us)

    def hear_platform(self, platform_us: int, *, waited_us: int = 0) -> int:
        """Take the platform's time from a Welcome or heartbeat answer; gives how far this clock was from it.

        `waited_us` is how long the answer took: half of it is taken for the way back. The platform is proven by the line's
        TLS; it alone may turn the time back.
        """
        told_us = platform_us + max(0, waited_us) // 2
        before_us = self._base_us + self._counter_us() - self._base_counter_us
        self.offset_us = to_epoch_us(self._wall.now()) - told_us
        self._base_us, self._base_counter_us = told_us, self._counter_us()
        self.platform_heard_at = from_epoch_us(told_us)
        if abs(told_us - before_us) > OFF_US or told_us - self._saved_us >= _SAVE_EVERY_US:
            self._save(told_us)
        return before_us - told_us

    @property
    def is_off(self) -> bool:
        """Whether the machine's clock should be reported."""
        return abs(self.offset_us) > OFF_US or self.set_back_us > OFF_US

    def _begin(self) -> tuple[int, int]:
        wall_us = to_epoch_us(self._wall.now())
        mark = _read_mark(self._path)
        if mark is None:
            return wall_us, 0
        mark_us, boot_id, counter_us = mark
        passed_us = self._base_counter_us - counter_us
        if boot_id == self._boot_id and passed_us >= 0:
            return mark_us + passed_us, max(0, mark_us + passed_us - wall_us)
        return max(wall_us, mark_us), max(0, mark_us - wall_us)

    def _save(self, now_us: int) -> None:
        counter_us = self._base_counter_us + now_us - self._base_us
        head = _MARK.pack(now_us, self._boot_id, counter_us, 0)[:-4]
        self._saved_us = now_us
        try:
            replace_file(self._path, head + struct.pack(">I", zlib.crc32(head)))
        except OSError as error:  # a full disk is reported and stops sales elsewhere; the time goes on
            log.warning("fep: the clock's mark was not written: %s", error)


def _read_mark(path: Path) -> tuple[int, bytes, int] | None:
    """The mark; None where there is none, or it can't be read: it was replaced whole, so somebody else has been at it."""
    try:
        content = path.read_bytes()
        now_us, boot_id, counter_us, check = _MARK.unpack(content)
    except (FileNotFoundError, struct.error):
        return None
    return (now_us, boot_id, counter_us) if zlib.crc32(content[:-4]) == check else None


def _boot_counter_us() -> int:
    # Counts on while the machine sleeps, where the system has such a counter.
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def _boot_id() -> bytes:
    try:
        return bytes.fromhex(_BOOT_ID.read_text().strip().replace("-", ""))
    except (OSError, ValueError):
        return os.urandom(16)
