"""Admission (G2, O4): where the authority's key is, where devices enrol, leases, open codes, and who was refused."""

from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from django import forms
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_POST

from onecard.consoles.centre import audit, formats
from onecard.consoles.centre.identity import of_request, operators
from onecard.consoles.centre.pages.acts import attempt, submit
from onecard.consoles.centre.pages.base import address, needs, number, render
from onecard.consoles.centre.pages.panels import CODE, NUMBER, Cell, Column, Table
from onecard.consoles.centre.roles import Can, allowed
from onecard.consoles.centre.said import REFUSALS
from onecard.services.devices import api
from onecard.services.devices.models import AdmissionSettings, EnrolmentCode, RefusedAttempt

_PAGE = 50


class SettingsForm(forms.Form):
    """Where devices enrol, and the steps of a lease."""

    gateway = forms.CharField(
        label=gettext_lazy("Devices enrol at (host:port)"), max_length=260, help_text=gettext_lazy("Stands in the QR code.")
    )
    renew_hours = forms.IntegerField(label=gettext_lazy("New lease every (hours)"), min_value=1, max_value=8784)
    warn_hours = forms.IntegerField(label=gettext_lazy("Off line: warn after (hours)"), min_value=1, max_value=8784)
    no_new_cards_hours = forms.IntegerField(label=gettext_lazy("No new cards after (hours)"), min_value=1, max_value=8784)
    no_sales_hours = forms.IntegerField(label=gettext_lazy("No sales after (hours)"), min_value=1, max_value=8784)
    stop_hours = forms.IntegerField(label=gettext_lazy("Stop after (hours)"), min_value=1, max_value=8784)


@needs(Can.VIEW_DIRECTORY)
def admission(request: HttpRequest) -> HttpResponse:
    """The page."""
    return _page(request)


@needs(Can.CHANGE_DIRECTORY)
@require_POST
def settings(request: HttpRequest) -> HttpResponse:
    """Change them."""
    form = SettingsForm(request.POST)

    def perform(values: dict[str, Any]) -> AdmissionSettings:
        return api.set_admission_settings(values.pop("gateway"), values, actor=of_request(request))

    if submit(request, form, perform, name=gettext_noop("admission settings changed"), done=_("Saved.")):
        return redirect("admin:centre_admission")
    return _page(request, form=form)


@needs(Can.CHANGE_DIRECTORY)
@require_POST
def withdraw(request: HttpRequest, code_id: int) -> HttpResponse:
    """Make an open code void."""
    code = _codes(request).filter(pk=code_id).first()
    if code is None:
        raise Http404

    def perform() -> None:
        api.withdraw_code(code_id, actor=of_request(request))
        audit.record(request, code.line or code.terminal, gettext_noop("enrolment code withdrawn"))

    attempt(request, perform, done=_("The code is void."))
    return redirect("admin:centre_admission")


@needs(Can.VIEW_DIRECTORY)
def attempt_page(request: HttpRequest, attempt_id: int) -> HttpResponse:
    """One refused attempt with all of its certificate."""
    found = _attempts(request).filter(pk=attempt_id).first()
    if found is None:
        raise Http404
    context = {
        "title": _("Refused attempt"),
        "row": found,
        "reason": _reason(found.reason),
        "first_at": formats.moment(found.first_at),
        "last_at": formats.moment(found.last_at),
        "fingerprint": bytes(found.certificate_sha256).hex(),
        "certificate": _certificate(bytes(found.certificate_der)),
        "line_url": reverse("admin:centre_admission_line", args=[found.line_id]) if found.line_id else "",
    }
    return render(request, "centre/admission_attempt.html", context)


def _page(request: HttpRequest, *, form: SettingsForm | None = None) -> HttpResponse:
    may = allowed(request, Can.CHANGE_DIRECTORY)
    current = api.admission_settings()
    if form is None:
        form = SettingsForm(initial={name: getattr(current, name) for name in SettingsForm.base_fields})
    if not may or of_request(request).operators is not None:
        for field in form.fields.values():
            field.disabled = True
    where = api.standing()
    before = number(request.GET.get("before"))
    text = request.GET.get("q", "").strip()
    attempts = _attempts(request)
    if text:
        attempts = attempts.filter(Q(address__startswith=text) | Q(subject__icontains=text) | Q(reason=text))
    # By number: a page stays the same page while attempts keep coming.
    found = list((attempts.filter(pk__lt=before) if before else attempts).order_by("-pk")[:_PAGE])
    context = {
        "title": _("Admission"),
        "where": where,
        "authority": _authority(),
        "form": form,
        "may_change": may,
        "may_set": may and of_request(request).operators is None,
        "codes": _open_codes(request),
        "attempts": _attempts_table(found),
        "q": text,
        "next": address(request, before=found[-1].pk) if len(found) == _PAGE else None,
        "first": address(request, before=None) if before else None,
    }
    return render(request, "centre/admission.html", context)


def _authority() -> dict[str, str] | None:
    root = api.root_certificate()
    if root is None:
        return None
    digest = api.root_sha256().hex()
    return {"name": root.subject.rfc4514_string(), "sha256": digest, "until": formats.moment(root.not_valid_after_utc)}


def _codes(request: HttpRequest) -> Any:
    bound = operators(request)
    found = EnrolmentCode.objects.select_related("line", "terminal", "terminal__line")
    if bound is None:
        return found
    mine = Q()
    for way in ("line", "terminal__line"):
        mine |= Q(**{f"{way}__operator_id__in": bound}) | Q(**{f"{way}__unit__operator_id__in": bound})
    return found.filter(mine)


def _open_codes(request: HttpRequest) -> list[dict[str, Any]]:
    live = _codes(request).filter(used_at=None, withdrawn_at=None, expires_at__gt=datetime.now(UTC)).order_by("expires_at")
    return [
        {
            "pk": code.pk,
            "subject": str(code.line or code.terminal),
            "url": reverse("admin:centre_admission_line", args=[code.line_id or code.terminal.line_id]),
            "made_by": code.made_by,
            "made_at": formats.moment(code.made_at),
            "expires_at": formats.moment(code.expires_at),
        }
        for code in live[:_PAGE]
    ]


def _attempts(request: HttpRequest) -> Any:
    """All for those who see all; those with a certificate of a line of theirs for the rest."""
    bound = operators(request)
    found = RefusedAttempt.objects.select_related("line")
    if bound is None:
        return found
    return found.filter(Q(line__operator_id__in=bound) | Q(line__unit__operator_id__in=bound))


def _attempts_table(found: list[RefusedAttempt]) -> Table:
    columns = (
        Column(_("Last"), CODE), Column(_("From"), CODE), Column(_("Reason")), Column(_("Certificate")), Column(_("Line")),
        Column(_("Times"), NUMBER),
    )  # fmt: skip
    rows = [
        (
            Cell(formats.moment(one.last_at), link=reverse("admin:centre_admission_attempt", args=[one.pk])),
            one.address,
            _reason(one.reason),
            Cell(one.subject or "–", note=bytes(one.certificate_sha256).hex()[:16]),
            Cell(one.line, link=reverse("admin:centre_admission_line", args=[one.line_id])) if one.line else "–",
            formats.count(one.times),
        )
        for one in found
    ]
    return Table("attempts", columns, _("Nobody was refused."), rows)


def _reason(name: str) -> str:
    return str(REFUSALS.get(name, name))


def _certificate(der: bytes) -> dict[str, Any] | None:
    """What a stranger's certificate says of itself."""
    if not der:
        return None
    try:
        found = x509.load_der_x509_certificate(der)
        return {
            "subject": found.subject.rfc4514_string(),
            "issuer": found.issuer.rfc4514_string(),
            "serial": f"{found.serial_number:x}",
            "from": formats.moment(found.not_valid_before_utc),
            "until": formats.moment(found.not_valid_after_utc),
        }
    except Exception:  # whatever a stranger sends must not break the page that shows it
        return {"subject": _("cannot be read"), "issuer": "–", "serial": "–", "from": "–", "until": "–"}
