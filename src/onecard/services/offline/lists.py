"""What pages show of off-line rules."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from onecard.protocol.offline import CardTypeRule
from onecard.services.offline.models import CardLimit, DenyPublication, UnitFile


@dataclass(frozen=True, slots=True)
class DenyVersion:
    """A version of the deny list that went out."""

    version: int
    cards: int
    added: int
    removed: int
    size_bytes: int
    published_at: datetime
    released_by: str
    state: str
    canary_lines: int
    reason: str


@dataclass(frozen=True, slots=True)
class CardLimitRow:
    """A rule of cards, with the names of what it holds for; empty: of all."""

    unit_id: int | None
    unit: str
    card_type_id: int | None
    card_type: str
    others: bool
    rule: CardTypeRule
    changed_by: str
    changed_at: datetime


def deny_versions(limit: int = 50) -> list[DenyVersion]:
    """The newest first."""
    rows = DenyPublication.objects.values_list(
        "version", "cards", "added", "removed", "size_bytes", "published_at", "released_by", "state", "canary_lines", "reason"
    )
    return [DenyVersion(*row) for row in rows[:limit]]


def card_limits(operators: frozenset[int] | None = None) -> list[CardLimitRow]:
    """The rules of cards that hold for these operators' units (None: for all), the widest first (N3)."""
    rows = CardLimit.objects.select_related("unit", "card_type").order_by("unit_id", "others", "card_type_id")
    if operators is not None:
        rows = rows.filter(Q(unit__isnull=True) | Q(unit__operator_id__in=operators))
    return sorted((_row(row) for row in rows), key=lambda r: (r.unit_id or 0, r.others, r.card_type_id or 0))


def unit_files(unit_id: int) -> dict[str, tuple[int, datetime]]:
    """Kind ("rules", "cards") → version and when it went out."""
    rows = UnitFile.objects.filter(unit_id=unit_id).values_list("kind", "version", "published_at")
    return {kind: (version, at) for kind, version, at in rows}


def _row(row: CardLimit) -> CardLimitRow:
    rule = CardTypeRule(
        offline=row.offline,
        per_transaction_fen=row.per_transaction_fen,
        per_meal_fen=row.per_meal_fen,
        per_day_fen=row.per_day_fen,
        per_day_count=row.per_day_count,
        meals_only=row.meals_only,
    )
    unit, card_type = (str(row.unit) if row.unit else ""), (str(row.card_type) if row.card_type else "")
    return CardLimitRow(row.unit_id, unit, row.card_type_id, card_type, row.others, rule, row.changed_by, row.changed_at)
