"""Looking a card up: the card, and the events of its life."""

from django.db.models import QuerySet

from onecard.services.actors import Actor
from onecard.services.cards import permissions
from onecard.services.cards.errors import card_not_found
from onecard.services.cards.locks import adopt
from onecard.services.cards.models import Card, LifeEvent


def card(card_no: int, *, actor: Actor) -> Card:
    """The card; one opened in bulk gets its life row with the first look. Raises Forbidden, NotFound."""
    found = _find(card_no)
    if found is None:
        adopt(card_no)
        found = _find(card_no)
    if found is None:
        raise card_not_found(card_no)
    actor.require(permissions.VIEW, found.operator_id)
    return found


def events(card_no: int, *, actor: Actor) -> QuerySet[LifeEvent]:
    """What was done with a card, oldest first. Raises Forbidden, NotFound."""
    return LifeEvent.objects.filter(card=card(card_no, actor=actor)).select_related("undoes").order_by("id")


def _find(card_no: int) -> Card | None:
    return Card.objects.select_related("operator", "unit", "card_type", "holder").filter(pk=card_no).first()
