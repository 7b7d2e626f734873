"""What gateways report of their lines: kept as states that are written only when they change, and one row a gateway."""

from typing import Any

from django.db import connection, transaction

from onecard.kernel.clock import Clock, SystemClock
from onecard.protocol.proto import app_pb2
from onecard.services.devices.models import GatewayStatus

GATEWAY_SILENT_S = 15
_MILLI, _MICRO = 1_000, 1_000

# Locked in order first: two gateways may report the same line, which has just moved from one to the other.
_LOCK = """
SELECT 1 FROM devices_linestatus
 WHERE line_id = ANY (%(online)s::bigint[]) OR (online AND gateway = %(gateway)s) ORDER BY line_id FOR UPDATE"""
_UP = """
INSERT INTO devices_linestatus (line_id, online, since, gateway)
SELECT l.id, true, %(at)s, %(gateway)s FROM devices_line l WHERE l.id = ANY (%(online)s::bigint[]) ORDER BY l.id
ON CONFLICT (line_id) DO UPDATE SET online = true, gateway = excluded.gateway,
    since = CASE WHEN devices_linestatus.online THEN devices_linestatus.since ELSE excluded.since END
WHERE NOT devices_linestatus.online OR devices_linestatus.gateway <> excluded.gateway"""
_DOWN = """
UPDATE devices_linestatus SET online = false, since = %(at)s
 WHERE online AND gateway = %(gateway)s AND line_id <> ALL (%(online)s::bigint[])"""
_SILENT = """
UPDATE devices_linestatus SET online = false, since = g.reported_at FROM devices_gatewaystatus g
 WHERE online AND devices_linestatus.gateway = g.gateway AND g.reported_at < %(at)s - make_interval(secs => %(silent)s)"""


def report_lines(report: app_pb2.LineReport, *, clock: Clock | None = None) -> None:
    """Takes a gateway's report: lines on line, lines lost, figures. Lines of a gateway gone silent count as off line."""
    at = (clock or SystemClock()).now()
    parameters: dict[str, Any] = {
        "at": at,
        "gateway": report.gateway,
        "online": list(report.online_line_id),
        "silent": GATEWAY_SILENT_S,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in (_LOCK, _UP, _DOWN, _SILENT):
            cursor.execute(statement, parameters)
        GatewayStatus.objects.update_or_create(
            gateway=report.gateway,
            defaults={
                "reported_at": at,
                "online_lines": len(report.online_line_id),
                "online_terminals": len(report.online_terminal_id),
                "refused_handshakes": report.refused_handshakes,
                "requests_per_second_milli": round(report.requests_per_second * _MILLI),
                "latency_p50_us": round(report.latency_p50_ms * _MICRO),
                "latency_p99_us": round(report.latency_p99_ms * _MICRO),
            },
        )
