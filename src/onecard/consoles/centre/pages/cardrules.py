"""Card types with their rules (C5): what a type asks and costs, from which day on, and who may use it (O2)."""

from datetime import timedelta
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_POST

from onecard.consoles.centre import formats, labels
from onecard.consoles.centre.identity import of_request, operators
from onecard.consoles.centre.pages.acts import DateField, YuanField, attempt, submit
from onecard.consoles.centre.pages.base import needs, render
from onecard.consoles.centre.pages.panels import CODE, NUMBER, Cell, Column, Table
from onecard.consoles.centre.roles import Can, allowed
from onecard.kernel.business_day import business_date
from onecard.kernel.clock import SystemClock
from onecard.ledger.codes import Medium
from onecard.services.cards import api
from onecard.services.cards.api import CardTypeRules
from onecard.services.operators.models import CardType, OperatorCardType

_WHO = ("anonymous_allowed", "real_name_allowed", "members_only")
_PURSES = ("public_purse", "private_purse", "chip_purse")
_MONEY = ("deposit_fen", "issue_fee_fen", "replace_fee_fen", "exchange_fee_fen", "return_fee_fen")
_TIMES = ("validity_months", "waiting_days", "max_per_holder", "undo_minutes")
_OTHER = ("deposit_back_when_lost", "loss_needs_registration")


class RulesForm(forms.Form):
    """The rules of a card type from a day on; money in yuan."""

    valid_from = DateField(label=gettext_lazy("Valid from"))
    on_media = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Media"), coerce=int, choices=list(labels.MEDIA.items()), widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in (*_WHO, *_PURSES, *_OTHER):
            self.fields[name] = forms.BooleanField(label=_title(name), required=False)
        for name in _MONEY:
            self.fields[name] = YuanField(label=_plain(name) + _(" (yuan)"), required=False)
        for name in _TIMES:
            self.fields[name] = forms.IntegerField(label=_title(name), min_value=0, max_value=100_000)

    def rules(self) -> api.NewRules:
        """What was filled in, as the service takes it."""
        given = {name: value for name, value in self.cleaned_data.items() if name not in ("valid_from", "on_media")}
        return api.NewRules(media=frozenset(Medium(value) for value in self.cleaned_data["on_media"]), **given)


def _title(name: str) -> str:
    return str(getattr(CardTypeRules._meta.get_field(name), "verbose_name", name))


def _plain(name: str) -> str:
    """Without the unit that the table keeps it in."""
    return _title(name).removesuffix("（分）").removesuffix(" (fen)")


def _today() -> Any:
    return business_date(SystemClock().now())


@needs(Can.VIEW_DIRECTORY)
def card_types(request: HttpRequest) -> HttpResponse:
    """Every card type with the rules in force today."""
    today = _today()
    rows = []
    for card_type in CardType.objects.order_by("id"):
        found = api.find_rules(card_type.pk, today)
        rows.append(
            [
                Cell(str(card_type), reverse("admin:centre_card_type", args=[card_type.pk])),
                Cell(_media(found)) if found else Cell(_("no rules in force: cannot be issued"), tone="warn"),
                _who(found) if found else "–",
                formats.yuan(found.deposit_fen) if found else "–",
                formats.yuan(found.issue_fee_fen) if found else "–",
                _months(found.validity_months) if found else "–",
                found.valid_from.isoformat() if found else "–",
            ]
        )
    columns = [
        Column(_("Card type")), Column(_("Media")), Column(_("For whom")), Column(_("Deposit (yuan)"), NUMBER),
        Column(_("Issuing fee (yuan)"), NUMBER), Column(_("Validity")), Column(_("Rules since"), CODE),
    ]  # fmt: skip
    table = Table("card-types", columns, _("There is no card type yet: make one under “Card types and limits”."), rows)
    context = {"title": _("Card types and rules"), "table": table, "may_change": allowed(request, Can.CHANGE_DIRECTORY)}
    return render(request, "centre/card_types.html", context)


def _media(rules: CardTypeRules) -> str:
    return "、".join(str(labels.MEDIA[medium]) for medium in sorted(rules.media))


def _who(rules: CardTypeRules) -> str:
    if rules.members_only:
        return _("members of the unit")
    if rules.anonymous_allowed and rules.real_name_allowed:
        return _("anybody")
    return _("anonymous only") if rules.anonymous_allowed else _("people with names")


def _months(months: int) -> str:
    return _("%(n)d months") % {"n": months} if months else _("without end")


@needs(Can.VIEW_DIRECTORY)
def card_type(request: HttpRequest, card_type_id: int) -> HttpResponse:
    """One card type: its rules by day, what is to come, who may use it; and the form for new rules."""
    found = CardType.objects.filter(pk=card_type_id).first()
    if found is None:
        raise Http404
    may_change, dated = allowed(request, Can.CHANGE_DIRECTORY), list(CardTypeRules.objects.filter(card_type=found))
    form = RulesForm(request.POST or None, initial=_proposal(dated))
    if request.method == "POST":
        _refuse(may_change)
        said = _("The rules are set.")
        act, actor = gettext_noop("card type rules set"), of_request(request)

        def perform(values: dict[str, Any]) -> CardTypeRules:
            return api.set_rules(found.pk, values["valid_from"], rules=form.rules(), actor=actor)

        if submit(request, form, perform, name=act, done=said):
            return redirect("admin:centre_card_type", found.pk)
    bound = operators(request)
    users = OperatorCardType.objects.filter(card_type=found).select_related("operator").order_by("operator_id")
    context = {
        "title": str(found),
        "card_type": found,
        "limits": _limits(found),
        "rules": [_rules_row(rules) for rules in dated],
        "users": _users_table([row for row in users if bound is None or row.operator_id in bound]),
        "form": form if may_change else None,
    }
    return render(request, "centre/card_type.html", context)


def _refuse(may: bool) -> None:
    from django.core.exceptions import PermissionDenied

    if not may:
        raise PermissionDenied


def _proposal(dated: list[CardTypeRules]) -> dict[str, Any]:
    """The newest rules from tomorrow on: what is changed is typed, the rest stands there."""
    if not dated:
        usual: dict[str, Any] = {
            "real_name_allowed": True,
            "public_purse": True,
            "loss_needs_registration": True,
            "waiting_days": 7,
        }
        usual |= {"validity_months": 0, "max_per_holder": 1, "undo_minutes": 30, "on_media": [Medium.CPU.value]}
        return {**usual, "valid_from": _today()}
    newest = dated[0]
    kept = {name: getattr(newest, name) for name in (*_WHO, *_PURSES, *_OTHER, *_MONEY, *_TIMES)}
    return {
        **kept,
        "valid_from": max(_today(), newest.valid_from) + timedelta(days=1),
        "on_media": [m.value for m in newest.media],
    }


def _limits(found: CardType) -> list[tuple[str, str]]:
    names = ("limit_txn_fen", "limit_meal_fen", "limit_day_fen", "limit_balance_fen")
    fields = [(str(getattr(CardType._meta.get_field(name), "verbose_name", name)), getattr(found, name)) for name in names]
    return [
        (title.removesuffix("（分）").removesuffix(" (fen)"), f"¥{formats.yuan(fen)}" if fen else _("no limit"))
        for title, fen in fields
    ]


def _rules_row(rules: CardTypeRules) -> dict[str, Any]:
    today = _today()
    current = api.find_rules(rules.card_type_id, today)
    yes = [_title(name) for name in (*_WHO, *_PURSES, *_OTHER) if getattr(rules, name)]
    money = [(_plain(name), f"¥{formats.yuan(getattr(rules, name))}") for name in _MONEY]
    times = [(_title(name), str(getattr(rules, name))) for name in _TIMES]
    return {
        "valid_from": rules.valid_from.isoformat(),
        "state": _("in force") if current == rules else _("to come") if rules.valid_from > today else _("past"),
        "tone": "good" if current == rules else "warn" if rules.valid_from > today else "",
        "coming": rules.valid_from > today,
        "media": _media(rules),
        "yes": yes,
        "figures": money + times,
        "by": rules.created_by,
        "at": formats.moment(rules.created_at),
    }


def _users_table(found: list[OperatorCardType]) -> Table:
    rows = [
        [
            Cell(str(row.operator), reverse("admin:operators_operator_change", args=[row.operator_id])),
            row.get_issuing_mode_display(),
        ]
        for row in found
    ]
    columns = [Column(_("Operator")), Column(_("Who issues its cards"))]
    return Table("users", columns, _("No operator may use this card type yet: allow it on the operator's page."), rows)


@needs(Can.CHANGE_DIRECTORY)
@require_POST
def drop_rules(request: HttpRequest, card_type_id: int) -> HttpResponse:
    """Take back rules that have not begun."""
    form = forms.Form(request.POST)
    form.fields["valid_from"] = forms.DateField()
    if form.is_valid():
        day, done = form.cleaned_data["valid_from"], _("The rules are taken back.")
        attempt(request, lambda: api.drop_rules(card_type_id, day, actor=of_request(request)), done=done)
    return redirect("admin:centre_card_type", card_type_id)
