"""How the `.sql` files beside this code are read and run: whole files, statement by statement, in the caller's transaction."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from django.db import connection, transaction

_FOLDER = Path(__file__).parent / "sql"
_END = re.compile(r";\s*(?:\n|\Z)")
_COMMENT = re.compile(r"^\s*--.*\n?", re.MULTILINE)


@cache
def statements(name: str) -> tuple[str, ...]:
    """The statements of `sql/<name>.sql` in their order, without comments."""
    text = _COMMENT.sub("", (_FOLDER / f"{name}.sql").read_text(encoding="utf-8"))
    return tuple(part.strip() for part in _END.split(text) if part.strip())


@contextmanager
def set_based() -> Iterator[None]:
    """A transaction of its own for statements over a whole run.

    Their tables were filled a moment ago and have no statistics yet: loops over them would be planned for a handful of rows, so
    there are none. A day with many groups for its rows goes to disk at `work_mem`, so memory is bounded whatever the day.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_nestloop = off")
            cursor.execute("SET LOCAL jit = off")
            cursor.execute("SET LOCAL work_mem = '64MB'")
        yield


def run_file(name: str, parameters: Mapping[str, Any]) -> int:
    """Run every statement of a file; gives the number of rows that the last one touched."""
    count = 0
    with connection.cursor() as cursor:
        for statement in statements(name):
            cursor.execute(statement, parameters)
            count = cursor.rowcount
    return count


def first_row(statement: str, parameters: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The first row of a query, or None."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row
