"""Who asks: found through the module that the setting `API_IDENTITY` names, since REST imports no console."""

from importlib import import_module
from typing import Any, Protocol, cast

from django.conf import settings
from django.http import HttpRequest

from onecard.services.actors import Actor


class Identity(Protocol):
    """What the module of the setting offers (see `onecard.consoles.centre.rest`)."""

    def of_session(self, request: HttpRequest) -> Actor | None:
        """Who the session's cookie stands for."""

    def of_token(self, request: HttpRequest, text: str) -> Actor | None:
        """Who a bearer token stands for."""

    def record_call(self, request: HttpRequest, *, call: str, answer: int) -> None:
        """Write a call that changed something into the audit log."""


def identity() -> Identity:
    """The module of the setting."""
    return cast(Identity, import_module(settings.API_IDENTITY))


def actor(request: HttpRequest, permission: str, operator_id: int | None = None) -> Actor:
    """Who asks, carrying a permission. Raises Forbidden without it."""
    found: Any = getattr(request, "auth", None)
    assert isinstance(found, Actor), "every operation is behind auth"
    found.require(permission, operator_id)
    return found
