"""Cardholders (C3, C6): finding them, registering and changing one, the photo, closing. No document number is shown."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_POST

from onecard.consoles.centre import formats, labels
from onecard.consoles.centre.identity import of_request, operators
from onecard.consoles.centre.pages.acts import attempt, submit
from onecard.consoles.centre.pages.base import address, needs, number, operator_choices, render
from onecard.consoles.centre.pages.panels import CODE, Cell, Column, Table
from onecard.consoles.centre.roles import Can, allowed
from onecard.services.operators.models import Operator, Unit
from onecard.services.people import api
from onecard.services.people.models import Department, Gender, Holder, HolderState
from onecard.services.people.models.holder import DOCUMENT_CHOICES
from onecard.services.purses.models import Account, Card

PAGE = 50
_TONES = {"active": "good", "closed": ""}


class _UnitChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, unit: Unit) -> str:
        return f"{unit.operator.name} / {unit}"


class _DepartmentChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, department: Department) -> str:
        return f"{department.unit.name} / {department.name}"


class PlaceForm(forms.Form):
    """Where somebody belongs, and how to reach them."""

    unit = _UnitChoice(label=gettext_lazy("Unit"), queryset=Unit.objects.none(), required=False, empty_label=gettext_lazy("none"))
    department = _DepartmentChoice(
        label=gettext_lazy("Department"), queryset=Department.objects.none(), required=False, empty_label=gettext_lazy("none")
    )
    staff_no = forms.CharField(label=gettext_lazy("Staff or student number"), max_length=32, required=False)
    gender = forms.ChoiceField(label=gettext_lazy("Gender"), choices=Gender.choices, required=False)
    phone = forms.CharField(label=gettext_lazy("Phone"), max_length=20, required=False)

    def __init__(self, *args: Any, bound: frozenset[int] | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        units = Unit.objects.exclude(state="closed").select_related("operator").order_by("operator_id", "code")
        departments = Department.objects.select_related("unit").order_by("unit_id", "id")
        if bound is not None:
            units, departments = units.filter(operator_id__in=bound), departments.filter(unit__operator_id__in=bound)
        self.fields["unit"].queryset = units  # type: ignore[attr-defined]
        self.fields["department"].queryset = departments  # type: ignore[attr-defined]

    def place(self) -> dict[str, Any]:
        """What was filled in, as the service names it."""
        values = self.cleaned_data
        return {
            "unit_id": values["unit"].pk if values["unit"] else None,
            "department_id": values["department"].pk if values["department"] else None,
            "staff_no": values["staff_no"],
            "gender": values["gender"],
            "phone": values["phone"],
        }


class NewHolderForm(PlaceForm):
    """Somebody new; without a name, anonymous."""

    operator = forms.ModelChoiceField(label=gettext_lazy("Operator"), queryset=Operator.objects.none(), empty_label=None)
    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=50, required=False, help_text=gettext_lazy("Left empty: an anonymous cardholder.")
    )
    document_type = forms.ChoiceField(label=gettext_lazy("Document"), choices=DOCUMENT_CHOICES, required=False)
    document_no = forms.CharField(label=gettext_lazy("Document number"), max_length=40, required=False)
    field_order = ("operator", "name", "document_type", "document_no", "unit", "department", "staff_no", "gender", "phone")

    def __init__(self, *args: Any, bound: frozenset[int] | None, **kwargs: Any) -> None:
        super().__init__(*args, bound=bound, **kwargs)
        found = Operator.objects.exclude(status="closed").order_by("id")
        self.fields["operator"].queryset = found if bound is None else found.filter(pk__in=bound)  # type: ignore[attr-defined]
        self.fields["document_no"].widget.attrs["autocomplete"] = "off"


class ChangeForm(PlaceForm):
    """What of somebody may change."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=50)
    field_order = ("name", "unit", "department", "staff_no", "gender", "phone")


class RegisterForm(forms.Form):
    """Who an anonymous cardholder is."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=50)
    document_type = forms.ChoiceField(label=gettext_lazy("Document"), choices=DOCUMENT_CHOICES[1:])
    document_no = forms.CharField(label=gettext_lazy("Document number"), max_length=40)
    phone = forms.CharField(label=gettext_lazy("Phone"), max_length=20, required=False)


class PhotoForm(forms.Form):
    """A picture."""

    photo = forms.FileField(label=gettext_lazy("Photo (JPEG or PNG, at most 200 KB)"))


def visible(request: HttpRequest) -> "QuerySet[Holder]":
    """The cardholders of the operators the user may see."""
    bound = operators(request)
    return Holder.objects.all() if bound is None else Holder.objects.filter(operator_id__in=bound)


def _one(request: HttpRequest, holder_id: int) -> Holder:
    found = visible(request).select_related("operator", "unit", "department").filter(pk=holder_id).first()
    if found is None:
        raise Http404
    return found


@needs(Can.VIEW_HOLDERS)
def holders(request: HttpRequest) -> HttpResponse:
    """The list: all, of an operator, or what a name, phone, number or document finds."""
    asked = {name: request.GET.get(name, "").strip() for name in ("name", "phone", "staff_no")}
    operator, after = number(request.GET.get("operator")), number(request.GET.get("after"))
    found = visible(request).select_related("operator", "unit").filter(pk__gt=after or 0)
    if operator is not None:
        found = found.filter(operator_id=operator)
    found = found.filter(**{name: text for name, text in asked.items() if text})
    page = list(found.order_by("pk")[:PAGE])
    columns = [
        Column(_("Number"), CODE), Column(_("Name")), Column(_("Document")), Column(_("Operator")), Column(_("Unit")),
        Column(_("Phone"), CODE), Column(_("State")),
    ]  # fmt: skip
    context = {
        "title": _("Cardholders"),
        "asked": asked,
        "operator": operator,
        "operators": operator_choices(request),
        "document_types": DOCUMENT_CHOICES[1:],
        "table": Table("holders", columns, _("No cardholder was found."), [_row(holder) for holder in page]),
        "next": address(request, after=page[-1].pk) if len(page) == PAGE else None,
        "first": address(request, after=None) if after else None,
        "may_change": allowed(request, Can.CHANGE_HOLDERS),
    }
    return render(request, "centre/holders.html", context)


@needs(Can.VIEW_HOLDERS)
@require_POST
def find(request: HttpRequest) -> HttpResponse:
    """To the cardholder with a document. A form of its own that posts: a document number has no place in an address."""
    kind, document_no = request.POST.get("document_type", ""), request.POST.get("document_no", "").strip()
    for operator in operator_choices(request) if document_no else ():
        found = api.find_by_document(operator.pk, kind, document_no)
        if found is not None:
            return redirect("admin:centre_holder", found)
    messages.error(request, _("No cardholder has this document."))
    return redirect("admin:centre_holders")


def _row(holder: Holder) -> list[Any]:
    return [
        Cell(holder.pk, reverse("admin:centre_holder", args=[holder.pk])),
        holder.name or _("anonymous"),
        _document(holder),
        holder.operator.name,
        holder.unit.name if holder.unit else "–",
        holder.phone or "–",
        Cell(holder.get_state_display(), tone=_TONES.get(holder.state, "")),
    ]


def _document(holder: Holder) -> str:
    return f"{holder.get_document_type_display()} ****{holder.document_last4}" if holder.document_type else "–"


@needs(Can.CHANGE_HOLDERS)
def new_holder(request: HttpRequest) -> HttpResponse:
    """Register somebody."""
    form = NewHolderForm(request.POST or None, bound=operators(request))
    made: list[Holder] = []

    def perform(values: dict[str, Any]) -> Holder:
        person = {name: values[name] for name in ("name", "document_type", "document_no")}
        made.append(api.create_holder(values["operator"].pk, api.NewHolder(**person, **form.place()), actor=of_request(request)))
        return made[0]

    if request.method == "POST" and submit(request, form, perform, name=gettext_noop("cardholder registered"), done=_("Saved.")):
        return redirect("admin:centre_holder", made[0].pk)
    context = {
        "title": _("Register a cardholder"),
        "form": form,
        "button": _("Register"),
        "back": reverse("admin:centre_holders"),
    }
    return render(request, "centre/act.html", context)


@needs(Can.VIEW_HOLDERS)
def holder(request: HttpRequest, holder_id: int) -> HttpResponse:
    """One cardholder: data, photo, accounts and cards, and what may be changed."""
    found = _one(request, holder_id)
    may_change = allowed(request, Can.CHANGE_HOLDERS) and found.state == HolderState.ACTIVE
    anonymous = found.anonymous
    first = {name: getattr(found, name) for name in ("name", "unit", "department", "staff_no", "gender", "phone")}
    data = request.POST if request.method == "POST" else None
    form: Any = RegisterForm(data) if anonymous else ChangeForm(data, initial=first, bound=operators(request))
    if request.method == "POST":
        if not may_change:
            raise PermissionDenied
        act = gettext_noop("cardholder registered by name") if anonymous else gettext_noop("cardholder changed")

        def perform(values: dict[str, Any]) -> Holder:
            if anonymous:
                return api.register_holder(holder_id, api.Identity(**values), actor=of_request(request))
            return api.change_holder(holder_id, actor=of_request(request), name=values["name"], **form.place())

        if submit(request, form, perform, name=act, done=_("Saved.")):
            return redirect("admin:centre_holder", holder_id)
    context = {
        "title": found.name or _("Anonymous cardholder %(number)s") % {"number": found.pk},
        "holder": found,
        "facts": _facts(found),
        "tone": _TONES.get(found.state, ""),
        "has_photo": api.photo(holder_id) is not None,
        "accounts": _accounts_table(holder_id, may_open=allowed(request, Can.VIEW_ACCOUNTS)),
        "cards": _cards_table(holder_id, may_open=allowed(request, Can.VIEW_CARDS)),
        "form": form if may_change else None,
        "photo_form": PhotoForm() if may_change else None,
        "button": _("Register by name") if anonymous else _("Save"),
    }
    return render(request, "centre/holder.html", context)


def _facts(found: Holder) -> list[tuple[str, Any]]:
    return [
        (_("Number"), found.pk),
        (_("Document"), _document(found)),
        (_("Operator"), found.operator.name),
        (_("Unit"), found.unit.name if found.unit else "–"),
        (_("Department"), found.department.name if found.department else "–"),
        (_("Staff or student number"), found.staff_no or "–"),
        (_("Gender"), found.get_gender_display()),
        (_("Phone"), found.phone or "–"),
        (_("Registered"), formats.moment(found.registered_at)),
    ]


def _accounts_table(holder_id: int, *, may_open: bool) -> Table:
    rows = [
        [
            Cell(account.account_no, reverse("admin:centre_account", args=[account.account_no]) if may_open else ""),
            Cell(labels.ACCOUNT_STATES.get(account.status, account.status), tone=labels.tone(account.status)),
            formats.moment(account.opened_at),
        ]
        for account in Account.objects.filter(holder_id=holder_id).order_by("account_no")[:PAGE]
    ]
    columns = [Column(_("Account"), CODE), Column(_("State")), Column(_("Opened"), CODE)]
    return Table("accounts", columns, _("No account yet: it is opened with the first card."), rows)


def _cards_table(holder_id: int, *, may_open: bool) -> Table:
    rows = [
        [
            Cell(card.card_no, reverse("admin:centre_card", args=[card.card_no]) if may_open else ""),
            labels.MEDIA.get(card.medium, card.medium),
            Cell(labels.CARD_STATES.get(card.status, card.status), tone=labels.tone(card.status)),
            card.valid_until.isoformat() if card.valid_until else "–",
        ]
        for card in Card.objects.filter(account__holder_id=holder_id).order_by("card_no")[:PAGE]
    ]
    columns = [Column(_("Card"), CODE), Column(_("Medium")), Column(_("State")), Column(_("Valid until"), CODE)]
    return Table("cards", columns, _("No card yet."), rows)


@needs(Can.VIEW_HOLDERS)
def photo(request: HttpRequest, holder_id: int) -> HttpResponse:
    """The picture; on our own pages alone, and not kept by the browser."""
    _one(request, holder_id)
    found = api.photo(holder_id)
    if found is None:
        raise Http404
    content, media_type = found
    return HttpResponse(content, content_type=media_type, headers={"Content-Disposition": "inline", "Cache-Control": "no-store"})


@needs(Can.CHANGE_HOLDERS)
@require_POST
def set_photo(request: HttpRequest, holder_id: int) -> HttpResponse:
    """Another picture."""
    found, form = _one(request, holder_id), PhotoForm(request.POST, request.FILES)
    if form.is_valid():

        def perform() -> Holder:
            api.set_photo(holder_id, form.cleaned_data["photo"].read(), actor=of_request(request))
            return found

        attempt(request, perform, name=gettext_noop("photo changed"), done=_("The photo is saved."))
    return redirect("admin:centre_holder", holder_id)


@needs(Can.CHANGE_HOLDERS)
@require_POST
def close(request: HttpRequest, holder_id: int) -> HttpResponse:
    """The cardholder no longer counts; accounts and cards keep their own life."""
    found = _one(request, holder_id)

    def perform() -> Holder:
        api.close_holder(holder_id, actor=of_request(request))
        return found

    attempt(request, perform, name=gettext_noop("cardholder closed"), done=_("The cardholder is closed."))
    return redirect("admin:centre_holder", holder_id)
