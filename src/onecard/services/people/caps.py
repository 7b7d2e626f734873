"""The legal caps on what a purse may hold: dated rules, of which the ledger enforces the one in force at every top-up."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.services.actors import Actor
from onecard.services.operators.api import refusals
from onecard.services.people.errors import build_refusals
from onecard.services.people.models import LegalCap


@dataclass(frozen=True, slots=True)
class Cap:
    """What a purse may hold from a day on; 0 is no cap."""

    valid_from: date
    anonymous_fen: int
    registered_fen: int
    basis: str = ""

    def of(self, *, anonymous: bool) -> int:
        """The cap of one kind of holder, 0 for none."""
        return self.anonymous_fen if anonymous else self.registered_fen


def set_cap(cap: Cap, *, actor: Actor) -> None:
    """A rule for a day that is not past; one for a later day may be replaced until it begins. Raises Forbidden, InvalidInput."""
    actor.require("people.caps")
    with refusals(build_refusals(None)):
        LegalCap.objects.filter(valid_from=cap.valid_from, valid_from__gt=_today()).delete()
        LegalCap.objects.create(
            valid_from=cap.valid_from,
            anonymous_fen=cap.anonymous_fen,
            registered_fen=cap.registered_fen,
            basis=cap.basis[:200],
            created_by=actor.name[:100],
        )


def caps() -> list[Cap]:
    """All rules, the newest first."""
    return [Cap(row.valid_from, row.anonymous_fen, row.registered_fen, row.basis) for row in LegalCap.objects.all()]


def cap_in_force(day: date | None = None) -> Cap | None:
    """The rule of a day (today), or None where there is none yet."""
    row = LegalCap.objects.filter(valid_from__lte=day or _today()).first()
    return Cap(row.valid_from, row.anonymous_fen, row.registered_fen, row.basis) if row else None


def _today() -> date:
    return datetime.now(UTC).astimezone(PLATFORM_ZONE).date()
