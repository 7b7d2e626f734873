"""Keys as people may see them (K1–K3): the tree's status, how much it is used, alarms; nothing here can show a key."""

from typing import Any

from django.contrib import messages
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from onecard.consoles.centre import formats, identity
from onecard.consoles.centre.forms import error_text
from onecard.consoles.centre.pages import keynames as names
from onecard.consoles.centre.pages.base import needs, render
from onecard.consoles.centre.roles import Can, allowed
from onecard.kernel.errors import OneCardError
from onecard.services.keys import api
from onecard.services.keys.errors import VaultLocked
from onecard.services.keys.models import KeyState, UsageAlarm, VaultHeader
from onecard.services.keys.models.custody import RequestAction
from onecard.services.keys.types import KeyStatus
from onecard.services.keys.uses import Level

_TONES = {"pending": "warn", "active": "good", "retiring": "warn", "retired": "", "destroyed": "bad"}
_ALARMS = 20


@needs(Can.VIEW_KEYS)
def keys(request: HttpRequest) -> HttpResponse:
    """The tree, how often each key was used, and alarms that nobody has looked at come first."""
    alarms = UsageAlarm.objects.order_by(F("acknowledged_at").desc(nulls_first=True), "-id")
    found: list[KeyStatus] = []
    problem = ""
    try:
        found = api.open_vault().status()
    except VaultLocked as locked:
        problem = error_text(locked)
    return render(
        request,
        "centre/keys.html",
        {
            "title": _("Keys"),
            "problem": problem,
            "keys": [_row(status) for status in found],
            "alarms": [_alarm(alarm) for alarm in alarms[:_ALARMS]],
            "demonstration": VaultHeader.objects.filter(demonstration=True).exists(),
            "may_change": allowed(request, Can.MANAGE_KEYS),
        },
    )


def _row(status: KeyStatus) -> dict[str, Any]:
    owner = f" {status.owner}" if status.owner else ""
    return {
        "pk": status.key_id,
        "use": names.use(status.use),
        "level": names.level(status.level) + owner,
        "algorithm": names.algorithm(status.algorithm),
        "version": status.version,
        "index": status.index,
        "state": KeyState(status.state).label,
        "tone": _TONES.get(status.state, ""),
        "kcv": status.kcv,
        "retiring_until": formats.moment(status.retiring_until) if status.retiring_until else "–",
        "count": formats.count(status.count),
        "last_used_at": formats.moment(status.last_used_at),
        "acts": _acts(status),
    }


def _acts(status: KeyStatus) -> list[tuple[str, Any]]:
    """What may be asked for in this state; an export needs a zone key and is asked for on the command line."""
    wanted = []
    if status.state == KeyState.PENDING:
        wanted.append(RequestAction.ACTIVATE)
    if status.state in (KeyState.PENDING, KeyState.RETIRED) and status.level == Level.ROOT:
        wanted.append(RequestAction.DESTROY)
    return [(action.value, action.label) for action in wanted]


def _alarm(alarm: UsageAlarm) -> dict[str, Any]:
    return {
        "pk": alarm.pk,
        "sam_no": alarm.sam_no,
        "sam": f"{alarm.sam_no:012X}",
        "kind": alarm.get_kind_display(),
        "hour": formats.moment(alarm.hour),
        "count": formats.count(alarm.count),
        "allowed": formats.count(alarm.allowed),
        "raised_at": formats.moment(alarm.raised_at),
        "acknowledged_by": alarm.acknowledged_by,
    }


@needs(Can.MANAGE_KEYS)
@require_POST
def acknowledge(request: HttpRequest, alarm_id: int) -> HttpResponse:
    """Somebody has looked at an alarm."""
    try:
        api.acknowledge_alarm(alarm_id, actor=identity.of_request(request))
    except OneCardError as refusal:
        messages.error(request, error_text(refusal))
    return redirect("admin:centre_keys")
