"""The working tables of the simulations (`sql/city.sql`), and the marker of what has been loaded whole."""

from importlib.resources import files
from typing import Any

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]


def ensure_tables(connection: Connection) -> None:
    """Make the tables that are missing; the connection is the owner's."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('city schema'))")
        if connection.execute("SELECT to_regclass('city.replay_record')").fetchone() == (None,):
            connection.execute((files("onecard.city") / "sql" / "city.sql").read_bytes())


def loaded(connection: Connection, what: str) -> tuple[int, int] | None:
    """Seed and number of holders of what was loaded whole, or None."""
    row = connection.execute("SELECT seed, holders FROM city.loaded WHERE what = %s", (what,)).fetchone()
    return (int(row[0]), int(row[1])) if row else None
