"""Alarms of devices (D1): acknowledge and clear with a name and a note; rules with thresholds; who is told, what was sent."""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_POST

from onecard.consoles.centre import formats
from onecard.consoles.centre.identity import of_request, operators
from onecard.consoles.centre.pages import deviceparts as parts
from onecard.consoles.centre.pages.acts import attempt, submit
from onecard.consoles.centre.pages.base import address, needs, number, operator_choices, render
from onecard.consoles.centre.pages.panels import CODE, NUMBER, Cell, Column, Table
from onecard.consoles.centre.roles import Can, allowed
from onecard.consoles.centre.said import in_words
from onecard.services.devices.models import AlarmKind, AlarmMessage, AlarmRecipient, AlarmRule
from onecard.services.devices.models.alarms import Channel, MessageState, Severity, StepKind
from onecard.services.devices.registry import alarms as service
from onecard.services.devices.registry import mail, recipients
from onecard.services.operators.models import Operator

_PAGE = 50
_MESSAGE_TONES = {MessageState.WAITING: "warn", MessageState.SENT: "good", MessageState.FAILED: "bad"}


class RecipientForm(forms.Form):
    """Somebody to tell."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=100)
    channel = forms.ChoiceField(label=gettext_lazy("Channel"), choices=Channel.choices)
    address = forms.CharField(label=gettext_lazy("Mail address or https://…"), max_length=300)
    operator = forms.ModelChoiceField(
        label=gettext_lazy("Devices of"),
        queryset=Operator.objects.none(),
        required=False,
        empty_label=gettext_lazy("all operators"),
    )
    severity = forms.TypedChoiceField(label=gettext_lazy("From level"), choices=Severity.choices, coerce=int, initial=2)

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["operator"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Operator.objects.filter(pk__in=[each.pk for each in operator_choices(request)])
        if operators(request) is not None:
            field.required, field.empty_label = True, None


class RuleForm(forms.Form):
    """When a kind is raised."""

    enabled = forms.BooleanField(required=False)
    severity = forms.TypedChoiceField(choices=Severity.choices, coerce=int)
    threshold = forms.IntegerField(min_value=0, max_value=10**9)
    settle_s = forms.IntegerField(min_value=0, max_value=10**7)


@needs(Can.VIEW_DEVICES)
def alarms(request: HttpRequest) -> HttpResponse:
    """Open alarms, the worst first, or all there were; the list refreshes by itself."""
    now, show_all = timezone.now(), request.GET.get("show") == "all"
    found, kind = parts.visible_alarms(request), request.GET.get("kind", "")
    if kind in AlarmKind.values:
        found = found.filter(kind=kind)
    before = number(request.GET.get("before"))
    if show_all:
        found = (found.filter(pk__lt=before) if before else found).order_by("-id")
    else:
        found = found.filter(cleared_at__isnull=True).order_by("acknowledged_at", "-severity", "-id")
    rows = list(found[:_PAGE])
    steps = service.steps_of([row.pk for row in rows])
    context = {
        "title": _("Device alarms"),
        "alarms": [parts.alarm_cells(row, now=now) | {"steps": _steps(steps.get(row.pk, []))} for row in rows],
        "show_all": show_all,
        "url": request.get_full_path(),
        "at": formats.clock(now),
        "open_count": parts.visible_alarms(request).filter(cleared_at__isnull=True).count(),
        "kinds": [{"code": code, "name": name, "current": code == kind} for code, name in AlarmKind.choices],
        "kind": kind,
        "next": address(request, before=rows[-1].pk) if show_all and len(rows) == _PAGE else None,
        "first": address(request, before=None) if before else None,
    }
    return render(request, "centre/alarm_list.html" if request.headers.get("HX-Request") else "centre/alarms.html", context)


def _steps(steps: list[Any]) -> list[dict[str, str]]:
    return [_step(step) for step in steps if step.what != StepKind.RAISED]


def _step(step: Any) -> dict[str, str]:
    who = step.who or _("by itself")
    return {
        "at": formats.moment(step.at),
        "what": step.get_what_display(),
        "who": who,
        "note": step.note if step.who else in_words(step.note),
    }


@needs(Can.VIEW_DEVICES)
def alarm(request: HttpRequest, alarm_id: int) -> HttpResponse:
    """One alarm and its steps; acknowledge or clear it with a note."""
    found = parts.visible_alarms(request).filter(pk=alarm_id).first()
    if found is None:
        raise Http404
    if request.method == "POST":
        return _act(request, alarm_id)
    steps = [_step(step) for step in service.steps_of([alarm_id]).get(alarm_id, [])]
    context = {"title": found.get_kind_display(), "alarm": parts.alarm_cells(found) | {"steps": steps}}
    return render(request, "centre/alarm.html", context | {"may_change": allowed(request, Can.CHANGE_DEVICES)})


def _act(request: HttpRequest, alarm_id: int) -> HttpResponse:
    if not allowed(request, Can.CHANGE_DEVICES):
        raise PermissionDenied
    note, actor = request.POST.get("note", ""), of_request(request)
    if request.POST.get("act") == "clear":
        attempt(
            request,
            lambda: service.clear_by_hand(alarm_id, note=note, actor=actor),
            name=gettext_noop("alarm cleared"),
            done=_("Saved."),
        )
    else:
        attempt(
            request,
            lambda: service.acknowledge(alarm_id, note=note, actor=actor),
            name=gettext_noop("alarm acknowledged"),
            done=_("Saved."),
        )
    return redirect("admin:centre_alarm", alarm_id)


@needs(Can.VIEW_DEVICES)
def rules(request: HttpRequest) -> HttpResponse:
    """The rules and who is told."""
    return _rules(request)


@needs(Can.CHANGE_DEVICES)
@require_POST
def change_rule(request: HttpRequest, kind: str) -> HttpResponse:
    """A rule anew."""
    form = RuleForm(request.POST)

    def perform(values: dict[str, Any]) -> AlarmRule:
        return service.set_rule(kind, **values, actor=of_request(request))

    if submit(request, form, perform, name=gettext_noop("alarm rule changed"), done=_("Saved.")):
        return redirect("admin:centre_alarm_rules")
    return _rules(request, problem="；".join(str(error) for errors in form.errors.values() for error in errors))


@needs(Can.CHANGE_DEVICES)
@require_POST
def add_recipient(request: HttpRequest) -> HttpResponse:
    """Somebody more to tell."""
    form = RecipientForm(request, request.POST)

    def perform(values: dict[str, Any]) -> AlarmRecipient:
        operator = values.pop("operator")
        new = recipients.NewRecipient(**values, operator_id=operator.pk if operator else None)
        return recipients.add_recipient(new, actor=of_request(request))

    if submit(request, form, perform, name=gettext_noop("alarm recipient added"), done=_("Saved.")):
        return redirect("admin:centre_alarm_rules")
    return _rules(request, form=form)


@needs(Can.CHANGE_DEVICES)
@require_POST
def change_recipient(request: HttpRequest, recipient_id: int) -> HttpResponse:
    """Stop or go on telling; a new secret, or the one there is, in the answer to this request and nowhere else."""
    what, actor = request.POST.get("act", ""), of_request(request)
    secret: list[str] = []

    def perform() -> AlarmRecipient:
        if what == "rekey":
            secret.append(recipients.change_key(recipient_id, actor=actor))
        elif what == "secret":
            secret.append(recipients.secret_for(recipient_id, actor=actor))
        else:
            recipients.set_active(recipient_id, what == "resume", actor=actor)
        return AlarmRecipient.objects.get(pk=recipient_id)

    attempt(request, perform, name=gettext_noop("alarm recipient changed"))
    return _rules(request, secret=secret[0]) if secret else redirect("admin:centre_alarm_rules")


def _rules(request: HttpRequest, *, form: RecipientForm | None = None, secret: str = "", problem: str = "") -> HttpResponse:
    bound, may_change = operators(request), allowed(request, Can.CHANGE_DEVICES)
    told = AlarmRecipient.objects.select_related("operator").order_by("id")
    told = told if bound is None else told.filter(operator_id__in=bound)
    messages = AlarmMessage.objects.filter(recipient__in=told).select_related("recipient").prefetch_related("tries")
    return render(
        request,
        "centre/alarm_rules.html",
        {
            "title": _("Alarm rules and recipients"),
            "rules": list(AlarmRule.objects.order_by("-severity", "kind")),
            "severities": Severity.choices,
            "may_rule": may_change and bound is None,
            "may_change": may_change,
            "recipients": list(told),
            "form": (form or RecipientForm(request)) if may_change else None,
            "secret": secret,
            "problem": problem,
            "mail_missing": not mail.is_configured() and any(each.channel == Channel.MAIL for each in told),
            "messages_table": _messages(list(messages.order_by("-id")[:30])),
        },
    )


def _messages(rows: list[AlarmMessage]) -> Table:
    columns = [
        Column(_("Written"), CODE), Column(_("To")), Column(_("Alarms"), NUMBER), Column(_("State")), Column(_("Tries"), NUMBER),
        Column(_("Last try")),
    ]  # fmt: skip
    cells = []
    for row in rows:
        tries = list(row.tries.all())
        last = tries[-1] if tries else None
        cells.append(
            [
                formats.moment(row.made_at),
                Cell(row.recipient.name, note=row.recipient.address),
                formats.count(len(row.steps) + row.more),
                Cell(row.get_state_display(), tone=_MESSAGE_TONES[MessageState(row.state)]),
                row.attempts,
                Cell(last.detail, note=formats.moment(last.at)) if last else "–",
            ]
        )
    return Table("messages", columns, _("No message was sent yet."), cells)
