"""The key ceremony (K2) in a browser: open it, enter or receive one's own component, compare check values, see the result.

A component is on a page once, in the answer to the custodian's own request, and that page is not to be stored by anybody.
"""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST

from onecard.consoles.centre import formats, identity
from onecard.consoles.centre.forms import error_text
from onecard.consoles.centre.pages import keynames as names
from onecard.consoles.centre.pages.base import needs, render
from onecard.consoles.centre.roles import Can, allowed
from onecard.kernel.errors import NotFound, OneCardError
from onecard.protocol.purse.ciphers import Algorithm
from onecard.services.keys.custody import ceremony as service
from onecard.services.keys.custody import transcript as transcripts
from onecard.services.keys.custody.ceremony import CEREMONY_USES, Sheet, parse_algorithm, parse_use
from onecard.services.keys.custody.components import Scheme
from onecard.services.keys.models.custody import Ceremony, CeremonyComponent

_TONES = {"open": "warn", "handing_out": "warn", "done": "good", "aborted": "bad"}
_COMPONENT_TONES = {"waiting": "", "shown": "warn", "held": "good", "wiped": ""}


@needs(Can.VIEW_KEYS)
def ceremonies(request: HttpRequest) -> HttpResponse:
    """The ceremonies so far, and the form that opens one."""
    return render(
        request,
        "centre/ceremonies.html",
        {
            "title": _("Key ceremonies"),
            "rows": [_row(ceremony) for ceremony in service.ceremonies()],
            "uses": [(str(use), names.use(use)) for use in CEREMONY_USES],
            "algorithms": [(int(algorithm), names.algorithm(algorithm)) for algorithm in Algorithm],
            "may_open": allowed(request, Can.MANAGE_KEYS),
        },
    )


@needs(Can.MANAGE_KEYS)
@require_POST
def open_ceremony(request: HttpRequest) -> HttpResponse:
    """Open a ceremony: one custodian a line."""
    post = request.POST
    try:
        opened = service.open_ceremony(
            parse_use(post.get("use", "")),
            algorithm=parse_algorithm(post.get("algorithm", "")),
            scheme=Scheme.parse(post.get("scheme", "")),
            custodians=post.get("custodians", "").replace(",", "\n").replace("，", "\n").split("\n"),
            version=service.parse_version(post.get("version", "")),
            expected_kcv=post.get("expected_kcv", "").strip(),
            actor=identity.of_request(request),
        )
    except OneCardError as refusal:
        messages.error(request, error_text(refusal))
        return redirect("admin:centre_ceremonies")
    return redirect("admin:centre_ceremony", opened.pk)


@never_cache
@needs(Can.VIEW_KEYS)
def ceremony(request: HttpRequest, ceremony_id: int) -> HttpResponse:
    """One ceremony: who has done what, and for a custodian the own part."""
    return _page(request, _found(ceremony_id))


def _page(request: HttpRequest, found: Ceremony, *, sheet: Sheet | None = None) -> HttpResponse:
    components = list(found.components.order_by("number"))
    name = identity.of_request(request).name.lower()
    own = next((row for row in components if row.custodian.lower() == name), None)
    held = sum(row.state == "held" for row in components)
    return render(
        request,
        "centre/ceremony.html",
        {
            "title": f"{_('Key ceremony')} #{found.pk}",
            "row": _row(found),
            "ceremony": found,
            "components": [_component(row) for row in components],
            "own": own if own is not None and allowed(request, Can.KEY_CUSTODIAN) else None,
            "sheet": sheet,
            "events": [
                {"at": formats.moment(event.at), "who": event.who, "act": names.act(event.act), "detail": event.detail}
                for event in found.events.order_by("id")
            ],
            "may_finish": allowed(request, Can.MANAGE_KEYS)
            and (found.state == "handing_out" or (found.state == "open" and held >= found.threshold)),
            "may_abort": allowed(request, Can.MANAGE_KEYS) and found.state == "open",
        },
    )


@never_cache
@sensitive_post_parameters("component")
@sensitive_variables()
@needs(Can.KEY_CUSTODIAN)
@require_POST
def component(request: HttpRequest, ceremony_id: int) -> HttpResponse:
    """The custodian's own part: enter a component, be given one, or confirm that it is written down."""
    actor, post = identity.of_request(request), request.POST
    try:
        if post.get("act") == "make":
            return _page(request, _found(ceremony_id), sheet=service.make(ceremony_id, actor=actor))
        if post.get("act") == "confirm":
            service.confirm(ceremony_id, post.get("check_value", ""), actor=actor)
            messages.success(request, _("Your component is confirmed."))
        else:
            service.enter(ceremony_id, post.get("component", ""), check_value=post.get("check_value", ""), actor=actor)
            messages.success(request, _("Your component is in, and its check value is right."))
    except OneCardError as refusal:
        messages.error(request, error_text(refusal))
    return redirect("admin:centre_ceremony", ceremony_id)


@needs(Can.MANAGE_KEYS)
@require_POST
def conclude(request: HttpRequest, ceremony_id: int) -> HttpResponse:
    """Combine the components, or abort the ceremony."""
    actor = identity.of_request(request)
    try:
        if request.POST.get("act") == "abort":
            service.abort(ceremony_id, reason=request.POST.get("reason", ""), actor=actor)
        else:
            service.finish(ceremony_id, actor=actor)
    except OneCardError as refusal:
        messages.error(request, error_text(refusal))
    return redirect("admin:centre_ceremony", ceremony_id)


@needs(Can.VIEW_KEYS)
def transcript(request: HttpRequest, ceremony_id: int) -> HttpResponseBase:
    """The signed transcript as a file."""
    try:
        text = transcripts.dump(ceremony_id)
    except NotFound as missing:
        messages.error(request, error_text(missing))
        return redirect("admin:centre_ceremony", ceremony_id)
    response = HttpResponse(text, content_type="application/json; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="key-ceremony-{ceremony_id}.json"'
    return response


def _found(ceremony_id: int) -> Ceremony:
    try:
        return service.get_ceremony(ceremony_id)
    except NotFound:
        raise Http404 from None


def _row(found: Ceremony) -> dict[str, Any]:
    return {
        "pk": found.pk,
        "use": names.use(found.use),
        "version": found.version or "–",
        "algorithm": names.algorithm(found.algorithm),
        "scheme": names.scheme(found.threshold, found.count),
        "state": found.get_state_display(),
        "tone": _TONES.get(found.state, ""),
        "kcv": found.kcv,
        "expected_kcv": found.expected_kcv,
        "opened_by": found.opened_by,
        "opened_at": formats.moment(found.opened_at),
        "closed_at": formats.moment(found.closed_at),
    }


def _component(row: CeremonyComponent) -> dict[str, Any]:
    return {
        "number": row.number,
        "custodian": row.custodian,
        "state": row.get_state_display(),
        "tone": _COMPONENT_TONES.get(row.state, ""),
        "check_value": row.check_value or "–",
        "at": formats.moment(row.at),
    }
