"""The operator tree (O1, O2): root, second-level operators, units, each with what it may have and what it has."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from onecard.consoles.centre import formats, identity
from onecard.consoles.centre.pages.base import needs, number, render
from onecard.consoles.centre.roles import Can
from onecard.services.operators.models import MAX_CHILDREN, MAX_UNITS, Operator, Unit

_ALL_AT_ONCE = 300
UNIT_TONES = {"active": "good", "suspended": "bad", "expired": "bad", "closed": "", "commissioning": "warn", "opened": "warn"}
OPERATOR_TONES = {"active": "good", "suspended": "bad", "closed": ""}


@needs(Can.VIEW_DIRECTORY)
def tree(request: HttpRequest) -> HttpResponse:
    """The whole tree; with more than 300 units, the units of the one operator that is opened."""
    bound = identity.operators(request)
    operators = [row for row in Operator.objects.order_by("parent_id", "id") if bound is None or row.pk in bound]
    opened = number(request.GET.get("open"))
    everything = sum(operator.unit_count for operator in operators) <= _ALL_AT_ONCE
    units: dict[int, list[Unit]] = {}
    for unit in Unit.objects.order_by("code") if everything else Unit.objects.filter(operator_id=opened or 0).order_by("code"):
        units.setdefault(unit.operator_id, []).append(unit)
    root = next((operator for operator in operators if operator.parent_id is None), None)
    return render(
        request,
        "centre/tree.html",
        {
            "title": _("Operator tree"),
            "root": _node(root, units, opened=opened, everything=everything) if root else None,
            "children": [
                _node(operator, units, opened=opened, everything=everything)
                for operator in operators
                if operator.parent_id is not None
            ],
            "max_children": MAX_CHILDREN,
            "max_units": MAX_UNITS,
        },
    )


def _node(operator: Operator, units: dict[int, list[Unit]], *, opened: int | None, everything: bool) -> dict[str, Any]:
    return {
        "row": operator,
        "tone": OPERATOR_TONES.get(operator.status, ""),
        "holders": f"{formats.count(operator.holder_count)} / {formats.count(operator.holder_cap)}",
        "units": [{"row": unit, "tone": UNIT_TONES.get(unit.state, "")} for unit in units.get(operator.pk, [])],
        "open": operator.pk == opened or (everything and opened is None),
        "loaded": everything or operator.pk == opened,
    }
