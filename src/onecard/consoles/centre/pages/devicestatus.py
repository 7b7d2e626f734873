"""The status board (D1): what is up, clocks, backlogs, versions, errors; and the page of one place."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from onecard.consoles.centre import formats
from onecard.consoles.centre.identity import operators
from onecard.consoles.centre.pages import deviceparts as parts
from onecard.consoles.centre.pages.base import address, needs, number, operator_choices, render
from onecard.consoles.centre.pages.panels import CODE, Cell, Column, Table
from onecard.consoles.centre.roles import Can, allowed
from onecard.consoles.centre.said import in_words
from onecard.services.devices.models import Device, DeviceModel, Line, Parameter, Terminal
from onecard.services.devices.registry import board as reading
from onecard.services.devices.registry.board import STATES, BoardRow, Filter
from onecard.services.devices.registry.effective import Source
from onecard.services.devices.registry.parameters import values_of
from onecard.services.keys.models.sams import Sam
from onecard.services.operators.models import Unit

_UNITS = 300


@needs(Can.VIEW_DEVICES)
def board(request: HttpRequest) -> HttpResponse:
    """The places that fit the filter; the part that refreshes by itself when htmx asks for it."""
    wanted, now = _filter(request), timezone.now()
    after = number(request.GET.get("after")) or 0
    rows = reading.board(wanted, now=now, after=after)
    found = reading.counts(replace(wanted, state="", alarmed=False), now=now)
    last = (rows[-1].terminal_id if wanted.terminals else rows[-1].line_id) if len(rows) == reading.PAGE else None
    context = {
        "title": _("Device status"),
        "table": parts.board_table(rows, now=now),
        "tiles": _tiles(request, wanted, found),
        "url": request.get_full_path(),
        "at": formats.clock(now),
        "first": address(request, after=None) if after else None,
        "next": address(request, after=last) if last is not None else None,
    }
    if request.headers.get("HX-Request"):
        return render(request, "centre/device_board.html", context)
    return render(request, "centre/devices.html", context | _choices(request, wanted))


def _filter(request: HttpRequest) -> Filter:
    get, state = request.GET, request.GET.get("state", "")
    return Filter(
        terminals=get.get("view") == "terminals",
        operators=operators(request),
        operator_id=number(get.get("operator")),
        unit_id=number(get.get("unit")),
        model_id=number(get.get("model")),
        state=state if state in STATES else "",
        alarmed=state == "alarmed",
        text=get.get("q", "").strip()[:60],
    )


def _tiles(request: HttpRequest, wanted: Filter, found: dict[str, int]) -> list[dict[str, Any]]:
    chosen = "alarmed" if wanted.alarmed else wanted.state
    names = {"": _("all"), **parts.STATE_NAMES, "alarmed": _("with an alarm")}
    numbers = {"": sum(found[state] for state in STATES), **found}
    return [
        {"code": code, "name": name, "count": formats.count(numbers[code]), "current": code == chosen,
         "url": address(request, state=code or None, after=None), "tone": parts.STATE_TONES.get(code, "bad" if code else "")}
        for code, name in names.items()
    ]  # fmt: skip


def _choices(request: HttpRequest, wanted: Filter) -> dict[str, Any]:
    """What can be chosen; of units those of the chosen operator, as many as a list can hold."""
    units = Unit.objects.order_by("id")
    if wanted.operators is not None:
        units = units.filter(operator_id__in=wanted.operators)
    if wanted.operator_id is not None:
        units = units.filter(operator_id=wanted.operator_id)
    listed = list(units[:_UNITS])
    if wanted.unit_id is not None and all(unit.pk != wanted.unit_id for unit in listed):
        listed += list(units.filter(pk=wanted.unit_id))
    return {
        "wanted": wanted,
        "operators": operator_choices(request),
        "units": listed,
        "models": list(DeviceModel.objects.order_by("maker", "model")[:_UNITS]),
        "views": [
            {"name": _("Front-ends and straight terminals"), "url": address(request, view=None, after=None),
             "current": not wanted.terminals},
            {"name": _("Terminals behind front-ends"), "url": address(request, view="terminals", after=None),
             "current": wanted.terminals},
        ],
    }  # fmt: skip


@needs(Can.VIEW_DEVICES)
def line(request: HttpRequest, line_id: int) -> HttpResponse:
    """A line's own device, and the terminals behind it."""
    return _place(request, line_id=line_id)


@needs(Can.VIEW_DEVICES)
def terminal(request: HttpRequest, terminal_id: int) -> HttpResponse:
    """A terminal behind a front-end."""
    return _place(request, terminal_id=terminal_id)


def _place(request: HttpRequest, *, line_id: int | None = None, terminal_id: int | None = None) -> HttpResponse:
    now = timezone.now()
    row = reading.place(line_id=line_id, terminal_id=terminal_id, operators=operators(request), now=now)
    if row is None:
        raise Http404
    context: dict[str, Any] = {
        "title": row.name,
        "row": row,
        "facts": _facts(row, now),
        "url": request.get_full_path(),
        "at": formats.clock(now),
    }
    context |= {"state": parts.state_cell(row, now), "alarms": _open_alarms(request, row), "holes": _holes_table(row)}
    if request.headers.get("HX-Request"):
        return render(request, "centre/device_state.html", context)
    before = number(request.GET.get("before"))
    history = reading.history(row, before=before)
    behind = [] if row.terminal_id else _behind(row, now)
    device = Device.objects.select_related("model").filter(pk=row.device_id or 0).first()
    return render(
        request,
        "centre/device.html",
        context
        | {
            "history": parts.history_table(history),
            "next": address(request, before=history[-1].pk) if len(history) == reading.PAGE else None,
            "first": address(request, before=None) if before else None,
            "events": parts.event_table(reading.events(row)),
            "behind": parts.board_table(behind, now=now) if behind else None,
            "device": device,
            "values": _values_table(device) if device else None,
            "sams": _sams(row),
            "may_change": allowed(request, Can.CHANGE_DEVICES),
        },
    )


def _behind(row: BoardRow, now: Any) -> list[BoardRow]:
    return reading.board(Filter(terminals=True, line_id=row.line_id), now=now, limit=500)


def _facts(row: BoardRow, now: Any) -> list[tuple[Any, Any]]:
    backlog = parts.backlog_cell(row, now)
    return [
        (_("Unit"), row.unit or row.operator),
        (_("Heard of"), formats.moment(row.heard_at)),
        (_("Clock"), parts.clock_offset(row.clock_offset_us)),
        (_("Backlog"), f"{backlog.text} · {backlog.note}" if backlog.note else backlog.text),
        (_("Versions"), parts.versions_text(row.versions, row.firmware)),
        (_("Disk free"), parts.permille(row.disk_free_permille)),
        (_("Lease"), row.lease_serial or "–"),
        (_("Last error"), in_words(row.last_error) or _("none")),
    ]


def _holes_table(row: BoardRow) -> Table | None:
    if not row.holes:
        return None
    tids = dict(Terminal.objects.filter(line_id=row.line_id).values_list("id", "tid"))
    columns = [Column(_("Terminal"), CODE), Column(_("Numbers missing"), CODE), Column(_("Since"), CODE)]
    cells = [
        [tids.get(hole["terminal_id"], hole["terminal_id"]), f"{hole['from']}–{hole['through']}", _since(hole["since"])]
        for hole in row.holes
    ]
    return Table("holes", columns, "", cells)


def _since(text: str | None) -> str:
    return formats.moment(datetime.fromisoformat(text)) if text else "–"


def _open_alarms(request: HttpRequest, row: BoardRow) -> list[dict[str, Any]]:
    found = parts.visible_alarms(request).filter(cleared_at__isnull=True)
    found = found.filter(terminal_id=row.terminal_id) if row.terminal_id else found.filter(line_id=row.line_id)
    return [parts.alarm_cells(alarm) for alarm in found.order_by("-severity", "id")[:20]]


def _values_table(device: Device) -> Table:
    columns = [Column(_("Parameter")), Column(_("Value")), Column(_("From"))]
    names = {
        Source.OVERRIDE: _("this device"),
        Source.UNIT_MODEL: _("template of the unit and model"),
        Source.UNIT: _("template of the unit"),
        Source.MODEL: _("template of the model"),
        Source.DEFAULT: _("default"),
    }
    titles = parameter_titles()
    cells = [
        [Cell(titles.get(key, key), note=key), shown(value), Cell(names[source], tone="" if source is Source.DEFAULT else "good")]
        for key, (value, source) in values_of(device.pk).items()
    ]
    return Table("values", columns, _("A device in store has no values."), cells)


def parameter_titles() -> dict[str, str]:
    """The names of the parameters, in the reader's language."""
    english = (get_language() or "").startswith("en")
    return {each.key: each.title_en if english else each.title_zh for each in Parameter.objects.all()}


def shown(value: Any) -> str:
    """A parameter's value as a person reads it."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return str(value) if value != "" else "–"


def _sams(row: BoardRow) -> list[str]:
    """The modules bound to the terminal, or to the terminals of a line that attaches straight."""
    if row.terminal_id:
        wanted = [row.terminal_id]
    else:
        straight = Line.objects.filter(pk=row.line_id, kind="terminal").exists()
        wanted = list(Terminal.objects.filter(line_id=row.line_id).values_list("pk", flat=True)) if straight else []
    return [str(sam) for sam in Sam.objects.filter(terminal_id__in=wanted)]
