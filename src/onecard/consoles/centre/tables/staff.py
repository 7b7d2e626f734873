"""The staff: users of the management centre and their roles."""

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminSelectMultipleWidget, UnfoldAdminSelectWidget

from onecard.consoles.centre import audit, staff
from onecard.consoles.centre.forms import ServiceForm
from onecard.consoles.centre.models import StaffOperator
from onecard.consoles.centre.pages.base import needs
from onecard.consoles.centre.roles import ROLE_NAMES, Can, Role
from onecard.consoles.centre.tables.base import CentreAdmin, column
from onecard.services.operators.models import Operator


class StaffForm(ServiceForm):
    """A user: name to sign in with, own name, role, standing."""

    role = forms.ChoiceField(
        label=_("Role"), choices=[(str(role), name) for role, name in ROLE_NAMES.items()], widget=UnfoldAdminSelectWidget
    )

    operators = forms.ModelMultipleChoiceField(
        label=_("Bound to operators"),
        queryset=Operator.objects.order_by("id"),
        required=False,
        widget=UnfoldAdminSelectMultipleWidget,
        help_text=_("None chosen: the user sees the whole platform. Hold Ctrl to choose several."),
    )

    class Meta:
        model = User
        fields = ("username", "first_name", "is_active")
        labels: ClassVar = {"username": _("User name"), "first_name": _("Own name"), "is_active": _("May sign in")}

    fixed = ("username",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            role = staff.role_of(self.instance)
            self.initial["role"] = str(role) if role else None
            self.initial["operators"] = list(
                StaffOperator.objects.filter(staff_id=self.instance.pk).values_list("operator", flat=True)
            )

    def clean_username(self) -> str:
        """A name that is free."""
        username = str(self.cleaned_data["username"])
        if self.instance.pk is None and staff.name_is_taken(username):
            raise forms.ValidationError(gettext("There is a user of this name already."))
        return username

    def submit(self) -> User:
        """Make or change the user; a new one's one-time password is shown once."""
        values, role = self.cleaned_data, Role(self.cleaned_data["role"])
        operators = [operator.pk for operator in values["operators"]]
        if self.instance.pk:
            assert isinstance(self.request.user, User), "the page is for those who are signed in"
            before = set(StaffOperator.objects.filter(staff_id=self.instance.pk).values_list("operator_id", flat=True))
            user = staff.change_staff(
                self.instance,
                role,
                name=values["first_name"],
                active=values["is_active"],
                by=self.request.user,
                operators=operators,
            )
            if before != set(operators):
                audit.record(self.request, user, gettext_noop("bound to operators"), operators=operators)
            return user
        user, password = staff.create_staff(values["username"], role, name=values["first_name"], operators=operators)
        messages.warning(self.request, password_message(user, password))
        return user


def password_message(user: User, password: str) -> str:
    """What is shown once."""
    return gettext("One-time password of %(user)s, shown only now: %(password)s") % {
        "user": user.get_username(),
        "password": password,
    }


class StaffAdmin(CentreAdmin):
    """The list of users."""

    view_capability = Can.MANAGE_STAFF
    change_capability = Can.MANAGE_STAFF
    form = StaffForm
    fields = ("username", "first_name", "role", "operators", "is_active")
    list_display = ("username", "first_name", "role_name", "bound_to", "is_active", "signed_in")
    search_fields = ("username", "first_name")
    ordering = ("username",)
    change_form_outer_before_template = "centre/staff_actions.html"

    @column(_("Role"))
    def role_name(self, user: User) -> Any:
        """The role in words."""
        role = staff.role_of(user)
        return ROLE_NAMES[role] if role else "–"

    @column(_("Bound to operators"))
    def bound_to(self, user: User) -> str:
        """The operators the user sees."""
        names = StaffOperator.objects.filter(staff_id=user.pk).values_list("operator__name", flat=True)
        return ", ".join(names) or gettext("all")

    @column(_("Last signed in"), ordering="last_login")
    def signed_in(self, user: User) -> str:
        """The last time."""
        from onecard.consoles.centre.formats import moment

        return moment(user.last_login)

    def get_urls(self) -> list[URLPattern]:
        """The page's own acts, before Django's catch-all."""
        return [
            path("<int:pk>/reset-password/", self.admin_site.admin_view(self.reset), name="centre_staff_reset"),
            *super().get_urls(),
        ]

    @method_decorator(needs(Can.MANAGE_STAFF))
    @method_decorator(require_POST)
    def reset(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give a user a new one-time password."""
        user = User.objects.get(pk=pk)
        password = staff.reset_password(user)
        audit.record(request, user, gettext_noop("password reset"))
        messages.warning(request, password_message(user, password))
        return self.back(request, pk)
