"""The two ways to be somebody over REST: a bearer token, or the session of a console with its CSRF token."""

from django.conf import settings
from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from onecard.httpapi import failures
from onecard.httpapi.identity import identity
from onecard.httpapi.problems import TooManyError, UnauthenticatedError
from onecard.kernel.errors import Forbidden
from onecard.services.actors import Actor


class BearerToken(HttpBearer):
    """`Authorization: Bearer …`. A wrong one ends the matter: the session's cookie is not tried after it."""

    def authenticate(self, request: HttpRequest, token: str) -> Actor:
        """Who the token stands for. Raises UnauthenticatedError, and TooManyError after too many wrong ones from one address."""
        address = str(request.META.get("REMOTE_ADDR", ""))
        wait_s = failures.wait_s(address)
        if wait_s:
            raise TooManyError(wait_s)
        found = identity().of_token(request, token)
        if found is None:
            failures.note(address)
            raise UnauthenticatedError
        return found


class ConsoleSession(APIKeyCookie):
    """The cookie of a signed-in console; what changes something needs its CSRF token too."""

    param_name = settings.SESSION_COOKIE_NAME

    def __call__(self, request: HttpRequest) -> Actor:
        """Who has signed in. Raises UnauthenticatedError, and Forbidden for a call from somewhere else."""
        found = identity().of_session(request) if self.param_name in request.COOKIES else None
        if found is None:
            raise UnauthenticatedError
        if check_csrf(request):
            raise Forbidden("缺少或错误的CSRF令牌", "the CSRF token is missing or wrong")
        return found

    def authenticate(self, request: HttpRequest, key: str | None) -> Actor | None:
        """Not used: `__call__` looks at the session itself."""
        raise NotImplementedError
