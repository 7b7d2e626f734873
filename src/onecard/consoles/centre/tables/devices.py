"""Terminals and lines (D1, G2): register, enrol, disable, revoke; and whether they are on line."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from onecard.consoles.centre import audit, formats
from onecard.consoles.centre.forms import ServiceForm, error_text
from onecard.consoles.centre.pages.base import needs
from onecard.consoles.centre.roles import Can
from onecard.consoles.centre.tables.base import CentreAdmin, column
from onecard.kernel.errors import OneCardError
from onecard.services.devices import api
from onecard.services.devices.models import Line, LineState, LineStatus, Terminal, TerminalState

_ONLINE = {"online": "success", "offline": "danger", "unknown": "info"}


def _online(status: LineStatus | None) -> tuple[str, str]:
    if status is None:
        return "unknown", gettext("never seen")
    return ("online", gettext("on line")) if status.online else ("offline", gettext("off line"))


class TerminalForm(ServiceForm):
    """A terminal; its merchant, line and protocol are given once."""

    fixed = ("tid", "merchant", "line", "driver", "name")

    class Meta:
        model = Terminal
        fields = ("tid", "merchant", "line", "driver", "name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tid"].required = False
        self.fields["tid"].help_text = _("Eight digits or capital letters; left empty, its number.")

    def submit(self) -> Terminal:
        """Make it; of one that is there nothing is changed."""
        values = self.cleaned_data
        if self.instance.pk:
            return Terminal.objects.get(pk=self.instance.pk)
        line = values["line"]
        (pk,) = api.create_terminals(
            [
                api.NewTerminal(
                    merchant_id=values["merchant"].pk,
                    line_id=line.pk if line else None,
                    driver=values["driver"],
                    name=values["name"],
                    tid=values["tid"],
                )
            ]
        )
        return Terminal.objects.get(pk=pk)


class TerminalAdmin(CentreAdmin):
    """Terminals (D1)."""

    scope = "merchant__operator_id"
    change_capability = Can.CHANGE_DIRECTORY
    form = TerminalForm
    fields = ("tid", "merchant", "line", "driver", "name")
    autocomplete_fields = ("merchant", "line")
    list_display = ("tid", "merchant", "driver", "line", "up", "coloured_state")
    list_filter = ("state", "driver")
    list_select_related = ("merchant", "line", "line__status")
    search_fields = ("tid", "merchant__name")
    ordering = ("id",)
    change_form_outer_before_template = "centre/terminal_actions.html"

    @column(_("On line"), label=_ONLINE)
    def up(self, terminal: Terminal) -> tuple[str, str]:
        """Whether its line is up."""
        return _online(getattr(terminal.line, "status", None))

    @column(_("State"), label={"active": "success", "disabled": "danger"})
    def coloured_state(self, terminal: Terminal) -> tuple[str, str]:
        """The state, coloured."""
        return terminal.state, terminal.get_state_display()

    def get_urls(self) -> list[URLPattern]:
        """The buttons, before Django's catch-all."""
        view = self.admin_site.admin_view(self.set_state)
        return [path("<int:pk>/state/", view, name="centre_terminal_state"), *super().get_urls()]

    @method_decorator(needs(Can.CHANGE_DIRECTORY))
    @method_decorator(require_POST)
    def set_state(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Disable it or take it back."""
        state = request.POST.get("state", "")
        if state not in TerminalState.values:
            return self.back(request, pk, failed=gettext("Unknown state."))
        return self.act(request, pk, lambda: api.set_terminal_state(pk, state), act=gettext_noop("state changed"))


class LineForm(ServiceForm):
    """A line of the authorised list; whose it is is given once."""

    fixed = ("name", "kind", "unit", "operator")

    class Meta:
        model = Line
        fields = ("name", "kind", "unit", "operator")

    def submit(self) -> Line:
        """Make it; of one that is there nothing is changed."""
        if self.instance.pk:
            return Line.objects.get(pk=self.instance.pk)
        values = self.cleaned_data
        unit, operator = values["unit"], values["operator"]
        pk = api.create_line(
            api.NewLine(
                name=values["name"],
                kind=values["kind"],
                unit_id=unit.pk if unit else None,
                operator_id=operator.pk if operator else None,
            )
        )
        return Line.objects.get(pk=pk)


class LineAdmin(CentreAdmin):
    """The authorised list (G2)."""

    scope = ("operator_id", "unit__operator_id")
    change_capability = Can.CHANGE_DIRECTORY
    form = LineForm
    fields = ("name", "kind", "unit", "operator")
    autocomplete_fields = ("unit", "operator")
    list_display = ("id", "name", "kind", "owner", "up", "since", "certificate", "coloured_state")
    list_display_links = ("id", "name")
    list_filter = ("kind", "state")
    list_select_related = ("unit", "operator", "status")
    search_fields = ("name", "unit__name")
    ordering = ("id",)
    change_form_outer_before_template = "centre/line_actions.html"

    @column(_("Belongs to"))
    def owner(self, line: Line) -> str:
        """The unit, or the operator for public merchants outside any unit."""
        return str(line.unit or line.operator)

    @column(_("On line"), label=_ONLINE)
    def up(self, line: Line) -> tuple[str, str]:
        """As a gateway last said."""
        return _online(getattr(line, "status", None))

    @column(_("Since"))
    def since(self, line: Line) -> str:
        """Since when."""
        status = getattr(line, "status", None)
        return formats.moment(status.since if status else None)

    @column(_("Certificate until"))
    def certificate(self, line: Line) -> str:
        """The end of the client certificate."""
        return formats.moment(line.certificate_until) if line.certificate_until else gettext("not enrolled")

    @column(_("State"), label={"active": "success", "revoked": "danger"})
    def coloured_state(self, line: Line) -> tuple[str, str]:
        """The state, coloured."""
        return line.state, line.get_state_display()

    def get_urls(self) -> list[URLPattern]:
        """The buttons, before Django's catch-all."""
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/enrol/", view(self.enrol), name="centre_line_enrol"),
            *super().get_urls(),
        ]

    @method_decorator(needs(Can.CHANGE_DIRECTORY))
    @method_decorator(require_POST)
    def enrol(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The client certificate for a signing request, as a file; the device's key never comes here."""
        line = Line.objects.filter(pk=pk).first()
        try:
            certificate = api.enrol(pk, request.POST.get("csr", "").strip().encode())
        except OneCardError as refusal:
            return self.back(request, pk, failed=error_text(refusal))
        assert line is not None, "enrol refuses an unknown line"
        audit.record(request, line, gettext_noop("line enrolled"))
        response = HttpResponse(certificate, content_type="application/x-pem-file")
        response.headers["Content-Disposition"] = f'attachment; filename="line-{pk}.pem"'
        return response

    def render_change_form(self, request: HttpRequest, context: dict[str, object], **kwargs: object) -> HttpResponse:
        """The form with the buttons of the line's state."""
        line = kwargs.get("obj")
        context["may_enrol"] = isinstance(line, Line) and line.state == LineState.ACTIVE
        response: HttpResponse = super().render_change_form(request, context, **kwargs)
        return response
