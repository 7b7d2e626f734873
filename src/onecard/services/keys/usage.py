"""The log of key uses read back: proving the chain, what modules were used for, alarms and the rule that raises them (K3)."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q

from onecard.kernel.clock import Clock, SystemClock, to_epoch_us
from onecard.kernel.errors import InvalidInput, NotFound
from onecard.services.actors import Actor
from onecard.services.keys.models import AlarmRule, SamHour, Usage, UsageAlarm, UsageHead

_KEPT = timedelta(days=8)
_PIECE = 5000
_LINKS = """SELECT seq, at, actor, operation, subject, keys, count, failed, prev_hash, hash FROM keys_usage
            WHERE seq > %s AND seq <= %s ORDER BY seq LIMIT %s"""


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a walk over the chain found; `broken_at` is the first link that does not fit."""

    links: int
    head: str
    broken_at: int | None = None
    reason: str = ""

    @property
    def is_whole(self) -> bool:
        return self.broken_at is None


def verify_usage_chain() -> ChainReport:
    """Walk the chain up to the head there is now, and compute every hash again, here and not in the database."""
    head = UsageHead.objects.get(pk=1)
    last, prev = 0, bytes(32)
    for row in _links(head.seq):
        seq, stored_prev, stored = row[0], bytes(row[8]), bytes(row[9])
        if seq != last + 1:
            return ChainReport(last, prev.hex(), last + 1, "missing")
        if stored_prev != prev or stored != _hash(prev, row):
            return ChainReport(last, prev.hex(), seq, "changed")
        last, prev = seq, stored
    if (head.seq, bytes(head.hash)) != (last, prev):
        return ChainReport(last, prev.hex(), last + 1, "head")
    return ChainReport(last, prev.hex())


def usage_head() -> tuple[int, str]:
    """Number and hash of the last link: what to print on paper, so that a chain made anew would show."""
    head = UsageHead.objects.get(pk=1)
    return head.seq, bytes(head.hash).hex()


def usages(*, before: int | None = None, subject: str = "", limit: int = 100) -> list[Usage]:
    """Links, newest first."""
    found = Usage.objects.order_by("-seq")
    if before is not None:
        found = found.filter(seq__lt=before)
    if subject:
        found = found.filter(subject=subject)
    return list(found[:limit])


def sam_hours(sam_no: int, *, since: datetime) -> list[SamHour]:
    """How often a module's proofs were verified, by the hour."""
    return list(SamHour.objects.filter(sam_no=sam_no, hour__gte=since).order_by("hour"))


def alarms(*, open_only: bool = True, limit: int = 100) -> list[UsageAlarm]:
    """Alarms, newest first."""
    found = UsageAlarm.objects.order_by("-id")
    return list((found.filter(acknowledged_at__isnull=True) if open_only else found)[:limit])


def acknowledge_alarm(alarm_id: int, *, actor: Actor, clock: Clock | None = None) -> UsageAlarm:
    """Somebody has looked at it. Raises NotFound; the first acknowledgement stays."""
    actor.require("keys.alarm")
    now = (clock or SystemClock()).now()
    waiting = UsageAlarm.objects.filter(Q(pk=alarm_id), acknowledged_at__isnull=True)
    waiting.update(acknowledged_at=now, acknowledged_by=actor.name[:150])
    alarm = UsageAlarm.objects.filter(pk=alarm_id).first()
    if alarm is None:
        raise NotFound(f"无此告警：{alarm_id}", f"no such alarm: {alarm_id}")
    return alarm


def alarm_rule() -> AlarmRule:
    """The rule as it is."""
    return AlarmRule.objects.get(pk=1)


def set_alarm_rule(
    *, actor: Actor, per_hour: int | None = None, times_mean: int | None = None, least: int | None = None,
    wrong_per_hour: int | None = None,
) -> AlarmRule:  # fmt: skip
    """Change what is given; 0 turns a rule off. Raises InvalidInput."""
    actor.require("keys.rule")
    given = {"per_hour": per_hour, "times_mean": times_mean, "least": least, "wrong_per_hour": wrong_per_hour}
    wanted = {name: value for name, value in given.items() if value is not None}
    if any(value < 0 for value in wanted.values()):
        raise InvalidInput("告警阈值不能为负", "a limit of an alarm is not negative")
    AlarmRule.objects.filter(pk=1).update(**wanted)
    return alarm_rule()


def prune_sam_hours(*, clock: Clock | None = None) -> int:
    """Drop the hours that no rule looks at any more; gives their number."""
    return SamHour.objects.filter(hour__lt=(clock or SystemClock()).now() - _KEPT).delete()[0]


def _links(until: int) -> Iterator[tuple[Any, ...]]:
    after = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_LINKS, [after, until, _PIECE])
            rows = cursor.fetchall()
        yield from rows
        if len(rows) < _PIECE:
            return
        after = rows[-1][0]


def _hash(prev: bytes, row: tuple[Any, ...]) -> bytes:
    seq, at, actor, operation, subject, keys, count, failed = row[:8]
    texts = "|".join(f"{len(str(text))}:{text}" for text in (actor, operation, subject, keys))
    return hashlib.sha256(prev + f"{seq}|{to_epoch_us(at)}|{texts}|{count}|{failed}".encode()).digest()
