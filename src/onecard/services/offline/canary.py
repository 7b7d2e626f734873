"""The canary of the deny list: which front-ends are named a new version first, and what becomes of it when they have had it.

A list that they refuse goes no further: the others keep the last good one until a person names it to all the same, or a newer
list takes its place (D2). One that cannot read it is enough; of those to whom it is too much of a surprise it takes two: none
stops the city's list by what has happened at its own counter.
"""

import logging
import math
from datetime import datetime, timedelta

from django.db import connection

from onecard.kernel.clock import Clock
from onecard.services.devices import api as devices
from onecard.services.offline.models import DenyPublication, DenyState, OfflinePolicy
from onecard.services.rollouts import api as rollouts

log = logging.getLogger(__name__)
SILENT_SOAKS = 3
"""While no front-end of the canary has said that it took the list, this many soak times are waited, and no more."""
FEWEST_LINES = 3
"""A canary has so many lines even of a few front-ends, but never more than half of them."""
FEWEST_SURPRISED = 2
"""So many front-ends stop a list by their own measure."""
REMIND_EVERY = timedelta(minutes=30)
"""The alarm of a list that was stopped is not to clear by itself while the list still is."""
_ALARM = "data_refused"
_GATEWAY_SILENT_S = 60

# The same lines at each version, as far as they are on line: those with the smallest hash of their number.
_ON_LINE = """
SELECT l.id FROM devices_line l
  JOIN devices_linestatus x ON x.line_id = l.id AND x.online
  JOIN devices_gatewaystatus g ON g.gateway = x.gateway AND g.reported_at > %(now)s - make_interval(secs => %(silent)s)
 WHERE l.kind = 'front_end' AND l.state = 'active'
 ORDER BY md5('deny/' || l.id)"""


def choose_canary(now: datetime) -> list[int]:
    """The lines that a new list is named to first: a share of the front-ends on line, at least three or half of them."""
    with connection.cursor() as cursor:
        cursor.execute(_ON_LINE, {"now": now, "silent": _GATEWAY_SILENT_S})
        on_line = [line_id for (line_id,) in cursor.fetchall()]
    share = math.ceil(len(on_line) * OfflinePolicy.objects.get().canary_permille / 1000)
    return on_line[: max(share, min(FEWEST_LINES, math.ceil(len(on_line) / 2)))]


def settle_canary(now: datetime, *, clock: Clock | None = None) -> bool:
    """Stop the newest list, or name it to all, when its canary has said enough; whether that was done now.

    The caller holds the publication's lock.
    """
    newest = DenyPublication.objects.first()
    if newest is None or newest.state == DenyState.OUT:
        return False
    if newest.state == DenyState.STOPPED:
        _remind(newest, now, clock)
        return False
    heard = rollouts.canary_of("deny", newest.version)
    if heard.refused > heard.by_itself or heard.by_itself >= FEWEST_SURPRISED:
        _stop(newest, heard, now, clock)
        return True
    soak = timedelta(seconds=OfflinePolicy.objects.get().canary_soak_s)
    if now < newest.published_at + soak * (1 if heard.taken else SILENT_SOAKS):
        return False
    open_deny(newest, now=now, clock=clock)
    return True


def open_deny(publication: DenyPublication, *, now: datetime, clock: Clock | None = None, released_by: str = "") -> None:
    """Name it to everybody."""
    rollouts.open_data("deny", publication.version)
    publication.state, publication.decided_at = DenyState.OUT, now
    publication.released_by = released_by[:150] or publication.released_by
    publication.save(update_fields=["state", "decided_at", "released_by"])
    came_out(publication.version, clock)
    log.info("offline: deny list %s is named to all", publication.version)


def came_out(version: int, clock: Clock | None) -> None:
    """Everybody is named this version: one that was stopped before it is history, and what only it kept is let go."""
    devices.clear_alarm(_ALARM, detail=f"黑名单 {version} 已全面下达", clock=clock)
    DenyPublication.objects.filter(version__lt=version, content__isnull=False).update(content=None)


def _stop(publication: DenyPublication, heard: rollouts.Canary, now: datetime, clock: Clock | None) -> None:
    reason = f"先行 {heard.lines} 台中 {heard.refused} 台拒用：{heard.reason}"[:560]
    publication.state, publication.decided_at, publication.reason = DenyState.STOPPED, now, reason
    publication.save(update_fields=["state", "decided_at", "reason"])
    log.error("offline: deny list %s stopped at its canary: %s", publication.version, reason)
    _remind(publication, now, clock)


def _remind(publication: DenyPublication, now: datetime, clock: Clock | None) -> None:
    if publication.alarmed_at is not None and now < publication.alarmed_at + REMIND_EVERY:
        return
    devices.raise_alarm(_ALARM, detail=f"黑名单 {publication.version} 已停止下达：{publication.reason}"[:560], clock=clock)
    publication.alarmed_at = now
    publication.save(update_fields=["alarmed_at"])
