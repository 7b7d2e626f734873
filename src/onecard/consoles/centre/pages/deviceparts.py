"""What the pages of devices have alike: words and colours of states, tables of places, history, events and alarms."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from onecard.consoles.centre import formats, labels
from onecard.consoles.centre.identity import operators
from onecard.consoles.centre.pages.panels import CODE, NUMBER, Cell, Column, Table
from onecard.consoles.centre.said import data_name, in_words
from onecard.kernel.events import EVENT_TEXT, EventKind
from onecard.services.devices.models import Alarm, StatusHistory, StoredEvent
from onecard.services.devices.registry.board import BoardRow

STATE_NAMES: dict[str, str | Promise] = {
    "online": gettext_lazy("on line"),
    "offline": gettext_lazy("off line"),
    "never": gettext_lazy("never seen"),
    "out": gettext_lazy("not in service"),
}
STATE_TONES = {"online": "good", "offline": "bad", "never": "warn", "out": ""}
SEVERITY_TONES = {1: "", 2: "warn", 3: "bad"}
_BAD_EVENTS = frozenset(
    {
        EventKind.DATA_REFUSED, EventKind.RECORD_REFUSED, EventKind.LINE_REFUSED, EventKind.UPDATE_FAILED,
        EventKind.UPDATE_REFUSED, EventKind.TAMPER, EventKind.ERROR, EventKind.DISK_LOW,
    }
)  # fmt: skip


def place_link(line_id: int, terminal_id: int = 0) -> str:
    """The page of a place."""
    if terminal_id:
        return reverse("admin:centre_device_terminal", args=[terminal_id])
    return reverse("admin:centre_device_line", args=[line_id])


def state_cell(row: BoardRow, now: datetime) -> Cell:
    """On line or not, and since when."""
    note = formats.span(row.since, now=now) if row.since is not None and row.state in ("online", "offline") else ""
    return Cell(STATE_NAMES[row.state], tone=STATE_TONES[row.state], note=note)


def clock_offset(us: int | None) -> str:
    """How far a clock is off, in the unit a person reads."""
    if us is None:
        return "–"
    milliseconds = us // 1000 if us >= 0 else -(-us // 1000)
    if abs(milliseconds) < 10_000:
        return f"{milliseconds:+,} ms" if milliseconds else "0 ms"
    return ("+" if us > 0 else "−") + formats.duration(timedelta(microseconds=abs(us)))


def backlog_cell(row: BoardRow, now: datetime) -> Cell:
    """How many records wait, and since when the oldest."""
    if row.backlog is None:
        return Cell("–")
    age = formats.span(row.oldest_unsent_at, now=now) if row.backlog and row.oldest_unsent_at else ""
    return Cell(formats.count(row.backlog), tone="warn" if row.backlog else None, note=age)


def versions_text(versions: Any, firmware: str = "") -> str:
    """What is in use: firmware first, data by name."""
    told = dict(versions) if isinstance(versions, dict) else {}
    parts = [firmware] if firmware and "firmware" not in told else []
    named = [f"{data_name(name)} {told[name]}" for name in sorted(told, key=lambda name: (name != "firmware", name))]
    return " · ".join([*parts, *named]) or "–"


def board_table(rows: Sequence[BoardRow], *, now: datetime) -> Table:
    """The places of the board."""
    columns = [
        Column(_("Name")), Column(_("Unit")), Column(_("Device")), Column(_("State")), Column(_("Alarms")),
        Column(_("Clock"), NUMBER), Column(_("Backlog"), NUMBER), Column(_("Versions")), Column(_("Last error")),
    ]  # fmt: skip
    return Table("board", columns, _("No device fits."), [_board_row(row, now) for row in rows])


def _board_row(row: BoardRow, now: datetime) -> list[Any]:
    alarms = Cell(row.alarms, tone=SEVERITY_TONES.get(row.severity, "")) if row.alarms else ""
    device = Cell(row.model or "–", note=row.serial)
    return [
        Cell(row.name, link=place_link(row.line_id, row.terminal_id), note=row.place),
        Cell(row.unit or row.operator, note=row.operator if row.unit else ""),
        device,
        state_cell(row, now),
        alarms,
        clock_offset(row.clock_offset_us),
        backlog_cell(row, now),
        versions_text(row.versions, row.firmware),
        in_words(row.last_error)[:80],
    ]


def history_table(rows: Iterable[StatusHistory]) -> Table:
    """What changed at a place."""
    columns = [
        Column(_("Time"), CODE), Column(_("State")), Column(_("Clock"), NUMBER), Column(_("Backlog"), NUMBER),
        Column(_("Versions")), Column(_("Disk free"), NUMBER), Column(_("Last error")),
    ]  # fmt: skip
    cells = [
        [
            formats.moment(row.at),
            Cell(STATE_NAMES["online" if row.online else "offline"], tone="good" if row.online else "bad"),
            clock_offset(row.clock_offset_us),
            "–" if row.backlog is None else formats.count(row.backlog),
            versions_text(row.versions, row.firmware),
            permille(row.disk_free_permille),
            in_words(row.last_error)[:120],
        ]
        for row in rows
    ]
    return Table("history", columns, _("Nothing has been reported yet."), cells)


def permille(value: int | None) -> str:
    """Thousandths as a percentage with one decimal."""
    return "–" if value is None else f"{value // 10}.{value % 10} %"


def event_text(kind: int) -> str:
    """What an event is, in the reader's language."""
    return labels.own_language(EVENT_TEXT[EventKind(kind)]) if kind in EventKind._value2member_map_ else str(kind)


def event_table(rows: Iterable[StoredEvent]) -> Table:
    """Events, newest first."""
    columns = [Column(_("Time"), CODE), Column(_("Event")), Column(_("Terminal"), CODE), Column(_("Detail"))]
    cells = [
        [
            Cell(formats.moment(row.occurred_at)),
            Cell(event_text(row.kind), tone="bad" if row.kind in _BAD_EVENTS else ""),
            row.terminal.tid if row.terminal else "–",
            in_words(row.detail),
        ]
        for row in rows
    ]
    return Table("events", columns, _("No event has come in."), cells)


def alarm_cells(alarm: Alarm, *, now: datetime | None = None) -> dict[str, Any]:
    """An alarm as the pages show it."""
    now = now or timezone.now()
    where, link = alarm.gateway, ""
    if alarm.line is not None:
        where, link = alarm.line.name, place_link(alarm.line.pk)
    elif alarm.terminal is not None:
        where, link = alarm.terminal.tid, place_link(alarm.terminal.line_id or 0, alarm.terminal.pk)
    return {
        "pk": alarm.pk,
        "kind": alarm.get_kind_display(),
        "severity": alarm.get_severity_display(),
        "tone": SEVERITY_TONES.get(alarm.severity, ""),
        "where": where,
        "link": link,
        "detail": in_words(alarm.detail),
        "times": alarm.times,
        "raised_at": formats.moment(alarm.raised_at),
        "lasts": formats.duration((alarm.cleared_at or now) - alarm.raised_at),
        "acknowledged": alarm.acknowledged_by,
        "cleared_at": formats.moment(alarm.cleared_at) if alarm.cleared_at else "",
        "recovering": alarm.well_since is not None and alarm.cleared_at is None,
    }


def visible_alarms(request: HttpRequest) -> Any:
    """The alarms a user may see (N3): those bound to operators see none of the platform's own."""
    bound, found = operators(request), Alarm.objects.select_related("line", "terminal")
    if bound is None:
        return found
    mine = Q(line__operator_id__in=bound) | Q(line__unit__operator_id__in=bound) | Q(terminal__merchant__operator_id__in=bound)
    return found.filter(mine)
