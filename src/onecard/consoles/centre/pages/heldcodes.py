"""The quarantine desk's page of payments by code: what was bought with a code that does not hold; two people decide."""

from datetime import timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_POST

from onecard.consoles.centre import formats, labels
from onecard.consoles.centre.identity import of_request
from onecard.consoles.centre.pages.acts import attempt
from onecard.consoles.centre.pages.base import address, needs, number, render
from onecard.consoles.centre.roles import Can, allowed
from onecard.kernel.codes import Result
from onecard.services.devices.models import Terminal
from onecard.services.paycodes import api
from onecard.services.paycodes.models import HeldDecision, HeldPayment

PAGE = 50
_OLD = timedelta(hours=72)
_AGES = {"": None, "1": timedelta(hours=1), "24": timedelta(hours=24), "72": timedelta(hours=72)}
_REASONS = (
    Result.CODE_USED, Result.CODE_INVALID, Result.CODE_EXPIRED, Result.TIME_IMPLAUSIBLE, Result.LIMIT_TRANSACTION,
)  # fmt: skip


@needs(Can.VIEW_CHIP)
def held(request: HttpRequest) -> HttpResponse:
    """The open ones, or all, with age and reason, and what may be decided."""
    actor = of_request(request)
    card, before, reason = (number(request.GET.get(name)) for name in ("card", "before", "reason"))
    state = None if request.GET.get("state") == "all" else api.HeldState.OPEN
    rows = api.held_payments(
        actor=actor, state=state, result=reason, card_no=card, min_age=_AGES.get(request.GET.get("age", "")), before_id=before,
        limit=PAGE,
    )  # fmt: skip
    may_decide = allowed(request, Can.DECIDE_CHIP)
    ids = {of for row in rows for of in (row.payment.terminal_id, row.payment.used_by_terminal) if of is not None}
    terminals = dict(Terminal.objects.filter(pk__in=ids).values_list("id", "tid"))
    context = {
        "title": _("Held payments by code"),
        "figure": api.held_figure(actor=actor),
        "rows": [_row(row, terminals, name=actor.name, may_decide=may_decide) for row in rows],
        "outcomes": api.Outcome.choices,
        "card": request.GET.get("card", ""),
        "age": request.GET.get("age", ""),
        "ages": [("", _("any age")), ("1", _("over an hour")), ("24", _("over a day")), ("72", _("over three days"))],
        "reason": reason,
        "reasons": [(int(result), labels.result_text(result)) for result in _REASONS],
        "all": state is None,
        "next": address(request, before=rows[-1].payment.pk) if len(rows) == PAGE else None,
        "first": address(request, before=None) if before else None,
    }
    return render(request, "centre/held_codes.html", context)


def _row(row: api.HeldRow, terminals: dict[int, str], *, name: str, may_decide: bool) -> dict[str, Any]:
    payment, decision = row.payment, row.proposed
    why, is_open = str(labels.result_text(payment.result)), payment.state == api.HeldState.OPEN
    if payment.used_by_terminal is not None:
        other = terminals.get(payment.used_by_terminal, payment.used_by_terminal)
        why += " · " + _("used at terminal %(terminal)s, number %(seq)s") % {"terminal": other, "seq": payment.used_by_seq}
    own = decision is not None and decision.requested_by.lower() == name.lower()
    return {
        "payment": payment,
        "amount": formats.yuan(payment.amount_fen),
        "facts": _("terminal %(terminal)s, number %(seq)s, %(at)s")
        % {
            "terminal": terminals.get(payment.terminal_id, payment.terminal_id),
            "seq": payment.terminal_seq,
            "at": formats.moment(payment.occurred_at),
        },
        "why": why,
        "age_text": formats.duration(row.age),
        "old": is_open and row.age > _OLD,
        "decision": decision,
        "outcome_text": api.Outcome(decision.outcome).label if decision else "",
        "may_propose": may_decide and is_open and decision is None,
        "may_approve": may_decide and decision is not None and not own,
        "may_take_back": may_decide and own,
        "settled": None if is_open else payment.decision,
    }


@needs(Can.DECIDE_CHIP)
@require_POST
def propose(request: HttpRequest) -> HttpResponse:
    """Say what is to become of a payment, and why; a second person has to agree."""
    held_id, actor = number(request.POST.get("id")), of_request(request)
    outcome, reason = request.POST.get("outcome", ""), request.POST.get("reason", "")
    if held_id is None or outcome not in api.Outcome.values or not _seen(request, held_id):
        raise Http404
    attempt(
        request,
        lambda: api.propose_held(held_id, outcome, actor=actor, reason=reason),
        name=gettext_noop("decision proposed"),
        done=_("Proposed. Another person has to approve it."),
    )
    return redirect("admin:centre_held_codes")


@needs(Can.DECIDE_CHIP)
@require_POST
def answer(request: HttpRequest, decision_id: int) -> HttpResponse:
    """Approve what another has proposed, or turn it down."""
    actor, found = of_request(request), HeldDecision.objects.filter(pk=decision_id).first()
    if found is None or not _seen(request, found.held_id):
        raise Http404
    if request.POST.get("act") == "approve":
        done, name = _("Approved and carried out."), gettext_noop("decision approved")
        attempt(request, lambda: api.approve_held(decision_id, actor=actor), name=name, done=done)
    else:
        done, name = _("Turned down. It stays open."), gettext_noop("decision turned down")
        attempt(request, lambda: api.reject_held(decision_id, actor=actor), name=name, done=done)
    return redirect("admin:centre_held_codes")


def _seen(request: HttpRequest, held_id: int) -> bool:
    """Whether the payment is of an operator one may see (N3)."""
    bound, found = of_request(request).operators, HeldPayment.objects.filter(pk=held_id)
    return (found if bound is None else found.filter(operator_id__in=bound)).exists()
