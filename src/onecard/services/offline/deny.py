"""The deny list as it is published: read by the ledger's index of barred cards, held where too much of it has changed.

What is published goes to a canary first (canary.py).
"""

import logging
from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import NotFound
from onecard.protocol.cardset import build_card_set, parse_card_set
from onecard.services.actors import Actor
from onecard.services.offline.canary import came_out, choose_canary, open_deny
from onecard.services.offline.locks import lock_publication
from onecard.services.offline.models import DenyHold, DenyPublication, DenyState, OfflinePolicy
from onecard.services.rollouts import api as rollouts

log = logging.getLogger(__name__)
KEPT_PUBLICATIONS = 1000

# The condition is that of the index card_barred (ledger/sql/schema/0006_lists.sql), word by word: else every card would be read.
BARRED_SQL = "SELECT card_no FROM ledger.card WHERE denied OR status > 1 OR account_status > 1 ORDER BY card_no"


@dataclass(frozen=True, slots=True)
class HeldDeny:
    """A change that waits for a person."""

    since: datetime
    cards: int
    added: int
    removed: int


def publish_deny(*, now: datetime, clock: Clock | None = None, released_by: str = "") -> DenyPublication | None:
    """Publish the list as it stands; None where it is as published, is held, or the version before is still with its canary.

    More changes of what all have than the policy allows wait, unless somebody releases them; the first list of an installation
    does not. The caller holds the publication's lock.
    """
    last = DenyPublication.objects.first()
    if last and last.state == DenyState.CANARY:
        return None
    barred = barred_cards()
    if last and barred == _cards(last):
        DenyHold.objects.all().delete()
        return None
    out = DenyPublication.objects.filter(state=DenyState.OUT).first()
    before = _cards(out)
    added, removed = len(barred - before), len(before - barred)
    if out and not released_by and _too_much(added + removed, len(before)):
        _hold(len(barred), added, removed, now)
        return None
    DenyHold.objects.all().delete()
    version = last.version + 1 if last else 1
    content = build_card_set(barred, version=version)
    ahead = choose_canary(now)
    rollouts.publish_data("deny", content, version=version, ahead=ahead, clock=clock)
    made = DenyPublication.objects.create(
        version=version, cards=len(barred), added=added, removed=removed, size_bytes=len(content), content=content,
        published_at=now, released_by=released_by[:150], canary_lines=len(ahead),
        state=DenyState.CANARY if ahead else DenyState.OUT,
    )  # fmt: skip
    if not ahead:
        came_out(version, clock)
    old = DenyPublication.objects.filter(version__lte=version - KEPT_PUBLICATIONS)
    (old.exclude(pk=out.pk) if out else old).delete()
    log.info("offline: deny list %s published, %s cards, +%s -%s, %s bytes", version, len(barred), added, removed, len(content))
    return made


def release_deny(*, actor: Actor, clock: Clock | None = None) -> DenyPublication | None:
    """Publish what is held, as it stands now, to a canary first; else name the list that was stopped to all the same.

    Raises Forbidden, and NotFound where nothing is held or stopped.
    """
    actor.require_platform("offline.release")
    now = (clock or SystemClock()).now()
    with transaction.atomic():
        lock_publication()
        if DenyHold.objects.exists():
            return publish_deny(now=now, clock=clock, released_by=actor.name)
        newest = DenyPublication.objects.first()
        if newest is None or newest.state != DenyState.STOPPED:
            raise NotFound("没有待发布的黑名单", "no deny list is held or stopped")
        open_deny(newest, now=now, clock=clock, released_by=actor.name)
        return newest


def stopped_deny() -> DenyPublication | None:
    """The newest list, where its canary has stopped it."""
    newest = DenyPublication.objects.defer("content").first()
    return newest if newest and newest.state == DenyState.STOPPED else None


def held_deny() -> HeldDeny | None:
    """The change that waits for a person, if there is one."""
    held = DenyHold.objects.first()
    return HeldDeny(held.since, held.cards, held.added, held.removed) if held else None


def barred_cards() -> frozenset[int]:
    """The cards that may not be used: denied for a debt, lost, frozen, expired, returned, of a frozen or closed account."""
    with connection.cursor() as cursor:
        cursor.execute(BARRED_SQL)
        return frozenset(row[0] for row in cursor.fetchall())


def _cards(publication: DenyPublication | None) -> Set[int]:
    if publication is None or publication.content is None:
        return frozenset()
    return frozenset(parse_card_set(bytes(publication.content)))


def _too_much(changes: int, before: int) -> bool:
    policy = OfflinePolicy.objects.get()
    return changes > policy.hold_over_cards and changes * 1000 > before * policy.hold_over_permille


def _hold(cards: int, added: int, removed: int, now: datetime) -> None:
    held = DenyHold.objects.first()
    if held is None:
        log.error("offline: a change of the deny list waits for a person: +%s -%s of %s cards", added, removed, cards)
    since = held.since if held else now
    DenyHold.objects.update_or_create(one=True, defaults={"since": since, "cards": cards, "added": added, "removed": removed})
