"""A terminal that accepts payment codes (C4), on a line or without one.

It knows the public keys of the platform and which codes it has taken itself: kept in a file before the record is, so that a code
shown twice at one terminal is refused there. That another terminal has taken it too only the platform can know.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from onecard.kernel.clock import Clock, SystemClock, to_epoch_us
from onecard.kernel.codes import RESULT_TEXT, Operation, Result
from onecard.kernel.errors import RuleViolated
from onecard.protocol.paycode import PayCode, PayCodeError, parse_code
from onecard.terminal.journal import Journal, JournalRecord

CLOCK_TOLERANCE_S = 30
"""By how much this terminal's clock and the phone's platform may differ; smaller than the platform's own."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS used (
  terminal_id INTEGER, code_id BLOB, terminal_seq INTEGER NOT NULL, expires_at INTEGER NOT NULL,
  PRIMARY KEY (terminal_id, code_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS key (key_no INTEGER PRIMARY KEY, public BLOB NOT NULL);
"""


class CodeRefused(RuleViolated):
    """The terminal does not take the code; `result` says why."""

    def __init__(self, result: Result) -> None:
        text = RESULT_TEXT[result]
        super().__init__(text.zh, text.en, rule="C4")
        self.result = result


@dataclass(frozen=True, slots=True)
class CodeMemory:
    """The file beside the journal: public keys and codes taken. One may serve several simulated terminals."""

    path: Path | str
    durable: bool = True
    _db: sqlite3.Connection = field(init=False, repr=False)

    def __post_init__(self) -> None:
        database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA synchronous = {'FULL' if self.durable else 'OFF'}")
        database.executescript(_SCHEMA)
        object.__setattr__(self, "_db", database)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def set_keys(self, keys: Mapping[int, bytes]) -> None:
        """The list as the platform has it now: numbers that are not in it are not believed any more."""
        self._db.execute("BEGIN")
        self._db.execute("DELETE FROM key")
        self._db.executemany("INSERT INTO key VALUES (?, ?)", list(keys.items()))
        self._db.execute("COMMIT")

    def keys(self) -> dict[int, bytes]:
        """Key number → public key."""
        return dict(self._db.execute("SELECT key_no, public FROM key").fetchall())

    def take(self, terminal_id: int, terminal_seq: int, code: PayCode) -> bool:
        """Whether the code was not taken here before; from now on it is."""
        row = (terminal_id, code.body.code_id.to_bytes(8, "big"), terminal_seq, code.body.expires_at)
        return self._db.execute("INSERT OR IGNORE INTO used VALUES (?, ?, ?, ?)", row).rowcount == 1

    def forget(self, before: int) -> None:
        """Codes that expired before a second: their time alone keeps them out."""
        self._db.execute("DELETE FROM used WHERE expires_at < ?", (before,))


class CodeAcceptor:
    """Makes records of payments by code and stores them before anything is sent."""

    def __init__(self, terminal_id: int, journal: Journal, memory: CodeMemory, *, clock: Clock | None = None) -> None:
        self._terminal_id = terminal_id
        self._journal = journal
        self._memory = memory
        self._clock = clock or SystemClock()

    def pay_online(self, text: str | bytes, amount_fen: int) -> JournalRecord:
        """A PURCHASE, stored and to be sent at once. Raises CodeRefused."""
        return self._store(Operation.PURCHASE, self._read(text), amount_fen)

    def pay_offline(self, text: str | bytes, amount_fen: int) -> JournalRecord:
        """An ADVICE up to the code's offline limit, stored and sent when there is a line. Raises CodeRefused."""
        code = self._read(text)
        if amount_fen > code.body.offline_limit_fen:
            raise CodeRefused(Result.LIMIT_TRANSACTION)
        return self._store(Operation.ADVICE, code, amount_fen)

    def _read(self, text: str | bytes) -> PayCode:
        try:
            code = parse_code(text)
        except PayCodeError:
            raise CodeRefused(Result.CODE_INVALID) from None
        if not code.is_signed(self._memory.keys()):
            raise CodeRefused(Result.CODE_INVALID)
        if not code.body.accepted_at(self._second(), tolerance_s=CLOCK_TOLERANCE_S):
            raise CodeRefused(Result.CODE_EXPIRED)
        return code

    def _store(self, op: Operation, code: PayCode, amount_fen: int) -> JournalRecord:
        if amount_fen <= 0:
            raise CodeRefused(Result.AMOUNT_INVALID)
        record = JournalRecord(
            terminal_id=self._terminal_id,
            terminal_seq=self._journal.next_seq(self._terminal_id),
            op=op,
            card_no=code.body.card_no,
            amount_fen=amount_fen,
            occurred_at_us=to_epoch_us(self._clock.now()),
            pay_code=code.to_bytes(),
        )
        # The code first: a power cut between the two costs the customer a fresh code, never a second payment.
        if not self._memory.take(self._terminal_id, record.terminal_seq, code):
            raise CodeRefused(Result.CODE_USED)
        self._journal.store([record])
        self._memory.forget(self._second() - 2 * CLOCK_TOLERANCE_S)
        return record

    def _second(self) -> int:
        return to_epoch_us(self._clock.now()) // 1_000_000
