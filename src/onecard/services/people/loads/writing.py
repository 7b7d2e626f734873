"""Writing a checked load: the holders in one transaction, then their accounts in chunks that can be taken up again."""

from collections.abc import Iterator
from typing import Any

from django.db import connection, transaction

from onecard.kernel.errors import NotFound, Unavailable
from onecard.services.operators.api import refusals
from onecard.services.people.departments import ensure_paths
from onecard.services.people.errors import build_refusals
from onecard.services.people.loads.options import LoadOptions
from onecard.services.people.loads.staging import CHUNK, Tell, check, count_bad, statement
from onecard.services.people.models import LoadJob, LoadMode, LoadState
from onecard.services.people.numbering import account_no_of, qr_card_no_of
from onecard.services.purses.api import AccountRow, open_accounts

_ROOM = "SELECT holder_cap - holder_count FROM operators_operator WHERE id = %s"
_GOOD = "SELECT count(*), coalesce(max(row_no), 0) FROM people_load_row WHERE job_id = %s AND problems = '{}'"
_NEW_DEPARTMENTS = """
SELECT DISTINCT unit_id, department FROM people_load_row
 WHERE job_id = %s AND problems = '{}' AND department <> '' AND department_id IS NULL ORDER BY unit_id, department"""
_SET_DEPARTMENTS = """
UPDATE people_load_row r SET department_id = d.id FROM unnest(%s::int[], %s::text[], %s::int[]) d (unit_id, path, id)
 WHERE r.job_id = %s AND r.unit_id = d.unit_id AND r.department = d.path AND r.department_id IS NULL"""
_NUMBER = "UPDATE people_load_row SET serial = nextval('people_serial') WHERE job_id = %s AND problems = '{}'"
_TO_OPEN = """
SELECT row_no, serial, holder_id, unit_id, public_fen, private_fen FROM people_load_row
 WHERE job_id = %s AND row_no > %s AND problems = '{}' ORDER BY row_no LIMIT %s"""
_OPENED = """
SELECT count(*) FROM people_load_row r JOIN ledger.account a ON a.holder_id = r.holder_id
 WHERE r.job_id = %s AND r.problems = '{}'"""


class RowsRefused(Exception):  # noqa: N818 (named for what happened)
    """All-or-nothing, and not all: the transaction is undone, the marks are made again outside of it."""


def room_of(operator_id: int, *, lock: bool = False) -> int:
    """How many more cardholders an operator may have (O2); locked, nobody else can use it up before we commit."""
    with connection.cursor() as cursor:
        cursor.execute(_ROOM + (" FOR NO KEY UPDATE" if lock else ""), [operator_id])
        row = cursor.fetchone()
    if row is None:
        raise NotFound(f"无此运营单位：{operator_id}", f"no such operator: {operator_id}")
    return max(int(row[0]), 0)


def mark_over_cap(job_id: int, room: int) -> None:
    """The good rows that find no room any more."""
    with connection.cursor() as cursor:
        cursor.execute(statement("over_cap"), {"job": job_id, "room": room})


def write_holders(job_id: int, options: LoadOptions, tell: Tell) -> int:
    """The good rows become cardholders, exactly as many as the cap allows; the job's next state commits with them.

    Raises RowsRefused in all-or-nothing mode where a row is not good.
    """
    with refusals(build_refusals(None)), connection.cursor() as cursor:
        room = room_of(options.operator_id, lock=True)
        check(job_id, options.operator_id)  # again: others wrote while this file was read
        mark_over_cap(job_id, room)
        bad = count_bad(job_id)
        if bad and options.mode == LoadMode.ALL:
            raise RowsRefused
        _make_departments(job_id)
        cursor.execute(_GOOD, [job_id])
        good, last = cursor.fetchone()
        for first in range(1, last + 1, CHUNK):
            cursor.execute(
                statement("write"), {"job": job_id, "operator": options.operator_id, "first": first, "last": first + CHUNK - 1}
            )
            tell(min(first + CHUNK - 1, last), last)
        if options.card_type_id is not None:
            cursor.execute(_NUMBER, [job_id])
        LoadJob.objects.filter(pk=job_id).update(
            state=LoadState.OPENING,
            bad_count=bad,
            holder_count=good,
            done=0,
            total=good if options.card_type_id is not None else 0,
        )
    return int(good)


def open_missing_accounts(job_id: int, options: LoadOptions, tell: Tell) -> int:
    """An account with a QR card for every holder of the load; those opened before a cut are left as they are."""
    assert options.card_type_id is not None
    total = LoadJob.objects.values_list("holder_count", flat=True).get(pk=job_id)
    done = after = 0
    while page := _page(job_id, after):
        open_accounts(_account_rows(page, options))
        after, done = page[-1][0], done + len(page)
        tell(done, total)
    with connection.cursor() as cursor:
        cursor.execute(_OPENED, [job_id])
        opened = int(cursor.fetchone()[0])
    if opened != total:  # a serial that somebody else's account has: cannot be, and must not pass unseen
        raise Unavailable(f"只开立了 {opened} / {total} 个账户", f"{opened} of {total} accounts are open")
    return opened


def _page(job_id: int, after: int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_TO_OPEN, [job_id, after, CHUNK])
        return list(cursor.fetchall())


def _account_rows(page: list[tuple[Any, ...]], options: LoadOptions) -> Iterator[AccountRow]:
    assert options.card_type_id is not None
    for _, serial, holder_id, unit_id, public_fen, private_fen in page:
        yield AccountRow(
            account_no=account_no_of(serial),
            card_no=qr_card_no_of(serial),
            operator_id=options.operator_id,
            card_type_id=options.card_type_id,
            holder_id=holder_id,
            unit_id=unit_id or 0,
            public_fen=public_fen,
            private_unit=unit_id if private_fen is not None else None,
            private_fen=private_fen or 0,
            valid_until=options.valid_until,
            medium=3,
        )


def _make_departments(job_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_NEW_DEPARTMENTS, [job_id])
        wanted = cursor.fetchall()
        if wanted:
            units, paths = [row[0] for row in wanted], [row[1] for row in wanted]
            cursor.execute(_SET_DEPARTMENTS, [units, paths, ensure_paths(units, paths), job_id])


def tidy(job_id: int) -> None:
    """Rows that are in go; of the others the report stays, people's data do not."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM people_load_row WHERE job_id = %s AND problems = '{}'", [job_id])
        cursor.execute(statement("tidy"), {"job": job_id})
