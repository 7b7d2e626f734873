"""A damaged journal: whatever can be read is copied into a new file, which becomes the journal only when it is whole (G3).

Until then the damaged file stays the journal, so that a kill, a power cut or a full disk in between costs another attempt and no
record.
"""

import contextlib
import errno
import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from onecard.fep import schema
from onecard.fep.salvage import save_rows
from onecard.kernel.errors import Unavailable

_log = logging.getLogger(__name__)
TOLD_AS = "rescued"
"""The setting under which a new journal says what became of the old one."""
_BESIDE = ("-wal", "-shm")
_BUSY_MS = 5000


class RescueFull(Unavailable):
    """The disk has no room for a second copy: the damaged journal is as it was."""

    code = "FEP.RESCUE_FULL"

    def __init__(self, path: Path) -> None:
        size = path.stat().st_size >> 10
        super().__init__(
            f"流水 {path} 已损坏，磁盘放不下抢救副本（约需 {size} KB）；原文件未动，请腾出空间后再启动",
            f"the journal {path} is damaged and the disk has no room for what can be saved of it (about {size} KB);"
            " the file was left as it is: make room and start again",
        )


def mend(path: Path, *, make_room: Callable[[], None], max_pages: int = 0) -> Path | None:
    """Put a sound journal in the place of a damaged one; where the damaged one is now. None: there was nothing to mend."""
    copy = Path(f"{path}.rescue")
    for left in (copy, Path(f"{copy}-journal")):
        left.unlink(missing_ok=True)  # of a rescue that was killed
    if path.exists():
        if _is_sound(path):
            return None
        source, aside = path, _next_aside(path)
    else:
        asides = _asides(path)
        if not asides:
            return None
        source = aside = asides[-1]  # killed between the two renames
        _move_beside(path, aside)
    make_room()
    try:
        text = _copy(source, copy, aside.name, max_pages)
        _sync(copy)
    except (sqlite3.Error, OSError) as error:
        copy.unlink(missing_ok=True)
        if _is_full(error):
            raise RescueFull(source) from error
        raise
    if source is path:
        path.rename(aside)
        _move_beside(path, aside)
    _sync(path.parent)
    copy.rename(path)
    _sync(path.parent)
    _log.error("journal: %s", text)
    return aside


def _is_sound(path: Path) -> bool:
    try:
        with contextlib.closing(_open(path)) as database:
            return bool(database.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error):
            raise
        return False


def _is_full(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, sqlite3.OperationalError) and "full" in str(error)


def _open(path: Path) -> sqlite3.Connection:
    """Nothing is written: neither the file nor what waits beside it is changed by being looked at."""
    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    database.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    return database


# names


def _asides(path: Path) -> list[Path]:
    """Damaged files, the newest last."""
    start = f"{path.name}.damaged-"
    ends = [found.name.removeprefix(start) for found in path.parent.iterdir() if found.name.startswith(start)]
    return [path.with_name(f"{start}{number}") for number in sorted(int(end) for end in ends if end.isdecimal())]


def _next_aside(path: Path) -> Path:
    number = 1
    while any(Path(f"{path}.damaged-{number}{suffix}").exists() for suffix in ("", *_BESIDE)):
        number += 1
    return Path(f"{path}.damaged-{number}")


def _move_beside(path: Path, aside: Path) -> None:
    """A log left under the journal's name would be taken for the new journal's."""
    for suffix in _BESIDE:
        part, place = Path(f"{path}{suffix}"), Path(f"{aside}{suffix}")
        if part.exists():
            part.rename(place if not place.exists() else f"{_next_aside(path)}{suffix}")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# rows


def _copy(source: Path, target: Path, aside: str, max_pages: int) -> str:
    """All tables in one transaction; what there is to tell people."""
    with (
        contextlib.closing(sqlite3.connect(target, isolation_level=None)) as new,
        contextlib.closing(_open(source)) as old,
    ):
        new.execute("PRAGMA journal_mode = MEMORY")  # a copy that was not finished is thrown away
        if max_pages:
            new.execute(f"PRAGMA max_page_count = {max_pages}")
        schema.create(new)
        new.execute("BEGIN")
        text = f"the journal was damaged and is kept as {aside}; {save_rows(old, new)}"
        new.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (TOLD_AS, text.encode()))
        new.execute("COMMIT")
    return text
