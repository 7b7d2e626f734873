"""The home page and the figures it asks for every two seconds."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext as _


def context(request: HttpRequest) -> dict[str, Any]:
    """What the page needs before the first figures arrive: nothing but its title."""
    return {"title": _("Home")}


def live(request: HttpRequest) -> JsonResponse:
    """The live figures as the page shows them: numbers are formatted here, in one place."""
    return JsonResponse({"tiles": {}, "series": [], "operators": [], "units": []})
