"""Payments by code that stay outside the books: looking at them, and writing down how a person has settled one."""

from dataclasses import dataclass
from datetime import datetime

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.codes import RESULT_TEXT, Result, Text
from onecard.kernel.errors import InvalidInput, NotFound, RuleViolated
from onecard.services.actors import Actor
from onecard.services.paycodes.models import HeldPayment


@dataclass(frozen=True, slots=True)
class Held:
    """One of them, with the reason and, where its code served before, the record that has it."""

    id: int
    terminal_id: int
    terminal_seq: int
    card_no: int
    merchant: int
    amount_fen: int
    occurred_at: datetime
    received_at: datetime
    result: Result
    reason: Text
    used_by: tuple[int, int] | None
    settled_at: datetime | None
    settled_by: str
    note: str


def held_payments(*, actor: Actor, settled: bool | None = False, limit: int = 100) -> list[Held]:
    """The newest first; `settled` None for all."""
    actor.require("paycodes.settle")
    rows = HeldPayment.objects.all()
    if settled is not None:
        rows = rows.filter(settled_at__isnull=not settled)
    return [_view(row) for row in rows[:limit]]


def settle_held(held_id: int, note: str, *, actor: Actor, clock: Clock | None = None) -> None:
    """Write down how it was settled (charged by hand, borne by the merchant …).

    Raises Forbidden, NotFound, RuleViolated, InvalidInput.
    """
    actor.require("paycodes.settle")
    if not note.strip():
        raise InvalidInput("须说明如何处理", "say how it was settled")
    now = (clock or SystemClock()).now()
    done = HeldPayment.objects.filter(pk=held_id, settled_at__isnull=True).update(
        settled_at=now, settled_by=actor.name[:100], note=note.strip()[:200]
    )
    if not done:
        if not HeldPayment.objects.filter(pk=held_id).exists():
            raise NotFound(f"无此记录：{held_id}", f"no such record: {held_id}")
        raise RuleViolated("已处理", "it is settled already", rule="C4")


def _view(row: HeldPayment) -> Held:
    result = Result(row.result)
    used_by = None if row.used_by_terminal is None or row.used_by_seq is None else (row.used_by_terminal, row.used_by_seq)
    return Held(
        row.pk, row.terminal_id, row.terminal_seq, row.card_no, row.merchant, row.amount_fen, row.occurred_at, row.received_at,
        result, RESULT_TEXT[result], used_by, row.settled_at, row.settled_by, row.note,
    )  # fmt: skip
