"""New card and account numbers (kernel.numbers says how they are built): unique by construction, a database sequence a lane."""

from dataclasses import dataclass

from django.db import connection

from onecard.kernel.errors import InvalidInput
from onecard.kernel.numbers import QR_ISSUER, account_lane, build_account_no, build_card_no
from onecard.ledger.codes import Medium
from onecard.services.actors import Actor
from onecard.services.cards import permissions
from onecard.services.cards.errors import one_transaction
from onecard.services.cards.models import IssuerPrefix, Numbering


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a new card is to carry; `new_account` says whether the account is still to be opened."""

    account_no: int
    card_no: int
    lane: int
    new_account: bool


def set_numbering(*, actor: Actor, lanes: int | None = None, prefix: int | None = None) -> Numbering:
    """Over how many lanes new accounts go round, and the prefix of operators without an own. Raises Forbidden, InvalidInput."""
    actor.require(permissions.RULES)
    _require_not_qr(prefix)
    with one_transaction():
        row = numbering()
        row.lanes = row.lanes if lanes is None else lanes
        row.prefix = row.prefix if prefix is None else prefix
        row.save()
    return row


def set_issuer_prefix(operator_id: int, prefix: int, *, actor: Actor) -> None:
    """The first four digits of an operator's new cards. Raises Forbidden, InvalidInput."""
    actor.require(permissions.RULES, operator_id)
    _require_not_qr(prefix)
    with one_transaction():
        IssuerPrefix.objects.update_or_create(operator_id=operator_id, defaults={"prefix": prefix})


def numbering() -> Numbering:
    """The settings; the first call makes them."""
    return Numbering.objects.get_or_create(one=True)[0]


def issuer_prefix(operator_id: int) -> int:
    """The first four digits of the operator's cards."""
    own = IssuerPrefix.objects.filter(operator_id=operator_id).values_list("prefix", flat=True).first()
    return numbering().prefix if own is None else own


def next_card_no(lane: int, prefix: int) -> int:
    """A card number nobody has: the lane's next serial. Two callers never get the same one, whatever their prefixes."""
    return build_card_no(issuer=prefix, lane=lane, serial=_next(f"cards_card_serial_{lane:02}"))


def next_account_no(lane: int | None = None) -> int:
    """An account number nobody has; without a lane, the next lane in turn."""
    if lane is None:
        lane = _next("cards_account_turn") % numbering().lanes
    return build_account_no(lane=lane, serial=_next(f"cards_account_serial_{lane:02}"))


def new_numbers(operator_id: int, account_no: int | None = None, *, medium: Medium = Medium.CPU) -> Numbers:
    """The numbers of a card to be issued: on a given account (and so its lane), or on one that is opened with it.

    A QR card has the QR prefix whoever issues it: by that it is known to pay with a code or not at all.
    """
    account = next_account_no() if account_no is None else account_no
    lane = account_lane(account)
    prefix = QR_ISSUER if medium is Medium.QR else issuer_prefix(operator_id)
    return Numbers(account, next_card_no(lane, prefix), lane, account_no is None)


def _require_not_qr(prefix: int | None) -> None:
    if prefix == QR_ISSUER:
        raise InvalidInput(f"{QR_ISSUER} 专用于二维码卡", f"{QR_ISSUER} is the prefix of QR cards alone")


def _next(sequence: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(%s)", [sequence])
        return int(cursor.fetchone()[0])
