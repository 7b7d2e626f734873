"""A card's whole life in one list, oldest first: stock, issuing, life, money, lists and chip.

The card domain tells of its own tables and of the ledger's; what issuing and chip know comes through
`register` (`tellers.py`).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.db import connection

from onecard.kernel.codes import Text
from onecard.kernel.money import format_yuan
from onecard.ledger.codes import KIND_TEXT, DenyReason, TransferKind
from onecard.services.actors import Actor
from onecard.services.cards import looks
from onecard.services.cards.choices import DocumentKind, Operation, PlaceKind, State
from onecard.services.cards.models import Card, LifeEvent, StockPlace
from onecard.services.cards.shelves import movements

_NOTHING = Text("", "")
Source = Literal["stock", "issuing", "life", "money", "list", "chip"]
_ORDER: tuple[Source, ...] = ("stock", "issuing", "life", "money", "list", "chip")
_LIST = "SELECT reason, since FROM ledger.deny_list WHERE card_no = %s ORDER BY since"
_DENY_TEXT = {
    DenyReason.DEBT: Text("因欠款在黑名单内", "on the deny list for a debt"),
    DenyReason.LOST: Text("因挂失在黑名单内", "on the deny list as lost"),
    DenyReason.FROZEN: Text("因冻结在黑名单内", "on the deny list as frozen"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `amount_fen`: money that moved; `event_id`: of a life event, what `undo` takes; `ref`: a number to look up."""

    at: datetime
    source: Source
    title: Text
    detail: Text = _NOTHING
    actor: str = ""
    reason: str = ""
    amount_fen: int | None = None
    event_id: int | None = None
    ref: str = ""


Provider = Callable[[int, int | None], Iterable[Entry]]
"""Called with the card number and its stock serial (None where it has none)."""
_providers: dict[str, Provider] = {}


def register(name: str, provider: Provider) -> None:
    """Have a domain's events on every time line; under a name given before it takes the other's place."""
    _providers[name] = provider


def timeline(card_no: int, *, actor: Actor) -> list[Entry]:
    """Everything of a card, oldest first. Raises Forbidden, NotFound."""
    card = looks.card(card_no, actor=actor)
    found = [*_stock(card.serial), *_life(card), *_list(card_no)]
    for provider in _providers.values():
        found += provider(card_no, card.serial)
    return sorted(found, key=lambda entry: (entry.at, _ORDER.index(entry.source)))


def _stock(serial: int | None) -> Iterator[Entry]:
    if serial is None:
        return
    for moved in movements(serial):
        kind = DocumentKind(moved.document.kind)
        source, target = _place(moved.source), _place(moved.target)
        yield Entry(
            moved.document.made_at,
            "stock",
            Text(str(kind.label), kind.value.replace("_", " ")),
            Text(f"{source.zh} → {target.zh}", f"{source.en} → {target.en}"),
            actor=moved.document.actor,
            reason=moved.document.reason,
            ref=str(moved.document_id),
        )


def _place(place: StockPlace) -> Text:
    kind = PlaceKind(place.kind)
    name = place.name or str(place.operator_id or place.unit_id or "")
    return Text(f"{kind.label}{' ' if name else ''}{name}", f"{kind.value}{' ' if name else ''}{name}")


def _life(card: Card) -> Iterator[Entry]:
    for event in LifeEvent.objects.filter(card=card).order_by("id"):
        operation = Operation(event.operation)
        yield Entry(
            event.at,
            "life",
            Text(str(operation.label), operation.value.replace("_", " ")),
            _states(event),
            actor=event.actor,
            reason=event.reason,
            amount_fen=event.cash_fen or None,
            event_id=event.pk,
            ref=str(event.other_card or ""),
        )
        for kind, _, _, fen, transfer in event.money:
            text = KIND_TEXT[TransferKind(kind)]
            yield Entry(
                event.at,
                "money",
                text,
                Text(format_yuan(fen), format_yuan(fen)),
                actor=event.actor,
                amount_fen=fen,
                ref=str(transfer),
            )


def _states(event: LifeEvent) -> Text:
    after = State(event.state_after)
    if event.state_before in ("", event.state_after):
        return Text(str(after.label), after.value)
    before = State(event.state_before)
    return Text(f"{before.label} → {after.label}", f"{before.value} → {after.value}")


def _list(card_no: int) -> Iterator[Entry]:
    with connection.cursor() as cursor:
        cursor.execute(_LIST, [card_no])
        for reason, since in cursor.fetchall():
            yield Entry(since, "list", _DENY_TEXT[DenyReason(reason)])
