"""One city a home: the lock that a second `onecard up` meets.

The lock is a kernel file lock, so it ends with the processes that hold it, whatever killed them. The keeper (see `keeper.py`)
inherits it: after a `kill -9` of the supervisor the lock stays until the database has been stopped too.
"""

import fcntl
import os
import time
from pathlib import Path

from onecard.kernel.errors import Unavailable


class AlreadyRunning(Unavailable):
    """Another `up` holds this home."""

    code = "CITY.ALREADY_RUNNING"


class HomeLock:
    """The right to run the city of one home, from `acquire` to `release` or the end of the last process that inherited it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    @property
    def fd(self) -> int:
        """The descriptor to hand to the keeper."""
        assert self._fd >= 0, "not held"
        return self._fd

    def acquire(self, *, patience_s: float = 30.0) -> None:
        """Take the lock, or raise AlreadyRunning when its holder lives.

        When the holder is dead but its keeper still tidies up, this waits for it, at most `patience_s`.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + patience_s
        while not _try_lock(fd):
            holder = _read_holder(fd)
            if is_alive(holder) or time.monotonic() > deadline:
                os.close(fd)
                raise AlreadyRunning(
                    f"本目录的城市已在运行（进程 {holder}）：{self.path.parent}",
                    f"the city of this home is running already (process {holder})",
                )
            time.sleep(0.1)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Give the lock back. The file stays: removing it would race with the next holder."""
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1


def running_holder(path: Path) -> int | None:
    """The process that runs this home's city, or None."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if _try_lock(fd):
            return None
        return _read_holder(fd) or None
    finally:
        os.close(fd)


def is_alive(pid: int) -> bool:
    """Whether a process runs under this number (a dead one that nobody has waited for does not count)."""
    if pid <= 0:
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return state != b"Z"


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_holder(fd: int) -> int:
    text = os.pread(fd, 32, 0).strip()
    return int(text) if text.isdigit() else 0
