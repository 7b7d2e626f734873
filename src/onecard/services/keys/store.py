"""The vault's own connection to the database: the tree as committed, and the log of uses whatever the caller's transaction does.

A use is written down although the caller rolls back: what the key has made is out of our hands by then. So the log is never
part of the caller's transaction, and a use that cannot be written down gives no result.
"""

import os
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from onecard.services.keys.errors import VaultLocked

_LOCK_TIMEOUT = "10s"
_NOTE = "SELECT keys_note_use(%s, %s, %s, %s, %s, %s, %s::bigint[], %s::int[], %s::bigint[], %s::int[], %s::int[])"


def conninfo() -> str:
    """Where Django's connection of this thread goes."""
    from django.db import connection

    settings = connection.settings_dict
    named = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    given = {name: settings[key] for name, key in named.items() if settings.get(key)}
    timeout = settings.get("OPTIONS", {}).get("connect_timeout", 10)
    # A caller whose own transaction holds what the log needs would wait for itself: better an error than that.
    return make_conninfo(
        "", connect_timeout=timeout, application_name="onecard vault", options=f"-c lock_timeout={_LOCK_TIMEOUT}", **given
    )


class Store:
    """One connection, for one thread at a time, made again when it breaks or after a fork."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None
        self._pid = 0

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement in a transaction of its own. Raises VaultLocked where the database is out of reach."""
        with self._lock:
            try:
                return self._run(statement, parameters)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                self._drop()
            try:  # a server that restarted: once more over a new connection
                return self._run(statement, parameters)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                raise VaultLocked(f"密钥保管库连不上数据库：{error}", f"the vault cannot reach the database: {error}") from None

    def note(
        self,
        at: datetime,
        actor: str,
        operation: str,
        *,
        subject: str = "",
        keys: Mapping[int, int],
        count: int,
        failed: int = 0,
        sams: Mapping[int, int] | None = None,
        sams_failed: Mapping[int, int] | None = None,
    ) -> int:
        """Write a use down; gives its number in the chain. `keys` and `sams` say how often each was used."""
        used = sams or {}
        wrong = Counter(sams_failed or {})
        found = self.rows(
            _NOTE,
            (
                *(at, actor, operation, subject, count, failed),
                *(list(keys), list(keys.values())),
                *(list(used), list(used.values()), [wrong[sam] for sam in used]),
            ),
        )
        return int(found[0][0])

    def close(self) -> None:
        """The connection is made again by the next call."""
        with self._lock:
            self._drop()

    def _run(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        if self._pid != os.getpid():
            self._connection = None  # the parent's: closing it here would end it there
        if self._connection is None:
            self._connection, self._pid = psycopg.connect(self._dsn, autocommit=True), os.getpid()
        cursor = self._connection.execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []

    def _drop(self) -> None:
        if self._connection is not None and self._pid == os.getpid():
            self._connection.close()
        self._connection = None
