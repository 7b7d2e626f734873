"""Snapshots of a release's database: how one is made, loaded and compared.

    python -m tests.support.releases 0.1.0      writes tests/datacenter/releases/0.1.0.sql (scripts/snapshot-release)

A snapshot is what an empty database was after `onecard db migrate` of that release. Once released it is never made again.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from onecard.datacenter import binaries

FOLDER = Path(__file__).parents[1] / "datacenter" / "releases"
# The months' partitions are made as time goes: which there are is no part of the schema.
_WITHOUT_PARTITIONS = "--exclude-table=ledger.transfer_2*"
# What newer tools write and a server of PostgreSQL 15 does not know, and what differs from dump to dump.
_PASSING = re.compile(r"^(SET transaction_timeout|\\(un)?restrict|--|\s*$|ALTER .* SET \(pg_attver=\d+\);$)")


def dump(dsn: str, *words: str) -> str:
    """The SQL text of a database."""
    text = _tool("pg_dump", dsn, "--no-owner", _WITHOUT_PARTITIONS, *words)
    return "\n".join(line for line in text.splitlines() if not _PASSING.match(line)) + "\n"


def schema_of(dsn: str) -> list[str]:
    """A database's schema as comparable lines, grants included."""
    return dump(dsn, "--schema-only").splitlines()


def load(file: Path, dsn: str) -> None:
    """Fill an empty database from a snapshot."""
    _tool("psql", dsn, "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--single-transaction", "--file", str(file))


def write(release: str) -> Path:
    """Make the snapshot of this working tree, on a server of its own."""
    from onecard.datacenter.home import Home
    from tests.support.postgres import TEMPLATE, running_server

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        with running_server(Home(Path(folder) / "home")) as server:
            text = dump(server.dsn(user="onecard_owner", database=TEMPLATE))
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / f"{release}.sql"
    file.write_text(f"-- The database of One-Card {release}, made by scripts/snapshot-release.\n{text}")
    return file


def _tool(name: str, dsn: str, *words: str) -> str:
    parts = conninfo_to_dict(dsn)
    environment = {**os.environ, "PGPASSWORD": str(parts.pop("password", None) or "")}
    dsn = make_conninfo(**parts)  # type: ignore[arg-type]
    done = subprocess.run(
        [binaries.tool(name), "--dbname", dsn, *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


if __name__ == "__main__":
    print(write(sys.argv[1]))
