"""The ledger's SQL: tables in `schema/` (run once), functions in `functions/` (applied at every migration), `audit/`."""

from pathlib import Path

_HERE = Path(__file__).parent


def schema_files() -> list[Path]:
    """The files of the tables, in the order they are run in."""
    return sorted((_HERE / "schema").glob("*.sql"))


def function_files() -> list[Path]:
    """The files of the functions, in the order they are applied in."""
    return sorted((_HERE / "functions").glob("*.sql"))
