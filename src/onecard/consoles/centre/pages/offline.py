"""Deciding off line (G3): deny lists that are out, with a few first, stopped, held; what cards may do; figures."""

from dataclasses import asdict
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_POST

from onecard.consoles.centre import formats
from onecard.consoles.centre.identity import of_request
from onecard.consoles.centre.pages.acts import YuanField, attempt, submit
from onecard.consoles.centre.pages.base import needs, render
from onecard.consoles.centre.pages.panels import CODE, NUMBER, Cell, Column, Table
from onecard.consoles.centre.roles import Can, allowed
from onecard.consoles.centre.said import first_with_reason
from onecard.protocol.offline import CardTypeRule
from onecard.services.offline import api
from onecard.services.offline.models import MAX_FEN, CardLimit, DenyPublication, DenyState, OfflinePolicy
from onecard.services.operators.models import CardType, Unit

_TONES = {DenyState.CANARY.value: "warn", DenyState.OUT.value: "good", DenyState.STOPPED.value: "bad"}
_LIMITS = ("per_transaction_fen", "per_meal_fen", "per_day_fen")


class OptionalYuan(YuanField):
    """An amount; left empty: no limit, which is not the same as 0."""

    def clean(self, value: Any) -> Any:
        """None for nothing typed."""
        return super().clean(value) if str(value or "").strip() else None


class LimitForm(forms.Form):
    """What cards may do while the line is down."""

    unit = forms.ModelChoiceField(Unit.objects.all(), label=gettext_lazy("Unit"), required=False, empty_label=gettext_lazy("all"))
    card_type = forms.ModelChoiceField(
        CardType.objects.all(), label=gettext_lazy("Card type"), required=False, empty_label=gettext_lazy("all")
    )
    others = forms.BooleanField(label=gettext_lazy("Cards that are not the unit's"), required=False)
    offline = forms.BooleanField(label=gettext_lazy("Served off line"), required=False, initial=True)
    per_transaction_fen = OptionalYuan(label=gettext_lazy("Per purchase (yuan)"), required=False, most_fen=MAX_FEN)
    per_meal_fen = OptionalYuan(label=gettext_lazy("Per meal period (yuan)"), required=False, most_fen=MAX_FEN)
    per_day_fen = OptionalYuan(label=gettext_lazy("Per day (yuan)"), required=False, most_fen=MAX_FEN)
    per_day_count = forms.IntegerField(label=gettext_lazy("Purchases a day"), required=False, min_value=0, max_value=10_000)
    meals_only = forms.BooleanField(label=gettext_lazy("In meal periods only"), required=False)


class FiguresForm(forms.Form):
    """The platform's own figures."""

    fallback_ms = forms.IntegerField(
        label=gettext_lazy("A front-end waits for the platform (ms)"), min_value=100, max_value=60_000
    )
    guard_permille = forms.IntegerField(
        label=gettext_lazy("A front-end refuses a list that newly keeps out more than (‰ of recent cards)"),
        min_value=1,
        max_value=1000,
    )
    hold_over_cards = forms.IntegerField(
        label=gettext_lazy("A change of the deny list is held above (cards)"), min_value=0, max_value=10_000_000
    )
    hold_over_permille = forms.IntegerField(label=gettext_lazy("and above (‰ of the list)"), min_value=0, max_value=1000)
    canary_permille = forms.IntegerField(
        label=gettext_lazy("A new deny list goes first to (‰ of the front-ends on line, at least one)"),
        min_value=1,
        max_value=1000,
    )
    canary_soak_s = forms.IntegerField(label=gettext_lazy("and to all after (seconds)"), min_value=1, max_value=10)


@needs(Can.VIEW_DEVICES)
def offline(request: HttpRequest) -> HttpResponse:
    """The page."""
    return _page(request)


@needs(Can.RUN_ROLLOUTS)
@require_POST
def release(request: HttpRequest) -> HttpResponse:
    """Publish the deny list that is held; else send out the one that was stopped."""
    said = (
        _("The deny list is published as it stands now.") if api.held_deny() else _("The deny list goes to all front-ends now.")
    )

    def perform() -> DenyPublication | None:
        return api.release_deny(actor=of_request(request))

    attempt(request, perform, name=gettext_noop("deny list released"), done=said)
    return redirect("admin:centre_offline")


@needs(Can.CHANGE_DIRECTORY)
@require_POST
def set_limit(request: HttpRequest) -> HttpResponse:
    """Set what cards of a unit and type may do."""
    form = LimitForm(request.POST)

    def perform(values: dict[str, Any]) -> CardLimit:
        unit, card_type, others = (values.pop(name) for name in ("unit", "card_type", "others"))
        scope = {"unit_id": unit.pk if unit else None, "card_type_id": card_type.pk if card_type else None, "others": others}
        return api.set_card_limit(CardTypeRule(**values), actor=of_request(request), **scope)

    said = _("The limit is set; front-ends get it within a minute.")
    if submit(request, form, perform, name=gettext_noop("offline limit set"), done=said):
        return redirect("admin:centre_offline")
    return _page(request, limit=form)


@needs(Can.CHANGE_DIRECTORY)
@require_POST
def set_figures(request: HttpRequest) -> HttpResponse:
    """Set the platform's figures."""
    form = FiguresForm(request.POST)

    def perform(values: dict[str, Any]) -> OfflinePolicy:
        return api.set_policy(api.Policy(**values), actor=of_request(request))

    if submit(request, form, perform, name=gettext_noop("offline figures set"), done=_("Saved.")):
        return redirect("admin:centre_offline")
    return _page(request, figures=form)


def _page(request: HttpRequest, *, limit: LimitForm | None = None, figures: FiguresForm | None = None) -> HttpResponse:
    held, stopped, versions = api.held_deny(), api.stopped_deny(), api.deny_versions()
    of_platform = of_request(request).operators is None
    may_set = allowed(request, Can.CHANGE_DIRECTORY) and of_platform
    context = {
        "title": _("Deciding off line"),
        "held": held and asdict(held) | {"since": formats.moment(held.since), "cards": formats.count(held.cards)},
        "stopped": stopped and {"version": stopped.version, "reason": first_with_reason(stopped.reason, names_place=of_platform)},
        "may_release": allowed(request, Can.RUN_ROLLOUTS) and of_platform,
        "versions": _versions_table(versions, names_place=of_platform),
        "limits": _limits_table(api.card_limits(of_request(request).operators)),
        "limit_form": (limit or LimitForm()) if may_set else None,
        "figures_form": (figures or FiguresForm(initial=asdict(api.policy()))) if may_set else None,
    }
    return render(request, "centre/offline.html", context)


def _versions_table(versions: list[api.DenyVersion], *, names_place: bool) -> Table:
    rows = [
        [
            str(one.version),
            formats.moment(one.published_at),
            formats.count(one.cards),
            f"+{formats.count(one.added)} −{formats.count(one.removed)}",
            formats.count(one.size_bytes),
            _state_cell(one, names_place=names_place),
            one.released_by or _("by itself"),
        ]
        for one in versions
    ]
    columns = [
        Column(_("Version"), NUMBER), Column(_("Published"), CODE), Column(_("Cards"), NUMBER), Column(_("Change"), NUMBER),
        Column(_("Bytes"), NUMBER), Column(_("State")), Column(_("Released by")),
    ]  # fmt: skip
    return Table("deny-versions", columns, _("Nothing has been published yet."), rows)


def _state_cell(one: api.DenyVersion, *, names_place: bool) -> Cell:
    note = _("%(count)s front-ends had it first") % {"count": formats.count(one.canary_lines)} if one.canary_lines else ""
    return Cell(
        DenyState(one.state).label, tone=_TONES[one.state], note=first_with_reason(one.reason, names_place=names_place) or note
    )


def _limits_table(found: list[api.CardLimitRow]) -> Table:
    rows = [
        [
            row.unit or _("all"),
            _("cards that are not the unit's") if row.others else row.card_type or _("all"),
            Cell(_("yes") if row.rule.offline else _("no"), tone="good" if row.rule.offline else "warn"),
            *(_fen(getattr(row.rule, name)) for name in _LIMITS),
            "–" if row.rule.per_day_count is None else formats.count(row.rule.per_day_count),
            _("yes") if row.rule.meals_only else "–",
            Cell(row.changed_by, note=formats.moment(row.changed_at)),
        ]
        for row in found
    ]
    columns = [
        Column(_("Unit")), Column(_("Card type")), Column(_("Served off line")), Column(_("Per purchase (yuan)"), NUMBER),
        Column(_("Per meal period (yuan)"), NUMBER), Column(_("Per day (yuan)"), NUMBER), Column(_("Purchases a day"), NUMBER),
        Column(_("In meal periods only")), Column(_("Set by")),
    ]  # fmt: skip
    return Table("offline-limits", columns, _("Nothing is served off line."), rows)


def _fen(fen: int | None) -> str:
    return _("no limit") if fen is None else formats.yuan(fen)
