"""Payment codes (C4): a code for an account at a service desk, shown once; its recent codes and uses; limits by date."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_POST

from onecard.consoles.centre import audit, formats, labels, search
from onecard.consoles.centre.identity import of_request, operators
from onecard.consoles.centre.pages.acts import DateField, YuanField, attempt, submit
from onecard.consoles.centre.pages.base import needs, number, render
from onecard.consoles.centre.pages.panels import CODE, NUMBER, Cell, Column, Table
from onecard.consoles.centre.roles import Can, allowed
from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.kernel.numbers import is_card_no
from onecard.services.devices.models import Terminal
from onecard.services.operators.models import CardType
from onecard.services.paycodes import api
from onecard.services.paycodes.models import CodeLimit
from onecard.services.purses.models import Account

_SCOPES = (
    ("account", gettext_lazy("this account")), ("type", gettext_lazy("its card type")), ("all", gettext_lazy("all accounts")),
)  # fmt: skip


class LimitForm(forms.Form):
    """What codes may do from a day on; money in yuan."""

    scope = forms.ChoiceField(label=gettext_lazy("For"), choices=_SCOPES)
    valid_from = DateField(label=gettext_lazy("Valid from"))
    lifetime_s = forms.IntegerField(label=gettext_lazy("Shown for (seconds)"), min_value=10, max_value=3600)
    offline_code_fen = YuanField(label=gettext_lazy("Off line per code (yuan)"), most_fen=2**32 - 1)
    offline_day_fen = YuanField(label=gettext_lazy("Off line per day (yuan)"))
    per_minute = forms.IntegerField(label=gettext_lazy("Codes a minute"), min_value=0, max_value=10_000)
    per_day = forms.IntegerField(label=gettext_lazy("Codes a day"), min_value=0, max_value=100_000)


@needs(Can.VIEW_ACCOUNTS)
def paycodes(request: HttpRequest) -> HttpResponse:
    """Finds an account by its number or by a card's."""
    text = request.GET.get("q", "").strip()
    value = number(text)
    account_no = search.account_of_card(value) if value is not None and is_card_no(value) else value
    if account_no is not None and _find(request, account_no) is not None:
        return redirect("admin:centre_paycodes_account", account_no)
    problem = _("No account has this number or this card.") if text else ""
    return render(request, "centre/paycodes.html", {"title": _("Payment codes"), "q": text, "problem": problem})


@needs(Can.VIEW_ACCOUNTS)
def account(request: HttpRequest, account_no: int) -> HttpResponse:
    """One account: its recent codes and uses, its limits, and the buttons to those who may press them."""
    return _page(request, _need(request, account_no))


@needs(Can.CHANGE_CARDS)
@require_POST
def issue(request: HttpRequest, account_no: int) -> HttpResponse:
    """A fresh code, in the answer to this request and nowhere else: loading the page again does not show it again."""
    found = _need(request, account_no)
    made: list[api.IssuedPayCode] = []

    def perform() -> None:
        made.append(api.issue(account_no, actor=of_request(request)))
        audit.record(request, found, gettext_noop("payment code issued"))

    if not attempt(request, perform):
        return redirect("admin:centre_paycodes_account", account_no)
    return _page(request, found, shown=made[0])


@needs(Can.CHANGE_DIRECTORY)
@require_POST
def set_limits(request: HttpRequest, account_no: int) -> HttpResponse:
    """New limits from a day on, for the account, its card type or all."""
    found, form = _need(request, account_no), LimitForm(request.POST)

    def perform(values: dict[str, Any]) -> CodeLimit:
        scope, valid_from = values.pop("scope"), values.pop("valid_from")
        return api.set_limits(
            api.Limits(**values),
            valid_from,
            actor=of_request(request),
            account_no=account_no if scope == "account" else None,
            card_type_id=found.card_type_id if scope == "type" else None,
        )

    if submit(request, form, perform, name=gettext_noop("payment code limits set"), done=_("Saved.")):
        return redirect("admin:centre_paycodes_account", account_no)
    return _page(request, found, form=form)


def _find(request: HttpRequest, account_no: int) -> Account | None:
    bound, found = operators(request), Account.objects.filter(pk=account_no)
    return (found if bound is None else found.filter(operator_id__in=bound)).first()


def _need(request: HttpRequest, account_no: int) -> Account:
    found = _find(request, account_no)
    if found is None:
        raise Http404
    return found


def _page(
    request: HttpRequest, found: Account, *, shown: api.IssuedPayCode | None = None, form: LimitForm | None = None
) -> HttpResponse:
    actor, account_no = of_request(request), found.account_no
    if form is None and allowed(request, Can.CHANGE_DIRECTORY):
        form = LimitForm(initial=_in_force(found))
    context = {
        "title": f"{_('Payment codes')} {account_no}",
        "account_no": account_no,
        "account_url": reverse("admin:centre_account", args=[account_no]),
        "may_issue": allowed(request, Can.CHANGE_CARDS),
        "codes": _codes_table(api.codes_of(account_no, actor=actor)),
        "limits": _limits_table(found, api.limit_rules(actor=actor, account_no=account_no, card_type_id=found.card_type_id)),
        "form": form,
    }
    if shown is not None:
        left = max(int((shown.expires_at - datetime.now(UTC)).total_seconds()), 0)
        # Made by our own library out of the code's own alphabet: nothing of anybody's typing stands in it.
        picture = mark_safe(api.qr_svg(shown.text))  # noqa: S308
        offline = f"¥{formats.yuan(shown.offline_limit_fen)}" if shown.offline_limit_fen else _("on line only")
        context["shown"] = {"svg": picture, "text": shown.text, "left": left, "card_no": shown.card_no, "offline": offline}
    return render(request, "centre/paycodes_account.html", context)


def _in_force(found: Account) -> dict[str, Any]:
    today = datetime.now(UTC).astimezone(PLATFORM_ZONE).date()
    figures = api.limits_of(found.account_no, found.card_type_id, today)
    names = ("lifetime_s", "offline_code_fen", "offline_day_fen", "per_minute", "per_day")
    return {"valid_from": today, **{name: getattr(figures, name) for name in names}}


def _codes_table(found: list[api.CodeSeen]) -> Table:
    names = dict(Terminal.objects.filter(pk__in={code.terminal_id for code in found}).values_list("id", "tid"))
    columns = [
        Column(_("Issued"), CODE), Column(_("Good until"), CODE), Column(_("Off line up to (yuan)"), NUMBER),
        Column(_("Used"), CODE), Column(_("Terminal"), CODE), Column(_("Amount (yuan)"), NUMBER), Column(_("Result")),
    ]  # fmt: skip
    now = datetime.now(UTC)
    return Table(
        "codes", columns, _("No code was issued for this account lately."), [_code_row(code, names, now) for code in found]
    )


def _code_row(code: api.CodeSeen, names: dict[int, str], now: datetime) -> list[Any]:
    if code.used_at is not None:
        result = _("claimed, not posted") if code.result is None else labels.result_text(code.result)
        state = Cell(result, tone="good" if code.result == 0 else "warn")
    else:
        is_open = code.expires_at is not None and code.expires_at > now
        state = Cell(_("open"), tone="") if is_open else Cell(_("expired unused"))
    how = "" if code.offline is None else _("off line") if code.offline else _("on line")
    return [
        formats.moment(code.issued_at),
        formats.moment(code.expires_at),
        formats.yuan(code.offline_limit_fen),
        Cell(formats.moment(code.used_at), note=how),
        names.get(code.terminal_id or 0, code.terminal_id or "–"),
        formats.yuan(code.amount_fen),
        state,
    ]


def _limits_table(found: Account, rows: list[CodeLimit]) -> Table:
    card_type = CardType.objects.filter(pk=found.card_type_id).first()
    columns = [
        Column(_("Valid from"), CODE), Column(_("For")), Column(_("Shown for (seconds)"), NUMBER),
        Column(_("Off line per code (yuan)"), NUMBER), Column(_("Off line per day (yuan)"), NUMBER),
        Column(_("Codes a minute"), NUMBER), Column(_("Codes a day"), NUMBER), Column(_("By")),
    ]  # fmt: skip
    lines = [
        [
            row.valid_from.isoformat(),
            _("this account") if row.account_no else str(card_type) if row.card_type_id else _("all accounts"),
            row.lifetime_s,
            formats.yuan(row.offline_code_fen),
            formats.yuan(row.offline_day_fen),
            row.per_minute,
            row.per_day,
            row.created_by,
        ]
        for row in rows
    ]
    return Table("limits", columns, _("No limits"), lines)
