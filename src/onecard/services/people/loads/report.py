"""The report of a load: every problem with its row, its column and the reason, to look at or as a CSV for a spreadsheet."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

from django.db import connection

from onecard.services.actors import Actor
from onecard.services.people.loads.fields import FIELDS
from onecard.services.people.loads.jobs import job_progress
from onecard.services.people.loads.problems import FAULT_TEXT, read_note
from onecard.services.people.models import LoadJob

_PAGE = 5_000
_SQL = """
SELECT row_no, problems FROM people_load_row WHERE job_id = %s AND row_no > %s AND problems <> '{}' ORDER BY row_no LIMIT %s"""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one cell; `column` is the file's own header, or the field's name where the file has none."""

    row_no: int
    field: str
    column: str
    code: str
    zh: str
    en: str


def problems_of(job_id: int, *, actor: Actor, limit: int | None = None, after_row: int = 0) -> Iterator[Problem]:
    """Problems in row order, those of whole rows up to about `limit`. Raises Forbidden, NotFound."""
    job_progress(job_id, actor=actor)
    headers = LoadJob.objects.values_list("options", flat=True).get(pk=job_id).get("headers", {})
    return _problems(job_id, headers, limit, after_row)


def write_report(job_id: int, stream: TextIO, *, actor: Actor) -> int:
    """Write the report as CSV; gives how many problems it names. Open the file as utf-8-sig for spreadsheets."""
    writer = csv.writer(stream)
    writer.writerow(("行 row", "列 column", "字段 field", "原因", "reason"))
    count = 0
    for count, problem in enumerate(problems_of(job_id, actor=actor), start=1):  # noqa: B007
        writer.writerow((problem.row_no, _harmless(problem.column), problem.field, problem.zh, problem.en))
    return count


def _problems(job_id: int, headers: dict[str, str], limit: int | None, after: int) -> Iterator[Problem]:
    given = 0
    while limit is None or given < limit:
        with connection.cursor() as cursor:
            cursor.execute(_SQL, [job_id, after, _PAGE if limit is None else min(limit - given, _PAGE)])
            rows = cursor.fetchall()
        if not rows:
            return
        for row_no, notes in rows:
            for text in notes:
                field, fault = read_note(text)
                given += 1
                reason = FAULT_TEXT[fault]
                column = headers.get(field) or FIELDS[field][0].zh
                yield Problem(row_no, field, column, fault.value, reason.zh, reason.en)
        after = rows[-1][0]


def _harmless(text: str) -> str:
    """A spreadsheet must not take a header for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
