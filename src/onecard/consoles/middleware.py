"""What every console's request passes: the client's true address, the content policy, the language, the session's limits."""

import ipaddress
import secrets
import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.utils import translation

Handler = Callable[[HttpRequest], HttpResponse]

POLL_HEADER = "X-Onecard-Poll"
"""Sent by pages that ask again by themselves: such a request does not count as somebody being there."""


def peer_address(request: HttpRequest) -> str:
    """The client's address after `client_address` has settled it."""
    return str(request.META.get("REMOTE_ADDR", ""))


def client_address(get_response: Handler) -> Handler:
    """Believe X-Forwarded-* only when a proxy we trust says it, and then only the last hop; drop it in every other case.

    Lock-out and audit rows name an address: a client must not be able to choose it.
    """

    def handle(request: HttpRequest) -> HttpResponse:
        forwarded = request.META.pop("HTTP_X_FORWARDED_FOR", "")
        if peer_address(request) not in settings.TRUSTED_PROXIES:
            request.META.pop("HTTP_X_FORWARDED_PROTO", None)
        elif forwarded:
            last = forwarded.rsplit(",", 1)[-1].strip()
            if _is_address(last):
                request.META["REMOTE_ADDR"] = last
        return get_response(request)

    return handle


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def content_security_policy(get_response: Handler) -> Handler:
    """Everything from our own origin; scripts by file or nonce only.

    Two things Unfold needs stay open and are stated in docs/manual-centre.md: 'unsafe-eval' (Alpine evaluates the expressions in
    its attributes) and inline style *attributes*. Inline <script> and inline event handlers stay refused.
    """

    def handle(request: HttpRequest) -> HttpResponse:
        nonce = secrets.token_urlsafe(16)
        request.csp_nonce = nonce  # type: ignore[attr-defined]
        response = get_response(request)
        response.headers.setdefault(
            "Content-Security-Policy",
            f"default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src-elem 'self' 'nonce-{nonce}'; "
            "style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'",
        )
        response.headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
        if not request.path.startswith(settings.STATIC_URL):
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    return handle


def language(get_response: Handler) -> Handler:
    """Chinese unless the visitor has chosen otherwise (W4); what the browser prefers is not asked."""

    def handle(request: HttpRequest) -> HttpResponse:
        chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
        code = chosen if chosen in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
        with translation.override(code):
            request.LANGUAGE_CODE = code
            response = get_response(request)
            response.headers.setdefault("Content-Language", code)
            return response

    return handle


def session_limits(get_response: Handler) -> Handler:
    """Sign out after an hour without anybody there, and after twelve hours in any case."""

    def handle(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            now = int(time.time())
            since = request.session.setdefault("signed_in_at", now)
            seen = request.session.setdefault("seen_at", now)
            if now - seen > settings.SESSION_IDLE_SECONDS or now - since > settings.SESSION_COOKIE_AGE:
                logout(request)
            elif POLL_HEADER not in request.headers and now - seen > 60:
                request.session["seen_at"] = now
        return get_response(request)

    return handle
