"""Dual control (K2) in a browser: ask for something that takes two people, decide what another has asked for."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from onecard.consoles.centre import formats, identity
from onecard.consoles.centre.forms import error_text
from onecard.consoles.centre.pages import keynames as names
from onecard.consoles.centre.pages.base import needs, number, render
from onecard.consoles.centre.roles import Can, allowed
from onecard.kernel.errors import InvalidInput, OneCardError
from onecard.services.keys.custody import requests as service
from onecard.services.keys.models.custody import KeyRequest, RequestAction

_TONES = {"waiting": "warn", "executed": "good", "refused": "bad", "expired": "", "withdrawn": ""}


@needs(Can.VIEW_KEYS)
def requests(request: HttpRequest) -> HttpResponse:
    """What waits for a second person, and what became of the rest."""
    return render(
        request,
        "centre/key_requests.html",
        {
            "title": _("Dual control"),
            "rows": [_row(row, me=identity.of_request(request).name) for row in service.requests()],
            "may_decide": allowed(request, Can.MANAGE_KEYS),
        },
    )


def _row(row: KeyRequest, *, me: str) -> dict[str, Any]:
    return {
        "pk": row.pk,
        "action": row.get_action_display(),
        "subject": f"SAM {row.sam_no:012X}" if row.sam_no is not None else names.key(row.key_id or 0),
        "reason": row.reason,
        "state": row.get_state_display(),
        "waiting": row.state == "waiting",
        "tone": _TONES.get(row.state, ""),
        "requested_by": row.requested_by,
        "requested_at": formats.moment(row.requested_at),
        "expires_at": formats.moment(row.expires_at),
        "decided_by": row.decided_by or "–",
        "decided_at": formats.moment(row.decided_at),
        "result": ", ".join(f"{name}: {value}" for name, value in row.result.items()),
        "own": row.requested_by.lower() == me.lower(),
    }


@needs(Can.MANAGE_KEYS)
@require_POST
def ask(request: HttpRequest) -> HttpResponse:
    """Ask for an act on a key or a SAM."""
    post = request.POST
    try:
        if post.get("action") not in RequestAction.values:
            raise InvalidInput("不认识的操作", "no such act")
        zone = number(post.get("zone_key"))
        service.ask(
            RequestAction(post["action"]),
            key_id=number(post.get("key")),
            sam_no=number(post.get("sam")),
            parameters={"zone_key_id": zone} if zone is not None else None,
            reason=post.get("reason", ""),
            actor=identity.of_request(request),
        )
        messages.success(request, _("The request waits for a second person."))
    except OneCardError as refusal:
        messages.error(request, error_text(refusal))
    return redirect("admin:centre_key_requests")


@needs(Can.MANAGE_KEYS)
@require_POST
def decide(request: HttpRequest, request_id: int) -> HttpResponse:
    """Approve, refuse or withdraw; an approval carries it out at once."""
    act = {"approve": service.approve, "refuse": service.refuse, "withdraw": service.withdraw}.get(request.POST.get("act", ""))
    try:
        if act is None:
            raise InvalidInput("不认识的操作", "no such act")
        done = act(request_id, actor=identity.of_request(request))
        messages.success(request, f"#{done.pk} {done.get_action_display()}: {done.get_state_display()}")
    except OneCardError as refusal:
        messages.error(request, error_text(refusal))
    return redirect("admin:centre_key_requests")
