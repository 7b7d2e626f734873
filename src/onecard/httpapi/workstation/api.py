"""The API of the audience `workstation`, version 1: its parts, its description, and who may read the documentation."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from ninja import NinjaAPI
from ninja.openapi.docs import Swagger

from onecard.httpapi import problems
from onecard.httpapi.auth import BearerToken, ConsoleSession
from onecard.httpapi.identity import identity
from onecard.httpapi.parsing import BoundedParser
from onecard.httpapi.workstation import (
    accounts,
    batches,
    card_types,
    cards,
    desk,
    directory,
    keys,
    paycodes,
    people,
    stock,
    who,
)

_DESCRIPTION = """REST of the city one-card platform for its workstations / 城市一卡通平台工作站接口.

Amounts are whole fen, moments ISO 8601 with a zone, card and account numbers whole numbers. Lists are pages by key: hand `next`
back as `after`. Errors are problem+json (RFC 9457) with `code`, `zh` and `en`. See docs/httpapi.md.
"""


def _for_staff(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The documentation is for those who are signed in; others are sent to the sign-in page."""

    @wraps(view, updated=())
    def checked(request: HttpRequest, **values: Any) -> HttpResponse:
        if identity().of_session(request) is None:
            return redirect(f"{resolve_url(settings.LOGIN_URL)}?next={request.path}")
        return view(request, **values)

    return checked


api = NinjaAPI(
    title="One-Card workstation API",
    version="1.0.0",
    description=_DESCRIPTION,
    urls_namespace="workstation-v1",
    docs=Swagger(settings={"persistAuthorization": False, "validatorUrl": None, "tryItOutEnabled": True}),
    docs_decorator=_for_staff,
    auth=[BearerToken(), ConsoleSession()],
    parser=BoundedParser(),
)
problems.install(api)
for _tag, _part in (
    ("who", who.router),
    ("directory", directory.router),
    ("card types", card_types.router),
    ("people", people.router),
    ("accounts", accounts.router),
    ("stock", stock.router),
    ("issuing", batches.router),
    ("cards", cards.router),
    ("payment codes", paycodes.router),
    ("desk", desk.router),
    ("keys", keys.router),
):
    api.add_router("", _part, tags=[_tag])
