"""The locks of a card's life, in their one order: cards of the account, holder, stock levels, and the ledger's lane last.

The lane is last because whoever posts to it wants it: what is locked after it can be held by somebody who waits for it.
"""

from collections.abc import Iterable

from django.db import connection
from django.db.models import Subquery

from onecard.services.cards.choices import Operation
from onecard.services.cards.errors import card_not_found
from onecard.services.cards.life import ADOPTED
from onecard.services.cards.models import Card, LifeEvent

_ADOPT = """
INSERT INTO cards_card (card_no, account_no, operator_id, unit_id, card_type_id, holder_id, medium, serial, state, resume_state,
                        issued_at, valid_until, stopped_at, replaces_id)
SELECT c.card_no, c.account_no, a.operator_id, u.id, a.card_type_id, h.id, c.medium, NULL, s.state,
       CASE WHEN s.state IN ('lost', 'frozen') THEN 'active' ELSE '' END, a.opened_at, c.valid_until,
       CASE WHEN s.state = 'lost' THEN now() END, NULL
  FROM ledger.card c
  JOIN ledger.account a ON a.account_no = c.account_no
  JOIN unnest(%s::int[], %s::text[]) AS s (status, state) ON s.status = c.status
  LEFT JOIN operators_unit u ON u.id = a.unit_id
  LEFT JOIN people_holder h ON h.id = a.holder_id
 WHERE c.card_no = %s
ON CONFLICT DO NOTHING RETURNING state, issued_at"""


def lock_card(card_no: int) -> Card:
    """The card, locked until the end of the transaction with the others of its account: type, holder and replacement touch those.

    One that only the ledger knows (opened in bulk) gets its life row first. Raises NotFound.
    """
    found = _locked(card_no)
    if found is None:
        adopt(card_no)
        found = _locked(card_no)
    if found is None:
        raise card_not_found(card_no)
    return found


def adopt(card_no: int) -> None:
    """The life row of a card that was opened straight in the ledger, with an event that says so; nothing where there is one."""
    statuses, states = zip(*((status.value, state.value) for status, state in ADOPTED.items()), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_ADOPT, [list(statuses), list(states), card_no])
        row = cursor.fetchone()
    if row is not None:
        LifeEvent.objects.create(card_id=card_no, operation=Operation.ADOPT, at=row[1], actor="ledger", state_after=row[0])


def lock_levels(serials: Iterable[int | None]) -> None:
    """The stock levels between which these blanks may move, before the lane is locked; nothing for cards without a blank."""
    moved = [serial for serial in serials if serial is not None]
    if moved:
        with connection.cursor() as cursor:
            cursor.execute("SELECT cards_lock_levels(%s::bigint[])", [moved])


def _locked(card_no: int) -> Card | None:
    account = Card.objects.filter(pk=card_no).values("account_no")
    cards = Card.objects.select_for_update(of=("self",), no_key=True).filter(account_no=Subquery(account)).order_by("card_no")
    return next((card for card in cards if card.card_no == card_no), None)
