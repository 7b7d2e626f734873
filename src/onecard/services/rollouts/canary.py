"""Automatic data that a few lines are named first, and what they have said of it (D2).

Whoever publishes chooses the lines and decides (`services/offline`); events only note what a line has said, so that a report of
devices never waits for whoever publishes.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from django.db import connection

from onecard.kernel.events import EventKind
from onecard.services.rollouts.models import CanaryLine, CanaryState

_STATES: dict[int, CanaryState] = {EventKind.DATA_TAKEN: CanaryState.TAKEN, EventKind.DATA_REFUSED: CanaryState.REFUSED}
# How front-ends and terminals begin what they say of a file (fep/data.py, terminal/kinds/following.py).
_SAID = re.compile(r"(deny) ([1-9][0-9]{0,17})(?:[:,]|$)")
# A refusal by what that one device has seen itself, its taps or a list it has already: another one's may differ. The last words
# are a terminal's (terminal/kinds/data.py).
_BY_ITSELF = "^[a-z]+ [0-9]+: (would refuse|older than|the list refuses) "


class Said(Protocol):
    """What this needs of an event (`moving.NotedEvent`)."""

    @property
    def line_id(self) -> int: ...
    @property
    def kind(self) -> int: ...
    @property
    def detail(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Canary:
    """What the lines that were named a version first have said of it."""

    lines: int
    taken: int
    refused: int
    by_itself: int
    """Of those that refused: by a measure of their own, not because of the file."""
    reason: str
    """Of one that refused; empty: none has."""


def put_ahead(name: str, version: int, line_ids: Collection[int]) -> list[str]:
    """Name a version to these lines and to all that are ahead already: none is named an older one than it has.

    Gives the lines as `repository.notify` takes them, in the transaction that publishes.
    """
    CanaryLine.objects.filter(data_id=name).update(version=version, state=CanaryState.TOLD, detail="")
    CanaryLine.objects.bulk_create(
        [CanaryLine(data_id=name, line_id=line_id, version=version) for line_id in sorted(line_ids)], ignore_conflicts=True
    )
    return _lines(name)


def end_canary(name: str) -> list[str]:
    """Everybody is named what they are; gives their lines likewise."""
    ahead = _lines(name)
    CanaryLine.objects.filter(data_id=name).delete()
    return ahead


def _lines(name: str) -> list[str]:
    return [str(line_id) for line_id in CanaryLine.objects.filter(data_id=name).values_list("line_id", flat=True)]


# A line says so by an event, or by the versions in its heartbeat.
_HEARD = """
SELECT count(*),
       count(*) FILTER (WHERE c.state = 'taken' OR c.state = 'told' AND (s.versions ->> c.data_id)::bigint >= c.version),
       count(*) FILTER (WHERE c.state = 'refused'),
       count(*) FILTER (WHERE c.state = 'refused' AND c.detail ~ %s),
       coalesce(min(l.name || '：' || c.detail) FILTER (WHERE c.state = 'refused'), '')
  FROM rollouts_canaryline c JOIN devices_line l ON l.id = c.line_id
  LEFT JOIN devices_devicestatus s ON s.line_id = c.line_id
 WHERE c.data_id = %s AND c.version = %s"""


def canary_of(name: str, version: int) -> Canary:
    """How the canary of a version does."""
    with connection.cursor() as cursor:
        cursor.execute(_HEARD, [_BY_ITSELF, name, version])
        return Canary(*cursor.fetchone())


def note_said(events: Iterable[Said]) -> None:
    """Note what canary lines, or devices behind them, say of the version they are named. Once refused stays refused."""
    for event in events:
        state = _STATES.get(event.kind)
        said = _SAID.match(event.detail) if state else None
        if state is None or said is None:
            continue
        mine = CanaryLine.objects.filter(data_id=said[1], version=int(said[2]), line_id=event.line_id)
        mine.exclude(state=CanaryState.REFUSED).update(state=state, detail=event.detail[:560])
