"""The authorised list as the application server hands it to the gateways (G2, O4): who is at a line, and why he is refused.

Read with psycopg straight. Lines without a certificate are not on the list yet. A unit in commissioning is admitted: its devices
are being installed; their purchases are refused by the directory until it is active.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, unique
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from onecard.services.operators.api import Change


@unique
class Refusal(IntEnum):
    """Why a line is refused; the numbers are those of app.proto."""

    NONE = 0
    REVOKED = 1
    UNIT_SUSPENDED = 2
    UNIT_EXPIRED = 3
    OPERATOR_SUSPENDED = 4


@dataclass(frozen=True, slots=True)
class LineTerminal:
    """Who may speak over a line."""

    terminal_id: int
    tid: str
    mid: str
    certificate_sha256: bytes = b""
    """Of a terminal behind a front-end that has a certificate of its own; empty: none."""
    driver: str = "native"
    known_seq: int = field(default=0, compare=False)
    """The highest number the ledger has of it, as of this reading: no change of the line when it rises."""


@dataclass(frozen=True, slots=True)
class AdmittedLine:
    """One line of the authorised list; `valid_until_us` is the end of the unit's validity or of its certificate (0: none)."""

    line_id: int
    certificate_sha256: bytes
    unit_id: int
    operator_id: int
    name: str
    front_end: bool
    refusal: Refusal
    valid_until_us: int
    terminals: tuple[LineTerminal, ...]


@dataclass(slots=True)
class AdmissionChanges:
    """What changed; with `full` set, `lines` is the whole list and whatever is not in it is gone."""

    full: bool
    lines: list[AdmittedLine] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)


_SELECT = f"""
SELECT l.id, l.certificate_sha256, coalesce(u.id, 0), o.id, l.name, l.kind = 'front_end',
       CASE WHEN l.state = 'revoked' THEN {int(Refusal.REVOKED)}
            WHEN o.status <> 'active' THEN {int(Refusal.OPERATOR_SUSPENDED)}
            WHEN u.state = 'expired' OR u.valid_until <= %(at)s THEN {int(Refusal.UNIT_EXPIRED)}
            WHEN u.state NOT IN ('active', 'commissioning') THEN {int(Refusal.UNIT_SUSPENDED)}
            ELSE {int(Refusal.NONE)} END,
       coalesce((extract(epoch FROM least(u.valid_until, l.certificate_until)) * 1000000)::bigint, 0),
       t.ids, t.tids, t.mids, t.certificates, t.drivers, t.known_seqs
  FROM devices_line l
  LEFT JOIN operators_unit u ON u.id = l.unit_id
  JOIN operators_operator o ON o.id = coalesce(u.operator_id, l.operator_id)
  LEFT JOIN LATERAL (
       SELECT array_agg(x.id ORDER BY x.id) AS ids, array_agg(x.tid ORDER BY x.id) AS tids,
              array_agg(lpad(x.merchant_id::text, 15, '0') ORDER BY x.id) AS mids,
              array_agg(coalesce(x.certificate_sha256, ''::bytea) ORDER BY x.id) AS certificates,
              array_agg(x.driver::text ORDER BY x.id) AS drivers,
              array_agg(coalesce((SELECT max(k.terminal_seq) FROM ledger.posting_key k WHERE k.terminal_id = x.id), 0)
                        ORDER BY x.id) AS known_seqs
         FROM devices_terminal x WHERE x.line_id = l.id AND x.state = 'active') t ON true
 WHERE l.certificate_sha256 IS NOT NULL
"""  # noqa: S608 - the only values put in are our own refusal codes
SNAPSHOT_SQL = _SELECT
CHANGES_SQL = f"{_SELECT} AND l.id = ANY (%(lines)s::bigint[])"
# A change of a terminal comes with notices of the lines it left and joined (sql/directory.sql): no look at terminals here.
AFFECTED_SQL = """
SELECT unnest(%(lines)s::bigint[])
UNION SELECT id FROM devices_line WHERE unit_id = ANY (%(units)s::int[]) OR operator_id = ANY (%(operators)s::int[])
UNION SELECT l.id FROM devices_line l JOIN operators_unit u ON u.id = l.unit_id WHERE u.operator_id = ANY (%(operators)s::int[])
"""


def build_lines(rows: Iterable[Sequence[Any]]) -> list[AdmittedLine]:
    """Rows of `SNAPSHOT_SQL` or `CHANGES_SQL` as lines."""
    refusals = {int(refusal): refusal for refusal in Refusal}
    return [
        AdmittedLine(
            line_id=line_id,
            certificate_sha256=bytes(sha256),
            unit_id=unit_id,
            operator_id=operator_id,
            name=name,
            front_end=front_end,
            refusal=refusals[refusal],
            valid_until_us=valid_until_us,
            terminals=tuple(map(LineTerminal, *(column or () for column in terminals))),
        )
        for line_id, sha256, unit_id, operator_id, name, front_end, refusal, valid_until_us, *terminals in rows
    ]


def admission_snapshot(conn: psycopg.Connection[Any], *, at: datetime) -> list[AdmittedLine]:
    """The whole authorised list as of a moment."""
    with conn.cursor(row_factory=tuple_row) as cursor:
        return build_lines(cursor.execute(SNAPSHOT_SQL, {"at": at}).fetchall())


async def admission_snapshot_async(conn: psycopg.AsyncConnection[Any], *, at: datetime) -> list[AdmittedLine]:
    """The whole authorised list as of a moment."""
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(SNAPSHOT_SQL, {"at": at})
        return build_lines(await cursor.fetchall())


def affected_parameters(changes: Iterable[Change]) -> dict[str, list[int]] | None:
    """The id lists for `AFFECTED_SQL`, or None when the whole list has to be read anew."""
    lists: dict[str, set[int]] = {"lines": set(), "units": set(), "operators": set()}
    names = {"line": "lines", "unit": "units", "operator": "operators"}
    for change in changes:
        name = names.get(change.table)
        if name is None:
            continue
        if change.id is None:
            return None
        lists[name].add(change.id)
    return {name: sorted(ids) for name, ids in lists.items()}


def admission_changes(conn: psycopg.Connection[Any], changes: Iterable[Change], *, at: datetime) -> AdmissionChanges:
    """What a list of notices changes in the authorised list."""
    parameters = affected_parameters(changes)
    if parameters is None:
        return AdmissionChanges(full=True, lines=admission_snapshot(conn, at=at))
    if not any(parameters.values()):
        return AdmissionChanges(full=False)
    with conn.cursor(row_factory=tuple_row) as cursor:
        affected = [row[0] for row in cursor.execute(AFFECTED_SQL, parameters).fetchall()]
        lines = build_lines(cursor.execute(CHANGES_SQL, {"at": at, "lines": affected}).fetchall())
    return _as_changes(affected, lines)


async def admission_changes_async(
    conn: psycopg.AsyncConnection[Any], changes: Iterable[Change], *, at: datetime
) -> AdmissionChanges:
    """What a list of notices changes in the authorised list."""
    parameters = affected_parameters(changes)
    if parameters is None:
        return AdmissionChanges(full=True, lines=await admission_snapshot_async(conn, at=at))
    if not any(parameters.values()):
        return AdmissionChanges(full=False)
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(AFFECTED_SQL, parameters)
        affected = [row[0] for row in await cursor.fetchall()]
        await cursor.execute(CHANGES_SQL, {"at": at, "lines": affected})
        lines = build_lines(await cursor.fetchall())
    return _as_changes(affected, lines)


def _as_changes(affected: list[int], lines: list[AdmittedLine]) -> AdmissionChanges:
    found = {line.line_id for line in lines}
    return AdmissionChanges(full=False, lines=lines, removed=[i for i in affected if i not in found])
