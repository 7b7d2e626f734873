"""Error pages, Chinese first with English beside it: plain files without scripts, so that they show when all else fails."""

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _


def _page(status: int, title: str, text: str) -> HttpResponse:
    return HttpResponse(render_to_string("error.html", {"status": status, "title": title, "text": text}), status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400: what came in is no request of ours."""
    return _page(400, _("Bad request"), _("The request could not be understood."))


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: signed in, but the role does not carry this."""
    return _page(403, _("No permission"), _("Your role does not allow this. Ask an administrator if you need it."))


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404."""
    return _page(404, _("Page not found"), _("There is no such page, or what it showed no longer exists."))


def server_error(request: HttpRequest) -> HttpResponse:
    """500: says nothing of the inside; the log does."""
    return _page(500, _("Something went wrong"), _("The error has been logged. Please try again; nothing was changed halfway."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form that did not come from our own page, or was open for too long."""
    return _page(403, _("The form has expired"), _("Go back, reload the page and send the form again."))
