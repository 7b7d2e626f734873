"""Takes what gateways report of devices (`app_pb2.DeviceReport`), a set at a time and in one transaction.

Nothing in a report can make it fail for ever: an unknown line is left out, a terminal of another line is not believed, a text is
cut to its column. The same report twice changes nothing: a later state replaces one, an event is kept once by its id.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from onecard.kernel.clock import ManualClock, from_epoch_us
from onecard.kernel.events import EventKind
from onecard.protocol.proto import app_pb2, device_pb2
from onecard.services.devices.registry import statements
from onecard.services.devices.registry.eventalarms import follow_events
from onecard.services.devices.registry.publish import refresh_lines
from onecard.services.devices.registry.telling import tell_rollouts

log = logging.getLogger("onecard.devices")

_MOST_INT = (1 << 63) - 1
_MOST_HOLES = 50
_EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(days=1)
_EVENT_ID = 16


@dataclass(frozen=True, slots=True)
class TakenEvent:
    """An event that came in for the first time; `terminal_id` None: the line's own device."""

    line_id: int
    terminal_id: int | None
    kind: int
    occurred_at: datetime
    detail: str
    action_id: int
    progress_permille: int
    operator_id: int


def take_report(report: app_pb2.DeviceReport, *, now: datetime) -> None:
    """States and events, all stored or none. Harmless when it comes again, or twice at once."""
    states = _merged(report.lines)
    lines = [_line_row(status, now) for status in states.values()]
    terminals = [
        _terminal_row(line_id, state, _at(status.heard_at_us, now))
        for line_id, status in states.items()
        for state in {each.terminal_id: each for each in status.heartbeat.devices}.values()
    ]
    events = [_event_row(each.line_id, event, now) for each in report.events for event in each.events if _is_sound(event)]
    with transaction.atomic(), connection.cursor() as cursor:
        if lines:
            cursor.execute(statements.LINES, {"rows": json.dumps(lines), "now": now})
        if terminals:
            cursor.execute(statements.TERMINALS, {"rows": json.dumps(terminals), "now": now})
        if any(status.HasField("hello") for status in states.values()) or terminals:
            _register(cursor, [row["line_id"] for row in lines], [row["terminal_id"] for row in terminals], now)
        elif upgraded := [row["line_id"] for row in lines if "firmware" in row.get("versions", ())]:
            cursor.execute(statements.FIRMWARE, {"lines": upgraded, "terminals": []})
        if events:
            _take_events(cursor, events, now)


def _take_events(cursor: Any, events: Sequence[Mapping[str, Any]], now: datetime) -> None:
    cursor.execute(statements.EVENTS, {"rows": json.dumps(events), "now": now})
    sent = {(event["event_id"], event["line_id"]): event for event in reversed(events)}
    taken = [_taken(row, sent[str(row[0]), row[1]]) for row in cursor.fetchall()]
    if taken:
        follow_events(taken, now=now)
        tell_rollouts(taken)


def _taken(row: Sequence[Any], sent: Mapping[str, Any]) -> TakenEvent:
    _event_id, line_id, terminal_id, operator_id, detail = row
    return TakenEvent(
        line_id,
        terminal_id,
        sent["kind"],
        datetime.fromisoformat(sent["occurred_at"]),
        detail,
        sent["action_id"] or 0,
        sent["progress_permille"],
        operator_id,
    )


def _register(cursor: Any, lines: list[int], terminals: list[int], now: datetime) -> None:
    """What a place without a device says of itself makes one, where the serial number is nobody else's."""
    parameters = {"lines": lines, "terminals": terminals, "now": now}
    for statement in (statements.FIRMWARE, statements.FOLLOWS, statements.MODELS):
        cursor.execute(statement, parameters)
    cursor.execute(statements.DEVICES, parameters)
    placed = cursor.fetchall()
    if placed:
        # What is set for their models and units counts at their places from now on.
        lines, terminals, models = map(list, zip(*placed, strict=True))
        cursor.execute(statements.LINES_OF, {"lines": lines, "terminals": terminals, "models": models})
        refresh_lines([line for (line,) in cursor.fetchall()], clock=ManualClock(now))


def _merged(lines: Iterable[app_pb2.LineStatus]) -> dict[int, app_pb2.LineStatus]:
    """One status a line, in the order of lines, so that two reports lock rows in the same order."""
    found: dict[int, app_pb2.LineStatus] = {}
    for status in lines:
        there = found.get(status.line_id)
        if there is None:
            found[status.line_id] = status
        elif status.heard_at_us >= there.heard_at_us:
            if not status.HasField("hello") and there.HasField("hello"):
                status.hello.CopyFrom(there.hello)
            if not status.HasField("heartbeat") and there.HasField("heartbeat"):
                status.heartbeat.CopyFrom(there.heartbeat)
            found[status.line_id] = status
    return dict(sorted(found.items()))


def _line_row(status: app_pb2.LineStatus, now: datetime) -> dict[str, Any]:
    at = _at(status.heard_at_us, now)
    row: dict[str, Any] = {
        "line_id": status.line_id,
        "heard_at": at.isoformat(),
        "address": _text(status.address, 60),
        "clock_offset_us": status.clock_offset_us,
    }
    if status.HasField("hello"):
        row |= _identity(status.hello)
        if status.hello.versions:
            row["versions"] = _versions(status.hello.versions)
    if status.HasField("heartbeat"):
        beat = status.heartbeat
        row |= {
            "told": True,
            "backlog": min(beat.backlog, _MOST_INT),
            "oldest_unsent_at": _moment(beat.oldest_unsent_us),
            "last_error": _text(beat.last_error, 500),
            "holes": [_hole(hole) for hole in beat.holes[:_MOST_HOLES]],
            "disk_free_permille": min(beat.disk_free_permille, 1000) or None,
            "lease_serial": beat.lease_serial or None,
        }
        if beat.versions:
            row["versions"] = _versions(beat.versions)
    return row


def _terminal_row(line_id: int, state: device_pb2.DeviceState, at: datetime) -> dict[str, Any]:
    row: dict[str, Any] = {
        "line_id": line_id,
        "terminal_id": state.terminal_id,
        "heard_at": at.isoformat(),
        "online": state.online,
        "clock_offset_us": state.clock_offset_us,
        "backlog": min(state.backlog, _MOST_INT),
        "oldest_unsent_at": _moment(state.oldest_unsent_us),
        "last_error": _text(state.last_error, 500),
    }
    row |= {key: value for key, value in _identity(state).items() if value}
    if state.versions:
        row["versions"] = _versions(state.versions)
    return row


def _identity(told: device_pb2.Hello | device_pb2.DeviceState) -> dict[str, str]:
    return {name: _text(getattr(told, name), 60) for name in ("maker", "model", "firmware", "hardware", "serial")}


def _versions(versions: Iterable[device_pb2.DataVersion]) -> dict[str, int]:
    return {_text(each.name, 40): min(each.version, _MOST_INT) for each in list(versions)[:64]}


def _hole(hole: device_pb2.SequenceHole) -> dict[str, Any]:
    since = _moment(hole.since_us)
    return {"terminal_id": hole.terminal_id, "from": hole.from_seq, "through": hole.through_seq, "since": since}


def _is_sound(event: device_pb2.DeviceEvent) -> bool:
    """The gateway refuses others; one that comes all the same can't be kept once, and must not stop the rest."""
    if len(event.event_id) == _EVENT_ID:
        return True
    log.warning("devices: an event without an id of 16 bytes was left out: kind %s", event.kind)
    return False


def _event_row(line_id: int, event: device_pb2.DeviceEvent, now: datetime) -> dict[str, Any]:
    return {
        "event_id": str(UUID(bytes=event.event_id)),
        "line_id": line_id,
        "terminal_id": event.terminal_id or None,
        "kind": event.kind,
        "occurred_at": _at(event.occurred_at_us, now).isoformat(),
        "card_no": event.card_no or None,
        "detail": _text(event.detail, 500) or _progress(event),
        "action_id": event.action_id or None,
        "progress_permille": min(event.progress_permille, 1000),
    }


def _progress(event: device_pb2.DeviceEvent) -> str:
    moving = event.kind in (EventKind.UPDATE_DOWNLOADING, EventKind.UPDATE_INSTALLING)
    return f"{min(event.progress_permille, 1000)} ‰" if moving else ""


def _at(us: int, now: datetime) -> datetime:
    """A moment a device or gateway told; now, where it told none or one that cannot be."""
    try:
        at = from_epoch_us(us)
    except OverflowError:
        return now
    return at if _EARLIEST <= at <= now + _AHEAD else now


def _moment(us: int) -> str | None:
    try:
        return from_epoch_us(us).isoformat() if us > 0 else None
    except OverflowError:
        return None


def _text(text: str, length: int) -> str:
    """Without what PostgreSQL or a page cannot take, cut to its column."""
    return "".join(each if each.isprintable() else " " for each in text[: length * 2]).strip()[:length]
