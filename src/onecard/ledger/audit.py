"""The auditor: numbered invariants of the ledger, each a query that gives the first row that breaks it.

The queries stand in `sql/audit/`, one file each, whose first line says in both languages what is stated. Each is one
statement and so one snapshot: the auditor can run while the city posts, and stops nobody.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from onecard.kernel.codes import Text

_FOLDER = Path(__file__).parent / "sql" / "audit"
_FULL_ONLY = "-- full only"


@dataclass(frozen=True, slots=True)
class Finding:
    """The first row that breaks an invariant: where it is, what was to be expected there and what stands there."""

    place: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.place}: {self.expected} ≠ {self.found}"


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant as audited; `finding` is None where it holds."""

    number: str
    states: Text
    finding: Finding | None
    seconds: float

    def __str__(self) -> str:
        return f"{self.number} {self.states.zh} / {self.states.en}" + (f": {self.finding}" if self.finding else "")


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last batch of a lane and its hash; whoever keeps it elsewhere can tell later that the chain was not written anew."""

    lane: int
    batch_no: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found, invariant by invariant."""

    checks: tuple[Check, ...]
    full: bool

    @property
    def ok(self) -> bool:
        """Whether every invariant holds."""
        return all(check.finding is None for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The invariants that do not hold, in the order of their numbers."""
        return tuple(check for check in self.checks if check.finding is not None)

    @property
    def first_failure(self) -> str | None:
        """The first invariant that does not hold, with the row that breaks it, as a line to print."""
        return str(self.failures[0]) if self.failures else None


def run(
    connection: psycopg.Connection[Any], *, full: bool = True, progress: Callable[[Check], None] = lambda check: None
) -> AuditReport:
    """Audits the ledger; `progress` gets each invariant when it is done.

    Not full: the journal from the last audit's mark on, and what can be proved without reading all of it. An audit that finds
    everything in order moves the mark. Runs as the application; memory is bounded by work_mem, whatever the journal's length.
    """
    reached = connection.execute("SELECT lane, last_batch, last_id FROM ledger.lane WHERE last_id > 0").fetchall()
    checks = []
    for number, states, query in _invariants(full=full):
        start = time.monotonic()
        row = connection.execute(query, {"full": full}).fetchone()
        check = Check(number, states, None if row is None else Finding(*row), time.monotonic() - start)
        checks.append(check)
        progress(check)
    report = AuditReport(tuple(checks), full)
    if report.ok and reached:
        lanes, batches, ids = (list(column) for column in zip(*reached, strict=True))
        connection.execute("SELECT ledger.mark_audited(%s::bigint[], %s::bigint[], %s::bigint[])", (lanes, batches, ids))
    return report


def _invariants(*, full: bool) -> list[tuple[str, Text, str]]:
    return [(number, states, query) for number, states, query in _files() if full or _FULL_ONLY not in query]


@cache
def _files() -> tuple[tuple[str, Text, str], ...]:
    found = []
    for file in sorted(_FOLDER.glob("A*.sql")):
        text = file.read_text(encoding="utf-8")
        zh, _, en = text.partition("\n")[0].removeprefix("-- ").partition(" / ")
        found.append((file.stem.replace("A0", "A"), Text(zh, en), text))
    assert found, "no invariants"
    return tuple(found)


def chain_heads(connection: psycopg.Connection[Any]) -> list[ChainHead]:
    """The head of every lane's hash chain that has a batch, in lane order."""
    rows = connection.execute("SELECT lane, last_batch, last_hash FROM ledger.lane WHERE last_batch > 0 ORDER BY lane").fetchall()
    return [ChainHead(*row) for row in rows]
