"""Reading a file into `people_load_row`, chunk by chunk, and the checks that need all rows or the platform."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from onecard.services.people.loads.fields import match_headers
from onecard.services.people.loads.options import LoadOptions
from onecard.services.people.loads.rows import COLUMNS, TYPES, Terms, read_row
from onecard.services.people.loads.source import Source, open_source
from onecard.services.people.loads.terms import read_terms
from onecard.services.people.models import LoadJob

CHUNK = 20_000
_SQL = Path(__file__).parent.parent / "sql" / "loads"
_COPY = f"COPY people_load_row (job_id, {', '.join(COLUMNS)}) FROM STDIN (FORMAT binary)"

Tell = Callable[[int, int], None]


@cache
def statement(name: str) -> str:
    """One of the statements of `sql/loads`."""
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")


def stage(job_id: int, path: Path, options: LoadOptions, tell: Tell) -> int:
    """Every row of the file, judged by itself; gives how many there are. Raises InvalidInput.

    Chunks are transactions of their own, so that others see how far it is: what is staged is nobody's until it is written.
    """
    _clear(job_id)
    with open_source(path, sheet=options.sheet) as source:
        columns = match_headers(source.headers, options.mapping)
        used = {name: source.headers[place] for name, place in columns.items()}
        LoadJob.objects.filter(pk=job_id).update(options=options.to_json() | {"headers": used})
        terms = read_terms(options, columns)
        count = 0
        for chunk in _chunks(source):
            _copy(job_id, terms, chunk)
            count += len(chunk)
            tell(count, max(source.about, count))
    with connection.cursor() as cursor:
        cursor.execute("SELECT people_analyze_load()")
    return count


def check(job_id: int, operator_id: int) -> None:
    """Mark what stands twice in the file or is on the platform already."""
    with connection.cursor() as cursor:
        cursor.execute(statement("check"), {"job": job_id, "operator": operator_id})


def count_bad(job_id: int) -> int:
    """Rows with a problem."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM people_load_row WHERE job_id = %s AND problems <> '{}'", [job_id])
        return int(cursor.fetchone()[0])


def _clear(job_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM people_load_row WHERE job_id = %s", [job_id])


def _chunks(source: Source) -> Iterator[list[tuple[int, Sequence[Any]]]]:
    rows = iter(source.rows)
    while chunk := list(itertools.islice(rows, CHUNK)):
        yield chunk


def _copy(job_id: int, terms: Terms, chunk: list[tuple[int, Sequence[Any]]]) -> None:
    with transaction.atomic(), connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(("int8", *TYPES))
        for row_no, cells in chunk:
            copy.write_row((job_id, *read_row(terms, row_no, cells)))
