"""Turns states into alarms: each rule is a query of what breaches it now; an alarm clears once that has been over for a while.

A tick that a test calls. Two workers at once: one does the work, the other passes. Lines of a gateway that has itself gone silent
raise nothing of their own, nor do places whose unit is not in service: one cause, one alarm.
"""

from datetime import datetime
from typing import Any

from django.db import connection, transaction

from onecard.kernel.clock import Clock, SystemClock
from onecard.services.devices.models.alarms import AlarmKind, AlarmRule
from onecard.services.devices.models.health import Keeping, StatusHistory, StoredEvent

_PIECE = 20_000

# Lines in service: on the list, of a unit that is open now.
_IN_SERVICE = """
    SELECT l.id FROM devices_line l LEFT JOIN operators_unit u ON u.id = l.unit_id
      JOIN operators_operator o ON o.id = coalesce(l.operator_id, u.operator_id) AND o.status = 'active'
     WHERE l.state = 'active' AND (u.id IS NULL OR (u.state IN ('active', 'commissioning')
            AND (u.valid_until IS NULL OR u.valid_until > %(now)s)))"""
_SILENT = "SELECT g.gateway FROM devices_gatewaystatus g WHERE g.reported_at < %(now)s - make_interval(secs => %(silent)s)"
# Up as a gateway says; what is heard of it says the same without that gateway's report.
_UP = """(EXISTS (SELECT FROM devices_linestatus x WHERE x.line_id = l.id AND x.online)
          OR EXISTS (SELECT FROM devices_devicestatus h WHERE h.line_id = l.id
                      AND h.heard_at > %(now)s - make_interval(secs => %(threshold)s)))"""

_OF_STATE = """
    SELECT s.line_id, s.terminal_id, '' AS gateway, {detail} AS detail FROM devices_devicestatus s
      LEFT JOIN devices_terminal t ON t.id = s.terminal_id
      {joins}
     WHERE coalesce(s.line_id, t.line_id) IN (SELECT id FROM service) AND {condition}"""

BREACHES: dict[AlarmKind, str] = {
    AlarmKind.GATEWAY_SILENT: """
    SELECT NULL::bigint AS line_id, NULL::bigint AS terminal_id, g.gateway,
           to_char(g.reported_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') AS detail
      FROM devices_gatewaystatus g
     WHERE g.reported_at < %(now)s - make_interval(secs => %(threshold)s) AND g.online_lines > 0""",
    AlarmKind.LINE_LOST: f"""
    SELECT l.id AS line_id, NULL::bigint AS terminal_id, '' AS gateway,
           to_char(x.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') AS detail
      FROM service l JOIN devices_linestatus x ON x.line_id = l.id
     WHERE x.since < %(now)s - make_interval(secs => %(threshold)s) AND x.gateway NOT IN ({_SILENT}) AND NOT {_UP}""",  # noqa: S608
    AlarmKind.DEVICE_LOST: _OF_STATE.format(
        detail="""to_char(s.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')""",
        joins="JOIN devices_line l ON l.id = t.line_id",
        condition=f"""t.state = 'active' AND NOT s.online AND {_UP}
           AND s.since < %(now)s - make_interval(secs => %(threshold)s)""",
    ),
    AlarmKind.CLOCK_OFF: _OF_STATE.format(
        detail="(s.clock_offset_us / 1000)::text || ' ms'",
        joins="",
        condition="s.online AND abs(s.clock_offset_us) > %(threshold)s * 1000",
    ),
    AlarmKind.BACKLOG_OLD: _OF_STATE.format(
        detail="""s.backlog::text || ' · ' || to_char(s.oldest_unsent_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')""",
        joins="",
        condition="s.backlog > 0 AND s.oldest_unsent_at < %(now)s - make_interval(secs => %(threshold)s)",
    ),
    AlarmKind.DISK_LOW: _OF_STATE.format(
        detail="s.disk_free_permille::text || ' ‰'", joins="", condition="s.disk_free_permille < %(threshold)s"
    ),
    AlarmKind.SEQUENCE_HOLE: _OF_STATE.format(
        detail="h.detail",
        joins="""CROSS JOIN LATERAL (
          SELECT string_agg(coalesce(x.tid, y.terminal_id::text) || ' ' || y."from" || '–' || y.through, ', '
                            ORDER BY y.terminal_id, y."from") AS detail
            FROM jsonb_to_recordset(s.holes) AS y (terminal_id bigint, "from" bigint, through bigint, since timestamptz)
            LEFT JOIN devices_terminal x ON x.id = y.terminal_id
           WHERE coalesce(y.since, s.heard_at) < %(now)s - make_interval(secs => %(threshold)s)) h""",
        condition="s.holes <> '[]' AND h.detail IS NOT NULL",
    ),
    AlarmKind.HARDWARE_CHANGED: _OF_STATE.format(
        detail="d.serial || ' → ' || s.maker || ' ' || s.model || ' ' || s.serial",
        joins="JOIN devices_device d ON d.line_id = s.line_id OR d.terminal_id = s.terminal_id",
        condition="s.serial <> '' AND s.serial <> d.serial",
    ),
}

_JUDGE = """
WITH service AS MATERIALIZED ({service}), breach AS MATERIALIZED ({breach}),
raised AS (
    INSERT INTO devices_alarm (kind, line_id, terminal_id, gateway, severity, detail, times, raised_at, last_at, acknowledged_by)
    SELECT %(kind)s, line_id, terminal_id, gateway, %(severity)s, left(detail, 560), 1, %(now)s, %(now)s, '' FROM breach
     ORDER BY line_id, terminal_id, gateway
    ON CONFLICT (kind, line_id, terminal_id, gateway) WHERE cleared_at IS NULL DO UPDATE SET well_since = NULL
     WHERE devices_alarm.well_since IS NOT NULL
    RETURNING id, detail, xmax = 0 AS is_new),
recovering AS (
    UPDATE devices_alarm a SET well_since = coalesce(a.well_since, %(now)s),
           cleared_at = CASE WHEN coalesce(a.well_since, %(now)s) <= %(now)s - make_interval(secs => %(settle)s) THEN %(now)s END
     WHERE a.kind = %(kind)s AND a.cleared_at IS NULL
       AND (a.well_since IS NULL OR a.well_since <= %(now)s - make_interval(secs => %(settle)s))
       AND NOT EXISTS (SELECT FROM breach b WHERE b.line_id IS NOT DISTINCT FROM a.line_id
                        AND b.terminal_id IS NOT DISTINCT FROM a.terminal_id AND b.gateway = a.gateway)
    RETURNING id, cleared_at)
INSERT INTO devices_alarmstep (alarm_id, what, at, who, note, told)
SELECT id, 'raised', %(now)s, '', left(detail, 500), false FROM raised WHERE is_new
UNION ALL SELECT id, 'cleared', %(now)s, '', '', false FROM recovering WHERE cleared_at IS NOT NULL"""

# Alarms that events raise: over once nothing of the kind has come for a while.
_QUIET = """
WITH cleared AS (
    UPDATE devices_alarm a SET cleared_at = %(now)s FROM devices_alarmrule r
     WHERE r.kind = a.kind AND a.kind = ANY (%(kinds)s) AND a.cleared_at IS NULL AND r.settle_s > 0
       AND a.last_at <= %(now)s - make_interval(secs => r.settle_s)
    RETURNING a.id)
INSERT INTO devices_alarmstep (alarm_id, what, at, who, note, told) SELECT id, 'cleared', %(now)s, '', '', false FROM cleared"""
_OFF = """
WITH cleared AS (
    UPDATE devices_alarm a SET cleared_at = %(now)s FROM devices_alarmrule r
     WHERE r.kind = a.kind AND NOT r.enabled AND a.cleared_at IS NULL RETURNING a.id)
INSERT INTO devices_alarmstep (alarm_id, what, at, who, note, told) SELECT id, 'cleared', %(now)s, '', '', true FROM cleared"""
_BY_EVENT = sorted(set(AlarmKind.values) - {kind.value for kind in BREACHES} - {AlarmKind.LEASE.value})


def watch_devices(*, clock: Clock | None = None) -> bool:
    """Raise and clear what the rules say now; False where another worker is at it."""
    now = (clock or SystemClock()).now()
    rules = {rule.kind: rule for rule in AlarmRule.objects.all()}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('onecard.devices.watch'))")
        if not cursor.fetchone()[0]:
            return False
        silent = rules[AlarmKind.GATEWAY_SILENT].threshold
        for kind, query in BREACHES.items():
            rule = rules[kind]
            if rule.enabled:
                _judge(cursor, rule, query, now=now, silent=silent)
        cursor.execute(_QUIET, {"now": now, "kinds": _BY_EVENT})
        cursor.execute(_OFF, {"now": now})
    return True


def prune(*, clock: Clock | None = None) -> int:
    """Drop history and events older than they are kept, a piece at a time; gives how many rows went."""
    now, keeping = (clock or SystemClock()).now(), Keeping.objects.get(pk=1)
    return _prune(StatusHistory, "at", keeping.history_days, now) + _prune(StoredEvent, "received_at", keeping.event_days, now)


def _judge(cursor: Any, rule: AlarmRule, query: str, *, now: datetime, silent: int) -> None:
    parameters = {"now": now, "kind": rule.kind, "severity": rule.severity, "threshold": rule.threshold}
    parameters |= {"settle": rule.settle_s, "silent": silent}
    cursor.execute(_JUDGE.format(service=_IN_SERVICE, breach=query), parameters)


def _prune(model: type[StatusHistory] | type[StoredEvent], column: str, days: int, now: datetime) -> int:
    table, gone = model._meta.db_table, 0
    statement = f"""DELETE FROM {table} WHERE id IN (
        SELECT id FROM {table} WHERE {column} < %s - make_interval(days => %s) ORDER BY {column} LIMIT %s)"""  # noqa: S608
    while True:
        with connection.cursor() as cursor:
            cursor.execute(statement, [now, days, _PIECE])
            count = int(cursor.rowcount)
            gone += count
            if count < _PIECE:
                return gone
