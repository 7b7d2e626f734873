"""Parameters by template and by device (D1): what is set for whom; exactly what a change does is shown before it is applied."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy, gettext_noop
from django.utils.translation import gettext as _

from onecard.consoles.centre import audit, formats
from onecard.consoles.centre.forms import error_text
from onecard.consoles.centre.identity import of_request, operators
from onecard.consoles.centre.pages.base import needs, render
from onecard.consoles.centre.pages.deviceparts import place_link
from onecard.consoles.centre.pages.devices import need_device
from onecard.consoles.centre.pages.devicestatus import parameter_titles, shown
from onecard.consoles.centre.pages.panels import CODE, NUMBER, Cell, Column, Table
from onecard.consoles.centre.roles import Can, allowed
from onecard.kernel.errors import OneCardError
from onecard.services.devices.models import (
    DeviceModel,
    DeviceOverride,
    LineParameters,
    Parameter,
    ParameterChange,
    ParameterTemplate,
)
from onecard.services.devices.registry import parameters as service
from onecard.services.devices.registry.values import allowed as allowed_values
from onecard.services.devices.registry.values import parse_value
from onecard.services.operators.models import Unit

_SHOWN = 200
_PREFIX = "p-"


class ScopeForm(forms.Form):
    """For which devices a template is."""

    model = forms.ModelChoiceField(
        label=gettext_lazy("Model"), queryset=DeviceModel.objects.order_by("maker", "model"), required=False
    )
    unit = forms.ModelChoiceField(label=gettext_lazy("Unit"), queryset=Unit.objects.none(), required=False)

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field, bound = self.fields["unit"], operators(request)
        assert isinstance(field, forms.ModelChoiceField)
        found = Unit.objects.order_by("id")
        field.queryset = found if bound is None else found.filter(operator_id__in=bound)


@needs(Can.VIEW_DEVICES)
def templates(request: HttpRequest) -> HttpResponse:
    """The templates, what was changed lately, and what waits to be published."""
    found = ParameterTemplate.objects.select_related("model", "unit").order_by("model__maker", "model__model", "unit_id")
    bound = operators(request)
    if bound is not None:
        found = found.filter(Q(unit__isnull=True) | Q(unit__operator_id__in=bound))
    return render(
        request,
        "centre/templates.html",
        {
            "title": _("Device parameters"),
            "table": _templates_table(list(found[:_SHOWN])),
            "parameters": _parameters_table(),
            "changes": _changes_table(request),
            "waiting": _waiting(request),
            "form": ScopeForm(request) if allowed(request, Can.CHANGE_DEVICES) else None,
        },
    )


@needs(Can.CHANGE_DEVICES)
def template(request: HttpRequest) -> HttpResponse:
    """The values of a template; first shown what they change, then applied."""
    scope = ScopeForm(request, request.GET)
    if not scope.is_valid() or not (scope.cleaned_data["model"] or scope.cleaned_data["unit"]):
        messages.error(request, _("Choose a model, a unit, or both."))
        return redirect("admin:centre_templates")
    model, unit = scope.cleaned_data["model"], scope.cleaned_data["unit"]
    wanted = Q(model=model) if model else Q(model=None)
    held = ParameterTemplate.objects.filter(wanted, Q(unit=unit) if unit else Q(unit=None)).first()
    change = service.Change({}, model_id=model.pk if model else None, unit_id=unit.pk if unit else None)
    name = " / ".join(str(part) for part in (unit, model) if part)
    return _edit(request, change, held.values if held else {}, title=name, back=reverse("admin:centre_templates"))


@needs(Can.CHANGE_DEVICES)
def override(request: HttpRequest, device_id: int) -> HttpResponse:
    """The values of one device, the same way."""
    device = need_device(request, device_id)
    held = DeviceOverride.objects.filter(device=device).values_list("values", flat=True).first() or {}
    change = service.Change({}, device_id=device_id)
    back = reverse("admin:centre_registry_device", args=[device_id])
    return _edit(request, change, held, title=f"{device.model} {device.serial}", back=back)


def _edit(request: HttpRequest, base: service.Change, held: Mapping[str, Any], *, title: str, back: str) -> HttpResponse:
    typed = {key: _typed(value) for key, value in held.items()}
    context: dict[str, Any] = {"title": title, "back": back}
    if request.method == "POST":
        typed = {key.removeprefix(_PREFIX): str(text) for key, text in request.POST.items() if key.startswith(_PREFIX)}
        try:
            change = service.Change(_parse(typed), base.model_id, base.unit_id, base.device_id)
            if request.POST.get("act") == "apply":
                _apply(request, change, request.POST.get("token", ""))
                return redirect(back)
            context["seen"] = _seen(service.preview(change, actor=of_request(request)))
        except OneCardError as refusal:
            context["problem"] = error_text(refusal)
    context["fields"] = [_field(parameter, typed.get(parameter.key, "")) for parameter in Parameter.objects.all()]
    return render(request, "centre/template.html", context)


def _apply(request: HttpRequest, change: service.Change, token: str) -> None:
    with transaction.atomic():
        done = service.apply(change, token=token, actor=of_request(request))
        audit.record(request, done, gettext_noop("device parameters changed"), devices=done.devices)
    messages.success(request, _("Applied to %(count)d devices; it is published to them now.") % {"count": done.devices})


def _parse(typed: Mapping[str, str]) -> dict[str, Any]:
    known = Parameter.objects.in_bulk()
    return {key: parse_value(known[key], text) for key, text in typed.items() if text.strip() and key in known}


def _typed(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _field(parameter: Parameter, text: str) -> dict[str, Any]:
    english = (get_language() or "").startswith("en")
    options = [("true", _("yes")), ("false", _("no"))] if parameter.kind == "boolean" else [(c, c) for c in parameter.choices]
    return {
        "name": _PREFIX + parameter.key,
        "title": parameter.title_en if english else parameter.title_zh,
        "hint": allowed_values(parameter)[1 if english else 0],
        "default": shown(parameter.default),
        "options": options,
        "value": text,
    }


def _seen(found: service.Preview) -> dict[str, Any]:
    """The preview as the page shows it: every difference up to a page's worth, and the number of the rest."""
    titles = parameter_titles()
    columns = [Column(_("Device")), Column(_("Parameter")), Column(_("Now"), CODE), Column(_("Then"), CODE)]
    cells = [
        [
            Cell(each.place, link=place_link(each.line_id, each.terminal_id)),
            Cell(titles.get(each.parameter, each.parameter), note=each.parameter),
            shown(each.old),
            Cell(shown(each.new), tone="warn"),
        ]
        for each in found.differences[:_SHOWN]
    ]
    return {
        "table": Table("preview", columns, _("Nothing changes for any device."), cells),
        "touched": found.places - found.untouched,
        "untouched": found.untouched,
        "more": max(len(found.differences) - _SHOWN, 0),
        "token": found.token,
        "lines": len(found.lines),
    }


def _templates_table(rows: list[ParameterTemplate]) -> Table:
    titles = parameter_titles()
    columns = [Column(_("For")), Column(_("Values")), Column(_("Changed"), CODE)]
    cells = []
    for row in rows:
        query = "&".join(f"{key}={value}" for key, value in (("model", row.model_id), ("unit", row.unit_id)) if value)
        values = "，".join(f"{titles.get(key, key)} = {shown(value)}" for key, value in row.values.items()) or "–"
        name = " / ".join(str(part) for part in (row.unit, row.model) if part)
        link = f"{reverse('admin:centre_template')}?{query}"
        cells.append([Cell(name, link=link), values, Cell(formats.moment(row.changed_at), note=row.changed_by)])
    return Table("templates", columns, _("There is no template yet: every device has the defaults."), cells)


def _parameters_table() -> Table:
    titles = parameter_titles()
    columns = [Column(_("Parameter")), Column(_("Allowed")), Column(_("Default"))]
    language = 1 if (get_language() or "").startswith("en") else 0
    cells = [
        [Cell(titles[each.key], note=each.key), allowed_values(each)[language], shown(each.default)]
        for each in Parameter.objects.all()
    ]
    return Table("parameters", columns, "", cells)


def _changes_table(request: HttpRequest) -> Table:
    bound = operators(request)
    found = ParameterChange.objects.select_related("template__model", "template__unit", "device__model").order_by("-id")
    if bound is not None:
        mine = Q(template__unit__operator_id__in=bound) | Q(device__line__unit__operator_id__in=bound)
        found = found.filter(mine | Q(device__terminal__merchant__operator_id__in=bound))
    columns = [Column(_("Time"), CODE), Column(_("By")), Column(_("For")), Column(_("Devices"), NUMBER)]
    cells = [
        [formats.moment(row.at), row.who, str(row.template or row.device or "–"), formats.count(row.devices)]
        for row in found[:30]
    ]
    return Table("changes", columns, _("Nothing was changed yet."), cells)


def _waiting(request: HttpRequest) -> dict[str, Any]:
    bound = operators(request)
    found = LineParameters.objects.exclude(published_version=F("version"))
    if bound is not None:
        found = found.filter(Q(line__operator_id__in=bound) | Q(line__unit__operator_id__in=bound))
    problem = found.exclude(problem="").values_list("problem", flat=True).first()
    return {"count": found.count(), "problem": problem or ""}
