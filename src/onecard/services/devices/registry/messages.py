"""Telling people of alarms: steps become messages (one a recipient and moment, however many steps), which are sent and retried.

`write_messages` is the tick that writes them, `send_messages` the task that sends them: outside any transaction, claimed for a
while, so that a killed worker's message is sent by the next one, under the same id. What has failed for a day is given up
and stays on the page.
"""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from onecard.kernel.clock import Clock, SystemClock
from onecard.services.devices.models.alarms import (
    AlarmKind,
    AlarmMessage,
    AlarmRecipient,
    Channel,
    MessageAttempt,
    MessageState,
    Severity,
    StepKind,
)
from onecard.services.devices.registry import mail, webhook
from onecard.services.devices.registry.alarms import utc
from onecard.services.devices.registry.webhook import Outcome

STEPS_A_MESSAGE = 100
_STEPS_A_TICK = 5_000
_AT_ONCE = 20
_CLAIM = timedelta(minutes=2)
_GIVE_UP = timedelta(days=1)
_FIRST_S, _LONGEST_S = 5, 3_600
_BOTH_KEYS = timedelta(days=1)
_PAUSE = timedelta(seconds=60)
"""A recipient hears of further alarms at most so often: what comes in between waits for the next message."""

# The steps nobody has been told of, with whose they are. Locked: of two workers each takes its own.
_UNTOLD = """
SELECT s.id, s.what, s.at, s.who, s.note, a.id, a.kind, a.severity, a.detail, a.line_id, a.terminal_id, a.gateway,
       coalesce(l.operator_id, u.operator_id, m.operator_id), coalesce(u.id, m.unit_id), coalesce(l.name, t.tid, a.gateway),
       coalesce(u.name, mu.name, '')
  FROM devices_alarmstep s JOIN devices_alarm a ON a.id = s.alarm_id
  LEFT JOIN devices_line l ON l.id = a.line_id LEFT JOIN operators_unit u ON u.id = l.unit_id
  LEFT JOIN devices_terminal t ON t.id = a.terminal_id LEFT JOIN operators_merchant m ON m.id = t.merchant_id
  LEFT JOIN operators_unit mu ON mu.id = m.unit_id
 WHERE NOT s.told ORDER BY s.id LIMIT %s FOR UPDATE OF s SKIP LOCKED"""
_COLUMNS = (
    "id", "what", "at", "who", "note", "alarm", "kind", "severity", "detail", "line_id", "terminal_id", "gateway", "operator_id",
    "unit_id", "subject", "unit",
)  # fmt: skip


def write_messages(*, clock: Clock | None = None) -> int:
    """Write the messages about steps nobody has been told of; gives how many messages wait to be sent now."""
    now = (clock or SystemClock()).now()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_UNTOLD, [_STEPS_A_TICK])
        steps = [dict(zip(_COLUMNS, row, strict=True)) for row in cursor.fetchall()]
        if steps:
            for recipient in AlarmRecipient.objects.filter(active=True).order_by("id").select_for_update():
                _write(recipient, [step for step in steps if _concerns(recipient, step)], now)
            cursor.execute("UPDATE devices_alarmstep SET told = true WHERE id = ANY (%s)", [[step["id"] for step in steps]])
    return AlarmMessage.objects.filter(state=MessageState.WAITING, next_at__lte=now).count()


def send_messages(*, clock: Clock | None = None) -> int:
    """Send what is due, several at a time; gives how many were delivered."""
    clock = clock or SystemClock()
    with transaction.atomic():
        due = list(
            AlarmMessage.objects.select_for_update(skip_locked=True)
            .filter(state=MessageState.WAITING, next_at__lte=clock.now())
            .order_by("next_at")[:_AT_ONCE]
        )
        AlarmMessage.objects.filter(pk__in=[message.pk for message in due]).update(next_at=clock.now() + _CLAIM)
    if not due:
        return 0
    recipients = AlarmRecipient.objects.in_bulk([message.recipient_id for message in due])
    with ThreadPoolExecutor(8, "alarm-message") as threads:  # nothing in there touches the database
        outcomes = list(threads.map(lambda message: _send(message, recipients[message.recipient_id], clock.now()), due))
    return sum(_note(message, outcome, clock.now()) for message, outcome in zip(due, outcomes, strict=True))


def _concerns(recipient: AlarmRecipient, step: dict[str, Any]) -> bool:
    """Alarms of the platform's own, which are no operator's, go to those who hear of everything."""
    return (
        (recipient.operator_id is None or recipient.operator_id == step["operator_id"])
        and step["severity"] >= recipient.severity
        and (not recipient.kinds or step["kind"] in recipient.kinds)
    )


def _write(recipient: AlarmRecipient, steps: list[dict[str, Any]], now: datetime) -> None:
    """One message, or more into one that waits and was not tried yet. Of a flood the number is told, not every line."""
    if not steps:
        return
    told = [_told(step) for step in steps]
    # Not yet claimed by a sender: what is under way stays as it is.
    unclaimed = AlarmMessage.objects.select_for_update().filter(recipient=recipient, state=MessageState.WAITING, attempts=0)
    waiting = unclaimed.filter(next_at=F("made_at")).first()
    if waiting is not None:
        room = max(STEPS_A_MESSAGE - len(waiting.steps), 0)
        waiting.steps, waiting.more = [*waiting.steps, *told[:room]], waiting.more + len(told[room:])
        waiting.save(update_fields=["steps", "more"])
        return
    last = AlarmMessage.objects.filter(recipient=recipient).order_by("-id").values_list("made_at", flat=True).first()
    at = max(now, last + _PAUSE) if last is not None else now
    AlarmMessage.objects.create(
        recipient=recipient, made_at=at, steps=told[:STEPS_A_MESSAGE], more=len(told[STEPS_A_MESSAGE:]), next_at=at
    )


def _told(step: dict[str, Any]) -> dict[str, Any]:
    names = ("alarm", "kind", "severity", "line_id", "terminal_id", "gateway", "operator_id", "unit_id", "unit", "subject", "who")
    return {name: step[name] for name in names} | {
        "step": step["what"],
        "at": utc(step["at"]),
        "detail": step["note"] or step["detail"],
    }


def _send(message: AlarmMessage, recipient: AlarmRecipient, now: datetime) -> Outcome:
    number = f"alarms-{message.pk}"
    if recipient.channel == Channel.MAIL:
        return mail.send(recipient.address, _subject(message), _body(message), message_id=number)
    payload = {
        "type": "onecard.alarms",
        "timestamp": utc(message.made_at),
        "data": {"steps": message.steps, "more": message.more},
    }
    return webhook.post(recipient.address, number, payload, at=now, secrets=signing_secrets(recipient, now))


def signing_secrets(recipient: AlarmRecipient, now: datetime) -> list[str]:
    """The newest secret; for a day after a change the one before as well."""
    generations = [recipient.key_generation]
    if recipient.key_changed_at is not None and now < recipient.key_changed_at + _BOTH_KEYS:
        generations.append(recipient.key_generation - 1)
    return [webhook.secret_of(recipient.pk, generation) for generation in generations]


def _note(message: AlarmMessage, outcome: Outcome, now: datetime) -> bool:
    """Write down what came of a try, and when the next one is."""
    with transaction.atomic():
        MessageAttempt.objects.create(message=message, at=now, delivered=outcome.delivered, detail=outcome.detail[:300])
        message.attempts += 1
        if outcome.delivered:
            message.state, message.sent_at, message.next_at = MessageState.SENT, now, None
        elif outcome.gone or now > message.made_at + _GIVE_UP:
            message.state, message.next_at = MessageState.FAILED, None
        else:
            message.next_at = now + timedelta(seconds=max(_pause_s(message.attempts), outcome.wait_s))
        message.save(update_fields=["attempts", "state", "sent_at", "next_at"])
        problem = "" if outcome.delivered else outcome.detail[:300]
        changes: dict[str, Any] = {"problem": problem} | ({"active": False} if outcome.gone else {})
        AlarmRecipient.objects.filter(pk=message.recipient_id).update(**changes)
    return outcome.delivered


def _pause_s(attempts: int) -> int:
    """Doubling from five seconds to an hour, spread so that those who failed together do not come back together."""
    longest = min(_FIRST_S << min(attempts - 1, 20), _LONGEST_S)
    return longest // 2 + random.randint(0, longest // 2)  # noqa: S311 - spreads load, guards nothing


def _subject(message: AlarmMessage) -> str:
    raised = sum(step["step"] == StepKind.RAISED for step in message.steps)
    count = len(message.steps) + message.more
    if count == 1:
        return f"[One-Card] {_line(message.steps[0])}"
    return f"[One-Card] 设备告警 {count} 条（发生 {raised}） / {count} device alarms ({raised} raised)"


def _body(message: AlarmMessage) -> str:
    lines = [f"{step['at']}  {_line(step)}  {step['detail']}".rstrip() for step in message.steps]
    if message.more:
        lines.append(f"…… 另有 {message.more} 条，见管理中心 / and {message.more} more, see the management centre")
    return "\n".join(lines) + "\n"


def _line(step: dict[str, Any]) -> str:
    what, severity = StepKind(step["step"]), Severity(step["severity"])
    kind = AlarmKind(step["kind"])
    place = " ".join(part for part in (step["unit"], step["subject"]) if part)
    return f"{severity.label} {what.label}: {kind.label} – {place}"


def recent(recipient_ids: Sequence[int], *, limit: int = 50) -> list[AlarmMessage]:
    """The newest messages of some recipients."""
    found = AlarmMessage.objects.filter(recipient_id__in=recipient_ids).select_related("recipient").prefetch_related("tries")
    return list(found[:limit])
