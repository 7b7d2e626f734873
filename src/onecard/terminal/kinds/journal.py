"""The journal of one device: its money records (terminal.journal) and, in the same file, what else must outlive a power cut.

Events wait here until the platform has them; a memo is the state of something that is going on (a hold, notes in the acceptor); a
receipt stands here before it is printed; data are the lists and tariffs in use and the good ones before them.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any, Final

from onecard.kernel.codes import Operation, Result
from onecard.kernel.events import EventKind
from onecard.protocol.proto.device_pb2 import DeviceEvent
from onecard.terminal.journal import Journal, State

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS event (
  place INTEGER PRIMARY KEY, event_id BLOB NOT NULL, terminal_id INTEGER NOT NULL, kind INTEGER NOT NULL,
  occurred_at_us INTEGER NOT NULL,
  card_no INTEGER NOT NULL, detail TEXT NOT NULL, action_id INTEGER NOT NULL,
  progress_permille INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS record_card ON record (terminal_id, card_no);
CREATE TABLE IF NOT EXISTS memo (name TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS receipt (terminal_seq INTEGER PRIMARY KEY, content TEXT NOT NULL, printed INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS data (
  name TEXT, generation INTEGER, version INTEGER NOT NULL, sha256 BLOB NOT NULL, content BLOB NOT NULL,
  PRIMARY KEY (name, generation)) WITHOUT ROWID;
"""
_DETAIL_CHARACTERS = 500
_EVENT: Final = (
    "event_id", "terminal_id", "kind", "occurred_at_us", "card_no", "detail", "action_id", "progress_permille",
)  # fmt: skip
_SPENT = (int(Operation.PURCHASE), int(Operation.ADVICE))


@dataclass(frozen=True, slots=True)
class StoredData:
    """One piece of data as it was taken into use."""

    version: int
    sha256: bytes
    content: bytes


class DeviceJournal(Journal):
    """See the module. One file a device."""

    def __init__(self, path: Any, *, durable: bool = True) -> None:
        super().__init__(path, durable=durable)
        self._db.executescript(_SCHEMA)

    # ---- money

    def spent(self, terminal_id: int, card_no: int, *, since_us: int) -> list[tuple[int, int]]:
        """What a card has spent here since a moment, on line and off: amount and moment of each purchase that stands."""
        rows = self._db.execute(
            "SELECT amount_fen, occurred_at_us FROM record WHERE terminal_id = ? AND card_no = ? AND occurred_at_us >= ?"
            " AND op IN (?, ?) AND coalesce(code, 0) = ?",
            (terminal_id, card_no, since_us, *_SPENT, int(Result.APPROVED)),
        )
        return list(rows)

    def unsent_fen(self, terminal_id: int) -> int:
        """What was sold off line and is not with the platform yet."""
        (fen,) = self._db.execute(
            "SELECT coalesce(sum(amount_fen), 0) FROM record WHERE terminal_id = ? AND state = ? AND op = ?",
            (terminal_id, int(State.OPEN), int(Operation.ADVICE)),
        ).fetchone()
        return int(fen)

    def unsent(self, terminal_id: int) -> tuple[int, int]:
        """How many records the platform has not answered, and the moment of the oldest (0: none)."""
        count, oldest = self._db.execute(
            "SELECT count(*), coalesce(min(occurred_at_us), 0) FROM record WHERE terminal_id = ? AND state < ?",
            (terminal_id, int(State.CLOSED)),
        ).fetchone()
        return int(count), int(oldest)

    def last_seq(self, terminal_id: int) -> int:
        """The highest number of a record."""
        row = self._db.execute("SELECT max(terminal_seq) FROM record WHERE terminal_id = ?", (terminal_id,)).fetchone()
        return int(row[0] or 0)

    # ---- events

    def note(self, kind: EventKind, *, terminal_id: int, at_us: int, card_no: int = 0, detail: str = "") -> None:
        """Store what happened; it goes up when there is a line."""
        event = DeviceEvent(
            event_id=secrets.token_bytes(16), terminal_id=terminal_id, kind=int(kind), occurred_at_us=at_us, card_no=card_no,
            detail=detail[:_DETAIL_CHARACTERS],
        )  # fmt: skip
        self.add_event(event)

    def add_event(self, event: DeviceEvent) -> None:
        """See `note`; of an event that is made already."""
        row = tuple(getattr(event, name) for name in _EVENT)
        self._db.execute(f"INSERT INTO event ({', '.join(_EVENT)}) VALUES (?,?,?,?,?,?,?,?)", row)  # noqa: S608 - constants

    def events(self, *, limit: int = 200) -> list[DeviceEvent]:
        """Events the platform does not have, oldest first."""
        rows = self._db.execute(f"SELECT {', '.join(_EVENT)} FROM event ORDER BY place LIMIT ?", (limit,))  # noqa: S608 - constants
        return [DeviceEvent(**dict(zip(_EVENT, row, strict=True))) for row in rows]

    @property
    def has_events(self) -> bool:
        """Whether any wait."""
        return self._db.execute("SELECT 1 FROM event LIMIT 1").fetchone() is not None

    def forget_events(self, event_ids: list[bytes]) -> None:
        """The platform has these."""
        self._db.execute("BEGIN")
        self._db.executemany("DELETE FROM event WHERE event_id = ?", [(event_id,) for event_id in event_ids])
        self._db.execute("COMMIT")

    # ---- memos

    def keep(self, name: str, content: dict[str, Any]) -> None:
        """Remember the state of something that is going on."""
        self._db.execute("INSERT OR REPLACE INTO memo VALUES (?, ?)", (name, json.dumps(content)))

    def kept(self, name: str) -> dict[str, Any] | None:
        """What was going on; None: nothing."""
        row = self._db.execute("SELECT content FROM memo WHERE name = ?", (name,)).fetchone()
        return dict(json.loads(row[0])) if row else None

    def drop(self, name: str) -> None:
        """It is over."""
        self._db.execute("DELETE FROM memo WHERE name = ?", (name,))

    # ---- receipts

    def add_receipt(self, terminal_seq: int, content: str) -> None:
        """A receipt that is about to be printed."""
        self._db.execute("INSERT OR IGNORE INTO receipt VALUES (?, ?, 0)", (terminal_seq, content))

    def receipt(self, terminal_seq: int) -> str | None:
        """A receipt that was printed or is about to be."""
        row = self._db.execute("SELECT content FROM receipt WHERE terminal_seq = ?", (terminal_seq,)).fetchone()
        return str(row[0]) if row else None

    def last_receipt(self) -> str | None:
        """The newest receipt."""
        row = self._db.execute("SELECT content FROM receipt ORDER BY terminal_seq DESC LIMIT 1").fetchone()
        return str(row[0]) if row else None

    def unprinted(self) -> list[tuple[int, str]]:
        """Receipts that may not have been printed when the power failed."""
        return list(self._db.execute("SELECT terminal_seq, content FROM receipt WHERE NOT printed ORDER BY terminal_seq"))

    def mark_printed(self, terminal_seq: int) -> None:
        """It is on paper."""
        self._db.execute("UPDATE receipt SET printed = 1 WHERE terminal_seq = ?", (terminal_seq,))

    def trim_receipts(self, below_seq: int) -> None:
        """Forget printed receipts below a sequence number."""
        self._db.execute("DELETE FROM receipt WHERE printed AND terminal_seq < ?", (below_seq,))

    # ---- data

    def store_data(self, name: str, content: bytes, *, version: int) -> bytes:
        """Take data into use; what was in use becomes the generation before. The content's SHA-256."""
        digest = hashlib.sha256(content).digest()
        self._db.execute("BEGIN")
        self._db.execute("DELETE FROM data WHERE name = ? AND generation = 1", (name,))
        self._db.execute("UPDATE data SET generation = 1 WHERE name = ?", (name,))
        self._db.execute("INSERT INTO data VALUES (?, 0, ?, ?, ?)", (name, version, digest, content))
        self._db.execute("COMMIT")
        return digest

    def data(self, name: str) -> list[StoredData]:
        """What is in use and what was before, the newest first; what the disk has spoilt is left out."""
        rows = self._db.execute("SELECT version, sha256, content FROM data WHERE name = ? ORDER BY generation", (name,))
        stored = [StoredData(*row) for row in rows]
        return [data for data in stored if hashlib.sha256(data.content).digest() == data.sha256]
