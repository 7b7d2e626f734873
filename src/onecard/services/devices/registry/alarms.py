"""Alarms: raised by a rule, an event or another service; acknowledged and cleared by people; one open alarm a subject and kind.

A repeat of an open alarm counts it up and tells nobody. Rules that look at states are evaluated in `watch.py`.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import InvalidInput, NotFound, RuleViolated
from onecard.services.actors import Actor
from onecard.services.devices.models.alarms import Alarm, AlarmKind, AlarmRule, AlarmStep, Severity, StepKind
from onecard.services.devices.registry import permissions
from onecard.services.devices.registry.devices import Place, owner_of

_NOTE = 500


@dataclass(frozen=True, slots=True)
class Raised:
    """A reason to raise an alarm."""

    kind: str
    line_id: int | None = None
    terminal_id: int | None = None
    detail: str = ""
    times: int = 1


_RAISE = """
WITH i AS MATERIALIZED (
    SELECT i.*, r.severity FROM jsonb_to_recordset(%(rows)s::jsonb) AS i (
           kind text, line_id bigint, terminal_id bigint, detail text, times integer)
      JOIN devices_alarmrule r ON r.kind = i.kind AND r.enabled),
raised AS (
    INSERT INTO devices_alarm (kind, line_id, terminal_id, gateway, severity, detail, times, raised_at, last_at, acknowledged_by)
    SELECT kind, line_id, terminal_id, '', severity, detail, times, %(now)s, %(now)s, '' FROM i
     ORDER BY kind, line_id, terminal_id
    ON CONFLICT (kind, line_id, terminal_id, gateway) WHERE cleared_at IS NULL DO UPDATE
       SET times = devices_alarm.times + excluded.times, last_at = excluded.last_at, detail = excluded.detail, well_since = NULL
    RETURNING id, detail, times, raised_at, last_at, xmax = 0 AS is_new)
INSERT INTO devices_alarmstep (alarm_id, what, at, who, note, told)
SELECT id, 'raised', %(now)s, '', left(detail, 500), false FROM raised WHERE is_new"""

_CLEAR = """
WITH i AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS i (kind text, line_id bigint, terminal_id bigint, detail text)),
cleared AS (
    UPDATE devices_alarm a SET cleared_at = %(now)s, well_since = NULL FROM i
     WHERE a.cleared_at IS NULL AND a.kind = i.kind AND a.gateway = '' AND a.line_id IS NOT DISTINCT FROM i.line_id
       AND a.terminal_id IS NOT DISTINCT FROM i.terminal_id
    RETURNING a.id, i.detail)
INSERT INTO devices_alarmstep (alarm_id, what, at, who, note, told)
SELECT id, 'cleared', %(now)s, '', left(detail, 500), false FROM cleared"""


def raise_alarm(
    kind: str, *, line_id: int | None = None, terminal_id: int | None = None, detail: str, clock: Clock | None = None
) -> None:
    """Raise an alarm, or count the open one up. A kind whose rule is off is passed over. Raises InvalidInput."""
    _check(kind, line_id, terminal_id)
    raise_many([Raised(kind, line_id, terminal_id, detail)], now=(clock or SystemClock()).now())


def clear_alarm(
    kind: str, *, line_id: int | None = None, terminal_id: int | None = None, detail: str = "", clock: Clock | None = None
) -> None:
    """What was wrong is over: the open alarm clears by itself; nothing where there is none. Raises InvalidInput."""
    _check(kind, line_id, terminal_id)
    clear_many([Raised(kind, line_id, terminal_id, detail)], now=(clock or SystemClock()).now())


def raise_many(reasons: Iterable[Raised], *, now: datetime) -> None:
    """Many at once; those alike must be one already."""
    _run(_RAISE, reasons, now)


def clear_many(reasons: Iterable[Raised], *, now: datetime) -> None:
    """Many at once."""
    _run(_CLEAR, reasons, now)


def acknowledge(alarm_id: int, *, note: str, actor: Actor, clock: Clock | None = None) -> Alarm:
    """Somebody sees to it; the first who says so stays.

    Raises NotFound, Forbidden, InvalidInput (no note), RuleViolated (it is over, or somebody else does).
    """
    now, text = (clock or SystemClock()).now(), _note(note)
    with transaction.atomic():
        alarm = _open_alarm(alarm_id, actor)
        if alarm.acknowledged_at is not None:
            raise RuleViolated(
                f"D1：告警已由 {alarm.acknowledged_by} 确认",
                f"D1: {alarm.acknowledged_by} has acknowledged the alarm already",
                rule="D1",
            )
        alarm.acknowledged_at, alarm.acknowledged_by = now, actor.name[:150]
        alarm.save(update_fields=["acknowledged_at", "acknowledged_by"])
        AlarmStep.objects.create(alarm=alarm, what=StepKind.ACKNOWLEDGED, at=now, who=actor.name[:150], note=text, told=True)
    return alarm


def clear_by_hand(alarm_id: int, *, note: str, actor: Actor, clock: Clock | None = None) -> Alarm:
    """It is over, a person says; where it is not, the rule raises it again. Raises as `acknowledge`."""
    now, text = (clock or SystemClock()).now(), _note(note)
    with transaction.atomic():
        alarm = _open_alarm(alarm_id, actor)
        alarm.cleared_at, alarm.well_since = now, None
        alarm.save(update_fields=["cleared_at", "well_since"])
        AlarmStep.objects.create(alarm=alarm, what=StepKind.CLEARED, at=now, who=actor.name[:150], note=text)
    return alarm


def set_rule(kind: str, *, enabled: bool, severity: int, threshold: int, settle_s: int, actor: Actor) -> AlarmRule:
    """When a kind is raised. Raises InvalidInput, Forbidden (also for those bound to operators), NotFound."""
    actor.require(permissions.RULES)
    _need_all(actor)
    if threshold < 0 or settle_s < 0 or severity not in Severity.values:
        raise InvalidInput("阈值和时间不能为负，级别为 1–3", "thresholds and times are not negative, a level is 1 to 3")
    changed = AlarmRule.objects.filter(pk=kind).update(enabled=enabled, severity=severity, threshold=threshold, settle_s=settle_s)
    if not changed:
        raise NotFound(f"无此告警类别：{kind}", f"no such kind of alarm: {kind}")
    return AlarmRule.objects.get(pk=kind)


def _need_all(actor: Actor) -> None:
    from onecard.kernel.errors import Forbidden

    if actor.operators is not None:
        raise Forbidden(f"{actor.name} 只能管理所属运营单位", f"{actor.name} is bound to some operators")


def _run(statement: str, reasons: Iterable[Raised], now: datetime) -> None:
    rows = [
        {"kind": each.kind, "line_id": each.line_id, "terminal_id": each.terminal_id, "detail": each.detail[:560],
         "times": each.times}
        for each in reasons
    ]  # fmt: skip
    if not rows:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, {"rows": json.dumps(rows), "now": now})


def _check(kind: str, line_id: int | None, terminal_id: int | None) -> None:
    if kind not in AlarmKind.values or (line_id is not None and terminal_id is not None):
        raise InvalidInput(f"不认识的告警：{kind}", f"no such alarm: {kind}")


def _open_alarm(alarm_id: int, actor: Actor) -> Alarm:
    actor.require(permissions.ALARM)
    alarm = Alarm.objects.select_for_update().filter(pk=alarm_id).first()
    if alarm is None or not _may_see(alarm, actor):
        raise NotFound(f"无此告警：{alarm_id}", f"no such alarm: {alarm_id}")
    if alarm.cleared_at is not None:
        raise RuleViolated("D1：告警已解除", "D1: the alarm is over", rule="D1")
    return alarm


def _may_see(alarm: Alarm, actor: Actor) -> bool:
    """Alarms of the platform's own (a gateway) are for those who are bound to no operator (N3)."""
    if actor.operators is None:
        return True
    if alarm.line_id is None and alarm.terminal_id is None:
        return False
    return owner_of(Place(line_id=alarm.line_id, terminal_id=alarm.terminal_id)) in actor.operators


def _note(text: str) -> str:
    note = text.strip()
    if not note or len(note) > _NOTE:
        raise InvalidInput(f"须填写说明（至多 {_NOTE} 字）", f"a note is needed, of at most {_NOTE} characters")
    return note


def utc(at: datetime) -> str:
    """A moment as messages write it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def steps_of(alarm_ids: Sequence[int]) -> dict[int, list[AlarmStep]]:
    """The steps of some alarms, in order."""
    found: dict[int, list[Any]] = {}
    for step in AlarmStep.objects.filter(alarm_id__in=alarm_ids).order_by("id"):
        found.setdefault(step.alarm_id, []).append(step)
    return found
