"""The side bar of the centre: what a role may not open it does not see."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from onecard.consoles.centre.roles import Can, allowed

Label = str | Promise


def _item(title: Label, icon: str, view: str, capability: Can | None = None) -> dict[str, Any]:
    item: dict[str, Any] = {"title": title, "icon": icon, "link": reverse(f"admin:{view}")}
    if capability is not None:
        item["permission"] = _asks(capability)
    return item


def _asks(capability: Can) -> Callable[[HttpRequest], bool]:
    return lambda request: allowed(request, capability)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Groups and pages, in the order of a working day: watch, organise, look up, settle, check."""
    return [
        {"items": [_item(_("Home"), "monitoring", "index")]},
    ]
