"""Requests that came over the line of a unit's front-end (G1): believed by the gateway's proof alone, and let to one place only.

The browser stands in the unit's own network and knows the front-end by its name there. What Django compares with our own name
(Host, and Origin and Referer where they say the same) is put in our terms; a request from another page keeps its foreign Origin
and is refused as a forgery.
"""

import time
from collections.abc import Callable
from ipaddress import IPv6Address

from django.http import HttpRequest, HttpResponse

from onecard.consoles import errors
from onecard.datacenter.home import Home
from onecard.protocol.lineunit import HEADER, LineUnit, parse_line_unit

Handler = Callable[[HttpRequest], HttpResponse]
SECRET = "line-unit"  # noqa: S105 - its name; `onecard serve gateway` reads the same
PATHS = ("/workstation/", "/static/")
_META = "HTTP_" + HEADER.upper().replace("-", "_")
_OWN_HOST = "localhost"
# A unique local prefix (RFC 4193); with the line's number it stands for the line where an address is written down or locked out.
_LINES = int(IPv6Address("fd4f:6e65:4361:7264::"))


def line_unit(get_response: Handler) -> Handler:
    """Sets `request.line_unit`: the line's unit, or None for a request that came straight. Must come before `client_address`."""

    def handle(request: HttpRequest) -> HttpResponse:
        claimed = request.META.pop(_META, None)
        request.line_unit = None  # type: ignore[attr-defined]
        if claimed is None:
            return get_response(request)
        try:
            origin = _proved(request, claimed)
        except ValueError:
            return errors.permission_denied(request)
        if not request.path.startswith(PATHS):
            return errors.page_not_found(request)
        request.line_unit = origin  # type: ignore[attr-defined]
        _put_in_our_terms(request, origin)
        return get_response(request)

    return handle


def unit_of_line(request: HttpRequest) -> int | None:
    """The unit over whose line a request came; None: it came straight."""
    origin: LineUnit | None = getattr(request, "line_unit", None)
    return origin.unit_id if origin else None


def _proved(request: HttpRequest, claimed: str) -> LineUnit:
    """Raises ValueError."""
    query = request.META.get("QUERY_STRING", "")
    target = request.path + (f"?{query}" if query else "")
    secret = Home.from_environment().secret(SECRET).encode()
    return parse_line_unit(secret, claimed, method=str(request.method), target=target, now_s=int(time.time()))


def _put_in_our_terms(request: HttpRequest, origin: LineUnit) -> None:
    meta = request.META
    scheme = "https" if meta.pop("HTTP_X_FORWARDED_PROTO", "") == "https" else "http"
    meta.pop("HTTP_X_FORWARDED_FOR", None)
    meta["wsgi.url_scheme"] = scheme
    meta["REMOTE_ADDR"] = str(IPv6Address(_LINES + origin.line_id))
    theirs, ours = f"{scheme}://{meta.get('HTTP_HOST', '')}", f"{scheme}://{_OWN_HOST}"
    meta["HTTP_HOST"] = _OWN_HOST
    if meta.get("HTTP_ORIGIN") == theirs:
        meta["HTTP_ORIGIN"] = ours
    referer = meta.get("HTTP_REFERER", "")
    if referer == theirs or referer.startswith(f"{theirs}/"):
        meta["HTTP_REFERER"] = ours + referer.removeprefix(theirs)
