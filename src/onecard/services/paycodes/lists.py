"""What pages show of payment codes: held payments with age and reason, an account's recent codes and uses, its limits by date."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Min, Q, QuerySet

from onecard.kernel.codes import RESULT_TEXT, Result, Text
from onecard.services.actors import Actor
from onecard.services.paycodes.choices import HeldState
from onecard.services.paycodes.limits import operator_of
from onecard.services.paycodes.models import CodeLimit, HeldDecision, HeldPayment


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A held payment; `proposed` is the decision that waits for a second person."""

    payment: HeldPayment
    age: timedelta
    reason: Text
    proposed: HeldDecision | None


@dataclass(frozen=True, slots=True)
class Figure:
    """How many are open, and since when the oldest is."""

    count: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class CodeSeen:
    """A code of an account, and what it paid where it was used; `result` is the ledger's answer, None where it has none yet."""

    code_id: int
    issued_at: datetime | None
    expires_at: datetime | None
    offline_limit_fen: int | None
    used_at: datetime | None
    terminal_id: int | None
    terminal_seq: int | None
    amount_fen: int | None
    offline: bool | None
    result: Result | None


# Codes stand here for two days, uses for good: both ends of the join may be missing.
_CODES = """
WITH codes AS (
    SELECT i.code_id, i.issued_at, i.expires_at, i.offline_limit_fen FROM paycodes_issuedcode i
     WHERE i.account_no = %(account)s ORDER BY i.issued_at DESC LIMIT %(limit)s
), uses AS (
    SELECT u.* FROM paycodes_paycodeuse u
     WHERE u.card_no IN (SELECT c.card_no FROM ledger.card c WHERE c.account_no = %(account)s AND c.medium = 3)
     ORDER BY u.occurred_at DESC LIMIT %(limit)s
)
SELECT coalesce(c.code_id, u.code_id), c.issued_at, c.expires_at, c.offline_limit_fen, u.occurred_at, u.terminal_id,
       u.terminal_seq, u.amount_fen, u.offline, k.code
  FROM codes c FULL JOIN uses u ON u.code_id = c.code_id
  LEFT JOIN ledger.posting_key k ON k.terminal_id = u.terminal_id AND k.terminal_seq = u.terminal_seq AND k.phase = 0
 ORDER BY coalesce(c.issued_at, u.occurred_at) DESC, 1 LIMIT %(limit)s"""


def held_payments(
    *,
    actor: Actor,
    state: HeldState | str | None = HeldState.OPEN,
    result: int | None = None,
    card_no: int | None = None,
    min_age: timedelta | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[HeldRow]:
    """The newest first; `state` None: settled ones too; `before_id` goes on after a page."""
    rows = _seen(actor).order_by("-pk")
    wanted = {"state": state, "result": result, "card_no": card_no, "pk__lt": before_id}
    rows = rows.filter(**{name: value for name, value in wanted.items() if value is not None})
    if min_age is not None:
        rows = rows.filter(received_at__lte=datetime.now(UTC) - min_age)
    found = list(rows[:limit])
    open_ones = HeldDecision.objects.filter(held__in=found, approved__isnull=True)
    proposed = {decision.held_id: decision for decision in open_ones}
    return [
        HeldRow(
            row, (row.settled_at or datetime.now(UTC)) - row.received_at, RESULT_TEXT[Result(row.result)], proposed.get(row.pk)
        )
        for row in found
    ]


def held_figure(*, actor: Actor) -> Figure:
    """How many are open, and how old."""
    found = _seen(actor).filter(state=HeldState.OPEN).aggregate(count=Count("pk"), oldest=Min("received_at"))
    return Figure(found["count"], found["oldest"])


def open_held_decisions(*, actor: Actor, limit: int = 200) -> list[HeldDecision]:
    """What waits for a second person, oldest first."""
    actor.require("paycodes.held")
    rows = HeldDecision.objects.filter(approved__isnull=True)
    if actor.operators is not None:
        rows = rows.filter(operator_id__in=actor.operators)
    return list(rows.order_by("id")[:limit])


def codes_of(account_no: int, *, actor: Actor, limit: int = 20) -> list[CodeSeen]:
    """The account's recent codes and uses, newest first. Raises NotFound, Forbidden."""
    actor.require("paycodes.view", operator_of(account_no))
    with connection.cursor() as cursor:
        cursor.execute(_CODES, {"account": account_no, "limit": limit})
        return [_code(*row) for row in cursor.fetchall()]


def _code(code_id: int, *rest: Any) -> CodeSeen:
    *facts, result = rest
    issued_at, expires_at, offline_limit_fen, used_at, terminal_id, terminal_seq, amount_fen, offline = facts
    return CodeSeen(
        code_id, issued_at, expires_at, offline_limit_fen, used_at, terminal_id, terminal_seq, amount_fen, offline,
        None if result is None else Result(result),
    )  # fmt: skip


def limit_rules(
    *, actor: Actor, account_no: int | None = None, card_type_id: int | None = None, since: date | None = None
) -> list[CodeLimit]:
    """Rules of an account, of a card type, and those of all, the latest day first; `since` leaves out older ones."""
    actor.require("paycodes.view", None if account_no is None else operator_of(account_no))
    scope = Q(account_no__isnull=True, card_type_id__isnull=True)
    if account_no is not None:
        scope |= Q(account_no=account_no)
    if card_type_id is not None:
        scope |= Q(card_type_id=card_type_id)
    rows = CodeLimit.objects.filter(scope)
    if since is not None:
        rows = rows.filter(valid_from__gte=since)
    return list(rows.order_by("-valid_from", "-id"))


def _seen(actor: Actor) -> QuerySet[HeldPayment]:
    """N3: the payments of cards of the actor's operators."""
    actor.require("paycodes.held")
    rows = HeldPayment.objects.all()
    return rows if actor.operators is None else rows.filter(operator_id__in=actor.operators)
