"""Units and their life (O3, O4): apply, open, commission, run, suspend, extend, close."""

from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from onecard.consoles.centre import formats
from onecard.consoles.centre.forms import ServiceForm
from onecard.consoles.centre.pages.base import moment, needs
from onecard.consoles.centre.roles import Can
from onecard.consoles.centre.tables.base import CentreAdmin, column
from onecard.services.operators import api
from onecard.services.operators.choices import Application, UnitState
from onecard.services.operators.models import Unit

COLOURS = {
    "active": "success",
    "commissioning": "warning",
    "opened": "warning",
    "applied": "info",
    "suspended": "danger",
    "expired": "danger",
    "closed": "info",
}
# The buttons of each state; the service holds the rule and refuses what a stale page asks for.
STEPS = {
    UnitState.OPENED: (UnitState.COMMISSIONING, UnitState.SUSPENDED, UnitState.CLOSED),
    UnitState.COMMISSIONING: (UnitState.ACTIVE, UnitState.SUSPENDED, UnitState.CLOSED),
    UnitState.ACTIVE: (UnitState.SUSPENDED, UnitState.CLOSED),
    UnitState.APPLIED: (UnitState.CLOSED,),
    UnitState.SUSPENDED: (UnitState.CLOSED,),
    UnitState.EXPIRED: (UnitState.CLOSED,),
}
STEP_NAMES = {
    UnitState.COMMISSIONING: _("Start commissioning"),
    UnitState.ACTIVE: _("Put into service"),
    UnitState.OPENED: _("Resume"),
    UnitState.SUSPENDED: _("Suspend"),
    UnitState.CLOSED: _("Close for good"),
}


class UnitForm(ServiceForm):
    """A unit."""

    fixed = ("operator", "code")

    class Meta:
        model = Unit
        fields = ("operator", "code", "name", "purse_order")

    def submit(self) -> Unit:
        """Make or change it."""
        values = self.cleaned_data
        if self.instance.pk:
            return api.update_unit(self.instance.pk, name=values["name"], purse_order=values["purse_order"])
        return api.create_unit(values["operator"].pk, values["code"], name=values["name"], purse_order=values["purse_order"])


class UnitAdmin(CentreAdmin):
    """Units."""

    scope = "operator_id"
    change_capability = Can.CHANGE_DIRECTORY
    form = UnitForm
    fields = ("operator", "code", "name", "purse_order")
    autocomplete_fields = ("operator",)
    list_display = ("code", "name", "operator", "coloured_state", "until", "purse_order")
    list_display_links = ("code", "name")
    list_filter = ("state", "operator")
    list_select_related = ("operator",)
    search_fields = ("code", "name")
    ordering = ("operator_id", "code")
    change_form_outer_before_template = "centre/unit_actions.html"

    @column(_("State"), label=COLOURS)
    def coloured_state(self, unit: Unit) -> tuple[str, str]:
        """The state, coloured."""
        return unit.state, unit.get_state_display()

    @column(_("Valid until"), ordering="valid_until")
    def until(self, unit: Unit) -> str:
        """The end of the validity period."""
        return formats.moment(unit.valid_until)

    def render_change_form(self, request: HttpRequest, context: dict[str, object], **kwargs: object) -> HttpResponse:
        """The form with the buttons of the unit's state."""
        unit = kwargs.get("obj")
        if isinstance(unit, Unit):
            state = UnitState(unit.state)
            steps = list(STEPS.get(state, ()))
            if unit.resume_state:
                steps.insert(0, UnitState(unit.resume_state))
            resuming = state in (UnitState.SUSPENDED, UnitState.EXPIRED)
            context |= {
                "steps": [
                    (step.value, _("Resume") if resuming and step is not UnitState.CLOSED else STEP_NAMES[step]) for step in steps
                ],
                "applications": Application.choices,
                "unit_state": unit.get_state_display(),
                "unit_until": formats.moment(unit.valid_until),
                "may_open": state is UnitState.APPLIED,
                "may_extend": state not in (UnitState.APPLIED, UnitState.CLOSED),
            }
        response: HttpResponse = super().render_change_form(request, context, **kwargs)
        return response

    def get_urls(self) -> list[URLPattern]:
        """The acts, before Django's catch-all."""
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/open/", view(self.open), name="centre_unit_open"),
            path("<int:pk>/state/", view(self.set_state), name="centre_unit_state"),
            path("<int:pk>/extend/", view(self.extend), name="centre_unit_extend"),
            path("<int:pk>/credential/", view(self.renew), name="centre_unit_credential"),
            *super().get_urls(),
        ]

    @method_decorator(needs(Can.CHANGE_DIRECTORY))
    @method_decorator(require_POST)
    def open(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Open an applied unit: validity, applications; shows user name and password once."""
        until = _end_of(request)
        if until is None:
            return self.back(request, pk, failed=gettext("Give the end of the validity period."))
        begin = moment(request.POST.get("valid_from")) or timezone.now()
        chosen = request.POST.getlist("application")

        def perform() -> None:
            opened = api.open_unit(pk, valid_from=begin, valid_until=until, applications=chosen)
            messages.warning(request, credential_message(opened))

        return self.act(request, pk, perform, act=gettext_noop("unit opened"))

    @method_decorator(needs(Can.CHANGE_DIRECTORY))
    @method_decorator(require_POST)
    def set_state(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One step of the unit's life."""
        state = request.POST.get("state", "")
        if state not in UnitState.values:
            return self.back(request, pk, failed=gettext("Unknown state."))
        return self.act(request, pk, lambda: api.set_unit_state(pk, state), act=gettext_noop("state changed"))

    @method_decorator(needs(Can.CHANGE_DIRECTORY))
    @method_decorator(require_POST)
    def extend(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A new end of the validity period (O4)."""
        until = _end_of(request)
        if until is None:
            return self.back(request, pk, failed=gettext("Give the end of the validity period."))
        return self.act(request, pk, lambda: api.extend_unit(pk, valid_until=until), act=gettext_noop("validity extended"))

    @method_decorator(needs(Can.CHANGE_DIRECTORY))
    @method_decorator(require_POST)
    def renew(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A new one-time password for the unit's own user."""

        def perform() -> None:
            messages.warning(request, credential_message(api.renew_credential(pk)))
            from onecard.consoles.centre import audit

            audit.record(request, Unit.objects.get(pk=pk), gettext_noop("one-time password renewed"))

        return self.act(request, pk, perform, act="")


def _end_of(request: HttpRequest) -> datetime | None:
    return moment(request.POST.get("valid_until"))


def credential_message(opened: api.OpenedUnit) -> str:
    """What is shown once."""
    return gettext("User name %(user)s, one-time password, shown only now: %(password)s") % {
        "user": opened.user_name,
        "password": opened.password,
    }
