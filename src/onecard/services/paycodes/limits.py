"""Which limits hold for an account on a day: its own, else its card type's, else those of all; of several the latest in force."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.db import connection
from django.db.models import Q

from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.kernel.errors import Forbidden, InvalidInput, NotFound
from onecard.services.actors import Actor
from onecard.services.operators.api import refusals
from onecard.services.paycodes.models import CodeLimit


@dataclass(frozen=True, slots=True)
class Limits:
    """What codes may do; 0 off line: on line only; 0 of a rate: none at all."""

    lifetime_s: int
    offline_code_fen: int
    offline_day_fen: int
    per_minute: int
    per_day: int


def limits_of(account_no: int, card_type_id: int, day: date) -> Limits:
    """The limits in force on a day. The defaults of the migration hold for whoever has none of his own."""
    rows = CodeLimit.objects.filter(valid_from__lte=day).filter(
        Q(account_no=account_no) | Q(card_type_id=card_type_id) | Q(account_no__isnull=True, card_type_id__isnull=True)
    )
    row = max(rows, key=lambda r: (r.account_no is not None, r.card_type_id is not None, r.valid_from))
    return Limits(row.lifetime_s, row.offline_code_fen, row.offline_day_fen, row.per_minute, row.per_day)


def set_limits(
    limits: Limits, valid_from: date, *, actor: Actor, card_type_id: int | None = None, account_no: int | None = None
) -> CodeLimit:
    """A rule from a day on that is not past; one of the same day and scope is replaced. Raises NotFound, Forbidden, InvalidInput.

    Rules of a card type and of all concern every operator: who is bound to some may set those of their accounts only.
    """
    actor.require("paycodes.limits", None if account_no is None else operator_of(account_no))
    if account_no is None and actor.operators is not None:
        raise Forbidden("卡种与全部账户的限额由平台设定", "limits of card types and of all are the platform's to set")
    if valid_from < datetime.now(UTC).astimezone(PLATFORM_ZONE).date():
        raise InvalidInput("限额不能自过去生效", "a limit does not begin in the past")
    with refusals():
        row, _ = CodeLimit.objects.update_or_create(
            card_type_id=card_type_id,
            account_no=account_no,
            valid_from=valid_from,
            defaults={
                "lifetime_s": limits.lifetime_s,
                "offline_code_fen": limits.offline_code_fen,
                "offline_day_fen": limits.offline_day_fen,
                "per_minute": limits.per_minute,
                "per_day": limits.per_day,
                "created_by": actor.name[:100],
            },
        )
    return row


def operator_of(account_no: int) -> int:
    """Whose account it is. Raises NotFound."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT operator_id FROM ledger.account WHERE account_no = %s", [account_no])
        found = cursor.fetchone()
    if found is None:
        raise NotFound(f"无此账户：{account_no}", f"no such account: {account_no}")
    return int(found[0])
