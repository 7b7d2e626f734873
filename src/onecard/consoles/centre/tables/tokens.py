"""Tokens of programs (REST): issuing, which shows the token once, and revoking."""

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminSelectMultipleWidget

from onecard.consoles.centre import formats, identity, labels, tokens
from onecard.consoles.centre.forms import ServiceForm
from onecard.consoles.centre.models import StaffToken
from onecard.consoles.centre.pages.base import needs
from onecard.consoles.centre.permissions import known
from onecard.consoles.centre.roles import Can, allowed
from onecard.consoles.centre.tables.base import CentreAdmin, column

_DEFAULT_DAYS = 90


class TokenForm(ServiceForm):
    """For which program, with which of one's own permissions, until when. Of one that is there nothing is changed."""

    permissions = forms.MultipleChoiceField(
        label=_("Permissions"),
        widget=UnfoldAdminSelectMultipleWidget(attrs={"size": 12}),
        help_text=_("The program never gets more than its user's role carries. Hold Ctrl to choose several."),
    )

    class Meta:
        model = StaffToken
        fields = ("name", "permissions", "expires_at")
        help_texts: ClassVar = {"expires_at": _("At most a year ahead.")}

    fixed = ("name", "permissions", "expires_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = identity.of_request(self.request).permissions if not self.instance.pk else known().keys()
        words = sorted((key, text) for key, text in known().items() if key in own)
        self.fields["permissions"].choices = [(key, f"{labels.own_language(text)} ({key})") for key, text in words]  # type: ignore[attr-defined]
        if not self.instance.pk:
            self.initial["expires_at"] = timezone.now() + timedelta(days=_DEFAULT_DAYS)

    def submit(self) -> StaffToken:
        """Issue it; its text is shown once."""
        if self.instance.pk:
            assert isinstance(self.instance, StaffToken)
            return self.instance
        values = self.cleaned_data
        assert isinstance(self.request.user, User), "the page is for those who are signed in"
        token, text = tokens.issue_token(
            self.request.user,
            name=values["name"],
            permissions=values["permissions"],
            expires_at=values["expires_at"],
        )
        shown = gettext("Token of %(name)s, shown only now: %(text)s") % {"name": token.name, "text": text}
        messages.warning(self.request, shown)
        return token


class TokenAdmin(CentreAdmin):
    """The list of tokens: one's own; everybody's for those who may revoke them."""

    view_capability = Can.OWN_TOKENS
    change_capability = Can.OWN_TOKENS
    form = TokenForm
    fields = ("name", "permissions", "expires_at")
    list_display = ("name", "user", "ending", "state", "until", "used")
    list_select_related = ("user",)
    search_fields = ("name", "user__username")
    ordering = ("-id",)
    change_form_outer_before_template = "centre/token_actions.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        """The tokens that may be seen and revoked."""
        found = super().get_queryset(request)
        return found if allowed(request, Can.MANAGE_TOKENS) else found.filter(user_id=request.user.pk)

    @column(_("Ends in"))
    def ending(self, token: StaffToken) -> str:
        """The last characters: enough to tell tokens apart, not to use one."""
        return f"…{token.hint}"

    @column(_("State"), label={"valid": "success", "revoked": "danger", "expired": "info"})
    def state(self, token: StaffToken) -> tuple[str, str]:
        """Whether it opens anything."""
        if token.revoked_at is not None:
            return "revoked", gettext("revoked")
        return ("valid", gettext("valid")) if token.expires_at > timezone.now() else ("expired", gettext("run out"))

    @column(_("Valid until"), ordering="expires_at")
    def until(self, token: StaffToken) -> str:
        """Its end."""
        return formats.moment(token.expires_at)

    @column(_("Last used"), ordering="last_used_at")
    def used(self, token: StaffToken) -> str:
        """The last time, to the minute."""
        return formats.moment(token.last_used_at)

    def get_urls(self) -> list[URLPattern]:
        """The button, before Django's catch-all."""
        view = self.admin_site.admin_view(self.revoke)
        return [path("<int:pk>/revoke/", view, name="centre_token_revoke"), *super().get_urls()]

    @method_decorator(needs(Can.OWN_TOKENS))
    @method_decorator(require_POST)
    def revoke(self, request: HttpRequest, pk: int) -> HttpResponse:
        """From now on the token opens nothing."""
        done = gettext("The token opens nothing any more.")
        return self.act(request, pk, lambda: tokens.revoke_token(pk), act=gettext_noop("token revoked"), done=done)
