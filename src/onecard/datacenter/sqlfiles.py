"""SQL that lives in files, run by a migration: forward only, so there is no reverse."""

import importlib.util
from importlib import resources

from django.db.migrations import RunSQL


def run_schema_files(prefix: str) -> list[RunSQL]:
    """One operation for each of the ledger's schema files whose name begins so, in the order of their names."""
    if importlib.util.find_spec("onecard.ledger") is None:
        return []
    folder = resources.files("onecard.ledger.sql") / "schema"
    files = sorted(
        (file for file in folder.iterdir() if file.name.startswith(prefix) and file.name.endswith(".sql")), key=lambda f: f.name
    )
    assert files, f"no schema file begins with {prefix}"
    return [RunSQL(file.read_text(encoding="utf-8")) for file in files]
