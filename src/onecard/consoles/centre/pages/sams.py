"""SAMs (K3): the stock, where each module stands; bind, block, scrap. To write one takes a reader: `onecard keys sam`."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from onecard.consoles.centre import formats, identity
from onecard.consoles.centre.forms import error_text
from onecard.consoles.centre.pages import keynames as names
from onecard.consoles.centre.pages.base import address, needs, number, render
from onecard.consoles.centre.roles import Can, allowed
from onecard.kernel.errors import InvalidInput, OneCardError
from onecard.services.actors import Actor
from onecard.services.keys.custody import requests
from onecard.services.keys.models.custody import RequestAction
from onecard.services.keys.models.sams import Sam, SamState
from onecard.services.keys.sams import stock

_PAGE = 50
_TONES = {"ordered": "", "received": "", "personalised": "warn", "bound": "good", "blocked": "bad", "scrapped": ""}


@needs(Can.VIEW_KEYS)
def sams(request: HttpRequest) -> HttpResponse:
    """The modules by number, of one state where asked; and the forms for orders and receipts."""
    state, after = request.GET.get("state", ""), number(request.GET.get("after"))
    text = request.GET.get("q", "").strip()
    found = Sam.objects.select_related("terminal").order_by("pk").filter(pk__gt=after or 0)
    found = found.filter(state=state) if state in SamState.values else found
    problem = ""
    if text:
        try:
            found = found.filter(pk=stock.parse_sam_no(text))
        except OneCardError as refusal:
            problem = error_text(refusal)
    page = list(found[:_PAGE])
    return render(
        request,
        "centre/sams.html",
        {
            "title": _("SAMs"),
            "rows": [_row(sam) for sam in page],
            "states": [{"code": code, "name": name, "current": code == state} for code, name in SamState.choices],
            "q": text,
            "problem": problem,
            "next": address(request, after=page[-1].pk) if len(page) == _PAGE else None,
            "may_change": allowed(request, Can.MANAGE_KEYS),
        },
    )


def _row(sam: Sam) -> dict[str, Any]:
    return {
        "pk": sam.pk,
        "no": f"{sam.pk:012X}",
        "serial": sam.serial or "–",
        "order_ref": sam.order_ref,
        "supplier": sam.supplier or "–",
        "state_code": sam.state,
        "state": sam.get_state_display(),
        "tone": _TONES.get(sam.state, ""),
        "terminal": sam.terminal.tid if sam.terminal else "–",
        "keys": ", ".join(f"{names.use(use)} v{version[0]}" for use, version in sorted(sam.key_versions.items())) or "–",
        "personalised_at": formats.moment(sam.personalised_at),
        "changed_at": formats.moment(sam.changed_at),
    }


@needs(Can.VIEW_KEYS)
def sam(request: HttpRequest, sam_no: int) -> HttpResponse:
    """One module, its history, and what may be done with it now."""
    found = Sam.objects.select_related("terminal").filter(pk=sam_no).first()
    if found is None:
        raise Http404
    return render(
        request,
        "centre/sam.html",
        {
            "title": f"SAM {found}",
            "row": _row(found),
            "events": [
                {"at": formats.moment(event.at), "who": event.who, "act": names.act(event.act), "detail": event.detail}
                for event in found.events.order_by("-id")
            ],
            "may_change": allowed(request, Can.MANAGE_KEYS),
        },
    )


@needs(Can.MANAGE_KEYS)
@require_POST
def take_in(request: HttpRequest) -> HttpResponse:
    """Order modules, or take in those that came: one serial number a line."""
    actor, post = identity.of_request(request), request.POST
    try:
        if post.get("act") == "order":
            count = number(post.get("count")) or 0
            made = stock.order_sams(count, order_ref=post.get("order_ref", ""), supplier=post.get("supplier", ""), actor=actor)
        else:
            serials = [line for line in post.get("serials", "").splitlines() if line.strip()]
            made = stock.receive_sams(serials, order_ref=post.get("order_ref", ""), actor=actor)
        messages.success(request, _("SAMs: %(count)d") % {"count": len(made)})
    except OneCardError as refusal:
        messages.error(request, error_text(refusal))
    return redirect("admin:centre_sams")


@needs(Can.MANAGE_KEYS)
@require_POST
def change(request: HttpRequest, sam_no: int) -> HttpResponse:
    """Bind, unbind, block, scrap at once; unblocking becomes a request for a second person."""
    try:
        _change(sam_no, request.POST.get("act", ""), request.POST.get("text", ""), actor=identity.of_request(request))
    except OneCardError as refusal:
        messages.error(request, error_text(refusal))
    else:
        if request.POST.get("act") == "unblock":
            messages.success(request, _("The request waits for a second person."))
    return redirect("admin:centre_sam", sam_no)


def _change(sam_no: int, act: str, text: str, *, actor: Actor) -> None:
    if act == "bind":
        stock.bind_sam(sam_no, text, actor=actor)
    elif act == "unbind":
        stock.unbind_sam(sam_no, reason=text, actor=actor)
    elif act == "block":
        stock.block_sam(sam_no, reason=text, actor=actor)
    elif act == "scrap":
        stock.scrap_sam(sam_no, reason=text, actor=actor)
    elif act == "unblock":
        requests.ask(RequestAction.SAM_UNBLOCK, sam_no=sam_no, reason=text, actor=actor)
    else:
        raise InvalidInput("不认识的操作", "no such act")
