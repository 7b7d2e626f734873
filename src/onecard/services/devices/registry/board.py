"""Reads for pages: the status board, one place, its history and events; bounded to operators where they are given (N3)."""

from dataclasses import dataclass
from datetime import datetime
from json import loads
from typing import Any, NamedTuple

from django.db import connection

from onecard.services.devices.models.health import StatusHistory, StoredEvent

PAGE = 50
STATES = ("online", "offline", "never", "out")
_HEARD_S = 120


class BoardRow(NamedTuple):
    """A place on the board. `state`: online, offline, never (heard of), out (revoked, disabled, its unit not in service)."""

    line_id: int
    terminal_id: int
    name: str
    kind: str
    unit_id: int | None
    unit: str
    operator_id: int
    operator: str
    state: str
    since: datetime | None
    heard_at: datetime | None
    clock_offset_us: int | None
    backlog: int | None
    oldest_unsent_at: datetime | None
    versions: Any
    firmware: str
    last_error: str
    disk_free_permille: int | None
    lease_serial: int | None
    holes: Any
    device_id: int | None
    model_id: int | None
    model: str
    serial: str
    place: str
    alarms: int
    severity: int


@dataclass(frozen=True, slots=True)
class Filter:
    """What the board shows: lines, or the terminals behind front-ends; None and empty mean all."""

    terminals: bool = False
    operators: frozenset[int] | None = None
    operator_id: int | None = None
    unit_id: int | None = None
    model_id: int | None = None
    state: str = ""
    alarmed: bool = False
    text: str = ""
    line_id: int | None = None
    terminal_id: int | None = None


_OUT = """l.state <> 'active' OR (u.id IS NOT NULL AND (u.state NOT IN ('active', 'commissioning') OR u.valid_until <= %(now)s))
              OR o.status <> 'active'"""
# A gateway's report that came after the last heartbeat is the newer word: what it says is cut off is off line at once.
_UP = f"""(coalesce(x.online, false)
               OR coalesce(w.heard_at > greatest(%(now)s - interval '{_HEARD_S} s', x.since), false))"""
_HEAD = """
WITH alarmed AS (
    SELECT line_id, terminal_id, count(*) AS alarms, max(severity) AS severity FROM devices_alarm WHERE cleared_at IS NULL
     GROUP BY line_id, terminal_id),
board AS ("""
_FIGURES = """s.heard_at, s.clock_offset_us, s.backlog, s.oldest_unsent_at, coalesce(s.versions, '{}') AS versions,
           coalesce(s.firmware, '') AS firmware, coalesce(s.last_error, '') AS last_error, s.disk_free_permille, s.lease_serial,
           coalesce(s.holes, '[]') AS holes, d.id AS device_id, d.model_id, coalesce(m.maker || ' ' || m.model, '') AS model,
           coalesce(d.serial, '') AS serial, coalesce(d.place, '') AS place, coalesce(a.alarms, 0) AS alarms,
           coalesce(a.severity, 0) AS severity"""
_JOINS = """
      LEFT JOIN operators_unit u ON u.id = l.unit_id
      JOIN operators_operator o ON o.id = coalesce(l.operator_id, u.operator_id)
      LEFT JOIN devices_linestatus x ON x.line_id = l.id
      LEFT JOIN devices_devicemodel m ON m.id = d.model_id"""
_LINES = f"""
    SELECT l.id AS line_id, 0::bigint AS terminal_id, l.name, l.kind, u.id AS unit_id, coalesce(u.name, '') AS unit,
           o.id AS operator_id, o.name AS operator,
           CASE WHEN {_OUT} THEN 'out' WHEN {_UP} THEN 'online' WHEN x.line_id IS NULL AND s.id IS NULL THEN 'never'
                ELSE 'offline' END AS state,
           coalesce(x.since, s.since) AS since, {_FIGURES}
      FROM devices_line l LEFT JOIN devices_devicestatus s ON s.line_id = l.id LEFT JOIN devices_devicestatus w ON w.id = s.id
      LEFT JOIN devices_device d ON d.line_id = l.id LEFT JOIN alarmed a ON a.line_id = l.id {_JOINS}"""  # noqa: S608
_TERMINALS = f"""
    SELECT l.id AS line_id, t.id AS terminal_id, t.tid || CASE WHEN t.name = '' THEN '' ELSE ' ' || t.name END AS name,
           t.driver AS kind, u.id AS unit_id, coalesce(u.name, '') AS unit, o.id AS operator_id, o.name AS operator,
           CASE WHEN t.state <> 'active' OR {_OUT} THEN 'out' WHEN s.id IS NULL THEN 'never' WHEN s.online AND {_UP} THEN 'online'
                ELSE 'offline' END AS state, s.since, {_FIGURES}
      FROM devices_terminal t JOIN devices_line l ON l.id = t.line_id AND l.kind = 'front_end'
      LEFT JOIN devices_devicestatus s ON s.terminal_id = t.id LEFT JOIN devices_devicestatus w ON w.line_id = l.id
      LEFT JOIN devices_device d ON d.terminal_id = t.id LEFT JOIN alarmed a ON a.terminal_id = t.id {_JOINS}"""  # noqa: S608


def board(wanted: Filter, *, now: datetime, after: int = 0, limit: int = PAGE) -> list[BoardRow]:
    """A page of places in the order of their numbers."""
    base, parameters = _base(wanted, now)
    key = "terminal_id" if wanted.terminals else "line_id"
    states = "AND (%(state)s = '' OR state = %(state)s) AND (NOT %(alarmed)s OR alarms > 0)"
    sql = f"{base} AND {key} > %(after)s {states} ORDER BY {key} LIMIT %(limit)s"
    parameters |= {"after": after, "limit": limit, "state": wanted.state, "alarmed": wanted.alarmed}
    with connection.cursor() as cursor:
        cursor.execute(sql.replace("{columns}", ", ".join(BoardRow._fields)), parameters)
        rows = [BoardRow._make(row) for row in cursor.fetchall()]
    return [row._replace(versions=_json(row.versions), holes=_json(row.holes)) for row in rows]


def counts(wanted: Filter, *, now: datetime) -> dict[str, int]:
    """How many places are in each state, and how many have an alarm (`alarmed`); the filter's own state is left aside."""
    base, parameters = _base(wanted, now)
    with connection.cursor() as cursor:
        cursor.execute(
            base.replace("{columns}", "state, count(*), count(*) FILTER (WHERE alarms > 0)") + " GROUP BY state", parameters
        )
        rows = cursor.fetchall()
    found = dict.fromkeys((*STATES, "alarmed"), 0)
    for state, count, alarmed in rows:
        found[state] = count
        found["alarmed"] += alarmed
    return found


def place(
    *, line_id: int | None = None, terminal_id: int | None = None, operators: frozenset[int] | None, now: datetime
) -> BoardRow | None:
    """One place; None where there is none, or it is another operator's."""
    wanted = Filter(terminal_id is not None, operators, line_id=line_id, terminal_id=terminal_id)
    return next(iter(board(wanted, now=now, after=-1, limit=1)), None)


def history(row: BoardRow, *, before: int | None = None, limit: int = PAGE) -> list[StatusHistory]:
    """What changed at a place, newest first."""
    found = StatusHistory.objects.order_by("-id")
    found = found.filter(terminal_id=row.terminal_id) if row.terminal_id else found.filter(line_id=row.line_id)
    return list((found.filter(id__lt=before) if before is not None else found)[:limit])


def events(row: BoardRow, *, before: int | None = None, limit: int = PAGE) -> list[StoredEvent]:
    """Events of a place, newest first; of a line also those of the terminals behind it."""
    found = StoredEvent.objects.select_related("terminal").order_by("-id")
    found = found.filter(terminal_id=row.terminal_id) if row.terminal_id else found.filter(line_id=row.line_id)
    return list((found.filter(id__lt=before) if before is not None else found)[:limit])


def _json(told: Any) -> Any:
    """Django hands jsonb of a plain cursor over as text."""
    return loads(told) if isinstance(told, str) else told


def _base(wanted: Filter, now: datetime) -> tuple[str, dict[str, Any]]:
    """The board with everything but its state and page; `{columns}` is still to be put in."""
    conditions = ["true"]
    parameters: dict[str, Any] = {"now": now}
    given = {
        "operator_id = ANY (%(operators)s)": None if wanted.operators is None else ("operators", sorted(wanted.operators)),
        "operator_id = %(operator)s": None if wanted.operator_id is None else ("operator", wanted.operator_id),
        "unit_id = %(unit)s": None if wanted.unit_id is None else ("unit", wanted.unit_id),
        "model_id = %(model)s": None if wanted.model_id is None else ("model", wanted.model_id),
        "line_id = %(line)s": None if wanted.line_id is None else ("line", wanted.line_id),
        "terminal_id = %(terminal)s": None if wanted.terminal_id is None else ("terminal", wanted.terminal_id),
        "(strpos(lower(name), %(text)s) > 0 OR strpos(lower(serial), %(text)s) > 0 OR strpos(lower(unit), %(text)s) > 0)": (
            ("text", wanted.text.lower()) if wanted.text else None
        ),
    }
    for condition, value in given.items():
        if value is not None:
            conditions.append(condition)
            parameters[value[0]] = value[1]
    source = _TERMINALS if wanted.terminals else _LINES
    return f"{_HEAD}{source}) SELECT {{columns}} FROM board WHERE {' AND '.join(conditions)}", parameters  # noqa: S608
