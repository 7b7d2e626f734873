"""Accounts and their purses, cards and statements; the deny list and the quarantine (P1, P4). Read only but for freezing."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_POST

from onecard.consoles.centre import audit, formats, labels, lists, search
from onecard.consoles.centre.identity import operators
from onecard.consoles.centre.pages.base import address, moment, needs, number, operator_choices, render
from onecard.consoles.centre.pages.transactions import Names, row
from onecard.consoles.centre.roles import Can, allowed
from onecard.consoles.centre.search import Cursor, Span
from onecard.kernel.numbers import is_account_no, is_card_no
from onecard.ledger.codes import AccountStatus, CardStatus
from onecard.services.devices.models import Terminal
from onecard.services.operators.models import CardType, Merchant, Operator, Unit
from onecard.services.people.models import Holder
from onecard.services.purses import api as purses
from onecard.services.purses.api import PurseBalance
from onecard.services.purses.models import Account, Card

PAGE = lists.PAGE
_CARD_BEFORE = {True: CardStatus.ACTIVE, False: CardStatus.FROZEN}


@needs(Can.VIEW_ACCOUNTS)
def accounts(request: HttpRequest) -> HttpResponse:
    """The list of accounts: all, of one operator, or what a number or a cardholder's name finds."""
    text, problem = request.GET.get("q", "").strip(), ""
    operator, unit, after = (number(request.GET.get(name)) for name in ("operator", "unit", "after"))
    if not text:
        of = {name: value for name, value in (("operator_id", operator), ("unit_id", unit)) if value is not None}
        found = list(_visible(request).filter(account_no__gt=after or 0, **of).order_by("account_no")[:PAGE])
    else:
        value = number(text)
        account_no = search.account_of_card(value) if value is not None and is_card_no(value) else value
        if account_no is not None and is_account_no(account_no) and _visible(request).filter(pk=account_no).exists():
            return redirect("admin:centre_account", account_no)
        holders = list(Holder.objects.filter(name=text).values_list("id", flat=True)[:PAGE])
        found = list(_visible(request).filter(holder_id__in=holders).order_by("account_no")[:PAGE])
        problem = "" if found else _("No account has this number, this card or a cardholder of exactly this name.")
    full = not text and len(found) == PAGE
    return render(
        request,
        "centre/accounts.html",
        {
            "title": _("Accounts"),
            "q": text,
            "operator": operator,
            "operators": operator_choices(request),
            "problem": problem,
            "accounts": _account_rows(found),
            "next": address(request, after=found[-1].account_no) if full else None,
            "first": address(request, after=None) if after else None,
        },
    )


def _visible(request: HttpRequest) -> "QuerySet[Account]":
    bound = operators(request)
    return Account.objects.all() if bound is None else Account.objects.filter(operator_id__in=bound)


def _account_rows(found: list[Account]) -> list[dict[str, Any]]:
    operators = dict(Operator.objects.filter(pk__in={a.operator_id for a in found}).values_list("id", "name"))
    units = dict(Unit.objects.filter(pk__in={a.unit_id for a in found}).values_list("id", "name"))
    types = dict(CardType.objects.filter(pk__in={a.card_type_id for a in found}).values_list("id", "name"))
    holders = dict(Holder.objects.filter(pk__in={a.holder_id for a in found if a.holder_id}).values_list("id", "name"))
    return [
        {
            "account_no": account.account_no,
            "holder": holders.get(account.holder_id or 0) or _("anonymous"),
            "operator": operators.get(account.operator_id, account.operator_id),
            "unit": units.get(account.unit_id, "–"),
            "card_type": types.get(account.card_type_id, account.card_type_id),
            "state": labels.ACCOUNT_STATES.get(account.status, account.status),
            "tone": labels.tone(account.status),
            "debt": formats.yuan(account.debt_fen) if account.debt_fen else "",
            "opened_at": formats.moment(account.opened_at),
        }
        for account in found
    ]


@needs(Can.VIEW_ACCOUNTS)
def account(request: HttpRequest, account_no: int) -> HttpResponse:
    """One account: standing, purses, cards, and the statement as of any moment."""
    found = _visible(request).filter(pk=account_no).first()
    if found is None:
        raise Http404
    as_of, cursor = moment(request.GET.get("as_of")), Cursor.parse(request.GET.get("before", ""))
    # What was posted within that millisecond belongs to it, as in the ledger's own balances.
    span = Span(until=as_of + timedelta(milliseconds=1) if as_of else None)
    transfers = search.of_account(account_no, span, cursor)
    last = transfers[-1] if len(transfers) == search.PAGE else None
    names = Names(transfers)
    return render(
        request,
        "centre/account.html",
        {
            "title": f"{_('Account')} {account_no}",
            "account": _account_rows([found])[0],
            "status": found.status,
            "purses": _purse_rows(account_no, as_of=as_of),
            "cards": [_card_row(card) for card in Card.objects.filter(account_id=account_no).order_by("card_no")],
            "as_of": request.GET.get("as_of", "") if as_of else "",
            "transfers": [row(transfer, names) for transfer in transfers],
            "older": address(request, before=Cursor(last.id, last.lane)) if last else None,
            "newest": address(request, before=None) if request.GET.get("before") else None,
            "may_change": allowed(request, Can.CHANGE_ACCOUNTS),
        },
    )


def _purse_rows(account_no: int, *, as_of: datetime | None) -> list[dict[str, Any]]:
    found = purses.purses(account_no)
    units = dict(Unit.objects.filter(pk__in={purse.unit_id for purse in found}).values_list("id", "name"))
    return [
        {
            "name": _("Public purse")
            if purse.unit_id == 0
            else f"{_('Private purse')} · {units.get(purse.unit_id, purse.unit_id)}",
            "balance": formats.yuan(purse.balance_fen),
            "then": formats.yuan(_balance_then(purse, as_of)) if as_of else "",
        }
        for purse in found
    ]


def _balance_then(purse: PurseBalance, as_of: datetime) -> int:
    lines = purses.statement(purse.account_no, as_of=as_of, unit_id=purse.unit_id, limit=1)
    return lines[0].balance_fen if lines else 0


def _card_row(card: Card) -> dict[str, Any]:
    return {
        "card_no": card.card_no,
        "status": card.status,
        "state": labels.CARD_STATES.get(card.status, card.status),
        "tone": labels.tone(card.status),
        "medium": labels.MEDIA.get(card.medium, card.medium),
        "denied": card.denied,
        "valid_until": card.valid_until.isoformat() if card.valid_until else "–",
        "link": f"{reverse('admin:centre_transactions')}?q={card.card_no}",
    }


@needs(Can.VIEW_ACCOUNTS)
def deny_list(request: HttpRequest) -> HttpResponse:
    """Cards that may not pay, and why."""
    card, reason = (number(request.GET.get(name)) or 0 for name in ("after", "reason"))
    found = lists.denied(after=(card, reason), operators=operators(request))
    full = len(found) == lists.PAGE
    return render(
        request,
        "centre/deny_list.html",
        {
            "title": _("Deny list"),
            "rows": [
                {
                    "card_no": entry.card_no,
                    "reason": labels.DENY_REASONS.get(entry.reason, entry.reason),
                    "since": formats.moment(entry.since),
                    "link": f"{reverse('admin:centre_accounts')}?q={entry.card_no}",
                }
                for entry in found
            ],
            "next": address(request, after=found[-1].card_no, reason=found[-1].reason) if full else None,
        },
    )


@needs(Can.VIEW_TRANSACTIONS)
def quarantine(request: HttpRequest) -> HttpResponse:
    """Offline records nobody could be charged for."""
    after = request.GET.get("after", "").split(".")
    start = (int(after[0]), int(after[1])) if len(after) == 2 and all(part.lstrip("-").isdecimal() for part in after) else None
    bound = operators(request)
    found = lists.quarantined(after=start, operators=bound) if start else lists.quarantined(operators=bound)
    terminals = dict(Terminal.objects.filter(pk__in={entry.terminal_id for entry in found}).values_list("id", "tid"))
    merchants = dict(Merchant.objects.filter(pk__in={(entry.merchant or 0) % 10**8 for entry in found}).values_list("id", "name"))
    full = len(found) == lists.PAGE
    return render(
        request,
        "centre/quarantine.html",
        {
            "title": _("Quarantine"),
            "rows": [
                {
                    "terminal": terminals.get(entry.terminal_id, entry.terminal_id),
                    "seq": entry.terminal_seq,
                    "card_no": entry.card_no,
                    "merchant": merchants.get((entry.merchant or 0) % 10**8, entry.merchant),
                    "amount": formats.yuan(entry.amount_fen),
                    "occurred_at": formats.moment(entry.occurred_at),
                    "recorded_at": formats.moment(entry.recorded_at),
                    "answer": labels.result_text(entry.code),
                    "reason": entry.reason,
                    "resolved_at": formats.moment(entry.resolved_at),
                }
                for entry in found
            ],
            "next": address(request, after=f"{found[-1].terminal_id}.{found[-1].terminal_seq}") if full else None,
        },
    )


@needs(Can.CHANGE_ACCOUNTS)
@require_POST
def change_state(request: HttpRequest, account_no: int) -> HttpResponse:
    """Freeze or release an account, or one of its cards. Closed and lost ones are left as they are."""
    frozen = request.POST.get("act") == "freeze"
    before = AccountStatus.ACTIVE if frozen else AccountStatus.FROZEN
    card_no = number(request.POST.get("card"))
    act = gettext_noop("frozen") if frozen else gettext_noop("released")
    found = _visible(request).filter(pk=account_no).first()
    if found is None:
        raise Http404
    with transaction.atomic():
        if card_no is None:
            if found.status == before:
                purses.set_account_status(account_no, AccountStatus.FROZEN if frozen else AccountStatus.ACTIVE)
                audit.record(request, found, act)
        else:
            card = Card.objects.filter(pk=card_no, account_id=account_no, status=_CARD_BEFORE[frozen]).first()
            if card is not None:
                purses.set_card_status(card_no, CardStatus.FROZEN if frozen else CardStatus.ACTIVE)
                audit.record(request, card, act)
    return redirect("admin:centre_account", account_no)
