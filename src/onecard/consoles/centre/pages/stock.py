"""Stock (C1): what lies where, the documents that moved it, where one serial has been, and the forms of new documents."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from onecard.consoles.centre import formats
from onecard.consoles.centre.identity import of_request, operators
from onecard.consoles.centre.pages.acts import OnceForm, submit
from onecard.consoles.centre.pages.base import address, needs, number, render
from onecard.consoles.centre.pages.panels import CODE, NUMBER, Cell, Column, Table
from onecard.consoles.centre.roles import Can, allowed
from onecard.services.actors import Actor
from onecard.services.cards import api
from onecard.services.cards.api import DocumentKind, PlaceKind, StockDocument, StockLevel, StockPlace
from onecard.services.cards.models import OrderLine
from onecard.services.operators.models import CardType, Operator, Unit

PAGE = 50
_TITLES: dict[str, str | Promise] = {
    "order": gettext_lazy("Order cards"),
    "receive": gettext_lazy("Receive cards"),
    "hand-over": gettext_lazy("Hand cards over"),
    "return": gettext_lazy("Return cards"),
    "scrap": gettext_lazy("Scrap blanks"),
}
_HELD = (PlaceKind.CENTRE, PlaceKind.OPERATOR, PlaceKind.UNIT)


class OrderForm(OnceForm):
    """What is ordered, from whom."""

    supplier = forms.CharField(label=gettext_lazy("Supplier"), max_length=60)
    card_type = forms.ModelChoiceField(label=gettext_lazy("Card type"), queryset=CardType.objects.order_by("id"))
    quantity = forms.IntegerField(label=gettext_lazy("Quantity"), min_value=1, max_value=100_000_000)
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200, required=False)


class SerialsForm(OnceForm):
    """A range of serials of a card type."""

    card_type = forms.ModelChoiceField(label=gettext_lazy("Card type"), queryset=CardType.objects.order_by("id"))
    first = forms.IntegerField(label=gettext_lazy("First serial"), min_value=1)
    last = forms.IntegerField(label=gettext_lazy("Last serial"), min_value=1)
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200, required=False)

    def clean(self) -> dict[str, Any]:
        """The range has an order."""
        values = self.cleaned_data
        if "first" in values and "last" in values and values["first"] > values["last"]:
            self.add_error("last", _("The last serial comes before the first."))
        return values

    def lines(self) -> list[api.Serials]:
        """The document's line."""
        values = self.cleaned_data
        return [api.Serials(values["card_type"].pk, values["first"], values["last"])]


class ReceiveForm(SerialsForm):
    """What has come, from whom, on which order."""

    supplier = forms.CharField(label=gettext_lazy("Supplier"), max_length=60)
    order = forms.ModelChoiceField(
        label=gettext_lazy("Order"),
        queryset=StockDocument.objects.filter(kind=DocumentKind.ORDER).order_by("-id"),
        required=False,
        empty_label=gettext_lazy("without an order"),
    )
    field_order = ("supplier", "order", "card_type", "first", "last", "reason")


class MoveForm(SerialsForm):
    """From which place to which."""

    source = forms.ChoiceField(label=gettext_lazy("From"))
    target = forms.ChoiceField(label=gettext_lazy("To"))
    field_order: tuple[str, ...] = ("source", "target", "card_type", "first", "last", "reason")

    def __init__(self, *args: Any, bound: frozenset[int] | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = _place_choices(bound)
        for name in ("source", "target"):
            self.fields[name].choices = choices  # type: ignore[attr-defined]

    def place(self, name: str) -> int:
        """The place that was chosen; an operator's or unit's own is made the first time."""
        kind, _dot, number_ = self.cleaned_data[name].partition(".")
        if kind == PlaceKind.OPERATOR:
            return api.operator_place(int(number_)).pk
        if kind == PlaceKind.UNIT:
            return api.unit_place(int(number_)).pk
        return api.centre().pk if kind == PlaceKind.CENTRE else int(number_)


class ScrapForm(MoveForm):
    """Blanks of a place that nobody will write on, and why."""

    field_order = ("source", "card_type", "first", "last", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["target"]
        self.fields["reason"].required = True


def _place_choices(bound: frozenset[int] | None) -> list[Any]:
    """Places by kind; an operator or unit may be chosen before it has ever had a card."""
    of, of_unit = (Q(), Q()) if bound is None else (Q(pk__in=bound), Q(operator_id__in=bound))
    suppliers = StockPlace.objects.filter(kind=PlaceKind.SUPPLIER).order_by("name")
    choices: list[Any] = [("centre", str(PlaceKind.CENTRE.label))] if bound is None else []
    choices.append((str(PlaceKind.OPERATOR.label), [(f"operator.{o.pk}", str(o)) for o in Operator.objects.filter(of)]))
    units = Unit.objects.filter(of_unit).exclude(state="closed").select_related("operator").order_by("operator_id", "code")
    choices.append((str(PlaceKind.UNIT.label), [(f"unit.{unit.pk}", f"{unit.operator.name} / {unit}") for unit in units]))
    if bound is None and suppliers:
        choices.append((str(PlaceKind.SUPPLIER.label), [(f"place.{place.pk}", place.name) for place in suppliers]))
    return choices


def _name(place: StockPlace) -> str:
    if place.operator is not None:
        return f"{place.operator.name} · {PlaceKind.OPERATOR.label}"
    if place.unit is not None:
        return f"{place.unit.name} · {PlaceKind.UNIT.label}"
    return str(place)


def _own_places(bound: frozenset[int] | None) -> "QuerySet[StockPlace]":
    found = api.places()
    return found if bound is None else found.filter(Q(operator_id__in=bound) | Q(unit__operator_id__in=bound))


@needs(Can.VIEW_STOCK)
def stock(request: HttpRequest) -> HttpResponse:
    """Balances by place and card type, the newest documents, and the way of one serial."""
    bound, before, serial = operators(request), number(request.GET.get("before")), number(request.GET.get("serial"))
    places = _own_places(bound)
    levels = StockLevel.objects.filter(place__in=places, quantity__gt=0).select_related(
        "card_type", "place__operator", "place__unit"
    )
    found = api.documents().select_related("source__operator", "source__unit", "target__operator", "target__unit")
    if bound is not None:
        found = found.filter(Q(source__in=places) | Q(target__in=places))
    page = list((found if before is None else found.filter(pk__lt=before))[:PAGE])
    context = {
        "title": _("Card stock"),
        "levels": _levels_table(levels.order_by("place_id", "card_type_id")),
        "documents": _documents_table(page),
        "next": address(request, before=page[-1].pk) if len(page) == PAGE else None,
        "first": address(request, before=None) if before else None,
        "serial": request.GET.get("serial", ""),
        "way": _way_table(serial) if serial is not None and bound is None else None,
        "acts": list(_TITLES.items()) if allowed(request, Can.CHANGE_STOCK) else [],
        "may_find": bound is None,
    }
    return render(request, "centre/stock.html", context)


def _levels_table(levels: "QuerySet[StockLevel]") -> Table:
    rows = [
        [
            Cell(_name(row.place), reverse("admin:centre_stock_place", args=[row.place_id])),
            str(row.card_type),
            formats.count(row.quantity),
        ]
        for row in levels
    ]
    columns = [Column(_("Place")), Column(_("Card type")), Column(_("Quantity"), NUMBER)]
    return Table("levels", columns, _("No card lies anywhere yet: begin with an order or a receipt."), rows)


def _documents_table(found: list[StockDocument]) -> Table:
    rows = [
        [
            Cell(row.pk, reverse("admin:centre_stock_document", args=[row.pk])),
            row.get_kind_display(),
            _name(row.source),
            _name(row.target),
            row.actor,
            row.reason or "–",
            formats.moment(row.made_at),
        ]
        for row in found
    ]
    columns = [
        Column(_("Number"), NUMBER), Column(_("Stock document")), Column(_("From")), Column(_("To")), Column(_("By")),
        Column(_("Reason")), Column(_("Time"), CODE),
    ]  # fmt: skip
    return Table("documents", columns, _("No document yet"), rows)


def _way_table(serial: int) -> Table:
    rows = [
        [
            formats.moment(row.document.made_at),
            Cell(row.document.get_kind_display(), reverse("admin:centre_stock_document", args=[row.document_id])),
            _name(row.source),
            _name(row.target),
            row.document.actor,
        ]
        for row in api.movements(serial).select_related("source__operator", "source__unit", "target__operator", "target__unit")
    ]
    columns = [Column(_("Time"), CODE), Column(_("Stock document")), Column(_("From")), Column(_("To")), Column(_("By"))]
    return Table("way", columns, _("This serial has never been in our stock."), rows)


@needs(Can.VIEW_STOCK)
def place(request: HttpRequest, place_id: int) -> HttpResponse:
    """One place: the ranges of serials that lie there."""
    found = _own_places(operators(request)).filter(pk=place_id).first()
    if found is None:
        raise Http404
    ranges = list(api.ranges(place_id).select_related("card_type")[:500])
    rows = [[str(row.card_type), row.first, row.last, formats.count(row.last - row.first + 1)] for row in ranges]
    columns = [
        Column(_("Card type")),
        Column(_("First serial"), CODE),
        Column(_("Last serial"), CODE),
        Column(_("Quantity"), NUMBER),
    ]
    total = StockLevel.objects.filter(place=found).aggregate(sum=Sum("quantity"))["sum"] or 0
    table = Table("ranges", columns, _("No card lies here."), rows)
    return render(request, "centre/stock_place.html", {"title": _name(found), "table": table, "total": formats.count(total)})


@needs(Can.VIEW_STOCK)
def document(request: HttpRequest, document_id: int) -> HttpResponse:
    """One document with its lines; of an order, how much has come."""
    bound = operators(request)
    found = api.documents().filter(pk=document_id).first()
    if found is None or (bound is not None and not _own_places(bound).filter(pk__in=(found.source_id, found.target_id)).exists()):
        raise Http404
    lines: list[list[Any]]
    ordered = list(OrderLine.objects.filter(document=found).select_related("card_type"))
    if ordered:
        columns = [Column(_("Card type")), Column(_("Ordered"), NUMBER), Column(_("Received"), NUMBER)]
        lines = [[str(row.card_type), formats.count(row.quantity), formats.count(row.received)] for row in ordered]
    else:
        columns = [
            Column(_("Card type")),
            Column(_("First serial"), CODE),
            Column(_("Last serial"), CODE),
            Column(_("Quantity"), NUMBER),
        ]
        moved = found.movements.select_related("card_type").order_by("id")
        lines = [[str(row.card_type), row.first, row.last, formats.count(row.last - row.first + 1)] for row in moved]
    context = {
        "title": f"{found.get_kind_display()} {found.pk}",
        "facts": [
            (_("From"), _name(found.source)), (_("To"), _name(found.target)), (_("By"), found.actor),
            (_("Time"), formats.moment(found.made_at)), (_("Reason"), found.reason or "–"),
            (_("Order"), found.order_id or "–"),
        ],
        "table": Table("lines", columns, _("No lines"), lines),
    }  # fmt: skip
    return render(request, "centre/stock_document.html", context)


@needs(Can.CHANGE_STOCK)
def new_document(request: HttpRequest, act: str) -> HttpResponse:
    """The form of a new document; what the rules refuse stands on it."""
    if act not in _TITLES:
        raise Http404
    bound, actor = operators(request), of_request(request)
    if act in ("order", "receive") and bound is not None:
        raise PermissionDenied  # orders and receipts are the city centre's
    form = _form(act, request, bound)
    made: list[StockDocument] = []

    def perform(values: dict[str, Any]) -> StockDocument:
        made.append(_ACTS[act](form, values, actor))
        return made[0]

    if request.method == "POST" and submit(
        request, form, perform, name=gettext_noop("stock document made"), done=_("The document is made.")
    ):
        return redirect("admin:centre_stock_document", made[0].pk)
    return render(
        request,
        "centre/act.html",
        {"title": _TITLES[act], "form": form, "button": _TITLES[act], "back": reverse("admin:centre_stock")},
    )


def _form(act: str, request: HttpRequest, bound: frozenset[int] | None) -> Any:
    data = request.POST if request.method == "POST" else None
    if act == "order":
        return OrderForm(data)
    if act == "receive":
        return ReceiveForm(data)
    return ScrapForm(data, bound=bound) if act == "scrap" else MoveForm(data, bound=bound)


_ACTS: dict[str, Callable[[Any, dict[str, Any], Actor], StockDocument]] = {
    "order": lambda form, values, actor: api.order(
        values["supplier"],
        [api.Ordered(values["card_type"].pk, values["quantity"])],
        actor=actor,
        reason=values["reason"],
        key=values["key"],
    ),
    "receive": lambda form, values, actor: api.receive(
        values["supplier"],
        form.lines(),
        actor=actor,
        order_id=values["order"].pk if values["order"] else None,
        reason=values["reason"],
        key=values["key"],
    ),
    "hand-over": lambda form, values, actor: api.hand_over(
        form.place("source"), form.place("target"), form.lines(), actor=actor, reason=values["reason"], key=values["key"]
    ),
    "return": lambda form, values, actor: api.return_stock(
        form.place("source"), form.place("target"), form.lines(), actor=actor, reason=values["reason"], key=values["key"]
    ),
    "scrap": lambda form, values, actor: api.scrap(
        form.place("source"), form.lines(), actor=actor, reason=values["reason"], key=values["key"]
    ),
}
