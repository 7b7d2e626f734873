"""Who signs in with a one-time password sees nothing but the page that changes it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from onecard.consoles.centre.models import StaffAccount
from onecard.consoles.middleware import Handler

_OPEN = ("admin:password_change", "admin:logout", "set_language")


def password_must_change(get_response: Handler) -> Handler:
    """Send everybody whose password must be changed to the page for it, whatever they asked for."""

    def handle(request: HttpRequest) -> HttpResponse:
        if (
            request.user.is_authenticated
            and request.path.startswith("/centre/")
            and request.path not in {reverse(name) for name in _OPEN} | {reverse("admin:jsi18n")}
            and StaffAccount.objects.filter(user_id=request.user.pk, password_must_change=True).exists()
        ):
            return redirect("admin:password_change")
        return get_response(request)

    return handle
