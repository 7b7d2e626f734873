"""The admin site of the management centre: Unfold's, with our sign-in, home page and further pages."""

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from unfold.sites import UnfoldAdminSite

from onecard.consoles.centre import addresses
from onecard.consoles.centre.pages import accounts, home, settlement, transactions, tree
from onecard.consoles.centre.pages.deviceurls import device_urls
from onecard.consoles.centre.pages.keyurls import key_urls
from onecard.consoles.centre.tables.registry import register


class CentreSite(UnfoldAdminSite):  # type: ignore[misc]
    """The one admin site of the platform's own staff."""

    login_template = "centre/login.html"
    index_template = "centre/home.html"
    enable_nav_sidebar = True

    def extra_urls(self) -> list[URLPattern]:
        """Pages that are not lists of one table."""
        view = self.admin_view
        return [
            path("live.json", view(home.live), name="centre_live"),
            path("tree/", view(tree.tree), name="centre_tree"),
            path("transactions/", view(transactions.transactions), name="centre_transactions"),
            path("accounts/", view(accounts.accounts), name="centre_accounts"),
            path("accounts/<int:account_no>/", view(accounts.account), name="centre_account"),
            path("accounts/<int:account_no>/state/", view(accounts.change_state), name="centre_account_state"),
            path("deny-list/", view(accounts.deny_list), name="centre_deny_list"),
            path("quarantine/", view(accounts.quarantine), name="centre_quarantine"),
            path("settlement/", view(settlement.runs), name="centre_runs"),
            path("settlement/cut/", view(settlement.cut), name="centre_cut"),
            path("settlement/<int:run_id>/", view(settlement.run), name="centre_run"),
            path("settlement/<int:run_id>/state.json", view(settlement.run_state), name="centre_run_state"),
            path("settlement/<int:run_id>/settle/", view(settlement.settle), name="centre_settle"),
            path("settlement/<int:run_id>/<slug:sheet>.<slug:extension>", view(settlement.download), name="centre_sheet"),
            *key_urls(view),
            *device_urls(view),
            *(path(page.path, view(page.view), name=page.name) for page in addresses.ALL),
        ]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Unfold's context without its inline colours: they stand in centre.css, so that the content policy can refuse them."""
        context: dict[str, Any] = super().each_context(request)
        return {**context, "colors": {}, "border_radius": None}

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The home page: live figures."""
        return super().index(request, {**home.context(request), **(extra_context or {})})

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        """Change one's own password; afterwards home, since the first time it stood in the way of everything."""
        from django.contrib.auth.views import PasswordChangeView

        from onecard.consoles.centre.forms import OwnPasswordForm

        request.current_app = self.name
        return PasswordChangeView.as_view(
            form_class=OwnPasswordForm,
            success_url=reverse("admin:index", current_app=self.name),
            template_name="centre/password_change.html",
            extra_context={**self.each_context(request), **(extra_context or {})},
        )(request)


centre_site = CentreSite(name="centre")
register(centre_site)
