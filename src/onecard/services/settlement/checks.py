"""The proof of a run (S3): numbered checks, each a query that gives the first row that breaks it, then the ledger's own auditor.

A check's file opens with what it states, in both languages; it answers with (where, expected, found), or with nothing.
"""

from functools import cache
from pathlib import Path

from django.db import connection

from onecard.ledger import audit
from onecard.services.settlement.statements import first_row, set_based

_FOLDER = Path(__file__).parent / "sql" / "checks"


@cache
def _checks() -> tuple[tuple[str, str, str], ...]:
    """(name, what it states, query) in the order of their numbers."""
    files = sorted(_FOLDER.glob("*.sql"))
    assert files, "no checks"
    texts = ((file.stem, file.read_text(encoding="utf-8")) for file in files)
    return tuple((name, text.partition("\n")[0].removeprefix("-- "), text.partition("\n")[2]) for name, text in texts)


def first_failure(run_id: int) -> str | None:
    """The first check that fails, with the row that breaks it; None when the run is proved."""
    with set_based():
        for name, states, query in _checks():
            row = first_row(query, {"run": run_id})
            if row is not None:
                where, expected, found = row
                return f"{name} {states}: {where}: {expected} ≠ {found}"
    return None


def audit_failure(*, full: bool) -> str | None:
    """The ledger's first broken invariant, or None. `full`: the whole journal, not only what is new to the auditor."""
    connection.ensure_connection()
    report = audit.run(connection.connection, full=full)
    return None if report.ok else f"audit: {report.first_failure}"
