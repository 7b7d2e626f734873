"""Cards (C3): finding one, its whole life on one time line, and what may be done with it in the state it is in.

Every operation is tried first: the page shows what it would move and change, for one to agree to. Nothing of the trial stays.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_POST

from onecard.consoles.centre import formats, labels
from onecard.consoles.centre.forms import error_text
from onecard.consoles.centre.identity import of_request, operators
from onecard.consoles.centre.pages import renewals
from onecard.consoles.centre.pages.acts import DateField, OnceForm, YuanField, attempt, submit
from onecard.consoles.centre.pages.base import address, needs, number, render
from onecard.consoles.centre.pages.panels import CODE, Cell, Column, Table
from onecard.consoles.centre.roles import Can, allowed
from onecard.kernel.codes import Text
from onecard.kernel.errors import Forbidden, NotFound, OneCardError
from onecard.kernel.money import format_yuan
from onecard.kernel.numbers import is_account_no, is_card_no
from onecard.ledger.codes import KIND_TEXT, Medium, TransferKind
from onecard.services.actors import Actor
from onecard.services.cards import api
from onecard.services.cards.api import Card, Details, LifeEvent, NewCard, Operation, State
from onecard.services.cards.life import Money, Need
from onecard.services.issuing import api as issuing
from onecard.services.operators.models import CardType
from onecard.services.people.models import Holder
from onecard.services.purses.models import Card as LedgerCard

PAGE = 50
TONES = {
    State.ACTIVE: "good", State.ISSUED: "warn", State.LOST: "bad", State.LOST_VERBAL: "bad", State.FROZEN: "bad",
    State.EXPIRED: "warn",
}  # fmt: skip
_SOURCES = {
    "stock": Text("库存", "Stock"), "issuing": Text("制卡", "Issuing"), "life": Text("卡片", "Card"),
    "money": Text("资金", "Money"), "list": Text("名单", "List"), "chip": Text("芯片", "Chip"),
}  # fmt: skip
_WAIVE = "cards.waive_fee"
_ON_PLASTIC = (Medium.CPU, Medium.UID)


class OperationForm(OnceForm):
    """What an operation asks: the fields that the life table names for it, and the reason."""

    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200, required=False)

    def __init__(self, *args: Any, card: Card, operation: Operation, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.card, self.actor = card, actor
        cell = api.TABLE[operation].cells[State(card.state)]
        if Need.HOLDER in cell.needs:
            self.fields["holder"] = forms.IntegerField(label=_("Number of the cardholder"), min_value=1)
        if Need.NEW_TYPE in cell.needs:
            others = CardType.objects.exclude(pk=card.card_type_id).order_by("id")
            self.fields["card_type"] = forms.ModelChoiceField(label=_("New card type"), queryset=others)
        if Need.LATER_DATE in cell.needs:
            self.fields["valid_until"] = DateField(label=_("New last day (empty: as the rules say)"), required=False)
        if Need.NEW_CARD in cell.needs:
            media = [(medium.value, labels.MEDIA[medium]) for medium in Medium]
            self.fields["medium"] = forms.TypedChoiceField(
                label=_("Medium of the new card"), coerce=lambda value: Medium(int(value)), choices=media, initial=card.medium
            )
            self.fields["serial"] = forms.IntegerField(
                label=_("Serial of its blank"),
                required=False,
                min_value=1,
                help_text=_("Not for a payment code; a card with a chip may leave it to the station."),
            )
        if Money.CHIP_TO_PURSE_IF_COMPLETE in cell.money and card.medium in (Medium.CPU, Medium.SIM):
            self.fields["chip_counter"] = forms.IntegerField(
                label=_("Off-line counter read from the chip"),
                required=False,
                min_value=0,
                help_text=_("Without what the chip itself says, nothing of it is paid out now."),
            )
            self.fields["chip_balance"] = YuanField(label=_("Balance read from the chip (yuan)"), required=False)
        if api.TABLE[operation].fee is not None and actor.may(_WAIVE, card.operator_id):
            self.fields["fee_waived"] = forms.BooleanField(label=_("Waive the fee"), required=False)
        self.order_fields([name for name in self.fields if name != "reason"])

    def details(self) -> Details:
        """The fields as the service takes them; a blank for a new card is claimed in the same transaction."""
        values, card = self.cleaned_data, self.card
        new_type = values.get("card_type")
        return Details(
            holder_id=values.get("holder"),
            card_type_id=new_type.pk if new_type else None,
            valid_until=values.get("valid_until"),
            new_card=_new_card(card, values["medium"], values.get("serial"), self.actor) if "medium" in values else None,
            fee_waived=values.get("fee_waived", False),
            chip_counter=values.get("chip_counter"),
            chip_balance_fen=values.get("chip_balance") if self.data.get("chip_balance", "").strip() else None,
        )


def _new_card(card: Card, medium: Medium, serial: int | None, actor: Actor) -> NewCard:
    numbers = api.new_numbers(card.operator_id, card.account_no, medium=medium)
    if medium not in _ON_PLASTIC:
        return NewCard(numbers.card_no, medium)
    claim = api.claim_for_issue(
        serial,
        operator_id=card.operator_id,
        card_type_id=card.card_type_id,
        unit_id=card.unit_id,
        actor=actor,
        job=f"desk {numbers.card_no}",
    )
    return NewCard(numbers.card_no, medium, claim.serial)


@needs(Can.VIEW_CARDS)
def cards(request: HttpRequest) -> HttpResponse:
    """Cards by number or account, by a cardholder's name or phone; without a question the newest numbers last."""
    text, after = request.GET.get("q", "").strip(), number(request.GET.get("after"))
    bound, problem = operators(request), ""
    found = LedgerCard.objects.select_related("account").filter(card_no__gt=after or 0)
    if bound is not None:
        found = found.filter(account__operator_id__in=bound)
    if text:
        value = number(text)
        if value is not None and is_card_no(value) and found.filter(pk=value).exists():
            return redirect("admin:centre_card", value)
        found = _search(found, text, value, bound)
        problem = "" if found.exists() else _("No card has this number, account, cardholder or phone.")
    page = list(found.order_by("card_no")[:PAGE])
    context = {
        "title": _("Cards"),
        "q": text,
        "problem": problem,
        "table": _table(page),
        "next": address(request, after=page[-1].card_no) if len(page) == PAGE else None,
        "first": address(request, after=None) if after else None,
    }
    return render(request, "centre/cards.html", context)


def _search(found: "QuerySet[LedgerCard]", text: str, value: int | None, bound: frozenset[int] | None) -> "QuerySet[LedgerCard]":
    if value is not None and is_account_no(value):
        return found.filter(account_id=value)
    named = Holder.objects.filter(phone=text) if value is not None else Holder.objects.filter(name=text)
    if bound is not None:  # before the first are taken: many operators know a name
        named = named.filter(operator_id__in=bound)
    return found.filter(account__holder_id__in=list(named.values_list("id", flat=True)[:PAGE]))


def _table(page: list[LedgerCard]) -> Table:
    states = dict(Card.objects.filter(pk__in=[row.card_no for row in page]).values_list("card_no", "state"))
    holders = dict(Holder.objects.filter(pk__in={row.account.holder_id or 0 for row in page}).values_list("id", "name"))
    rows = [
        [
            Cell(row.card_no, reverse("admin:centre_card", args=[row.card_no])),
            row.account_id,
            holders.get(row.account.holder_id or 0) or _("anonymous"),
            labels.MEDIA.get(row.medium, row.medium),
            _state_cell(states.get(row.card_no), row.status),
            row.valid_until.isoformat() if row.valid_until else "–",
        ]
        for row in page
    ]
    columns = [
        Column(_("Card"), CODE), Column(_("Account"), CODE), Column(_("Cardholder")), Column(_("Medium")), Column(_("State")),
        Column(_("Valid until"), CODE),
    ]  # fmt: skip
    return Table("cards", columns, _("No card has been issued yet."), rows)


def _state_cell(state: str | None, status: int) -> Cell:
    if state is not None:
        return Cell(State(state).label, tone=TONES.get(State(state), ""))
    return Cell(labels.CARD_STATES.get(status, status), tone=labels.tone(status))


def _card(request: HttpRequest, card_no: int) -> Card:
    try:
        return api.card(card_no, actor=of_request(request))
    except (NotFound, Forbidden):
        raise Http404 from None


@needs(Can.VIEW_CARDS)
def card(request: HttpRequest, card_no: int) -> HttpResponse:
    """One card: as it stands, what may be done, and its life, newest first."""
    found, actor = _card(request, card_no), of_request(request)
    may_change = allowed(request, Can.CHANGE_CARDS)
    entries = list(reversed(api.timeline(card_no, actor=actor)))
    undoable = _undoable(found) if may_change and actor.may("cards.undo", found.operator_id) else None
    context = {
        "title": f"{_('Card')} {card_no}",
        "card": found,
        "tone": TONES.get(State(found.state), ""),
        "facts": _facts(found, may_see_accounts=allowed(request, Can.VIEW_ACCOUNTS)),
        "chip": _chip(found) if allowed(request, Can.VIEW_CHIP) else [],
        "operations": _operations(found, actor) if may_change else [],
        "jobs": renewals.jobs(found, may_see_jobs=allowed(request, Can.VIEW_BATCHES)),
        "entries": [_entry(entry, undoable) for entry in entries],
        "transactions": f"{reverse('admin:centre_transactions')}?q={card_no}" if allowed(request, Can.VIEW_TRANSACTIONS) else "",
    }
    return render(request, "centre/card.html", context)


def _facts(found: Card, *, may_see_accounts: bool) -> list[tuple[str, Any, str]]:
    account = reverse("admin:centre_account", args=[found.account_no]) if may_see_accounts else ""
    waits = api.waited_until(found)
    facts: list[tuple[str, Any, str]] = [
        (_("Account"), found.account_no, account),
        (_("Cardholder"), (found.holder.name if found.holder else "") or _("anonymous"), ""),
        (_("Operator"), found.operator.name, ""),
        (_("Unit"), found.unit.name if found.unit else "–", ""),
        (_("Card type"), found.card_type.name, ""),
        (_("Medium"), labels.MEDIA.get(found.medium, found.medium), ""),
        (_("Serial"), found.serial or "–", ""),
        (_("Issued"), formats.moment(found.issued_at), ""),
        (_("Valid until"), found.valid_until.isoformat() if found.valid_until else _("without end"), ""),
    ]
    if waits is not None:
        facts.append((_("Waiting days end"), formats.moment(waits), ""))
    if found.replaces_id:
        facts.append((_("Replaces"), found.replaces_id, reverse("admin:centre_card", args=[found.replaces_id])))
    return facts


def _chip(found: Card) -> list[tuple[str, Any]]:
    """The chip's purse as the platform knows it; nothing for a card without one."""
    from onecard.services.chip import api as chip

    if Medium(found.medium) not in (Medium.CPU, Medium.SIM):
        return []
    standing = chip.standing(found.card_no)
    return [
        (_("Chip balance (yuan)"), formats.yuan(standing.balance_fen)),
        (_("Next off-line counter"), standing.next_counter),
        (_("Records missing"), standing.open_holes),
        (_("Records kept"), standing.kept_records),
        (_("Loads in doubt"), standing.doubts),
    ]


def _operations(found: Card, actor: Actor) -> list[dict[str, Any]]:
    named = found.holder is not None and not found.holder.anonymous
    pointless = {Operation.REGISTER: named, Operation.EXTEND: found.valid_until is None}
    return [
        {"value": operation.value, "title": operation.label}
        for operation in api.allowed(State(found.state))
        if not api.TABLE[operation].by_system
        and not pointless.get(operation, False)
        and actor.may(api.TABLE[operation].permission, found.operator_id)
    ]


def _undoable(found: Card) -> int | None:
    """The event that can be undone: the newest that stands, inside its window; the service has the last word."""
    newest = LifeEvent.objects.filter(card=found, undone_by=None).exclude(operation=Operation.UNDO).order_by("-id").first()
    if newest is None:
        return None
    rules = api.find_rules(found.card_type_id, newest.at.date())
    with transaction.atomic():
        refused = api.why_not(newest, found) is not None
    if refused or timezone.now() - newest.at > timedelta(minutes=rules.undo_minutes if rules else 0):
        return None
    return newest.pk


def _detail(entry: Any) -> str:
    """The details without the amount, which stands beside them."""
    text = labels.own_language(entry.detail)
    return text.removeprefix(format_yuan(entry.amount_fen)).lstrip("，, ") if entry.amount_fen else text


def _entry(entry: Any, undoable: int | None) -> dict[str, Any]:
    return {
        "at": formats.moment(entry.at),
        "source": labels.own_language(_SOURCES[entry.source]),
        "kind": entry.source,
        "title": labels.own_language(entry.title),
        "detail": _detail(entry),
        "actor": entry.actor,
        "reason": entry.reason,
        "amount": formats.yuan(entry.amount_fen) if entry.amount_fen else "",
        "undo": entry.event_id if entry.event_id == undoable and entry.source == "life" else None,
        "ref": entry.ref,
    }


@needs(Can.CHANGE_CARDS)
def operate(request: HttpRequest, card_no: int, operation: str) -> HttpResponse:
    """One operation: what it asks, then what it would move and change, then the act itself."""
    found, actor = _card(request, card_no), of_request(request)
    if operation not in Operation.values or Operation(operation) not in api.allowed(State(found.state)):
        raise Http404
    act = Operation(operation)
    if not actor.may(api.TABLE[act].permission, found.operator_id):
        raise PermissionDenied
    data = request.POST if request.method == "POST" else None
    form = OperationForm(data, card=found, operation=act, actor=actor)

    trial = None
    if request.method == "POST":
        if request.POST.get("confirmed") == "1" and _do(request, form, found, act):
            return redirect("admin:centre_card", card_no)
        if form.is_valid() and request.POST.get("confirmed") != "1":
            trial = _try(form, card_no, act, actor)
    context = {
        "title": f"{act.label} · {card_no}",
        "card": found,
        "operation": act.label,
        "tone": TONES.get(State(found.state), ""),
        "form": form,
        "trial": trial,
        "no_undo": labels.own_language(api.TABLE[act].no_undo) if api.TABLE[act].no_undo else "",  # type: ignore[arg-type]
        "needs": [labels.own_language(api.NEED_TEXT[need]) for need in api.TABLE[act].cells[State(found.state)].needs],
        "back": reverse("admin:centre_card", args=[card_no]),
    }
    return render(request, "centre/operate.html", context)


def _do(request: HttpRequest, form: OperationForm, found: Card, act: Operation) -> bool:
    """The act itself, or for a card with a chip the job that ends in it; whether it was accepted."""
    actor = of_request(request)
    wanted = renewals.wanted(found, act, form.cleaned_data) if form.is_valid() else None
    if wanted is not None:
        if renewals.asked_before(request, found.card_no):
            return True
        made = submit(
            request, form, lambda _values: issuing.create_renewal(wanted, actor=actor), name=gettext_noop("new card asked for")
        )
        if made:
            messages.success(request, renewals.asked(found))
        return made

    def perform(values: dict[str, Any]) -> Card:
        api.operate(found.card_no, act, actor=actor, reason=values["reason"], key=values["key"], details=form.details())
        return Card.objects.get(pk=found.card_no)

    done = _("%(operation)s: done.") % {"operation": act.label}
    return submit(request, form, perform, name=gettext_noop("card operation"), done=done)


def _try(form: OperationForm, card_no: int, act: Operation, actor: Actor) -> dict[str, Any] | None:
    """Do it and take it back whole: what it would move. None where it is refused; the refusal then stands on the form."""
    wanted = renewals.wanted(form.card, act, form.cleaned_data)

    def perform() -> LifeEvent:
        if wanted is not None:
            issuing.create_renewal(wanted, actor=actor)
        return api.operate(card_no, act, actor=actor, reason=form.cleaned_data["reason"], details=form.details())

    try:
        event = rehearse(perform)
    except OneCardError as refusal:
        form.add_error(None, error_text(refusal))
        return None
    return {
        "before": State(event.state_before).label if event.state_before else "–",
        "after": State(event.state_after).label,
        "pays": formats.yuan(event.cash_fen) if event.cash_fen > 0 else "",
        "gets": formats.yuan(-event.cash_fen) if event.cash_fen < 0 else "",
        "lines": [(_kind(line[0]), formats.yuan(line[3])) for line in event.money],
        "chip": formats.yuan(event.data["chip_fen"]) if event.data.get("chip_fen") else "",
        "chip_note": labels.own_language(note) if (note := api.chip_note(event)) else "",
        "deposit_moved": formats.yuan(event.data["deposit_moved_fen"]) if event.data.get("deposit_moved_fen") else "",
        "new_card": event.other_card is not None,
        "station": renewals.where(form.card) if wanted is not None else "",
    }


def rehearse(act: Callable[[], LifeEvent]) -> LifeEvent:
    """An act as it would be, in a transaction that is taken back."""
    with transaction.atomic():
        event = act()
        transaction.set_rollback(True)
    return event


def _kind(kind: int) -> str:
    return labels.own_language(KIND_TEXT[TransferKind(kind)])


@needs(Can.CHANGE_CARDS)
@require_POST
def undo(request: HttpRequest, card_no: int, event_id: int) -> HttpResponse:
    """Undo the newest operation: money exactly back, the card as it was."""
    found, actor = _card(request, card_no), of_request(request)
    reason = request.POST.get("reason", "").strip()[:200]

    def perform() -> Card:
        if not LifeEvent.objects.filter(pk=event_id, card=found).exists():
            raise NotFound("无此事件", "no such event")
        api.undo(event_id, actor=actor, reason=reason)
        return found

    attempt(request, perform, name=gettext_noop("card operation undone"), done=_("Undone: the card is as it was."))
    return redirect("admin:centre_card", card_no)
