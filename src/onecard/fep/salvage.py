"""Reading the rows of a damaged journal: from the front to the damage, from the back to it, and row by row between.

Errors of the damaged file are holes; errors of the file that is written to are errors.
"""

import sqlite3
from collections.abc import Generator, Iterator
from typing import Any

from onecard.fep import schema

_Row = tuple[Any, ...]
_MAX_STEPS = 200_000
_MAX_NAMED = 12


def save_rows(old: sqlite3.Connection, new: sqlite3.Connection) -> str:
    """Copy all that can be read into the empty tables of `new`, in its transaction. For people: what became of the records."""
    tables = [_Table(old, new, name) for name in schema.NAMES]
    for table in tables:
        table.save(new)
    for name, last in _all(old, "SELECT name, seq FROM sqlite_sequence"):
        # A number that was given to a row is not given again.
        new.execute("INSERT INTO sqlite_sequence SELECT ?, 0 WHERE ? NOT IN (SELECT name FROM sqlite_sequence)", (name, name))
        new.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (last, name))
    new.execute(
        "UPDATE terminal SET due_fen ="
        " (SELECT coalesce(sum(due_fen), 0) FROM record WHERE record.terminal_id = terminal.terminal_id)"
    )
    return tables[0].told()


class _Table:
    """One table, in the columns that both files have."""

    def __init__(self, old: sqlite3.Connection, new: sqlite3.Connection, name: str) -> None:
        self._old = old
        self._name = name
        info = new.execute(f"PRAGMA table_info({name})").fetchall()
        here = {row[1] for row in _all(old, f"PRAGMA table_info({name})")}
        self._columns = [row[1] for row in info if row[1] in here]
        self._key = [row[1] for row in sorted(info, key=lambda row: row[5]) if row[5]]
        self._at = [self._columns.index(column) for column in self._key] if self._columns else []
        self._index = next((row[1] for row in new.execute(f"PRAGMA index_list({name})") if row[3] == "c"), "")
        self._saved = 0
        self._lost: set[_Row] = set()
        """Keys of rows that there are, or may be, and that can't be read."""
        self._is_known = True
        """Whether `_lost` is complete and no guess."""

    def save(self, new: sqlite3.Connection) -> None:
        """Copy every row that can be read."""
        if not self._columns:
            self._is_known = False
            return
        columns, marks = ", ".join(self._columns), ", ".join("?" * len(self._columns))
        insert = f"INSERT OR IGNORE INTO {self._name} ({columns}) VALUES ({marks})"  # noqa: S608 - names of the schema
        kept: set[_Row] = set()
        for row in self._rows(kept):
            kept.add(self._key_of(row))
            self._saved += new.execute(insert, row).rowcount

    def told(self) -> str:
        """For people: how many were saved, and which are missing."""
        saved = f"{self._saved} records on their way up were saved"
        if self._is_known:
            return saved + (f", {len(self._lost)} can't be read: {self._named()}" if self._lost else ", none is missing")
        return saved + (f", up to {len(self._lost)} may be missing" if self._lost else "; nobody can say how many are missing")

    # reading

    def _rows(self, kept: set[_Row]) -> Iterator[_Row]:
        """Every row that can be read; `kept` are the keys of those that were taken."""
        first, is_whole = yield from self._run(None, down=False)
        if is_whole:
            return
        last, is_whole = yield from self._run(first, down=True)
        if is_whole:
            return
        for key in self._between(first, last, kept):
            row = self._one(key)
            if row is None:
                self._lost.add(key)
            else:
                yield row

    def _run(self, above: _Row | None, *, down: bool) -> Generator[_Row, None, tuple[_Row | None, bool]]:
        """Rows in order until one can't be read; the last key, and whether there are no more."""
        last = None
        try:
            for row in self._ask(above, last, down=down, limit=-1):
                last = self._key_of(row)
                yield row
        except sqlite3.DatabaseError:
            pass
        else:
            return last, True
        while True:  # a cursor steps ahead: the row before the damage comes only to those who ask for it alone
            try:
                rows = self._ask(above, last, down=down, limit=1).fetchall()
            except sqlite3.DatabaseError:
                return last, False
            if not rows:
                return last, True
            last = self._key_of(rows[0])
            yield rows[0]

    def _ask(self, above: _Row | None, last: _Row | None, *, down: bool, limit: int) -> sqlite3.Cursor:
        bounds = [(">", above), ("<" if down else ">", last)]
        key, marks = f"({', '.join(self._key)})", f"({', '.join('?' * len(self._key))})"
        where = " AND ".join(f"{key} {sign} {marks}" for sign, bound in bounds if bound is not None) or "1"
        order = ", ".join(f"{column} DESC" if down else column for column in self._key)
        values = [value for _, bound in bounds if bound is not None for value in bound]
        text = f"SELECT {', '.join(self._columns)} FROM {self._name} WHERE {where} ORDER BY {order} LIMIT {limit}"  # noqa: S608
        return self._old.execute(text, values)

    def _one(self, key: _Row) -> _Row | None:
        """In a table without row numbers a row may stand above the damaged page: it is found by coming from the other side."""
        same = "".join(f"{column} = ? AND " for column in self._key[:-1])
        for sign in ("=", "<="):
            rows = _all(
                self._old,
                f"SELECT {', '.join(self._columns)} FROM {self._name} WHERE {same}{self._key[-1]} {sign} ?"  # noqa: S608
                f" ORDER BY {self._key[-1]} DESC LIMIT 1",
                key,
            )
            if rows and self._key_of(rows[0]) == key:
                return rows[0]
        return None

    def _between(self, first: _Row | None, last: _Row | None, kept: set[_Row]) -> list[_Row]:
        """Keys to try one by one: those an index still names; without a whole index every number between the two ends."""
        listed, self._is_known = self._listed(self._key)
        keys = set(listed)
        if not self._is_known and self._key == ["place"]:
            start = first[0] + 1 if first else 1
            end = last[0] if last else self._last_place() + 1
            keys.update((place,) for place in range(start, end, max(1, (end - start) // _MAX_STEPS)))
        return sorted(keys - kept)

    def _listed(self, columns: list[str]) -> tuple[list[_Row], bool]:
        """What the index says of the rows, without the rows; and whether it could be read to its end."""
        if not self._index:
            return [], False
        found: list[_Row] = []
        by = [row[2] for row in _all(self._old, f"PRAGMA index_info({self._index})")] or self._key
        for order in ("ASC", "DESC"):
            orders = ", ".join(f"{column} {order}" for column in by)
            text = f"SELECT {', '.join(columns)} FROM {self._name} INDEXED BY {self._index} ORDER BY {orders}"  # noqa: S608
            try:
                for row in self._old.execute(text):
                    found.append(row)  # noqa: PERF402 - what came before an error stays
            except sqlite3.DatabaseError:
                continue
            return found, True
        return found, False

    def _last_place(self) -> int:
        rows = _all(self._old, "SELECT seq FROM sqlite_sequence WHERE name = ?", (self._name,))
        return int(rows[0][0]) if rows else 0

    def _key_of(self, row: _Row) -> _Row:
        return tuple(row[place] for place in self._at)

    def _named(self) -> str:
        """Terminals and numbers of the records that can't be read."""
        rows, _ = self._listed([*self._key, "terminal_id", "terminal_seq"])
        lost = sorted({(terminal_id, seq) for place, terminal_id, seq in rows if (place,) in self._lost})
        runs: list[list[int]] = []
        for terminal_id, seq in lost:
            if runs and runs[-1][0] == terminal_id and runs[-1][2] == seq - 1:
                runs[-1][2] = seq
            else:
                runs.append([terminal_id, seq, seq])
        named = [f"terminal {number} {low}" + (f" to {high}" if high > low else "") for number, low, high in runs[:_MAX_NAMED]]
        return ", ".join(named) + (", …" if len(runs) > _MAX_NAMED else "")


def _all(database: sqlite3.Connection, text: str, values: _Row = ()) -> list[_Row]:
    """All rows, or none when they can't be read."""
    try:
        return database.execute(text, values).fetchall()
    except sqlite3.DatabaseError:
        return []
