"""Puts the rows of a file into the data centre, gives each its terminal's next sequence number, and lists the rows it can't take.

A file is known by the digest of its content: its records are numbered once, so that sending the same file again sends the same
records, which the platform answers as duplicates. Memory is bounded: rows go straight into a COPY, the sorting is the database's.
"""

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TextIO

from onecard.city.replay.source import Reject, Tap, TapFile
from onecard.city.schema import Connection

_INCOMING = """
CREATE TEMP TABLE incoming (
    line int, card_ref text, terminal_ref bigint, company text, type text, occurred_us bigint, amount_fen bigint
) ON COMMIT DROP"""
_TERMINALS = """
INSERT INTO city.replay_terminal (terminal_ref, company)
SELECT DISTINCT ON (terminal_ref) terminal_ref, company FROM incoming ORDER BY terminal_ref, line ON CONFLICT DO NOTHING"""
_MOVED = """
DELETE FROM incoming i USING city.replay_terminal t WHERE t.terminal_ref = i.terminal_ref AND t.company <> i.company
RETURNING i.line, i.terminal_ref, i.company, t.company"""
_CARDS = "INSERT INTO city.replay_card (card_ref) SELECT DISTINCT card_ref FROM incoming ON CONFLICT DO NOTHING"
_RECORDS = """
INSERT INTO city.replay_record (file_id, line, terminal_ref, seq, card_ref, type, occurred_us, amount_fen)
SELECT %s, i.line, i.terminal_ref, t.last_seq + row_number() OVER (PARTITION BY i.terminal_ref ORDER BY i.occurred_us, i.line),
       i.card_ref, i.type, i.occurred_us, i.amount_fen
FROM incoming i JOIN city.replay_terminal t USING (terminal_ref)"""
_WATERMARKS = """
UPDATE city.replay_terminal t SET last_seq = last_seq + n.count
FROM (SELECT terminal_ref, count(*) FROM incoming GROUP BY 1) n WHERE n.terminal_ref = t.terminal_ref"""


@dataclass(slots=True)
class Staged:
    """What came of a file: its number, whether it was staged before, how many rows, and the rejects by reason."""

    file_id: int
    is_known: bool
    rows: int
    rejects: Counter[str] = field(default_factory=Counter)
    rejects_path: Path | None = None


class RejectList:
    """The CSV of rows that can't be taken; the file is made at the first one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reasons: Counter[str] = Counter()
        self._stream: TextIO | None = None

    def __enter__(self) -> "RejectList":
        self.path.unlink(missing_ok=True)  # a list of an earlier run must not be taken for this one's
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._stream is not None:
            self._stream.close()

    def add(self, reject: Reject) -> None:
        """List one row."""
        if self._stream is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self.path.open("w", encoding="utf-8-sig", newline="")
            csv.writer(self._stream).writerow(["line", "原因", "reason", "row"])
        self.reasons[f"{reject.zh} / {reject.en}"] += 1
        csv.writer(self._stream).writerow([reject.line, reject.zh, reject.en, reject.text])


def stage(
    connection: Connection,
    source: TapFile,
    *,
    rejects_path: Path,
    progress: Callable[[int], None] = lambda rows: None,
    now: datetime | None = None,
) -> Staged:
    """Stage a file in one transaction: all of it or nothing. Raises InvalidInput when it is damaged."""
    with RejectList(rejects_path) as rejects, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('city replay staging'))")
        connection.execute(_INCOMING)
        _copy(connection, source, rejects, progress=progress, now=now)
        connection.execute("ANALYZE incoming")
        connection.execute(_TERMINALS)
        for line, terminal, company, owner in connection.execute(_MOVED).fetchall():
            text = f"{terminal},{company}"
            rejects.add(Reject(line, f"终端已属于 {owner}", f"the terminal belongs to {owner}", text))
        file_id, is_known, rows = _number(connection, source)
    path = rejects_path if rejects.reasons else None
    return Staged(file_id, is_known, rows, rejects.reasons, path)


def _copy(
    connection: Connection, source: TapFile, rejects: RejectList, *, progress: Callable[[int], None], now: datetime | None
) -> None:
    with connection.cursor().copy("COPY incoming FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["int4", "text", "int8", "text", "text", "int8", "int8"])
        for count, row in enumerate(source.rows(now=now), 1):
            if isinstance(row, Tap):
                copy.write_row(
                    (row.line, row.card_ref, row.terminal_ref, row.company, row.type, row.occurred_at_us, row.amount_fen)
                )
            else:
                rejects.add(row)
            if count % 5000 == 0:
                progress(source.bytes_read)
    progress(source.size_bytes)


def _number(connection: Connection, source: TapFile) -> tuple[int, bool, int]:
    known = connection.execute("SELECT file_id FROM city.replay_file WHERE digest = %s", (source.digest,)).fetchone()
    if known is not None:
        count = connection.execute("SELECT count(*) FROM city.replay_record WHERE file_id = %s", known).fetchone()
        assert count is not None
        return int(known[0]), True, int(count[0])
    made = connection.execute(
        "INSERT INTO city.replay_file (digest, name) VALUES (%s, %s) RETURNING file_id", (source.digest, source.path.name)
    ).fetchone()
    assert made is not None
    connection.execute(_CARDS)
    rows = connection.execute(_RECORDS, made).rowcount
    connection.execute(_WATERMARKS)
    return int(made[0]), False, rows
