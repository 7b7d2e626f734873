"""Tokens of programs: issuing one (shown once), revoking it, and finding whose a presented one is."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from onecard.consoles.centre import identity
from onecard.consoles.centre.models import StaffToken
from onecard.kernel.errors import InvalidInput, NotFound

PREFIX = "oct_"
LONGEST = timedelta(days=366)
_BYTES = 32
_SEEN_EVERY = timedelta(minutes=1)
"""How exact `last_used_at` is: a row is not rewritten at every call."""


def issue_token(user: User, *, name: str, permissions: Iterable[str], expires_at: datetime) -> tuple[StaffToken, str]:
    """A token for a program that acts as `user`, who asks for it himself; and its text, which is kept nowhere.

    Nobody issues one for another: he could then be two of the people that a rule asks for. Raises InvalidInput without a name or
    permission, for one the user does not carry, and for an end that is past or too far.
    """
    wanted, now = sorted(set(permissions)), timezone.now()
    if not name.strip():
        raise InvalidInput("请写明令牌给哪个程序使用", "say which program the token is for")
    if not wanted:
        raise InvalidInput("至少选择一项权限", "choose at least one permission")
    excess = [permission for permission in wanted if permission not in identity.actor_of(user).permissions]
    if excess:
        raise InvalidInput(f"该用户本身没有权限：{', '.join(excess)}", f"the user does not have: {', '.join(excess)}")
    if not now < expires_at <= now + LONGEST:
        raise InvalidInput(f"有效期须在今后 {LONGEST.days} 天内", f"the end must lie within the next {LONGEST.days} days")
    text = PREFIX + secrets.token_urlsafe(_BYTES)
    token = StaffToken.objects.create(
        user=user,
        name=name.strip(),
        digest=_digest(text),
        hint=text[-4:],
        permissions=wanted,
        created_by=user.get_username(),
        expires_at=expires_at,
    )
    return token, text


def revoke_token(token_id: int) -> StaffToken:
    """From now on the token opens nothing; revoking it again changes nothing. Raises NotFound."""
    token = StaffToken.objects.filter(pk=token_id).first()
    if token is None:
        raise NotFound(f"无此令牌：{token_id}", f"no such token: {token_id}")
    if token.revoked_at is None:
        token.revoked_at = timezone.now()
        token.save(update_fields=["revoked_at"])
    return token


def revoke_tokens_of(user: User) -> int:
    """From now on no token of a user opens anything, also after the user is let in again; gives how many stopped."""
    return StaffToken.objects.filter(user=user, revoked_at=None).update(revoked_at=timezone.now())


def find_token(text: str) -> StaffToken | None:
    """The valid token of a presented text, its user still in service; None for any other.

    The digest is the key of the look-up: 256 random bits need neither salt nor a slow hash, and no comparison to be timed.
    """
    now = timezone.now()
    token = (
        StaffToken.objects.select_related("user")
        .filter(digest=_digest(text), revoked_at=None, expires_at__gt=now, user__is_active=True, user__is_staff=True)
        .first()
    )
    if token is not None and (token.last_used_at is None or now - token.last_used_at > _SEEN_EVERY):
        StaffToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
