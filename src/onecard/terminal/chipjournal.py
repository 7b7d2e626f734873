"""The durable memory of a terminal's chip transactions, stored before the card is told to change (N2, P5).

A sale (purchase) is ARMED before DEBIT is sent; then DEBITED with its TAC, or GRAY, or forgotten because the card shows that it
was not debited. A load is ASKED before the platform is asked, GRANTED before CREDIT is sent, then WRITTEN, NOT_WRITTEN or
UNPROVEN. What is settled stays in the outbox until the platform has it.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields, replace
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class ChipRecord:
    """A chip purchase as it goes up: card, amount, time (whole seconds), and the fields of ChipDetails on the wire."""

    card_no: int
    amount_fen: int
    occurred_at: datetime
    card_counter: int
    balance_before_fen: int
    sam_terminal_no: int
    sam_seq: int
    transaction_type: int
    key_version: int
    algorithm: int
    tac: int = 0
    gray: bool = False


class SaleState(IntEnum):
    """Of a chip purchase at its terminal."""

    ARMED = 0
    DEBITED = 1
    GRAY = 2
    TAKEN = 3
    """Handed on to the platform; kept for a while, so that a sale repeated late is not debited again."""


@dataclass(frozen=True, slots=True)
class Sale:
    """A chip purchase with the terminal's own number of it."""

    sale_no: int
    record: ChipRecord
    state: SaleState


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """A load as it is asked for: what INITIALIZE FOR LOAD answered. `load_no` is the terminal's own number of it."""

    load_no: int
    card_no: int
    amount_fen: int
    occurred_at: datetime
    transaction_type: int
    sam_terminal_no: int
    old_balance_fen: int
    online_counter: int
    key_version: int
    algorithm: int
    random: int
    mac1: int


class LoadState(IntEnum):
    """Of a load at its terminal."""

    ASKED = 0
    GRANTED = 1
    WRITTEN = 2
    """To be confirmed with its TAC."""
    NOT_WRITTEN = 3
    """To be reported with the card's later answer, whose counter did not move."""
    UNPROVEN = 4
    """The counter moved on, but the card keeps no proof of this load any more: its later answer is reported."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What became of a load. `request` is the original one where it was WRITTEN, else the card's later answer."""

    request: LoadRequest
    state: LoadState
    tac: int = 0


_RECORD: Final = tuple(field.name for field in fields(ChipRecord))
_REQUEST: Final = tuple(field.name for field in fields(LoadRequest))
_SCHEMA: Final = f"""
CREATE TABLE IF NOT EXISTS chip_sale (
  sale_no INTEGER, state INTEGER NOT NULL, {", ".join(_RECORD)},
  PRIMARY KEY (sam_terminal_no, sale_no), UNIQUE (sam_terminal_no, sam_seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chip_load (
  state INTEGER NOT NULL, tac INTEGER NOT NULL, reported INTEGER NOT NULL, {", ".join(_REQUEST)},
  PRIMARY KEY (sam_terminal_no, load_no)) WITHOUT ROWID;
"""
_SALE: Final = f"sale_no, state, {', '.join(_RECORD)}"
_LOAD: Final = f"state, tac, {', '.join(_REQUEST)}"


class ChipJournal:
    """One file, for one terminal or for many simulated ones. `durable=False` leaves the disk to the operating system."""

    def __init__(self, path: Path | str, *, durable: bool = True) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # ---- sales

    def arm(self, sale_no: int, record: ChipRecord) -> None:
        """Store a purchase before its DEBIT. Raises sqlite3.IntegrityError if a number is used twice."""
        self._insert("chip_sale", (sale_no, int(SaleState.ARMED), *_row(record)))

    def finish(self, sale: Sale, state: SaleState, *, tac: int = 0) -> ChipRecord:
        """The card debited; DEBITED has a TAC, GRAY none."""
        record = replace(sale.record, tac=tac, gray=state is SaleState.GRAY)
        self._db.execute(
            "UPDATE chip_sale SET state = ?, tac = ?, gray = ? WHERE sam_terminal_no = ? AND sale_no = ?",
            (int(state), tac, int(record.gray), record.sam_terminal_no, sale.sale_no),
        )
        return record

    def forget(self, sale: Sale) -> None:
        """The card did not debit."""
        self._db.execute(
            "DELETE FROM chip_sale WHERE sam_terminal_no = ? AND sale_no = ?", (sale.record.sam_terminal_no, sale.sale_no)
        )

    def sale(self, terminal_no: int, sale_no: int) -> Sale | None:
        """One sale."""
        return next(self._sales("sam_terminal_no = ? AND sale_no = ?", terminal_no, sale_no), None)

    def armed(self, terminal_no: int, card_no: int | None = None) -> list[Sale]:
        """Sales in doubt, of one card or of all."""
        where = "sam_terminal_no = ? AND state = ? AND (? IS NULL OR card_no = ?)"
        return list(self._sales(where, terminal_no, int(SaleState.ARMED), card_no, card_no))

    def outbox(self, terminal_no: int) -> list[Sale]:
        """Settled sales that the platform does not have yet."""
        return list(
            self._sales("sam_terminal_no = ? AND state IN (?, ?)", terminal_no, int(SaleState.DEBITED), int(SaleState.GRAY))
        )

    def taken(self, sales: Sequence[Sale]) -> None:
        """Whoever sends them to the platform has stored them."""
        with self._transaction():
            self._db.executemany(
                "UPDATE chip_sale SET state = ? WHERE sam_terminal_no = ? AND sale_no = ?",
                [(int(SaleState.TAKEN), sale.record.sam_terminal_no, sale.sale_no) for sale in sales],
            )

    def trim(self, terminal_no: int, *, before: datetime) -> None:
        """Forget sales handed on and loads reported that are older than a moment."""
        self._db.execute(
            "DELETE FROM chip_load WHERE sam_terminal_no = ? AND reported AND occurred_at < ?", (terminal_no, _seconds(before))
        )
        self._db.execute(
            "DELETE FROM chip_sale WHERE sam_terminal_no = ? AND state = ? AND occurred_at < ?",
            (terminal_no, int(SaleState.TAKEN), _seconds(before)),
        )

    def give_up(self, terminal_no: int, *, before: datetime) -> list[Sale]:
        """Sales in doubt from before a moment become gray records: their cards did not come back."""
        waiting = [sale for sale in self.armed(terminal_no) if sale.record.occurred_at < before]
        with self._transaction():
            records = [self.finish(sale, SaleState.GRAY) for sale in waiting]
        return [Sale(sale.sale_no, record, SaleState.GRAY) for sale, record in zip(waiting, records, strict=True)]

    def _sales(self, where: str, *values: Any) -> Iterator[Sale]:
        rows = self._db.execute(f"SELECT {_SALE} FROM chip_sale WHERE {where} ORDER BY sale_no", values)  # noqa: S608 - constants
        for sale_no, state, *columns in rows:
            yield Sale(sale_no, _record(columns), SaleState(state))

    # ---- loads

    def ask(self, request: LoadRequest) -> None:
        """Store a load before the platform is asked. Raises sqlite3.IntegrityError if its number is used twice."""
        self._insert("chip_load", (int(LoadState.ASKED), 0, 0, *_request_row(request)))

    def grant(self, request: LoadRequest) -> None:
        """The platform took the money; CREDIT comes next."""
        self._mark(request, LoadState.GRANTED, tac=0)

    def settle(self, report: LoadReport) -> None:
        """What became of it, to be reported; where nothing was written the report's request replaces the original."""
        row = _request_row(report.request)
        with self._transaction():
            self.drop(report.request)
            self._insert("chip_load", (int(report.state), report.tac, 0, *row))

    def drop(self, request: LoadRequest) -> None:
        """Forget a load that the platform refused."""
        self._db.execute(
            "DELETE FROM chip_load WHERE sam_terminal_no = ? AND load_no = ?", (request.sam_terminal_no, request.load_no)
        )

    def reported(self, request: LoadRequest) -> None:
        """The platform knows what became of a load; kept for a while, so that a load repeated late is not done again."""
        self._db.execute(
            "UPDATE chip_load SET reported = 1 WHERE sam_terminal_no = ? AND load_no = ?",
            (request.sam_terminal_no, request.load_no),
        )

    def load(self, terminal_no: int, load_no: int) -> LoadReport | None:
        """One load, whatever its state."""
        return next(self._loads("sam_terminal_no = ? AND load_no = ?", terminal_no, load_no), None)

    def open_loads(self, terminal_no: int, card_no: int) -> list[LoadReport]:
        """Loads of a card whose end is not known: ASKED or GRANTED."""
        return list(
            self._loads("sam_terminal_no = ? AND card_no = ? AND state <= ?", terminal_no, card_no, int(LoadState.GRANTED))
        )

    def load_reports(self, terminal_no: int) -> list[LoadReport]:
        """Settled loads that the platform does not know yet."""
        return list(self._loads("sam_terminal_no = ? AND NOT reported AND state > ?", terminal_no, int(LoadState.GRANTED)))

    def unproven_loads(self, terminal_no: int) -> list[LoadReport]:
        """Loads for a person to settle."""
        return list(self._loads("sam_terminal_no = ? AND state = ?", terminal_no, int(LoadState.UNPROVEN)))

    def _loads(self, where: str, *values: Any) -> Iterator[LoadReport]:
        rows = self._db.execute(f"SELECT {_LOAD} FROM chip_load WHERE {where} ORDER BY load_no", values)  # noqa: S608 - constants
        for state, tac, *columns in rows:
            yield LoadReport(_request(columns), LoadState(state), tac)

    # ---- shared

    def _mark(self, request: LoadRequest, state: LoadState, *, tac: int) -> None:
        self._db.execute(
            "UPDATE chip_load SET state = ?, tac = ? WHERE sam_terminal_no = ? AND load_no = ?",
            (int(state), tac, request.sam_terminal_no, request.load_no),
        )

    def _insert(self, table: str, row: tuple[Any, ...]) -> None:
        self._db.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", row)  # noqa: S608 - constants

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _row(record: ChipRecord) -> tuple[Any, ...]:
    return astuple(replace(record, occurred_at=_seconds(record.occurred_at)))  # type: ignore[arg-type]


def _record(columns: Sequence[Any]) -> ChipRecord:
    record = ChipRecord(*columns)
    at = datetime.fromtimestamp(columns[_RECORD.index("occurred_at")], UTC)
    return replace(record, occurred_at=at, gray=bool(record.gray))


def _request_row(request: LoadRequest) -> tuple[Any, ...]:
    return astuple(replace(request, occurred_at=_seconds(request.occurred_at)))  # type: ignore[arg-type]


def _request(columns: Sequence[Any]) -> LoadRequest:
    return replace(LoadRequest(*columns), occurred_at=datetime.fromtimestamp(columns[_REQUEST.index("occurred_at")], UTC))
