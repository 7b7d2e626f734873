"""Issuing a code: the account's QR card, how often and up to how much off line, and the vault's signature."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from django.db import connection, transaction

from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import NotFound, RuleViolated
from onecard.kernel.numbers import account_lane
from onecard.ledger.codes import AccountStatus, CardStatus, Medium
from onecard.protocol.paycode import CodeBody, PayCode, build_text, signed_bytes
from onecard.services.actors import Actor
from onecard.services.keys import api as keys
from onecard.services.paycodes.limits import Limits, limits_of
from onecard.services.paycodes.models import IssuedCode
from onecard.services.people import api as people
from onecard.services.purses import api as purses

_LOCK_CLASS = 0x71726364  # "qrcd": the class of our advisory locks
_ACCOUNT = "SELECT operator_id, card_type_id, status FROM ledger.account WHERE account_no = %s"
_CARDS = """
SELECT card_no, status, denied, valid_until FROM ledger.card WHERE account_no = %s AND medium = %s
 ORDER BY status = 1 DESC, card_no DESC LIMIT 1"""
_COUNTS = """
SELECT count(*) FILTER (WHERE issued_at > %(minute)s), count(*),
       coalesce(sum(offline_limit_fen) FILTER (WHERE expires_at > %(now)s
                AND NOT EXISTS (SELECT FROM paycodes_paycodeuse u WHERE u.code_id = i.code_id)), 0)::bigint
  FROM paycodes_issuedcode i WHERE account_no = %(account)s AND issued_at >= %(day)s"""
_OFFLINE_TODAY = """
SELECT coalesce(sum(u.amount_fen), 0)::bigint FROM paycodes_paycodeuse u
 WHERE u.card_no = %(card)s AND u.offline AND u.occurred_at >= %(day)s"""
_KEPT = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class IssuedPayCode:
    """A code to be shown, until when, and up to how much it is good without a line."""

    text: str
    card_no: int
    expires_at: datetime
    offline_limit_fen: int


def issue(account_no: int, *, actor: Actor, clock: Clock | None = None) -> IssuedPayCode:
    """A fresh code for an account, whose QR card is made at the first.

    Raises NotFound, Forbidden, RuleViolated (C3 account or card not active; C4 too many codes), VaultLocked, KeyMissing.
    """
    now = (clock or SystemClock()).now().replace(microsecond=0)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK_CLASS, account_no % 2**31])
        cursor.execute(_ACCOUNT, [account_no])
        account = cursor.fetchone()
        if account is None:
            raise NotFound(f"无此账户：{account_no}", f"no such account: {account_no}")
        operator_id, card_type_id, status = account
        actor.require("paycodes.issue", operator_id)
        if status != AccountStatus.ACTIVE:
            raise RuleViolated("账户不是正常状态", "the account is not active", rule="C3")
        card_no, denied = _card(account_no, now)
        today = now.astimezone(PLATFORM_ZONE).date()
        limits = limits_of(account_no, card_type_id, today)
        offline_fen = 0 if denied else _offline_fen(account_no, card_no, limits, now=now)
        _check_rates(account_no, limits, now=now)
        body = CodeBody(
            card_no=card_no,
            code_id=secrets.randbits(63),
            issued_at=int(now.timestamp()),
            expires_at=int(now.timestamp()) + limits.lifetime_s,
            offline_limit_fen=offline_fen,
        )
        key_no, signature = keys.open_vault().sign_pay_code(signed_bytes(body))
        expires_at = now + timedelta(seconds=limits.lifetime_s)
        IssuedCode.objects.create(
            code_id=body.code_id,
            account_no=account_no,
            card_no=card_no,
            issued_at=now,
            expires_at=expires_at,
            offline_limit_fen=offline_fen,
        )
    return IssuedPayCode(build_text(PayCode(body, key_no, signature)), card_no, expires_at, offline_fen)


def public_keys() -> dict[int, bytes]:
    """Key number → public key (32 bytes), for terminals: in use, in their overlap, and to come. Raises VaultLocked."""
    return keys.open_vault().pay_code_keys()


def prune_issued(*, clock: Clock | None = None) -> int:
    """Forget codes issued longer ago than any limit looks back; gives how many. What was used stays."""
    count, _ = IssuedCode.objects.filter(issued_at__lt=(clock or SystemClock()).now() - _KEPT).delete()
    return count


def _card(account_no: int, now: datetime) -> tuple[int, bool]:
    """The account's QR card, and whether it is denied because of a debt."""
    with connection.cursor() as cursor:
        cursor.execute(_CARDS, [account_no, Medium.QR.value])
        row = cursor.fetchone()
        if row is None:
            (serial,) = people.new_serials(1)
            card_no = people.qr_card_no_of(serial, lane=account_lane(account_no))
            purses.add_card(card_no, account_no, medium=Medium.QR)
            cursor.execute(_CARDS, [account_no, Medium.QR.value])
            row = cursor.fetchone()
    card_no, status, denied, valid_until = row
    expired = valid_until is not None and valid_until < now.astimezone(PLATFORM_ZONE).date()
    if status != CardStatus.ACTIVE or expired:
        raise RuleViolated("该账户的二维码卡未启用", "the account's QR card is not active", rule="C3")
    return int(card_no), bool(denied)


def _day_start(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(PLATFORM_ZONE).date(), time(0), tzinfo=PLATFORM_ZONE).astimezone(UTC)


def _check_rates(account_no: int, limits: Limits, *, now: datetime) -> None:
    in_minute, in_day, _ = _counts(account_no, now)
    if in_minute >= limits.per_minute or in_day >= limits.per_day:
        raise RuleViolated("付款码生成过于频繁，请稍后再试", "too many payment codes: try again later", rule="C4")


def _offline_fen(account_no: int, card_no: int, limits: Limits, *, now: datetime) -> int:
    """Up to how much this code is good off line: what the day has left, and never more than there is in the purses."""
    _, _, outstanding = _counts(account_no, now)
    with connection.cursor() as cursor:
        cursor.execute(_OFFLINE_TODAY, {"card": card_no, "day": _day_start(now)})
        spent = int(cursor.fetchone()[0])
    money = sum(max(purse.balance_fen, 0) for purse in purses.purses(account_no))
    return max(min(limits.offline_code_fen, limits.offline_day_fen - spent - outstanding, money - outstanding), 0)


def _counts(account_no: int, now: datetime) -> tuple[int, int, int]:
    values: dict[str, int | datetime] = {
        "account": account_no,
        "now": now,
        "minute": now - timedelta(minutes=1),
        "day": _day_start(now),
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, values)
        in_minute, in_day, outstanding = cursor.fetchone()
    return int(in_minute), int(in_day), int(outstanding)
