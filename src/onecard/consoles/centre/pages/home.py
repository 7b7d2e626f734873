"""The home page and the figures it asks for every two seconds."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from onecard.consoles.centre import figures, formats, identity
from onecard.consoles.centre.figures import Sum

_LARGEST = 10


def context(request: HttpRequest) -> dict[str, Any]:
    """What the page needs before the first figures arrive: nothing but its title."""
    return {"title": _("Home")}


def live(request: HttpRequest) -> JsonResponse:
    """The live figures as the page shows them: numbers are formatted here, in one place."""
    points, bound = figures.series.get(), identity.operators(request)
    return JsonResponse(
        {
            "tiles": _tiles(points, bound),
            "series": [
                {
                    "at": formats.clock(point["at"]),
                    "rate": point["rate_milli"] / 1000,
                    "p50": point["p50_us"] / 1000,
                    "p99": point["p99_us"] / 1000,
                }
                for point in points
            ],
            "operators": _ranked(figures.by_owner("operators", bound), _operator_names()),
            "units": _ranked(figures.by_owner("units", bound), figures.directory.get()["units"])[:_LARGEST],
        }
    )


def _tiles(points: list[dict[str, Any]], bound: frozenset[int] | None) -> dict[str, str]:
    now = timezone.now()
    # The newest interval may still be coming in from other servers; one older than ten seconds says nothing of now.
    fresh = [point for point in points if (now - point["at"]).total_seconds() < 10]
    last = fresh[-2] if len(fresh) > 1 else (fresh[-1] if fresh else None)
    settlement, today = figures.settlement.get(), figures.today_of(bound)
    run = settlement["run"]
    return {
        "rate": formats.tenths(last["rate_milli"]) if last else "0",
        "p50": formats.tenths(last["p50_us"]) if last else "–",
        "p99": formats.tenths(last["p99_us"]) if last else "–",
        "oldest_unposted": _seconds(last["oldest_ms"]) if last else _("none"),
        "today_count": formats.count(today.count),
        "today_sum": formats.yuan(today.fen),
        "oldest_unsettled": formats.span(settlement["oldest_unsettled_at"], now=now),
        "last_run": f"{run.business_date} / {run.part_no} · {run.get_state_display()}" if run else _("none yet"),
        **{name: formats.count(number) for name, number in figures.devices_of(bound).items()},
    }


def _seconds(milliseconds: int) -> str:
    return _("%(seconds)s s") % {"seconds": formats.tenths(milliseconds)} if milliseconds else _("none")


def _operator_names() -> dict[int, str]:
    english = (get_language() or "").startswith("en")
    operators = figures.directory.get()["operators"].values()
    return {operator.pk: (english and operator.name_en) or operator.name for operator in operators}


def _ranked(sums: dict[int, Sum], names: dict[int, str]) -> list[dict[str, str]]:
    ordered = sorted(sums.items(), key=lambda item: (-item[1].fen, item[0]))
    public = _("public merchants outside any unit")
    return [
        {"name": names.get(owner) or public, "count": formats.count(part.count), "sum": formats.yuan(part.fen)}
        for owner, part in ordered
    ]
