"""Departments of a unit (O5), and the legal caps on what a purse may hold (C3): small tables that a desk keeps."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_POST

from onecard.consoles.centre import formats
from onecard.consoles.centre.identity import of_request, operators
from onecard.consoles.centre.pages.acts import DateField, YuanField, attempt, submit
from onecard.consoles.centre.pages.base import needs, number, render
from onecard.consoles.centre.pages.panels import CODE, NUMBER, Cell, Column, Table
from onecard.consoles.centre.roles import Can, allowed
from onecard.services.operators.models import Unit
from onecard.services.people import api
from onecard.services.people.models import Department, LegalCap


class DepartmentForm(forms.Form):
    """A department."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=60)
    code = forms.CharField(label=gettext_lazy("Code"), max_length=20, required=False)
    parent = forms.ModelChoiceField(
        label=gettext_lazy("Below"), queryset=Department.objects.none(), required=False, empty_label=gettext_lazy("at the top")
    )


class CapForm(forms.Form):
    """What a purse may hold from a day on."""

    valid_from = DateField(label=gettext_lazy("Valid from"))
    anonymous_fen = YuanField(label=gettext_lazy("Anonymous (yuan; 0 is no cap)"))
    registered_fen = YuanField(label=gettext_lazy("With a name (yuan; 0 is no cap)"))
    basis = forms.CharField(label=gettext_lazy("Basis"), max_length=200, required=False)


@needs(Can.VIEW_HOLDERS)
def departments(request: HttpRequest) -> HttpResponse:
    """The departments of one unit as a tree; with the right to it, the form for a new one."""
    bound, unit_id = operators(request), number(request.GET.get("unit"))
    units = Unit.objects.exclude(state="closed").select_related("operator").order_by("operator_id", "code")
    units = units if bound is None else units.filter(operator_id__in=bound)
    unit = units.filter(pk=unit_id or 0).first()
    may_change = allowed(request, Can.CHANGE_HOLDERS)
    form = None
    if unit is not None and may_change:
        form = DepartmentForm(request.POST or None)
        form.fields["parent"].queryset = Department.objects.filter(unit=unit).order_by("id")  # type: ignore[attr-defined]
        if request.method == "POST" and submit(
            request,
            form,
            lambda values: api.create_department(
                unit.pk,
                values["name"],
                actor=of_request(request),
                parent_id=values["parent"].pk if values["parent"] else None,
                code=values["code"],
            ),
            name=gettext_noop("department made"),
            done=_("Saved."),
        ):
            return redirect(f"{reverse('admin:centre_departments')}?unit={unit.pk}")
    context = {
        "title": _("Departments"),
        "units": units,
        "unit": unit,
        "rows": _tree(unit) if unit else [],
        "form": form,
        "may_change": may_change,
    }
    return render(request, "centre/departments.html", context)


def _tree(unit: Unit) -> list[dict[str, Any]]:
    """The departments in the order of their paths, each with its depth."""
    found = list(Department.objects.filter(unit=unit).order_by("id"))
    below: dict[int | None, list[Department]] = {}
    for row in found:
        below.setdefault(row.parent_id, []).append(row)
    rows: list[dict[str, Any]] = []

    def walk(parent: int | None, depth: int) -> None:
        for row in below.get(parent, ()):
            rows.append({"row": row, "indent": "　" * depth})
            walk(row.pk, depth + 1)

    walk(None, 0)
    return rows


@needs(Can.CHANGE_HOLDERS)
@require_POST
def change_department(request: HttpRequest, department_id: int) -> HttpResponse:
    """Rename or remove one."""
    actor, act = of_request(request), request.POST.get("act")
    if act == "remove":
        attempt(request, lambda: api.remove_department(department_id, actor=actor), done=_("The department is removed."))
    else:
        name, code = request.POST.get("name", "")[:60], request.POST.get("code", "")[:20]
        changed = gettext_noop("department changed")
        attempt(
            request,
            lambda: api.change_department(department_id, actor=actor, name=name, code=code),
            name=changed,
            done=_("Saved."),
        )
    return redirect(f"{reverse('admin:centre_departments')}?unit={number(request.POST.get('unit')) or ''}")


@needs(Can.VIEW_HOLDERS)
def caps(request: HttpRequest) -> HttpResponse:
    """The legal caps by day, and the form for the next."""
    form = CapForm(request.POST or None) if allowed(request, Can.CHANGE_DIRECTORY) else None
    if form is not None and request.method == "POST":

        def perform(values: dict[str, Any]) -> LegalCap:
            api.set_cap(api.Cap(**values), actor=of_request(request))
            return LegalCap.objects.get(pk=values["valid_from"])

        if submit(request, form, perform, name=gettext_noop("legal cap set"), done=_("Saved.")):
            return redirect("admin:centre_caps")
    current = api.cap_in_force()
    rows = [
        [
            row.valid_from.isoformat(),
            _cap(row.anonymous_fen),
            _cap(row.registered_fen),
            row.basis or "–",
            Cell(_("in force"), tone="good") if current and current.valid_from == row.valid_from else "",
        ]
        for row in api.caps()
    ]
    columns = [
        Column(_("Valid from"), CODE), Column(_("Anonymous"), NUMBER), Column(_("With a name"), NUMBER), Column(_("Basis")),
        Column(_("State")),
    ]  # fmt: skip
    table = Table("caps", columns, _("No legal cap is set: a purse may hold any amount its card type allows."), rows)
    return render(request, "centre/caps.html", {"title": _("Legal caps"), "table": table, "form": form})


def _cap(fen: int) -> str:
    return f"¥{formats.yuan(fen)}" if fen else _("no limit")
