"""One line's admission (G2, O4): its state and lease, one-time codes with their QR, rolling, revoking for good, replacing."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_POST

from onecard.consoles.centre import audit, formats
from onecard.consoles.centre.identity import of_request, operators
from onecard.consoles.centre.pages.acts import attempt
from onecard.consoles.centre.pages.base import needs, render
from onecard.consoles.centre.roles import Can, allowed
from onecard.kernel.clock import from_epoch_us
from onecard.protocol.lease import STEP_TEXT, Step, parse_lease
from onecard.services.devices import api
from onecard.services.devices.models import Line, LineKind, LineLease, LineState, Terminal
from onecard.services.operators.api import UnitState

_RUNNING = (UnitState.COMMISSIONING, UnitState.ACTIVE)


@needs(Can.VIEW_DIRECTORY)
def line(request: HttpRequest, line_id: int) -> HttpResponse:
    """The page."""
    return _page(request, _need(request, line_id))


@needs(Can.CHANGE_DIRECTORY)
@require_POST
def code(request: HttpRequest, line_id: int) -> HttpResponse:
    """A one-time code, in the answer to this request and nowhere else; for a terminal behind the line where one is named."""
    found = _need(request, line_id)
    terminal = _terminal(found, request.POST.get("terminal", ""))
    made: list[api.EnrolmentCode] = []

    def perform() -> None:
        actor = of_request(request)
        if terminal is not None:
            made.append(api.make_enrolment_code(terminal_id=terminal.pk, actor=actor))
        elif found.certificate_sha256 is not None:
            made.append(api.roll_line(line_id, actor=actor))
        else:
            made.append(api.make_enrolment_code(line_id=line_id, actor=actor))
        audit.record(request, terminal or found, gettext_noop("enrolment code made"))

    if not attempt(request, perform):
        return redirect("admin:centre_admission_line", line_id)
    return _page(request, found, shown=(made[0], terminal))


@needs(Can.CHANGE_DIRECTORY)
def revoke(request: HttpRequest, line_id: int) -> HttpResponse:
    """Revoking cannot be undone: a page of its own says what ends, and wants the number of the line typed in."""
    found = _need(request, line_id)
    if found.state == LineState.REVOKED:
        return redirect("admin:centre_admission_line", line_id)
    if request.method == "POST":
        if request.POST.get("number", "").strip() != str(line_id) or request.POST.get("sure") != "on":
            messages.error(request, _("Tick the box and type the number of the line."))
        else:

            def perform() -> Line:
                return api.revoke_line(line_id, actor=of_request(request))

            attempt(request, perform, name=gettext_noop("line revoked"), done=_("The line is revoked."))
            return redirect("admin:centre_admission_line", line_id)
    terminals = Terminal.objects.filter(line=found)
    context = {
        "title": _("Revoke for good"),
        "line": found,
        "owner": str(found.unit or found.operator),
        "terminals": list(terminals.order_by("tid").values_list("tid", flat=True)[:40]),
        "count": terminals.count(),
    }
    return render(request, "centre/admission_revoke.html", context)


@needs(Can.CHANGE_DIRECTORY)
@require_POST
def reopen(request: HttpRequest, line_id: int) -> HttpResponse:
    """A new line in place of a revoked one."""
    _need(request, line_id)
    made: list[int] = []

    def perform() -> Line:
        made.append(api.reopen_line(line_id, actor=of_request(request)))
        return Line.objects.get(pk=made[0])

    if attempt(request, perform, name=gettext_noop("line replaced"), done=_("A new line stands in place of the revoked one.")):
        return redirect("admin:centre_admission_line", made[0])
    return redirect("admin:centre_admission_line", line_id)


def _need(request: HttpRequest, line_id: int) -> Line:
    bound = operators(request)
    found = Line.objects.select_related("unit", "unit__operator", "operator", "status", "replaces").filter(pk=line_id)
    if bound is not None:
        found = found.filter(Q(operator_id__in=bound) | Q(unit__operator_id__in=bound))
    one = found.first()
    if one is None:
        raise Http404
    return one


def _terminal(line: Line, text: str) -> Terminal | None:
    if not text:
        return None
    found = Terminal.objects.filter(line=line, pk=text).first() if text.isdecimal() and len(text) <= 18 else None
    if found is None:
        raise Http404
    return found


def _page(request: HttpRequest, found: Line, *, shown: tuple[api.EnrolmentCode, Terminal | None] | None = None) -> HttpResponse:
    now = datetime.now(UTC)
    state, tone = _state(found, now)
    successor = Line.objects.filter(replaces=found).values_list("pk", flat=True).first()
    context: dict[str, Any] = {
        "title": f"{_('Line')} {found.pk}",
        "line": found,
        "owner": str(found.unit or found.operator),
        "kind": found.get_kind_display(),
        "state": state,
        "tone": tone,
        "online": _online(found),
        "certificate": bytes(found.certificate_sha256 or b"").hex(),
        "until": formats.moment(found.certificate_until),
        "unit_until": formats.moment(found.unit.valid_until) if found.unit else "–",
        "lease": _lease(found, now),
        "terminals": _terminals(found) if found.kind == LineKind.FRONT_END else [],
        "may_change": allowed(request, Can.CHANGE_DIRECTORY),
        "active": found.state == LineState.ACTIVE,
        "revoked_at": formats.moment(found.revoked_at),
        "successor": successor,
        "successor_url": reverse("admin:centre_admission_line", args=[successor]) if successor else "",
        "replaces_url": reverse("admin:centre_admission_line", args=[found.replaces_id]) if found.replaces_id else "",
    }
    if shown is not None:
        made, terminal = shown
        # Drawn by our own library from our own alphabet and a checked address: nothing of anybody's typing stands in it.
        picture = mark_safe(made.svg)  # noqa: S308
        context["shown"] = {
            "svg": picture, "code": made.code, "uri": made.uri, "until": formats.moment(made.expires_at),
            "terminal": terminal.tid if terminal else "",
        }  # fmt: skip
    return render(request, "centre/admission_line.html", context)


def _state(found: Line, now: datetime) -> tuple[str, str]:
    """What the gateways make of the line at this moment, in words; the same order of reasons as the authorised list has."""
    operator = found.operator or (found.unit.operator if found.unit else None)
    assert operator is not None, "kept by the constraint line_one_owner"
    if found.state == LineState.REVOKED:
        return found.get_state_display(), "bad"
    if operator.status != "active":
        return _("disabled: the operator is suspended"), "bad"
    unit = found.unit
    if unit is not None and (unit.state == UnitState.EXPIRED or (unit.valid_until and unit.valid_until <= now)):
        return _("disabled: the unit's validity has run out"), "bad"
    if unit is not None and unit.state not in _RUNNING:
        return _("disabled: the unit is not in service"), "bad"
    if found.certificate_sha256 is None:
        return _("waits to be enrolled"), "warn"
    return _("admitted"), "good"


def _online(found: Line) -> str:
    status = getattr(found, "status", None)
    if status is None:
        return _("never seen")
    return f"{_('on line') if status.online else _('off line')} · {formats.moment(status.since)}"


def _lease(found: Line, now: datetime) -> dict[str, Any] | None:
    row = LineLease.objects.filter(pk=found.pk).first()
    if row is None:
        return None
    lease = parse_lease(bytes(row.lease))
    moments = {
        Step.WARNING: lease.warn_at_us, Step.NO_NEW_CARDS: lease.no_new_cards_at_us, Step.NO_SALES: lease.no_sales_at_us,
        Step.STOP: lease.stop_at_us,
    }  # fmt: skip
    return {
        "serial": row.serial,
        "issued": formats.moment(row.issued_at),
        "steps": [(str(_words(STEP_TEXT[step])), formats.moment(from_epoch_us(at))) for step, at in moments.items()],
    }


def _words(text: Any) -> str:
    from django.utils.translation import get_language

    return str(text.en if (get_language() or "").startswith("en") else text.zh)


def _terminals(found: Line) -> list[dict[str, Any]]:
    return [
        {
            "pk": one.pk,
            "tid": one.tid,
            "name": one.name or "–",
            "state": one.get_state_display(),
            "certificate": bytes(one.certificate_sha256 or b"").hex()[:16],
            "until": formats.moment(one.certificate_until) if one.certificate_until else "–",
        }
        for one in Terminal.objects.filter(line=found).order_by("tid")[:200]
    ]
