"""The registry of devices (D1): every box by its serial number, where it stands, where it stood; register, describe, move."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_POST

from onecard.consoles.centre import formats
from onecard.consoles.centre.identity import of_request, operators
from onecard.consoles.centre.pages.acts import submit
from onecard.consoles.centre.pages.base import address, needs, number, operator_choices, render
from onecard.consoles.centre.pages.deviceparts import place_link
from onecard.consoles.centre.pages.panels import CODE, Cell, Column, Table
from onecard.consoles.centre.roles import Can, allowed
from onecard.kernel.errors import InvalidInput
from onecard.services.devices.models import Capability, Device, DeviceModel, DeviceMove, Line, Terminal
from onecard.services.devices.registry import devices as registry
from onecard.services.operators.models import Operator

_PAGE = 50
_AT = (
    ("line", gettext_lazy("line (number)")), ("terminal", gettext_lazy("terminal (number)")),
    ("operator", gettext_lazy("in store of")),
)  # fmt: skip


class PlaceForm(forms.Form):
    """Where a device stands."""

    at = forms.ChoiceField(label=gettext_lazy("Stands at"), choices=_AT)
    where = forms.CharField(label=gettext_lazy("Line or terminal number"), max_length=20, required=False)
    operator = forms.ModelChoiceField(label=gettext_lazy("Operator (store)"), queryset=Operator.objects.none(), required=False)

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["operator"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Operator.objects.filter(pk__in=[each.pk for each in operator_choices(request)])


class NewDeviceForm(PlaceForm):
    """A device to register."""

    maker = forms.CharField(label=gettext_lazy("Maker"), max_length=60)
    model = forms.CharField(label=gettext_lazy("Model"), max_length=60)
    serial = forms.CharField(label=gettext_lazy("Serial number"), max_length=60)
    hardware = forms.CharField(label=gettext_lazy("Hardware id"), max_length=60, required=False)
    position = forms.CharField(label=gettext_lazy("Installed at"), max_length=100, required=False)
    field_order = ("maker", "model", "serial", "hardware", "at", "where", "operator", "position")


class MoveForm(PlaceForm):
    """Where it goes and why."""

    note = forms.CharField(label=gettext_lazy("Reason"), max_length=200)
    leave_unsent = forms.BooleanField(label=gettext_lazy("The device is broken: its unsent records are given up"), required=False)


class DescribeForm(forms.Form):
    """Where exactly it hangs."""

    position = forms.CharField(label=gettext_lazy("Installed at"), max_length=100, required=False)
    note = forms.CharField(label=gettext_lazy("Note"), max_length=200, required=False)


class ModelForm(forms.Form):
    """What a maker's model can do."""

    maker = forms.CharField(label=gettext_lazy("Maker"), max_length=60)
    model = forms.CharField(label=gettext_lazy("Model"), max_length=60)
    hardware = forms.CharField(label=gettext_lazy("Hardware id"), max_length=60, required=False)
    capabilities = forms.MultipleChoiceField(
        label=gettext_lazy("Capabilities"), choices=Capability.choices, required=False, widget=forms.CheckboxSelectMultiple
    )


@needs(Can.VIEW_DEVICES)
def devices(request: HttpRequest) -> HttpResponse:
    """All devices by number, found by serial number, model or place; the models; forms for those who may."""
    return _list(request)


@needs(Can.CHANGE_DEVICES)
@require_POST
def register(request: HttpRequest) -> HttpResponse:
    """A new device."""
    form = NewDeviceForm(request, request.POST)

    def perform(values: dict[str, Any]) -> Device:
        new = registry.NewDevice(
            values["maker"],
            values["model"],
            values["serial"],
            _where(values),
            hardware=values["hardware"],
            position=values["position"],
        )
        return registry.register_device(new, actor=of_request(request))

    if submit(request, form, perform, name=gettext_noop("device registered"), done=_("Saved.")):
        return redirect("admin:centre_registry")
    return _list(request, form=form)


@needs(Can.CHANGE_DEVICES)
@require_POST
def define(request: HttpRequest) -> HttpResponse:
    """A maker's model and what it can do."""
    form = ModelForm(request.POST)

    def perform(values: dict[str, Any]) -> DeviceModel:
        return registry.define_model(
            values["maker"],
            values["model"],
            hardware=values["hardware"],
            capabilities=values["capabilities"],
            actor=of_request(request),
        )

    if submit(request, form, perform, name=gettext_noop("device model defined"), done=_("Saved.")):
        return redirect("admin:centre_registry")
    return _list(request, model_form=form)


@needs(Can.VIEW_DEVICES)
def device(request: HttpRequest, device_id: int) -> HttpResponse:
    """One device, where it was, and the forms to describe and to move it."""
    return _page(request, need_device(request, device_id))


@needs(Can.CHANGE_DEVICES)
@require_POST
def describe(request: HttpRequest, device_id: int) -> HttpResponse:
    """Where exactly it hangs."""
    found, form = need_device(request, device_id), DescribeForm(request.POST)

    def perform(values: dict[str, Any]) -> Device:
        return registry.describe_device(device_id, position=values["position"], note=values["note"], actor=of_request(request))

    if submit(request, form, perform, name=gettext_noop("device described"), done=_("Saved.")):
        return redirect("admin:centre_registry_device", device_id)
    return _page(request, found, describe_form=form)


@needs(Can.CHANGE_DEVICES)
@require_POST
def move(request: HttpRequest, device_id: int) -> HttpResponse:
    """Put it somewhere else."""
    found, form = need_device(request, device_id), MoveForm(request, request.POST)

    def perform(values: dict[str, Any]) -> Device:
        return registry.move_device(
            device_id,
            _where(values),
            actor=of_request(request),
            note=values["note"],
            leave_unsent=values["leave_unsent"],
        )

    if submit(request, form, perform, name=gettext_noop("device moved")):
        messages.success(request, _("Moved. Its certificate is void: enrol it at its new place."))
        return redirect("admin:centre_registry_device", device_id)
    return _page(request, found, move_form=form)


def _where(values: dict[str, Any]) -> registry.Place:
    at, where = values["at"], values["where"].strip()
    if at == "operator":
        if values["operator"] is None:
            raise InvalidInput("请选择运营单位", "choose an operator")
        return registry.Place(operator_id=values["operator"].pk)
    if at == "line":
        return registry.Place(line_id=_known(number(where)))
    terminal = Terminal.objects.filter(tid=where.upper()).values_list("pk", flat=True).first()
    return registry.Place(terminal_id=_known(terminal))


def _known(pk: int | None) -> int:
    if pk is None:
        raise InvalidInput("请填写线路编号或终端号", "give the number of a line or of a terminal")
    return pk


def _visible(request: HttpRequest) -> Any:
    bound = operators(request)
    found = Device.objects.select_related("model", "line", "line__unit", "terminal", "terminal__merchant__unit", "operator")
    if bound is None:
        return found
    mine = Q(line__operator_id__in=bound) | Q(line__unit__operator_id__in=bound) | Q(terminal__merchant__operator_id__in=bound)
    return found.filter(mine | Q(operator_id__in=bound))


def need_device(request: HttpRequest, device_id: int) -> Device:
    """A device the user may see; 404 for any other."""
    found = _visible(request).filter(pk=device_id).first()
    if not isinstance(found, Device):
        raise Http404
    return found


def _list(request: HttpRequest, *, form: NewDeviceForm | None = None, model_form: ModelForm | None = None) -> HttpResponse:
    text, after = request.GET.get("q", "").strip()[:60], number(request.GET.get("after")) or 0
    found = _visible(request).filter(pk__gt=after).order_by("pk")
    if text:
        wanted = Q(serial__icontains=text) | Q(model__model__icontains=text) | Q(place__icontains=text)
        found = found.filter(wanted | Q(line__name__icontains=text) | Q(terminal__tid=text.upper()))
    rows = list(found[:_PAGE])
    may_change = allowed(request, Can.CHANGE_DEVICES)
    return render(
        request,
        "centre/registry.html",
        {
            "title": _("Device registry"),
            "q": text,
            "table": _table(rows),
            "models": _models(),
            "form": (form or NewDeviceForm(request)) if may_change else None,
            "model_form": (model_form or ModelForm()) if may_change and operators(request) is None else None,
            "first": address(request, after=None) if after else None,
            "next": address(request, after=rows[-1].pk) if len(rows) == _PAGE else None,
        },
    )


def _table(rows: list[Device]) -> Table:
    columns = [
        Column(_("Serial number"), CODE), Column(_("Model")), Column(_("Stands at")), Column(_("Installed at")),
        Column(_("Firmware")), Column(_("Registered at"), CODE),
    ]  # fmt: skip
    cells = [
        [
            Cell(row.serial, link=reverse("admin:centre_registry_device", args=[row.pk])),
            str(row.model),
            _stands(row),
            row.place,
            row.firmware or "–",
            Cell(formats.moment(row.registered_at), note=_by(row.registered_by)),
        ]
        for row in rows
    ]
    return Table("devices", columns, _("No device fits."), cells)


def _by(who: str) -> str:
    return _("by itself") if who == "hello" else who


def _stands(row: Device) -> Cell:
    if row.line is not None:
        return Cell(row.line.name, link=place_link(row.line.pk), note=str(row.line.unit or ""))
    if row.terminal is not None:
        return Cell(row.terminal.tid, link=place_link(0, row.terminal.pk), note=str(row.terminal.merchant.unit or ""))
    return Cell(row.operator, note=_("in store"))


def _models() -> Table:
    columns = [Column(_("Maker")), Column(_("Model")), Column(_("Hardware id")), Column(_("Capabilities"))]
    names = dict(Capability.choices)
    cells = [
        [each.maker, each.model, each.hardware or "–", "、".join(str(names[one]) for one in each.capabilities) or "–"]
        for each in DeviceModel.objects.order_by("maker", "model")[:200]
    ]
    return Table("models", columns, _("No model is known yet."), cells)


def _page(
    request: HttpRequest, found: Device, *, move_form: MoveForm | None = None, describe_form: DescribeForm | None = None
) -> HttpResponse:
    may_change = allowed(request, Can.CHANGE_DEVICES)
    first = {"position": found.place, "note": found.note}
    return render(
        request,
        "centre/registry_device.html",
        {
            "title": f"{found.model} {found.serial}",
            "device": found,
            "stands": _stands(found),
            "registered_at": formats.moment(found.registered_at),
            "registered_by": _by(found.registered_by),
            "moves": _moves(request, found),
            "move_form": (move_form or MoveForm(request)) if may_change else None,
            "describe_form": (describe_form or DescribeForm(initial=first)) if may_change else None,
            "in_place": found.operator_id is None,
        },
    )


def _moves(request: HttpRequest, found: Device) -> Table:
    """The moves a user may see: those from or to an operator of his; of the other end only that it was another."""
    bound = operators(request)
    rows = list(DeviceMove.objects.filter(device=found).order_by("-id")[:100])
    lines = dict(
        Line.objects.filter(pk__in=[x for r in rows for x in (r.from_line_id, r.to_line_id) if x]).values_list("pk", "name")
    )
    terminals = Terminal.objects.filter(pk__in=[x for r in rows for x in (r.from_terminal_id, r.to_terminal_id) if x])
    tids = dict(terminals.values_list("pk", "tid"))
    names = dict(Operator.objects.values_list("pk", "name"))

    def end(line_id: int | None, terminal_id: int | None, operator_id: int) -> str:
        if bound is not None and operator_id not in bound:
            return _("another operator")
        return lines.get(line_id or 0) or tids.get(terminal_id or 0) or f"{names.get(operator_id, operator_id)} · {_('in store')}"

    columns = [Column(_("Time"), CODE), Column(_("From")), Column(_("To")), Column(_("By")), Column(_("Reason"))]
    cells = [
        [
            formats.moment(row.at),
            end(row.from_line_id, row.from_terminal_id, row.from_operator_id),
            Cell(
                end(row.to_line_id, row.to_terminal_id, row.to_operator_id),
                note=_("left its unit: nothing was taken along") if row.left_unit else "",
            ),
            row.who,
            row.note,
        ]
        for row in rows
        if bound is None or {row.from_operator_id, row.to_operator_id} & bound
    ]
    return Table("moves", columns, _("It has not been moved."), cells)
