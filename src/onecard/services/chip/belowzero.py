"""Chips whose account stands below zero: listed, and written off by two people as the operator's loss.

A record that comes in after its chip was paid out or carried over finds nothing there: the merchant is paid all the same, and
what is missing has nobody else to bear it. Holder and public purse are not touched.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from onecard.kernel.business_day import business_date
from onecard.kernel.codes import Result
from onecard.ledger import balances
from onecard.ledger import chip as ledger
from onecard.ledger.accounts import BookKind, book_id
from onecard.ledger.codes import SystemTerminal
from onecard.services.actors import Actor
from onecard.services.chip.choices import Subject
from onecard.services.chip.errors import AmountChanged, ChipInDoubt, NotPostable
from onecard.services.chip.models import CardState, Decision, LoadDoubt
from onecard.services.chip.raw import raw

_WRITE_OFFS = 1 << 41
"""Ledger keys of write-offs are the decisions' numbers from here on."""


@dataclass(frozen=True, slots=True)
class BelowZero:
    """A chip whose account is below zero, and the decision that waits for a second person."""

    card_no: int
    operator_id: int
    missing_fen: int
    proposed: Decision | None


def missing_fen(card_no: int) -> int:
    """What a chip's account lacks to zero; 0 where it lacks nothing."""
    purse = balances.chip_balance(raw(), card_no)
    return max(0, -purse.balance_fen) if purse else 0


def require_no_doubt(card_no: int) -> None:
    """Raises ChipInDoubt: what a doubt turns out to be may be the very money that is missing."""
    if LoadDoubt.objects.filter(card_no=card_no, settled_at__isnull=True).exists():
        raise ChipInDoubt


def write_off(decision: Decision, state: CardState, *, now: datetime) -> None:
    """Brings a chip's account back to zero. The caller holds the lane. Raises AmountChanged, ChipInDoubt."""
    require_no_doubt(state.card_no)
    amount = missing_fen(state.card_no)
    if amount != decision.amount_fen:
        raise AmountChanged
    answer = ledger.load_chip(
        raw(), (SystemTerminal.CHIP, _WRITE_OFFS + decision.pk), state.card_no, amount_fen=amount, occurred_at=now,
        business_date=business_date(now), payer=book_id(BookKind.CHIP_LOSS, state.operator_id),
    )  # fmt: skip
    if answer.code != Result.APPROVED:
        raise NotPostable(answer.code)


def below_zero(*, actor: Actor, limit: int = 50) -> list[BelowZero]:
    """Chips that stand below zero, what lacks most first."""
    actor.require("chip.view")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.card_no, c.operator_id, -p.balance_fen FROM ledger.chip_purse p JOIN ledger.card c USING (card_no)"
            " WHERE p.balance_fen < 0 AND (%s::int[] IS NULL OR c.operator_id = ANY (%s::int[]))"
            " ORDER BY p.balance_fen, p.card_no LIMIT %s",
            [*[None if actor.operators is None else sorted(actor.operators)] * 2, limit],
        )
        rows = cursor.fetchall()
    waiting = Decision.objects.filter(subject=Subject.CHIP, subject_id__in=[row[0] for row in rows], approved__isnull=True)
    proposed = {decision.subject_id: decision for decision in waiting}
    return [BelowZero(card_no, operator, fen, proposed.get(card_no)) for card_no, operator, fen in rows]
