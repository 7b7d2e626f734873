"""Is a data folder's server alive? Its pid file does not tell: the number may be a zombie's, or another process's by now."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PidFile:
    """What a data folder's `postmaster.pid` says, and whether that process is this folder's server."""

    pid: int
    is_alive: bool


def read_pid_file(pg_data: Path) -> PidFile | None:
    """None where there is no pid file (or an empty one, which a crash at the wrong moment leaves behind)."""
    try:
        first = (pg_data / "postmaster.pid").read_text().split("\n", maxsplit=1)[0].strip()
    except FileNotFoundError:
        return None
    if not first.lstrip("-").isdigit():
        return None
    pid = abs(int(first))
    return PidFile(pid=pid, is_alive=_is_server_of(pid, pg_data))


def remove_stale_pid_file(pg_data: Path) -> None:
    """Remove the pid file of a server that is no more. Call under the home's lock.

    PostgreSQL would keep away from a living process of the same user, whatever that is. Two servers on one folder stay
    impossible: the new one still refuses while a process of the old one holds the folder's shared memory.
    """
    found = read_pid_file(pg_data)
    if found is None or not found.is_alive:
        (pg_data / "postmaster.pid").unlink(missing_ok=True)


def _is_server_of(pid: int, pg_data: Path) -> bool:
    if pid <= 0:
        return False
    process = Path("/proc") / str(pid)
    if not Path("/proc/self").exists():
        return _answers_signal(pid)  # no /proc (macOS): as good as PostgreSQL's own check
    try:
        stat = (process / "stat").read_text()
        if stat.rpartition(")")[2].split()[0] in {"Z", "X"}:
            return False
        # A server's working folder is its data folder: no other process of the machine can pass for it by accident.
        return (process / "cwd").samefile(pg_data) and (process / "exe").readlink().name.startswith("postgres")
    except (FileNotFoundError, ProcessLookupError):
        return False
    except PermissionError:
        return False  # another user's process: ours would be readable


def _answers_signal(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return False
    return True
