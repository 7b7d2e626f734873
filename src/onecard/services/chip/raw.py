"""Django's connection as psycopg's, for the ledger's functions; within Django's transaction."""

from typing import Any

import psycopg
from django.db import connection


def raw() -> psycopg.Connection[Any]:
    """The connection of this thread."""
    connection.ensure_connection()
    found = connection.connection
    assert isinstance(found, psycopg.Connection)
    return found


def hold_lane(lane: int) -> None:
    """Holds a lane until the transaction ends: whoever has it is the only one to post for its cards."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger.hold_lane(%s::smallint)", [lane])
