"""Around every call below /api/: what fails outside an operation still answers problem+json, and changes leave an audit row."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from onecard.httpapi.identity import identity
from onecard.httpapi.parsing import is_too_large
from onecard.httpapi.problems import CONTENT_TYPE, problem
from onecard.services.actors import Actor

PREFIX = "/api/"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
QUIET = "onecard_quiet"
"""Set on a request whose operation writes a finer journal of its own (the APDUs of a card)."""


def rest(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A page not found, a method not allowed and the like in the form a program expects; the audit row of a call."""

    def handle(request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(PREFIX):
            return get_response(request)
        if any("\0" in part or is_too_large(part) for part in request.path.split("/")):
            return problem(request, 404)  # no row has such a number
        answer = get_response(request)
        if isinstance(getattr(request, "auth", None), Actor) and request.method not in _READING and not hasattr(request, QUIET):
            identity().record_call(request, call=f"{request.method} {request.path}", answer=answer.status_code)
        if answer.status_code >= 400 and answer.headers.get("Content-Type") != CONTENT_TYPE:
            plain, answer = answer, problem(request, answer.status_code)
            if "Allow" in plain.headers:
                answer.headers["Allow"] = plain.headers["Allow"]
        return answer

    return handle
