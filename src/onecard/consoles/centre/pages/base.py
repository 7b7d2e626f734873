"""What every page of ours does: ask for its capability, stand in Unfold's frame, read its fields."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.dateparse import parse_date, parse_datetime

from onecard.consoles.centre.identity import operators
from onecard.consoles.centre.roles import Can, allowed
from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.services.operators.models import Operator

View = Callable[..., HttpResponseBase]


def needs(capability: Can) -> Callable[[View], View]:
    """A view for those who carry a capability; 403 for the rest."""

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not allowed(request, capability):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return checked

    return decorate


def render(request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
    """A page in Unfold's frame."""
    from onecard.consoles.centre.site import centre_site

    request.current_app = centre_site.name
    return TemplateResponse(request, template, {**centre_site.each_context(request), **context})


def operator_choices(request: HttpRequest) -> list[Operator]:
    """The operators the user may choose from: all, or those he is bound to."""
    bound = operators(request)
    found = Operator.objects.order_by("id")
    return list(found if bound is None else found.filter(pk__in=bound))


def number(text: str | None) -> int | None:
    """Digits (spaces between groups allowed) as a number; None for anything else."""
    digits = (text or "").replace(" ", "")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 18 else None


def moment(text: str | None) -> datetime | None:
    """The value of a datetime-local or date field, in the platform's time zone."""
    try:
        at = parse_datetime(text or "")
        if at is None and (day := parse_date(text or "")) is not None:
            at = datetime.combine(day, datetime.min.time())
    except ValueError:
        return None
    if at is None or not 2020 <= at.year <= 2099:
        return None
    return at.replace(tzinfo=PLATFORM_ZONE) if at.tzinfo is None else at


def address(request: HttpRequest, **changes: Any) -> str:
    """The page's own address with some fields changed; None takes a field away."""
    query = request.GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None:
            query[name] = str(value)
    return f"?{query.urlencode()}"
