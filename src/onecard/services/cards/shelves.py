"""Places and what lies in them (C1): finding a place, who may work there, levels, ranges, where a serial is and was."""

from django.db import connection
from django.db.models import QuerySet

from onecard.kernel.errors import InvalidInput, NotFound
from onecard.services.actors import Actor
from onecard.services.cards.choices import PlaceKind
from onecard.services.cards.errors import one_transaction
from onecard.services.cards.models import StockDocument, StockLevel, StockMovement, StockPlace, StockRange

# Conditions on a serial are written as the expression indexes have them (sql/stock.sql), so that they are found there.
_ROOT = "SELECT id FROM operators_operator WHERE parent_id IS NULL"


def supplier(name: str) -> StockPlace:
    """A supplier by name; the first call makes the place. Raises InvalidInput for an empty name."""
    if not name.strip():
        raise InvalidInput("供应商名称不能为空", "a supplier has a name")
    return StockPlace.objects.get_or_create(kind=PlaceKind.SUPPLIER, name=name.strip())[0]


def centre() -> StockPlace:
    """The city centre's place."""
    return StockPlace.objects.get(kind=PlaceKind.CENTRE)


def operator_place(operator_id: int) -> StockPlace:
    """An operator's own place; the first call makes it. Raises InvalidInput."""
    with one_transaction():
        return StockPlace.objects.get_or_create(kind=PlaceKind.OPERATOR, operator_id=operator_id)[0]


def unit_place(unit_id: int) -> StockPlace:
    """A unit's place; the first call makes it. Raises InvalidInput."""
    with one_transaction():
        return StockPlace.objects.get_or_create(kind=PlaceKind.UNIT, unit_id=unit_id)[0]


def places() -> QuerySet[StockPlace]:
    """Every place."""
    return StockPlace.objects.select_related("operator", "unit").order_by("id")


def levels(*, operator_id: int | None = None) -> QuerySet[StockLevel]:
    """How many of each type lie in each place; of one operator and its units where one is given."""
    found = StockLevel.objects.select_related("place", "card_type").filter(quantity__gt=0)
    if operator_id is not None:
        found = found.filter(place__operator_id=operator_id) | found.filter(place__unit__operator_id=operator_id)
    return found


def ranges(place_id: int, *, card_type_id: int | None = None) -> QuerySet[StockRange]:
    """The serials in a place, in order."""
    found = StockRange.objects.filter(place_id=place_id)
    return found if card_type_id is None else found.filter(card_type_id=card_type_id)


def where_is(serial: int) -> StockRange | None:
    """The place a serial is in (with its neighbours), or None for one that is with a supplier, or unknown."""
    held = StockRange.objects.select_related("place")
    return held.extra(
        where=["int8range(cards_stockrange.first, cards_stockrange.last, '[]') @> %s::bigint"], params=[serial]
    ).first()


def documents() -> QuerySet[StockDocument]:
    """Every document, newest first."""
    return StockDocument.objects.select_related("source", "target", "order")


def movements(serial: int) -> QuerySet[StockMovement]:
    """Every movement of a serial, oldest first."""
    held = StockMovement.objects.select_related("document", "source", "target")
    return held.extra(
        where=["int8range(cards_stockmovement.first, cards_stockmovement.last, '[]') @> %s::bigint"], params=[serial]
    ).order_by("id")


def require_city(actor: Actor, permission: str) -> None:
    """City-wide work: the permission, for the root operator. Raises Forbidden."""
    with connection.cursor() as cursor:
        cursor.execute(_ROOT)
        row = cursor.fetchone()
    actor.require(permission, row[0] if row else None)


def place_of(place_id: int) -> StockPlace:
    """The place. Raises NotFound."""
    found = StockPlace.objects.select_related("unit").filter(pk=place_id).first()
    if found is None:
        raise NotFound(f"无此库位：{place_id}", f"no such place: {place_id}")
    return found


def require_place(actor: Actor, permission: str, place: StockPlace) -> None:
    """The permission for the operator a place belongs to, or city-wide. Raises Forbidden."""
    owner = place.operator_id or (place.unit.operator_id if place.unit else None)
    if owner is None:
        require_city(actor, permission)
    else:
        actor.require(permission, owner)
