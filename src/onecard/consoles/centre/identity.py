"""Who is there: an `Actor` of the services from a signed-in user, and the operators that user is bound to (N3)."""

from django.contrib.auth.models import User
from django.http import HttpRequest

from onecard.consoles.centre.models import StaffOperator
from onecard.consoles.centre.permissions import carried
from onecard.consoles.centre.roles import Can
from onecard.services.actors import Actor

_PREFIX = "centre."


def capabilities(user: User) -> set[Can]:
    """The capabilities of a user's roles."""
    held = {name.removeprefix(_PREFIX) for name in user.get_all_permissions() if name.startswith(_PREFIX)}
    return {capability for capability in Can if capability in held}


def operators_of(user: User) -> frozenset[int] | None:
    """The operators a user is bound to; None for one who sees all."""
    return frozenset(StaffOperator.objects.filter(staff_id=user.pk).values_list("operator_id", flat=True)) or None


def actor_of(user: User) -> Actor:
    """The user as the services know him."""
    return Actor(user.get_username(), carried(capabilities(user)), operators_of(user))


def operators(request: HttpRequest) -> frozenset[int] | None:
    """The operators the page may show; None for all."""
    return of_request(request).operators


def of_request(request: HttpRequest) -> Actor:
    """Who is signed in; asked for once a request. For pages behind `needs`."""
    found = getattr(request, "onecard_actor", None)
    if not isinstance(found, Actor):
        assert isinstance(request.user, User), "the page is for those who are signed in"
        found = actor_of(request.user)
        request.onecard_actor = found  # type: ignore[attr-defined]
    return found
