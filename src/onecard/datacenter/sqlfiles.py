"""SQL that lives in files, run by a migration: forward only, so there is no reverse."""

from importlib import resources

from django.db.migrations import RunSQL


def run_schema_files(prefix: str) -> list[RunSQL]:
    """One operation for each of the ledger's schema files whose name begins so, in the order of their names."""
    folder = resources.files("onecard.ledger.sql") / "schema"
    files = {file.name: file for file in folder.iterdir() if file.name.startswith(prefix) and file.name.endswith(".sql")}
    assert files, f"no schema file begins with {prefix}"
    return [RunSQL(files[name].read_text(encoding="utf-8")) for name in sorted(files)]
