"""What the pages show: kept records, gray records, holes and doubts with their ages, filtered; and one overview of all."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count, Min, QuerySet

from onecard.kernel.codes import Result
from onecard.ledger import balances
from onecard.ledger.balances import StatementLine
from onecard.services.actors import Actor
from onecard.services.chip.choices import RecordState, Subject
from onecard.services.chip.models import CounterHole, Decision, HeldRecord, LoadDoubt
from onecard.services.chip.raw import raw


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A kept record; `proposed` is the decision that waits for a second person."""

    record: HeldRecord
    age: timedelta
    proposed: Decision | None


@dataclass(frozen=True, slots=True)
class HoleRow:
    """A range of counters that no record has come in for."""

    hole: CounterHole
    age: timedelta
    proposed: Decision | None


@dataclass(frozen=True, slots=True)
class DoubtRow:
    """A load that is not certain."""

    doubt: LoadDoubt
    age: timedelta
    proposed: Decision | None


@dataclass(frozen=True, slots=True)
class Figure:
    """How many are open, and since when the oldest is."""

    count: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that is open."""

    quarantine: Figure
    gray: Figure
    holes: Figure
    doubts: Figure


def quarantine(
    *,
    actor: Actor,
    state: RecordState | str | None = RecordState.OPEN,
    code: int | None = None,
    reason: str | None = None,
    card_no: int | None = None,
    terminal_id: int | None = None,
    min_age: timedelta | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[RecordRow]:
    """Quarantined records, newest first; `state` None: settled ones too; `before_id` goes on after a page."""
    rows = _records(actor, state, card_no, terminal_id, min_age).exclude(code=Result.GRAY)
    if code is not None:
        rows = rows.filter(code=code)
    if reason:
        rows = rows.filter(reasons__contains=reason)
    return _record_rows(_page(rows, before_id, limit))


def gray_records(
    *,
    actor: Actor,
    state: RecordState | str | None = RecordState.OPEN,
    card_no: int | None = None,
    terminal_id: int | None = None,
    min_age: timedelta | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[RecordRow]:
    """Gray records, newest first."""
    rows = _records(actor, state, card_no, terminal_id, min_age).filter(code=Result.GRAY)
    return _record_rows(_page(rows, before_id, limit))


def holes(
    *,
    actor: Actor,
    kind: str | None = None,
    number: int | None = None,
    filled: bool | None = False,
    min_age: timedelta | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[HoleRow]:
    """Holes of cards ("card") and SAMs ("sam"), newest first; `filled` None: both."""
    actor.require("chip.view")
    rows = _of_operators(CounterHole.objects.all(), actor, also_none=True)
    rows = _filtered(rows, kind=kind, number=number)
    if filled is not None:
        rows = rows.filter(filled_at__isnull=not filled)
    if min_age is not None:
        rows = rows.filter(opened_at__lte=datetime.now(UTC) - min_age)
    found = _page(rows, before_id, limit)
    proposed = _proposed(Subject.HOLE, found)
    return [HoleRow(row, _age(row.opened_at, row.filled_at), proposed.get(row.pk)) for row in found]


def load_doubts(
    *,
    actor: Actor,
    kind: str | None = None,
    card_no: int | None = None,
    is_open: bool | None = True,
    min_age: timedelta | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[DoubtRow]:
    """Doubts about loads, newest first; `is_open` None: settled ones too."""
    actor.require("chip.view")
    rows = _filtered(_of_operators(LoadDoubt.objects.select_related("load"), actor), kind=kind, card_no=card_no)
    if is_open is not None:
        rows = rows.filter(settled_at__isnull=is_open)
    if min_age is not None:
        rows = rows.filter(opened_at__lte=datetime.now(UTC) - min_age)
    found = _page(rows, before_id, limit)
    proposed = _proposed(Subject.DOUBT, found)
    return [DoubtRow(row, _age(row.opened_at, row.settled_at), proposed.get(row.pk)) for row in found]


def overview(*, actor: Actor) -> Overview:
    """How much is open of each, and how old."""
    actor.require("chip.view")
    records = _of_operators(HeldRecord.objects.filter(state=RecordState.OPEN), actor)
    return Overview(
        _figure(records.exclude(code=Result.GRAY), "received_at"),
        _figure(records.filter(code=Result.GRAY), "received_at"),
        _figure(_of_operators(CounterHole.objects.filter(filled_at__isnull=True), actor, also_none=True), "opened_at"),
        _figure(_of_operators(LoadDoubt.objects.filter(settled_at__isnull=True), actor), "opened_at"),
    )


def statement(card_no: int, *, limit: int = 50, before_id: int | None = None) -> list[StatementLine]:
    """The newest transfers of a chip's shadow account."""
    return balances.chip_statement(raw(), card_no, limit=limit, before_id=before_id)


def _records(
    actor: Actor, state: str | None, card_no: int | None, terminal_id: int | None, min_age: timedelta | None
) -> QuerySet[HeldRecord]:
    actor.require("chip.view")
    rows = _filtered(_of_operators(HeldRecord.objects.all(), actor), state=state, card_no=card_no, terminal_id=terminal_id)
    return rows if min_age is None else rows.filter(received_at__lte=datetime.now(UTC) - min_age)


def _record_rows(found: list[HeldRecord]) -> list[RecordRow]:
    proposed = _proposed(Subject.RECORD, found)
    return [RecordRow(row, _age(row.received_at, row.settled_at), proposed.get(row.pk)) for row in found]


def _filtered(rows: QuerySet[Any], **values: object) -> QuerySet[Any]:
    return rows.filter(**{name: value for name, value in values.items() if value is not None})


def _of_operators(rows: QuerySet[Any], actor: Actor, *, also_none: bool = False) -> QuerySet[Any]:
    """N3: rows of the actor's operators; SAMs serve all, their holes have no operator."""
    if actor.operators is None:
        return rows
    return rows.filter(operator_id__in={*actor.operators, 0} if also_none else actor.operators)


def _page(rows: QuerySet[Any], before_id: int | None, limit: int) -> list[Any]:
    if before_id is not None:
        rows = rows.filter(pk__lt=before_id)
    return list(rows.order_by("-pk")[:limit])


def _proposed(subject: Subject, rows: list[Any]) -> dict[int, Decision]:
    found = Decision.objects.filter(subject=subject, subject_id__in=[row.pk for row in rows], approved__isnull=True)
    return {decision.subject_id: decision for decision in found}


def _age(since: datetime, until: datetime | None) -> timedelta:
    return (until or datetime.now(UTC)) - since


def _figure(rows: QuerySet[Any], field: str) -> Figure:
    found = rows.aggregate(count=Count("pk"), oldest=Min(field))
    return Figure(found["count"], found["oldest"])
