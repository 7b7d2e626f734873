"""The pages of a unit's workstation: sign in, and the unit's devices at a glance. They show, they change nothing."""

from datetime import UTC, datetime

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from onecard.consoles.workstation.overview import overview
from onecard.consoles.workstation.session import Refused, sign_in, sign_out, signed_in


@require_http_methods(["GET", "HEAD"])
def home(request: HttpRequest) -> HttpResponse:
    """The unit's lines and devices, its lease, and what is in use."""
    who = signed_in(request)
    if who is None:
        return redirect("workstation:login")
    return TemplateResponse(
        request, "workstation/home.html", {"who": who, **overview(who.unit, now=datetime.now(UTC)), **_frame(request)}
    )


@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """Sign in with the unit's user name and password (O3)."""
    if request.method != "POST":
        if signed_in(request) is not None:
            return redirect("workstation:home")
        return TemplateResponse(request, "workstation/login.html", _frame(request))
    name = request.POST.get("username", "").strip()
    refused = sign_in(request, name, request.POST.get("password", ""))
    if refused is None:
        return redirect("workstation:home")
    context = {"error": _reason(refused), "name": name, **_frame(request)}
    return TemplateResponse(request, "workstation/login.html", context, status=429 if refused.locked else 403)


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    """Sign out."""
    sign_out(request)
    return redirect("workstation:login")


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Chinese or English (W4)."""
    response = redirect("workstation:home")
    chosen = request.POST.get("language", "")
    if chosen in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            chosen,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
            samesite="Lax",
        )
    return response


def _frame(request: HttpRequest) -> dict[str, object]:
    return {"languages": settings.LANGUAGES, "over_line": getattr(request, "line_unit", None) is not None}


def _reason(refused: Refused) -> str:
    if refused.locked:
        return _("Too many wrong passwords. Try again in a quarter of an hour.")
    if refused.other_unit:
        return _("This workstation belongs to another unit.")
    return _("The user name or the password is wrong.")
