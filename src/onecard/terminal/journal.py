"""The durable memory of terminals: what they are about to send, before it is sent (N2), and what became of it.

One SQLite file may serve many simulated terminals. A record is `open` until its answer came, `uncertain` when none did (to be
reversed or repeated), and `closed` after that.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from pathlib import Path

from onecard.kernel.codes import Operation, Result
from onecard.protocol.proto.records_pb2 import Records

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
  terminal_id INTEGER, terminal_seq INTEGER, op INTEGER, card_no INTEGER, amount_fen INTEGER, occurred_at_us INTEGER,
  orig_seq INTEGER, state INTEGER, code INTEGER, balance_fen INTEGER, transfer_id INTEGER,
  PRIMARY KEY (terminal_id, terminal_seq)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS record_state ON record (terminal_id, state, terminal_seq) WHERE state < 2;
CREATE TABLE IF NOT EXISTS setting (terminal_id INTEGER, name TEXT, value INTEGER, PRIMARY KEY (terminal_id, name)) WITHOUT ROWID;
"""
# Beside it, so that journals from before chips open as they are.
_CHIP_SCHEMA = """
CREATE TABLE IF NOT EXISTS chip (
  terminal_id INTEGER, terminal_seq INTEGER, card_counter INTEGER NOT NULL, balance_before_fen INTEGER NOT NULL,
  sam_terminal_no INTEGER NOT NULL, sam_seq INTEGER NOT NULL, transaction_type INTEGER NOT NULL, key_version INTEGER NOT NULL,
  algorithm INTEGER NOT NULL, tac INTEGER NOT NULL, gray INTEGER NOT NULL,
  PRIMARY KEY (terminal_id, terminal_seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pay_code (
  terminal_id INTEGER, terminal_seq INTEGER, code BLOB NOT NULL, PRIMARY KEY (terminal_id, terminal_seq)) WITHOUT ROWID;
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
class ChipPart:
    """The chip's side of a CHIP_PURCHASE, by the names of ChipDetails on the wire."""

    card_counter: int
    balance_before_fen: int
    sam_terminal_no: int
    sam_seq: int
    transaction_type: int
    key_version: int
    algorithm: int
    tac: int
    gray: bool


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
    chip: ChipPart | None = None
    """Of a CHIP_PURCHASE."""
    pay_code: bytes = b""
    """Where the customer showed one."""

    @property
    def is_approved(self) -> bool:
        return self.code == Result.APPROVED


class Journal:
    """Stores records before they are sent. `durable=False` leaves the disk to the operating system, for simulations."""

    def __init__(self, path: Path | str, *, durable: bool = True) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        self._db.executescript(_SCHEMA + _CHIP_SCHEMA)

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

    def begin_above(self, known_seqs: Mapping[int, int]) -> None:
        """Never number at or below what the platform has of a terminal: this device may stand in for another (docs/adr/0082).

        A journal that is ahead goes on as it is.
        """
        rows = [(terminal_id, seq, seq) for terminal_id, seq in known_seqs.items() if seq > 0]
        self._db.executemany(
            "INSERT INTO setting VALUES (?, 'seq', ?) ON CONFLICT DO UPDATE SET value = excluded.value WHERE value < ?", rows
        )

    def store(self, records: Iterable[JournalRecord]) -> None:
        """Store before sending. Raises sqlite3.IntegrityError if a sequence number is used twice."""
        given = list(records)
        rows = [_row(record) for record in given]
        chips = [_chip_row(record, record.chip) for record in given if record.chip is not None]
        codes = [(record.terminal_id, record.terminal_seq, record.pay_code) for record in given if record.pay_code]
        self._db.execute("BEGIN")
        try:
            self._db.executemany(f"INSERT INTO record ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)  # noqa: S608 - constants
            self._db.executemany("INSERT INTO chip VALUES (?,?,?,?,?,?,?,?,?,?,?)", chips)
            self._db.executemany("INSERT INTO pay_code VALUES (?,?,?)", codes)
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
        closed = "SELECT terminal_seq FROM record WHERE terminal_id = ? AND terminal_seq < ? AND state = ?"
        values = (terminal_id, terminal_id, below_seq, int(State.CLOSED))
        self._db.execute("BEGIN")
        for table in ("chip", "pay_code", "record"):
            self._db.execute(f"DELETE FROM {table} WHERE terminal_id = ? AND terminal_seq IN ({closed})", values)  # noqa: S608
        self._db.execute("COMMIT")

    def find(self, terminal_id: int, terminal_seq: int) -> JournalRecord | None:
        """One record."""
        found = self._read("terminal_seq = ?", terminal_id, terminal_seq)
        return found[0] if found else None

    def waiting(self, terminal_id: int, state: State, *, op: Operation | None = None, limit: int = 1000) -> list[JournalRecord]:
        """Records in a state, oldest first."""
        assert state is not State.CLOSED
        return self._read(
            "state = ? AND (? OR op = ?) ORDER BY terminal_seq LIMIT ?", terminal_id, int(state), op is None, int(op or 0), limit
        )

    def records(self, terminal_id: int, from_seq: int = 0, through_seq: int = 2**62) -> list[JournalRecord]:
        """All records of a terminal, for totals and audits."""
        return self._read("terminal_seq BETWEEN ? AND ? ORDER BY terminal_seq", terminal_id, from_seq, through_seq)

    def _read(self, where: str, terminal_id: int, *values: int) -> list[JournalRecord]:
        query = f"SELECT {_COLUMNS} FROM record WHERE terminal_id = ? AND {where}"  # noqa: S608 - constants
        records = [JournalRecord(*row) for row in self._db.execute(query, (terminal_id, *values))]
        records = [self._with_chip(record) if record.op == Operation.CHIP_PURCHASE else record for record in records]
        codes = self._codes(terminal_id)
        return (
            [replace(r, pay_code=codes[r.terminal_seq]) if r.terminal_seq in codes else r for r in records] if codes else records
        )

    def _codes(self, terminal_id: int) -> dict[int, bytes]:
        """Codes of records that are not trimmed yet, by sequence number."""
        return dict(self._db.execute("SELECT terminal_seq, code FROM pay_code WHERE terminal_id = ?", (terminal_id,)).fetchall())

    def _with_chip(self, record: JournalRecord) -> JournalRecord:
        query = f"SELECT {', '.join(_CHIP)} FROM chip WHERE terminal_id = ? AND terminal_seq = ?"  # noqa: S608 - constants
        row = self._db.execute(query, (record.terminal_id, record.terminal_seq)).fetchone()
        values = (*row[:-1], bool(row[-1])) if row else ()
        return replace(record, chip=ChipPart(*values)) if row else record


_CHIP = tuple(field.name for field in fields(ChipPart))


def _chip_row(record: JournalRecord, chip: ChipPart) -> tuple[int, ...]:
    return (record.terminal_id, record.terminal_seq, *(int(getattr(chip, name)) for name in _CHIP))


def build_records(records: Sequence[JournalRecord]) -> Records:
    """Stored records as they go up, the chip columns with those that have some."""
    built = Records(
        op=[record.op for record in records],
        terminal_id=[record.terminal_id for record in records],
        terminal_seq=[record.terminal_seq for record in records],
        card_no=[record.card_no for record in records],
        amount_fen=[record.amount_fen for record in records],
        occurred_at_us=[record.occurred_at_us for record in records],
        orig_terminal_id=[0] * len(records),
        orig_seq=[record.orig_seq for record in records],
    )
    chips = [(row, record.chip) for row, record in enumerate(records) if record.chip is not None]
    if chips:
        built.chip.row.extend(row for row, _ in chips)
        for name in _CHIP:
            getattr(built.chip, name).extend(getattr(chip, name) for _, chip in chips)
    codes = [(row, record.pay_code) for row, record in enumerate(records) if record.pay_code]
    if codes:
        built.pay_codes.row.extend(row for row, _ in codes)
        built.pay_codes.code.extend(code for _, code in codes)
    return built


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
