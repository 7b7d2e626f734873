"""Room on the journal's disk: a warning long before it is gone, facts before sales, and a ballast for the very end (G3)."""

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from onecard.fep.settings import DiskLimits


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes of a disk."""

    free: int
    total: int

    @property
    def permille(self) -> int:
        """Free, 1…1000."""
        return max(1, min(1000, self.free * 1000 // max(1, self.total)))


def room_of(folder: Path) -> Room:
    """What the operating system lets us use."""
    found = os.statvfs(folder)
    return Room(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)


class Disk:
    """`look` now and then; `full` when a write failed."""

    def __init__(self, folder: Path, limits: DiskLimits, *, room: Callable[[Path], Room] = room_of) -> None:
        self._folder = folder
        self._limits = limits
        self._room = room
        self._ballast = folder / "ballast"
        self._failed = False
        self.room = room(folder)
        self.look()

    @property
    def is_low(self) -> bool:
        """Whether people should hear of it."""
        return self._failed or self.room.free < self._limits.low_bytes or self.room.permille < self._limits.low_permille

    @property
    def takes_sales(self) -> bool:
        """Whether new sales are stored here."""
        return not self._failed and self.room.free >= self._limits.sales_bytes

    def look(self) -> None:
        """Measure; put the ballast back when there is room again."""
        self.room = self._room(self._folder)
        if self.room.free >= self._limits.sales_bytes + self._limits.ballast_bytes:
            self._failed = False
            if not self._ballast.exists():
                self._load()

    def full(self) -> None:
        """A write found no room: give up the ballast, so that the upload can finish what it has begun."""
        self._failed = True
        self.give_ballast()

    def give_ballast(self) -> None:
        """Make room with the ballast; it comes back as soon as there is room for it."""
        self._ballast.unlink(missing_ok=True)

    def _load(self) -> None:
        try:
            with self._ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._limits.ballast_bytes)
        except OSError:
            with contextlib.suppress(OSError):
                self._ballast.unlink(missing_ok=True)
