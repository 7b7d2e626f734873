"""The tick that publishes what has changed: the deny list to its canary and then to all, a unit's files in turns.

Harmless when two make it at once.
"""

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from onecard.kernel.clock import Clock, SystemClock
from onecard.services.offline.canary import settle_canary
from onecard.services.offline.deny import publish_deny
from onecard.services.offline.files import cards_file, rules_file
from onecard.services.offline.locks import try_publication
from onecard.services.offline.models import DenyHold, DueFile, UnitFile
from onecard.services.rollouts import api as rollouts

log = logging.getLogger(__name__)
UNITS_A_TICK = 100
CARDS_EVERY = timedelta(seconds=60)
"""A unit where cards are issued all day gets one file a minute, not one a card."""
_MAKE = {"rules": rules_file, "cards": cards_file}

# Which units a signal concerns: those with a front-end that is on the list. The signals are gone with this transaction.
_MERGE = """
WITH taken AS (DELETE FROM offline_change RETURNING unit_id, kind),
     added AS (SELECT unit_id, kind FROM taken UNION SELECT unnest(%s::int[]), 'cards')
INSERT INTO offline_duefile (unit_id, kind, since)
SELECT DISTINCT l.unit_id, a.kind, %s::timestamptz FROM added a
  JOIN devices_line l ON (l.unit_id = a.unit_id OR a.unit_id IS NULL) AND l.kind = 'front_end' AND l.state = 'active'
 WHERE l.unit_id IS NOT NULL
    ON CONFLICT DO NOTHING"""


@dataclass(frozen=True, slots=True)
class Published:
    """What a tick has put out."""

    deny_version: int = 0
    """0: none."""
    files: int = 0


def tick(clock: Clock | None = None) -> Published:
    """Publish what has changed since the last tick. Raises Unavailable while the vault is locked; then nothing is lost."""
    if not rollouts.has_repository():
        return Published()
    now = (clock or SystemClock()).now()
    with transaction.atomic():
        if not try_publication():
            return Published()
        # What changed while a list was with its canary is looked at when that has ended.
        is_due = settle_canary(now, clock=clock) | _take_changes(now) | DenyHold.objects.exists()
        made = publish_deny(now=now, clock=clock) if is_due else None
    with transaction.atomic():
        files = _publish_files(now, clock) if try_publication() else 0
    return Published(made.version if made else 0, files)


def _take_changes(now: datetime) -> bool:
    """Merge all signals into `DueFile`; gives whether the deny list has changed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT unit_id, barred FROM ledger.take_list_changes()")
        changes = cursor.fetchall()
        cursor.execute(_MERGE, [[unit_id for unit_id, _ in changes if unit_id], now])
    return any(barred for _, barred in changes)


def _publish_files(now: datetime, clock: Clock | None) -> int:
    fresh = UnitFile.objects.filter(unit_id=OuterRef("unit_id"), kind="cards", published_at__gt=now - CARDS_EVERY)
    due = list(DueFile.objects.filter(Q(kind="rules") | ~Exists(fresh))[:UNITS_A_TICK])
    held = {(file.unit_id, file.kind): file for file in UnitFile.objects.filter(unit_id__in={row.unit_id for row in due})}
    made: list[tuple[rollouts.NewData, UnitFile]] = []
    for row in due:
        made += _make(row, held.get((row.unit_id, row.kind)), now)
        row.delete()
    if made:
        rollouts.publish_many([data for data, _ in made], clock=clock)
        UnitFile.objects.bulk_create(
            [file for _, file in made],
            update_conflicts=True,
            unique_fields=["unit", "kind"],
            update_fields=["version", "content_sha256", "size_bytes", "published_at"],
        )
        log.info("offline: %s files of units published", len(made))
    return len(made)


def _make(row: DueFile, last: UnitFile | None, now: datetime) -> list[tuple[rollouts.NewData, UnitFile]]:
    """The new file; nothing where it would say the same as the last."""
    build = _MAKE[row.kind]
    same = hashlib.sha256(build(row.unit_id, 0)).digest()
    if last and bytes(last.content_sha256) == same:
        return []
    version = last.version + 1 if last else 1
    content = build(row.unit_id, version)
    file = UnitFile(
        unit_id=row.unit_id, kind=row.kind, version=version, content_sha256=same, size_bytes=len(content), published_at=now
    )
    return [(rollouts.NewData(f"{row.kind}/{row.unit_id}", content, version), file)]
