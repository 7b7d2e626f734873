"""What the workstation shows of one unit, as rows of text: lines, devices, leases and versions of its own."""

import json
from datetime import datetime
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from onecard.consoles.centre.formats import count, moment, span
from onecard.consoles.centre.said import data_name, in_words
from onecard.kernel.clock import from_epoch_us, to_epoch_us
from onecard.kernel.errors import InvalidInput
from onecard.protocol.lease import STEP_TEXT, parse_lease
from onecard.services.devices.models import LineLease
from onecard.services.devices.registry.board import BoardRow, Filter, board
from onecard.services.offline.api import unit_files
from onecard.services.operators.models import Unit

DEVICES_AT_MOST = 1000


def overview(unit: Unit, *, now: datetime) -> dict[str, Any]:
    """The context of the page."""
    lines = board(Filter(unit_id=unit.pk), now=now, limit=DEVICES_AT_MOST)
    devices = board(Filter(terminals=True, unit_id=unit.pk), now=now, limit=DEVICES_AT_MOST)
    leases = {lease.line_id: lease for lease in LineLease.objects.filter(line__unit_id=unit.pk)}
    return {
        "unit": unit,
        "lines": [_row(line, now) | _lease(leases.get(line.line_id), now) for line in lines],
        "devices": [_row(device, now) for device in devices],
        "backlog": count(sum(row.backlog or 0 for row in lines)),
        "online": count(sum(row.state == "online" for row in (*lines, *devices))),
        "places": count(len(lines) + len(devices)),
        "alarms": count(sum(row.alarms for row in (*lines, *devices))),
        "files": [
            {"name": _file_name(kind), "version": version, "at": moment(at)}
            for kind, (version, at) in unit_files(unit.pk).items()
        ],
        "now": moment(now),
    }


def _row(row: BoardRow, now: datetime) -> dict[str, Any]:
    return {
        "name": row.name,
        "state": row.state,
        "state_text": _state(row.state),
        "since": span(row.since, now=now) if row.since else "–",
        "heard": span(row.heard_at, now=now) if row.heard_at else "–",
        "backlog": "–" if row.backlog is None else count(row.backlog),
        "oldest": span(row.oldest_unsent_at, now=now) if row.oldest_unsent_at else "–",
        "versions": _versions(row.versions),
        "firmware": row.firmware or "–",
        "error": in_words(row.last_error),
        "alarms": row.alarms,
        "disk": "–" if row.disk_free_permille is None else f"{row.disk_free_permille // 10} %",
    }


def _lease(held: LineLease | None, now: datetime) -> dict[str, Any]:
    """The step the newest lease is at, and when sales would stop without the line."""
    if held is None:
        return {"lease": "–", "sales_until": "–"}
    try:
        lease = parse_lease(bytes(held.lease))
    except InvalidInput:
        return {"lease": str(held.serial), "sales_until": "–"}
    text = STEP_TEXT[lease.step_at(to_epoch_us(now))]
    chinese = (get_language() or "zh").startswith("zh")
    return {"lease": text.zh if chinese else text.en, "sales_until": moment(from_epoch_us(lease.no_sales_at_us))}


def _versions(stored: Any) -> str:
    """Name and version of all that is in use; the board gives the column as the driver does, as text."""
    versions = json.loads(stored) if isinstance(stored, str) else stored
    return "、".join(f"{data_name(name)} {version}" for name, version in sorted(versions.items())) or "–"


def _state(state: str) -> str:
    return {
        "online": _("Connected"),
        "offline": _("Not connected"),
        "never": _("Never heard of"),
        "out": _("Out of service"),
    }[state]


def _file_name(kind: str) -> str:
    return {"rules": _("Offline rules"), "cards": _("Cards of the unit")}[kind]
