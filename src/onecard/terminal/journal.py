"""The durable memory of terminals: what they are about to send, before it is sent (N2), and what became of it.

One SQLite file may serve many simulated terminals. A record is `open` until its answer came, `uncertain` when none did (to be
reversed or repeated), and `closed` after that.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from onecard.kernel.codes import Operation, Result

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
  terminal_id INTEGER, terminal_seq INTEGER, op INTEGER, card_no INTEGER, amount_fen INTEGER, occurred_at_us INTEGER,
  orig_seq INTEGER, state INTEGER, code INTEGER, balance_fen INTEGER, transfer_id INTEGER,
  PRIMARY KEY (terminal_id, terminal_seq)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS record_state ON record (terminal_id, state, terminal_seq) WHERE state < 2;
CREATE TABLE IF NOT EXISTS setting (terminal_id INTEGER, name TEXT, value INTEGER, PRIMARY KEY (terminal_id, name)) WITHOUT ROWID;
"""
_COLUMNS = "terminal_id, terminal_seq, op, card_no, amount_fen, occurred_at_us, orig_seq, state, code, balance_fen, transfer_id"


class State(IntEnum):
    """Of a record at its terminal."""

    OPEN = 0
    """Stored, perhaps sent, not answered."""
    UNCERTAIN = 1
    """On line, no answer came: to be reversed before anything else."""
    CLOSED = 2
    """Answered, or reversed."""


@dataclass(frozen=True, slots=True)
class JournalRecord:
    """One record with its answer, if it has one (`code` is None before)."""

    terminal_id: int
    terminal_seq: int
    op: int
    card_no: int
    amount_fen: int
    occurred_at_us: int
    orig_seq: int = 0
    state: int = State.OPEN
    code: int | None = None
    balance_fen: int = 0
    transfer_id: int = 0

    @property
    def is_approved(self) -> bool:
        return self.code == Result.APPROVED


class Journal:
    """Stores records before they are sent. `durable=False` leaves the disk to the operating system, for simulations."""

    def __init__(self, path: Path | str, *, durable: bool = True) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def read_setting(self, terminal_id: int, name: str, default: int = 0) -> int:
        """A number the terminal keeps over restarts: its batch, its STAN."""
        row = self._db.execute("SELECT value FROM setting WHERE terminal_id = ? AND name = ?", (terminal_id, name)).fetchone()
        return int(row[0]) if row else default

    def write_setting(self, terminal_id: int, name: str, value: int) -> None:
        """See `read_setting`."""
        self._db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?, ?)", (terminal_id, name, value))

    def next_seq(self, terminal_id: int) -> int:
        """The next sequence number of the native protocol, used up even if nothing is sent with it."""
        row = self._db.execute(
            "INSERT INTO setting VALUES (?, 'seq', 1) ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value", (terminal_id,)
        ).fetchone()
        return int(row[0])

    def store(self, records: Iterable[JournalRecord]) -> None:
        """Store before sending. Raises sqlite3.IntegrityError if a sequence number is used twice."""
        rows = [_row(record) for record in records]
        self._db.execute("BEGIN")
        try:
            self._db.executemany(f"INSERT INTO record ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)  # noqa: S608 - constants
        except sqlite3.Error:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def answer(self, answers: Iterable[tuple[int, int, int, int, int]]) -> None:
        """Close records: (terminal id, sequence, code, balance, transfer id)."""
        rows = [(State.CLOSED, code, balance, transfer, terminal, seq) for terminal, seq, code, balance, transfer in answers]
        self._db.execute("BEGIN")
        self._db.executemany(
            "UPDATE record SET state = ?, code = ?, balance_fen = ?, transfer_id = ? WHERE terminal_id = ? AND terminal_seq = ?",
            rows,
        )
        self._db.execute("COMMIT")

    def mark(self, terminal_id: int, terminal_seq: int, state: State) -> None:
        """Put a record into a state, without an answer."""
        self._db.execute(
            "UPDATE record SET state = ? WHERE terminal_id = ? AND terminal_seq = ?", (int(state), terminal_id, terminal_seq)
        )

    def trim(self, terminal_id: int, below_seq: int) -> None:
        """Forget closed records below a sequence number: they are the platform's now."""
        self._db.execute(
            "DELETE FROM record WHERE terminal_id = ? AND terminal_seq < ? AND state = ?",
            (terminal_id, below_seq, int(State.CLOSED)),
        )

    def find(self, terminal_id: int, terminal_seq: int) -> JournalRecord | None:
        """One record."""
        row = self._db.execute(
            f"SELECT {_COLUMNS} FROM record WHERE terminal_id = ? AND terminal_seq = ?",  # noqa: S608 - constants
            (terminal_id, terminal_seq),
        ).fetchone()
        return JournalRecord(*row) if row else None

    def waiting(self, terminal_id: int, state: State, *, op: Operation | None = None, limit: int = 1000) -> list[JournalRecord]:
        """Records in a state, oldest first."""
        assert state is not State.CLOSED
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM record WHERE terminal_id = ? AND state = ? AND (? OR op = ?)"  # noqa: S608 - constants
            " ORDER BY terminal_seq LIMIT ?",
            (terminal_id, int(state), op is None, int(op or 0), limit),
        )
        return [JournalRecord(*row) for row in rows]

    def records(self, terminal_id: int, from_seq: int = 0, through_seq: int = 2**62) -> list[JournalRecord]:
        """All records of a terminal, for totals and audits."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM record WHERE terminal_id = ? AND terminal_seq BETWEEN ? AND ? ORDER BY terminal_seq",  # noqa: S608
            (terminal_id, from_seq, through_seq),
        )
        return [JournalRecord(*row) for row in rows]


def _row(record: JournalRecord) -> tuple[int | None, ...]:
    return (
        record.terminal_id,
        record.terminal_seq,
        int(record.op),
        record.card_no,
        record.amount_fen,
        record.occurred_at_us,
        record.orig_seq,
        int(record.state),
        record.code,
        record.balance_fen,
        record.transfer_id,
    )
