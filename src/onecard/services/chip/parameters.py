"""The figures that chips are measured by: read once a batch, changed by who may."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from onecard.kernel.errors import InvalidInput
from onecard.services.actors import Actor
from onecard.services.chip.models import ChipParameter, ChipTypeLimit


@dataclass(frozen=True, slots=True)
class Limits:
    """What one chip purchase and one chip may hold, in fen."""

    max_amount_fen: int
    max_balance_fen: int


def parameter() -> ChipParameter:
    """The platform's figures."""
    return ChipParameter.objects.get(pk=1)


def limits(card_types: Collection[int], figures: ChipParameter | None = None) -> dict[int, Limits]:
    """The chip limits of card types: their own where they have some, else the platform's."""
    figures = figures or parameter()
    own = {row.card_type_id: row for row in ChipTypeLimit.objects.filter(pk__in=set(card_types))}
    return {
        card_type: Limits(own[card_type].max_amount_fen, own[card_type].max_balance_fen)
        if card_type in own
        else Limits(figures.max_amount_fen, figures.max_balance_fen)
        for card_type in card_types
    }


def set_limits(*, actor: Actor, **figures: int) -> ChipParameter:
    """Changes figures of the platform by name. Raises InvalidInput for an unknown name or a value out of range."""
    actor.require("chip.parameters")
    row = parameter()
    known = {field.name for field in ChipParameter._meta.fields} - {"id"}
    for name, value in figures.items():
        if name not in known:
            raise InvalidInput(f"无此参数：{name}", f"no such parameter: {name}")
        setattr(row, name, value)
    _save(row)
    return row


def set_type_limits(card_type_id: int, *, max_amount_fen: int, max_balance_fen: int, actor: Actor) -> ChipTypeLimit:
    """Gives a card type chip limits of its own. Raises InvalidInput out of range."""
    actor.require("chip.parameters")
    row = ChipTypeLimit(card_type_id=card_type_id, max_amount_fen=max_amount_fen, max_balance_fen=max_balance_fen)
    _save(row)
    return row


def _save(row: Any) -> None:
    from django.db import DataError, IntegrityError

    try:
        with transaction.atomic():
            row.save()
    except (IntegrityError, DataError) as error:
        raise InvalidInput("参数超出范围", "the figure is out of range") from error
