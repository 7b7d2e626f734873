"""What moves a roll-out while it runs: devices into groups, groups one after another, the stop when too many fail (D2).

Every function works inside the transaction of a caller who has locked the roll-out's row. Devices' own reports are taken by
`note_events`, in the transaction that stores the events.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db import connection, transaction
from django.db.models import Count, Q

from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.kernel.events import EventKind
from onecard.services.rollouts import repository, targets
from onecard.services.rollouts.canary import note_said
from onecard.services.rollouts.choices import (
    ENDED,
    ERRORS,
    STATE_OF_EVENT,
    UNDER_WAY,
    ActionState,
    GroupState,
    RolloutState,
    StopReason,
)
from onecard.services.rollouts.models import Action, ReleaseState, Rollout, RolloutGroup

JOIN_EVERY = timedelta(seconds=30)


class NotedEvent(Protocol):
    """An event as the registry has stored it (`services.devices`, TakenEvent)."""

    @property
    def line_id(self) -> int: ...
    @property
    def terminal_id(self) -> int | None: ...
    @property
    def kind(self) -> int: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def detail(self) -> str: ...
    @property
    def action_id(self) -> int: ...
    @property
    def progress_permille(self) -> int: ...


# --- devices into groups

_SORT = f"""
WITH meant AS ({targets.DEVICES}),
     numbered AS (SELECT m.*, row_number() OVER (
                      ORDER BY coalesce(m.unit_id = ANY (%(canary)s), false) DESC,
                               md5(concat_ws('/', %(rollout)s::text, m.line_id, m.terminal_id))) AS n FROM meant m)
INSERT INTO rollouts_action (rollout_id, group_id, line_id, terminal_id, kind, state, progress_permille, detail, changed_at)
SELECT %(rollout)s, g.id, n.line_id, n.terminal_id, %(kind)s, 'pending', 0, '', %(now)s
  FROM numbered n JOIN unnest(%(groups)s::bigint[], %(until)s::bigint[], %(after)s::bigint[]) AS g (id, until, after)
    ON n.n > g.after AND n.n <= g.until
    ON CONFLICT DO NOTHING"""  # noqa: S608 - texts of these files only


def sort_devices(rollout: Rollout, now: datetime) -> int:
    """All devices that are meant, in an order that is the roll-out's own, cut into its groups; gives their number."""
    target = targets.TargetFilter.from_json(rollout.target)
    meant = targets.find_devices(rollout.release, target)
    canaries = sum(1 for _, _, unit in meant if unit in rollout.canary_units)
    groups = list(rollout.groups.order_by("no"))
    bounds = _bounds(groups, len(meant), canaries)
    _put(rollout, target, groups, bounds, now)
    return len(meant)


def _bounds(groups: Sequence[RolloutGroup], total: int, canaries: int) -> list[int]:
    """After how many devices each group ends: shares rounded up, so that a canary is one device at least."""
    ends: list[int] = []
    at = 0
    for group in groups:
        first = not ends and canaries
        at = min(total, canaries if first else at + math.ceil(total * group.share_permille / 1000))
        ends.append(at)
    ends[-1] = total
    return ends


def _put(
    rollout: Rollout, target: targets.TargetFilter, groups: Sequence[RolloutGroup], bounds: Sequence[int], now: datetime
) -> None:
    given = {
        **targets.parameters(rollout.release, target),
        "rollout": rollout.pk,
        "canary": list(rollout.canary_units),
        "groups": [group.pk for group in groups],
        "until": list(bounds),
        "after": [0, *bounds[:-1]],
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SORT, given)


def _join_late(rollout: Rollout, now: datetime) -> None:
    """Devices that have come since, or say now what hardware they are, go to the last group."""
    if rollout.joined_at is not None and now - rollout.joined_at < JOIN_EVERY:
        return
    last = rollout.groups.order_by("-no")[:1]
    _put(rollout, targets.TargetFilter.from_json(rollout.target), list(last), [1 << 62], now)
    rollout.joined_at = now
    rollout.save(update_fields=["joined_at"])


# --- groups one after another


def move(rollout: Rollout, now: datetime) -> None:
    """One step: what is due by now, however long nobody has looked."""
    if rollout.release.state == ReleaseState.WITHDRAWN:
        end(rollout, RolloutState.STOPPED, "发布已撤回", now=now, why={"what": StopReason.WITHDRAWN})
        return
    _join_late(rollout, now)
    _drop_gone(rollout, now)
    _open_window(rollout, now)
    for group in rollout.groups.order_by("no"):
        if group.state == GroupState.PASSED:
            _tell_pending(group, now)  # late ones, and those that another roll-out kept busy
            if _stops(rollout, group, _counts(group), now):
                return
            continue
        if group.state == GroupState.WAITING:
            group.state, group.opened_at = GroupState.OPEN, now
            group.save()
        _tell_pending(group, now)
        counts = _counts(group)
        if _stops(rollout, group, counts, now):
            return
        if not _passes(group, counts, now):
            break
    if not rollout.actions.exclude(state__in=ENDED).exists():
        end(rollout, RolloutState.FINISHED, "", now=now)
    elif group.state == GroupState.OPEN and group.reached_at is None and not group.actions.exclude(state__in=ENDED).exists():
        why = {"what": StopReason.TOO_FEW, "group": group.title}
        end(rollout, RolloutState.STOPPED, f"“{group.title}”全部结束，未达到成功阈值", now=now, why=why)


def _counts(group: RolloutGroup) -> dict[str, int]:
    """Devices by state, and under `size` all that were not taken out."""
    counts = dict(group.actions.order_by().values_list("state").annotate(Count("id")))
    counts["size"] = sum(number for state, number in counts.items() if state != ActionState.CANCELLED)
    return counts


def _stops(rollout: Rollout, group: RolloutGroup, counts: dict[str, int], now: datetime) -> bool:
    errors = sum(counts.get(state, 0) for state in ERRORS)
    if not errors or errors * 1000 <= group.error_permille * counts["size"]:
        return False
    RolloutGroup.objects.filter(pk=group.pk).update(state=GroupState.STOPPED)
    worst = group.actions.filter(state__in=ERRORS).order_by("-changed_at").values_list("detail", flat=True)[0]
    reason = f"“{group.title}”{counts['size']} 台中 {errors} 台出错：{worst}"
    why = {"what": StopReason.ERRORS, "group": group.title, "size": counts["size"], "errors": errors, "said": worst}
    end(rollout, RolloutState.STOPPED, reason, now=now, why=why)
    return True


def _passes(group: RolloutGroup, counts: dict[str, int], now: datetime) -> bool:
    """Whether the next group may open."""
    if counts.get(ActionState.DONE, 0) * 1000 < group.success_permille * counts["size"]:
        return False
    if group.reached_at is None:
        group.reached_at = now
        group.save(update_fields=["reached_at"])
    if now < group.reached_at + timedelta(seconds=group.soak_s):
        return False
    group.state, group.passed_at = GroupState.PASSED, now
    group.save(update_fields=["state", "passed_at"])
    return True


_TELL = """
UPDATE rollouts_action a SET state = 'told', told_at = %(now)s, changed_at = %(now)s
 WHERE a.group_id = %(group)s AND a.state = 'pending'
   AND NOT EXISTS (SELECT FROM rollouts_action o WHERE o.line_id = a.line_id AND o.terminal_id IS NOT DISTINCT FROM a.terminal_id
                      AND o.kind = a.kind AND o.state = ANY (%(open)s))
RETURNING a.line_id"""


def _tell_pending(group: RolloutGroup, now: datetime) -> None:
    """Tell devices that are free: one action of a kind at a time."""
    with connection.cursor() as cursor:
        cursor.execute(_TELL, {"group": group.pk, "now": now, "open": [state.value for state in UNDER_WAY]})
        told = {str(line) for (line,) in cursor.fetchall()}
    if told:
        repository.notify(told)


_GONE = """
UPDATE rollouts_action a SET state = 'cancelled', changed_at = %(now)s, detail = '设备已不在线路上'
  FROM devices_line l
 WHERE a.rollout_id = %(rollout)s AND a.state = ANY (%(open)s) AND l.id = a.line_id
   AND (l.state <> 'active'
        OR a.terminal_id IS NOT NULL
           AND NOT EXISTS (SELECT FROM devices_terminal t
                            WHERE t.id = a.terminal_id AND t.line_id = l.id AND t.state = 'active'))"""


def _drop_gone(rollout: Rollout, now: datetime) -> None:
    """Devices whose line was revoked, and terminals that were moved or disabled, hold up nobody."""
    still = [ActionState.PENDING.value, *(state.value for state in UNDER_WAY)]
    with connection.cursor() as cursor:
        cursor.execute(_GONE, {"rollout": rollout.pk, "now": now, "open": still})


def _open_window(rollout: Rollout, now: datetime) -> None:
    """Name the window that is open, or the next one, when there is none or the last is over."""
    if rollout.window_start is None or rollout.window_end is None or (rollout.window_until and now < rollout.window_until):
        return
    today = now.astimezone(PLATFORM_ZONE).date()
    for day in (today - timedelta(days=1), today, today + timedelta(days=1)):
        start = datetime.combine(day, rollout.window_start, PLATFORM_ZONE)
        over_midnight = timedelta(days=int(rollout.window_end <= rollout.window_start))
        until = datetime.combine(day + over_midnight, rollout.window_end, PLATFORM_ZONE)
        if now < until:
            rollout.window_from, rollout.window_until = start, until
            break
    rollout.save(update_fields=["window_from", "window_until"])
    tell(rollout)


def end(rollout: Rollout, state: RolloutState, reason: str, *, now: datetime, why: Mapping[str, Any] | None = None) -> None:
    """Stopped, finished or cancelled: whoever has not installed will not; told lines hear that their tasks are gone."""
    tell(rollout)
    rollout.actions.exclude(state__in=ENDED).update(state=ActionState.CANCELLED, changed_at=now)
    if state != RolloutState.FINISHED:
        rollout.groups.filter(state=GroupState.OPEN).update(state=GroupState.STOPPED)
    rollout.state, rollout.reason, rollout.why, rollout.ended_at = state, reason[:500], dict(why or {}), now
    rollout.save()


def tell(rollout: Rollout) -> None:
    """Have the lines with something under way look at their tasks again."""
    lines = rollout.actions.filter(state__in=UNDER_WAY).values_list("line_id", flat=True).distinct()
    repository.notify(str(line) for line in lines)


# --- what devices report


def note_events(events: Sequence[NotedEvent]) -> None:
    """UPDATE_* and DATA_* with an action move it, without one they are heard of canary lines (the caller's transaction).

    An action of another device's is left alone.
    """
    note_said(event for event in events if not event.action_id)
    over: set[str] = set()
    for event in events:
        state = STATE_OF_EVENT.get(EventKind(event.kind)) if event.action_id else None
        if state is None:
            continue
        which = Q(terminal_id=event.terminal_id) if event.terminal_id else Q(terminal_id__isnull=True)
        mine = Action.objects.filter(which, pk=event.action_id, line_id=event.line_id)
        if state in ENDED:
            open_ones = mine.filter(Q(state__in=(*UNDER_WAY, ActionState.CANCELLED)))
            over.add(str(event.line_id))
        else:
            open_ones = mine.filter(state__in=UNDER_WAY)
        progress = 1000 if state == ActionState.DONE else min(1000, max(0, event.progress_permille))
        changes = {"state": state, "detail": event.detail[:560], "changed_at": event.occurred_at}
        if progress or state == ActionState.DOWNLOADING:
            changes["progress_permille"] = progress
        open_ones.update(**changes)
    if over:
        with transaction.atomic():
            repository.notify(over)
