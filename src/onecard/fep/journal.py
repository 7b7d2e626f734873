"""The journal's file: SQLite in WAL mode, one thread that writes, the check after a power loss, and what a full disk means.

Work is given as functions of the database. Those that wait together run in one transaction and share its fsync; a function
that fails takes only itself along. A result is handed out after the commit: nothing is answered that a power cut can undo (G3).
"""

import asyncio
import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from onecard.fep import schema
from onecard.fep.rescue import mend
from onecard.kernel.errors import Unavailable

_Out = TypeVar("_Out")
Work = Callable[[sqlite3.Connection], _Out]
_TOGETHER = 256
_BUSY_MS = 5000
_WAL_PAGES = 4000
_CHECKPOINT_EVERY = 64
"""Transactions; each writes about eight pages."""


class JournalFull(Unavailable):
    """The disk has no room: nothing of this transaction was stored."""

    code = "FEP.JOURNAL_FULL"

    def __init__(self) -> None:
        super().__init__("前置机磁盘已满，未记录", "The front-end's disk is full: nothing was stored")


class Journal:
    """The file and its thread. `run` from the event loop; `close` at the end."""

    def __init__(self, path: Path, *, make_room: Callable[[], None] = lambda: None, max_pages: int = 0) -> None:
        """Checks the file, mends it where it is damaged, and opens it. Raises RescueFull.

        `make_room` is called before a rescue writes. `max_pages` bounds the size, for tests of a full disk.
        """
        self.path = path
        self.lost_power = False
        """Whether the file had not been closed properly."""
        self.set_aside = mend(path, make_room=make_room, max_pages=max_pages)
        """A damaged file that was replaced; what could be read of it is in the journal."""
        self.on_full: Callable[[], None] = lambda: None
        """Called from the journal's thread when a write has found no room."""
        self._work: deque[tuple[Work[Any], asyncio.Future[Any], asyncio.AbstractEventLoop]] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._db = self._open(max_pages)
        self._thread = threading.Thread(target=self._serve, name="journal", daemon=True)
        self._behind = threading.Event()
        self._mover = threading.Thread(target=self._checkpoint, name="checkpoint", daemon=True)
        self._thread.start()
        self._mover.start()

    async def run(self, work: Work[_Out]) -> _Out:
        """The result of the work, once it is on the disk. Raises JournalFull, and whatever the work raises."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[_Out] = loop.create_future()
        with self._wake:
            if self._closing:
                raise Unavailable("流水日志已关闭", "The journal is closed")
            self._work.append((work, done, loop))
            self._wake.notify()
        return await done

    def close(self) -> None:
        """Finish what is waiting and mark the file as closed properly."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        self._behind.set()
        self._mover.join()
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("INSERT OR REPLACE INTO setting VALUES ('clean', 1)")
        self._db.close()

    # the file

    def _open(self, max_pages: int) -> sqlite3.Connection:
        database = self._connect(max_pages)
        row = database.execute("SELECT value FROM setting WHERE name = 'clean'").fetchone()
        self.lost_power = row is not None and row[0] == 0
        # On a full disk the mark can't be written: then this start is not counted, which does no harm.
        with contextlib.suppress(sqlite3.OperationalError):
            database.execute("INSERT OR REPLACE INTO setting VALUES ('clean', 0)")
        return database

    def _connect(self, max_pages: int) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        database.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA journal_size_limit = 4194304")
        # The other thread moves pages into the file long before; this is for the day on which it does not keep up.
        database.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        database.execute("PRAGMA cache_size = -4096")
        if max_pages:
            database.execute(f"PRAGMA max_page_count = {max_pages}")
        schema.create(database)
        return database

    # the thread

    def _serve(self) -> None:
        done_since = 0
        while True:
            with self._wake:
                while not self._work and not self._closing:
                    self._wake.wait()
                if not self._work:
                    return
                batch = [self._work.popleft() for _ in range(min(len(self._work), _TOGETHER))]
            results = self._commit([work for work, _, _ in batch])
            done_since += 1
            if done_since >= _CHECKPOINT_EVERY:
                done_since = 0
                self._behind.set()
            for (_, done, loop), result in zip(batch, results, strict=True):
                with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
                    loop.call_soon_threadsafe(_hand_out, done, result)

    def _checkpoint(self) -> None:
        """Move pages from the WAL into the file beside the writer, so that no terminal waits for it."""
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)) as database:
            database.execute("PRAGMA synchronous = FULL")
            while True:
                self._behind.wait()
                self._behind.clear()
                if self._closing:
                    return
                with contextlib.suppress(sqlite3.OperationalError):
                    database.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _commit(self, works: list[Work[Any]]) -> list[Any]:
        """Results or exceptions. All in one transaction; one by one if that fails, so that each fails only by itself."""
        try:
            return self._together(works)
        except Exception as error:
            if len(works) == 1:
                typed = _typed(error)
                if isinstance(typed, JournalFull):
                    self.on_full()
                return [typed]
        return [self._commit([work])[0] for work in works]

    def _together(self, works: list[Work[Any]]) -> list[Any]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            results = [work(self._db) for work in works]
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        return results


def _typed(error: Exception) -> Exception:
    if isinstance(error, sqlite3.OperationalError) and ("full" in str(error) or "disk I/O" in str(error)):
        return JournalFull()
    return error


def _hand_out(done: "asyncio.Future[Any]", result: Any) -> None:
    if done.done():
        return
    if isinstance(result, BaseException):
        done.set_exception(result)
    else:
        done.set_result(result)
