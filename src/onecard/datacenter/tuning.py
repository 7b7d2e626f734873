"""The embedded server's settings, sized to the machine. Durability is not for tuning: fsync and synchronous_commit stay on."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

MAX_CONNECTIONS = 200
_MB = 1 << 20
_GB = 1 << 30


def memory_bytes() -> int:
    """What this process may use: the machine's memory or the control group's limit, whichever is smaller."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(name).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            return min(physical, int(text))
    return physical


def settings(*, memory: int, free_disk: int, shared_memory_free: int) -> dict[str, str]:
    """The settings for a machine with so many bytes of memory, of free disk and of free POSIX shared memory.

    An eighth of the memory goes to PostgreSQL's own cache, since every other tier of the city may share the machine.
    """
    max_wal = _clamp(free_disk // 10, 512 * _MB, 8 * _GB)
    return {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "max_connections": str(MAX_CONNECTIONS),
        "shared_buffers": _mb(_clamp(memory // 8, 64 * _MB, 8 * _GB)),
        "effective_cache_size": _mb(max(memory // 2, 128 * _MB)),
        "work_mem": _mb(_clamp(memory // (MAX_CONNECTIONS * 4), 4 * _MB, 64 * _MB)),
        "maintenance_work_mem": _mb(_clamp(memory // 16, 64 * _MB, _GB)),
        "huge_pages": "try",
        # A small /dev/shm (containers give 64 MB) would fail parallel queries in their middle.
        "dynamic_shared_memory_type": "posix" if shared_memory_free >= 512 * _MB else "mmap",
        "wal_buffers": "64MB",
        "wal_compression": "on",
        "max_wal_size": _mb(max_wal),
        "min_wal_size": _mb(min(max_wal // 4, _GB)),
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        "max_locks_per_transaction": "256",
        "random_page_cost": "1.1",
        "jit": "off",
        "autovacuum_vacuum_cost_limit": "2000",
        "autovacuum_naptime": "20s",
        "track_io_timing": "on",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
        "client_encoding": "UTF8",
        "password_encryption": "scram-sha-256",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "log_checkpoints": "on",
        "log_lock_waits": "on",
        "logging_collector": "on",
        "log_filename": "postgresql-%a.log",
        "log_truncate_on_rotation": "on",
        "log_rotation_age": "1d",
        "log_rotation_size": "0",
    }


def settings_for_this_machine(pg_data: Path) -> dict[str, str]:
    """`settings` with this machine's figures."""
    try:
        shared_memory_free = shutil.disk_usage("/dev/shm").free  # noqa: S108 (a question about it, nothing is put there)
    except OSError:
        shared_memory_free = 0
    return settings(memory=memory_bytes(), free_disk=shutil.disk_usage(pg_data).free, shared_memory_free=shared_memory_free)


def render(values: Mapping[str, str]) -> str:
    """A configuration file of these settings."""
    lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in values.items()]
    head = "# Written anew at every start. Your own settings: ALTER SYSTEM SET … in `onecard db psql --admin`.\n"
    return head + "\n".join(lines) + "\n"


def _clamp(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def _mb(count: int) -> str:
    return f"{count // _MB}MB"
