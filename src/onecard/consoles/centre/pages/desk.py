"""The quarantine desk (P5): what came in and could not be booked, what is missing, what is in doubt; two people decide.

One proposes with a reason, another approves; the service and the database refuse the same person for both.
"""

from datetime import timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_POST

from onecard.consoles.centre import formats, labels
from onecard.consoles.centre.identity import of_request, operators
from onecard.consoles.centre.pages.acts import attempt
from onecard.consoles.centre.pages.base import address, needs, number, render
from onecard.consoles.centre.roles import Can, allowed
from onecard.services.chip import api
from onecard.services.chip.choices import Outcome, Reason, Subject
from onecard.services.chip.models import Decision
from onecard.services.devices.models import Terminal

PAGE = 50
TABS: dict[str, str | Promise] = {
    "quarantine": gettext_lazy("Chip records"),
    "gray": gettext_lazy("Gray records"),
    "holes": gettext_lazy("Counter holes"),
    "doubts": gettext_lazy("Loads in doubt"),
    "below": gettext_lazy("Chips below zero"),
    "waiting": gettext_lazy("Waiting for a second person"),
}
_EMPTY: dict[str, str | Promise] = {
    "quarantine": gettext_lazy("No chip record waits for a decision."),
    "gray": gettext_lazy("No gray record: every purchase has come in with its proof."),
    "holes": gettext_lazy("No hole: every counter is complete."),
    "doubts": gettext_lazy("No load is in doubt."),
    "below": gettext_lazy("No chip stands below zero."),
    "waiting": gettext_lazy("Nothing waits for a second person."),
}
_AGES = {"": None, "1": timedelta(hours=1), "24": timedelta(hours=24), "72": timedelta(hours=72)}


@needs(Can.VIEW_CHIP)
def desk(request: HttpRequest) -> HttpResponse:
    """One of the lists, with its filters; each row says its age, why it is here, and what may be decided."""
    actor, tab = of_request(request), request.GET.get("tab", "quarantine")
    if tab not in TABS:
        raise Http404
    card, before = number(request.GET.get("card")), number(request.GET.get("before"))
    min_age = _AGES.get(request.GET.get("age", ""))
    reason = request.GET.get("reason", "")
    rows = _ROWS[tab](actor, card=card, reason=reason if reason in Reason.values else None, min_age=min_age, before_id=before)
    figures = api.overview(actor=actor)
    counts = {"quarantine": figures.quarantine, "gray": figures.gray, "holes": figures.holes, "doubts": figures.doubts}
    may_decide, may_see_cards = allowed(request, Can.DECIDE_CHIP), allowed(request, Can.VIEW_CARDS)
    context = {
        "title": _("Quarantine desk"),
        "tab": tab,
        "tabs": [(key, title, counts.get(key)) for key, title in TABS.items()],
        "rows": [{**row, **_decision(row, actor.name, may_decide=may_decide, may_see_cards=may_see_cards)} for row in rows],
        "empty": _EMPTY[tab],
        "card": request.GET.get("card", ""),
        "age": request.GET.get("age", ""),
        "ages": [("", _("any age")), ("1", _("over an hour")), ("24", _("over a day")), ("72", _("over three days"))],
        "reason": reason,
        "reasons": Reason.choices,
        "next": address(request, before=rows[-1]["id"]) if len(rows) == PAGE and tab not in ("waiting", "below") else None,
        "first": address(request, before=None) if before else None,
    }
    return render(request, "centre/desk.html", context)


def _terminal_names(ids: set[int]) -> dict[int, str]:
    return dict(Terminal.objects.filter(pk__in=ids).values_list("id", "tid"))


def _record_rows(found: list[api.RecordRow]) -> list[dict[str, Any]]:
    terminals = _terminal_names({row.record.terminal_id for row in found})
    return [
        {
            "id": row.record.pk,
            "subject": Subject.RECORD,
            "what": f"¥{formats.yuan(row.record.amount_fen)}",
            "card": row.record.card_no,
            "facts": _("terminal %(terminal)s, number %(seq)s, card counter %(counter)s, %(at)s")
            % {
                "terminal": terminals.get(row.record.terminal_id, row.record.terminal_id),
                "seq": row.record.terminal_seq,
                "counter": row.record.card_counter,
                "at": formats.moment(row.record.occurred_at),
            },
            "why": _reasons(row.record.reasons) or labels.result_text(row.record.code),
            "age": row.age,
            "proposed": row.proposed,
        }
        for row in found
    ]


def _reasons(text: str) -> str:
    return "；".join(str(Reason(code).label) for code in text.replace(";", ",").split(",") if code in Reason.values)


def _quarantine(actor: Any, *, card: int | None, reason: str | None, **rest: Any) -> list[dict[str, Any]]:
    return _record_rows(api.quarantine(actor=actor, card_no=card, reason=reason, limit=PAGE, **rest))


def _gray(actor: Any, *, card: int | None, reason: str | None, **rest: Any) -> list[dict[str, Any]]:
    return _record_rows(api.gray_records(actor=actor, card_no=card, limit=PAGE, **rest))


def _holes(actor: Any, *, card: int | None, reason: str | None, **rest: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": row.hole.pk,
            "subject": Subject.HOLE,
            "what": f"{row.hole.first} – {row.hole.last}",
            "card": row.hole.number if row.hole.kind == "card" else None,
            "facts": row.hole.get_kind_display() + ("" if row.hole.kind == "card" else f" {row.hole.number:012X}"),
            "why": _("%(n)d records have not come in") % {"n": row.hole.last - row.hole.first + 1},
            "age": row.age,
            "proposed": row.proposed,
        }
        for row in api.holes(actor=actor, number=card, limit=PAGE, **rest)
    ]


def _doubts(actor: Any, *, card: int | None, reason: str | None, **rest: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": row.doubt.pk,
            "subject": Subject.DOUBT,
            "what": f"¥{formats.yuan(row.doubt.load.amount_fen)}" if row.doubt.load else "–",
            "card": row.doubt.card_no,
            "facts": _("on-line counter %(counter)s, chip balance ¥%(balance)s")
            % {"counter": row.doubt.online_counter, "balance": formats.yuan(row.doubt.balance_fen)},
            "why": row.doubt.get_kind_display(),
            "age": row.age,
            "proposed": row.proposed,
        }
        for row in api.load_doubts(actor=actor, card_no=card, limit=PAGE, **rest)
    ]


def _below(actor: Any, *, card: int | None, **_rest: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": row.card_no,
            "subject": Subject.CHIP,
            "what": f"¥{formats.yuan(-row.missing_fen)}",
            "card": row.card_no,
            "facts": "",
            "why": _("records came in after the chip was paid out or carried over"),
            "age": timedelta(0),
            "proposed": row.proposed,
        }
        for row in api.below_zero(actor=actor, limit=PAGE)
        if card in (None, row.card_no)
    ]


def _waiting(actor: Any, **_rest: Any) -> list[dict[str, Any]]:
    from django.utils import timezone

    return [
        {
            "id": decision.subject_id,
            "subject": decision.subject,
            "what": f"{decision.get_subject_display()} {decision.subject_id}",
            "card": None,
            "facts": "",
            "why": decision.reason,
            "age": timezone.now() - decision.requested_at,
            "proposed": decision,
        }
        for decision in api.open_decisions(actor=actor)
    ]


_ROWS = {"quarantine": _quarantine, "gray": _gray, "holes": _holes, "doubts": _doubts, "below": _below, "waiting": _waiting}


def _decision(row: dict[str, Any], name: str, *, may_decide: bool, may_see_cards: bool) -> dict[str, Any]:
    """What the page offers for a row: to propose, to answer another's proposal, or to take the own one back."""
    decision: Decision | None = row["proposed"]
    own = decision is not None and decision.requested_by.lower() == name.lower()
    outcomes = api.outcomes_for(row["subject"], row["id"]) if may_decide and decision is None else ()
    return {
        "link": (
            reverse("admin:centre_card", args=[row["card"] or 0])
            if may_see_cards
            else f"{reverse('admin:centre_transactions')}?q={row['card']}"
        ),
        "age_text": formats.duration(row["age"]),
        "old": row["age"] > timedelta(hours=72),
        "outcomes": [(outcome.value, outcome.label) for outcome in outcomes],
        "decision": decision,
        "outcome_text": Outcome(decision.outcome).label if decision else "",
        "may_approve": may_decide and decision is not None and not own,
        "may_take_back": may_decide and own,
    }


@needs(Can.DECIDE_CHIP)
@require_POST
def propose(request: HttpRequest) -> HttpResponse:
    """Say what is to become of a row, and why; a second person has to agree."""
    row, actor = number(request.POST.get("id")), of_request(request)
    subject, outcome, reason = (request.POST.get(name, "") for name in ("subject", "outcome", "reason"))
    if row is None or subject not in Subject.values or outcome not in Outcome.values:
        raise Http404
    done = _("Proposed. Another person has to approve it.")
    attempt(
        request,
        lambda: api.propose(subject, row, outcome, actor=actor, reason=reason),
        name=gettext_noop("decision proposed"),
        done=done,
    )
    return _back(request)


@needs(Can.DECIDE_CHIP)
@require_POST
def answer(request: HttpRequest, decision_id: int) -> HttpResponse:
    """Approve what another has proposed, or turn it down."""
    bound, actor = operators(request), of_request(request)
    found = Decision.objects.filter(pk=decision_id).first()
    if found is None or (bound is not None and found.operator_id not in bound):
        raise Http404
    if request.POST.get("act") == "approve":
        done, name = _("Approved and carried out."), gettext_noop("decision approved")
        attempt(request, lambda: api.approve(decision_id, actor=actor), name=name, done=done)
    else:
        done, name = _("Turned down. It stays open."), gettext_noop("decision turned down")
        attempt(request, lambda: api.reject(decision_id, actor=actor), name=name, done=done)
    return _back(request)


def _back(request: HttpRequest) -> HttpResponse:
    tab = request.POST.get("tab", "")
    return redirect(f"{reverse('admin:centre_desk')}?tab={tab if tab in TABS else 'quarantine'}")
