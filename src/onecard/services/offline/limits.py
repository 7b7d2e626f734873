"""Setting what may be done off line. Each change signals the files it concerns, in its own transaction."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from django.db import transaction

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import Forbidden, InvalidInput
from onecard.protocol.offline import CardTypeRule, TerminalRule, Window
from onecard.services.actors import Actor
from onecard.services.offline.models import CardLimit, Change, DoorAccess, OfflinePolicy, TerminalLimit
from onecard.services.operators.api import refusals

_ALL_DAYS = (1, 2, 3, 4, 5, 6, 7)


@dataclass(frozen=True, slots=True)
class Policy:
    """The platform's own figures."""

    fallback_ms: int
    """How long an on-line request waits at a front-end before it decides itself."""
    guard_permille: int
    """A front-end refuses a new list that keeps out more than this share of the cards that have just tapped."""
    hold_over_cards: int
    hold_over_permille: int
    """A change of the deny list over both figures waits for a person."""
    canary_permille: int = 10
    """This share of the front-ends on line, one at least, is named a new deny list before the others …"""
    canary_soak_s: int = 4
    """… for so long."""


def policy() -> Policy:
    """The figures in force."""
    row = OfflinePolicy.objects.get()
    return Policy(**{field.name: getattr(row, field.name) for field in fields(Policy)})


def set_policy(figures: Policy, *, actor: Actor) -> OfflinePolicy:
    """Put other figures in force. Raises Forbidden, InvalidInput."""
    _platform(actor)
    with transaction.atomic(), refusals():
        OfflinePolicy.objects.filter(one=True).update(**asdict(figures))
        _signal(None)
    return OfflinePolicy.objects.get()


def set_card_limit(
    rule: CardTypeRule,
    *,
    actor: Actor,
    unit_id: int | None = None,
    card_type_id: int | None = None,
    others: bool = False,
    clock: Clock | None = None,
) -> CardLimit:
    """What cards of a unit (None: of all) and type (None: of any) may do; `others`: cards that are not the unit's own.

    Raises Forbidden, InvalidInput.
    """
    _platform(actor)
    if others and card_type_id is not None:
        raise InvalidInput("外单位卡的卡种在脱机时未知", "the type of another unit's card is not known off line")
    values: dict[str, Any] = asdict(rule) | {"changed_by": actor.name[:150], "changed_at": (clock or SystemClock()).now()}
    with transaction.atomic(), refusals():
        scope: dict[str, Any] = {"unit_id": unit_id, "card_type_id": card_type_id, "others": others}
        row, _ = CardLimit.objects.update_or_create(**scope, defaults=values)
        _signal(unit_id)
    return row


def set_terminal_limit(
    rule: TerminalRule,
    *,
    actor: Actor,
    unit_id: int | None = None,
    terminal_id: int | None = None,
    clock: Clock | None = None,
) -> TerminalLimit:
    """What a terminal (else those of a unit, else all) may take; at most one span of hours. Raises Forbidden, InvalidInput."""
    _platform(actor)
    if len(rule.hours) > 1 or any(window.days != _ALL_DAYS for window in rule.hours):
        raise InvalidInput("营业时间须为每日同一时段", "hours are one span, the same every day")
    window = rule.hours[0] if rule.hours else Window()
    values: dict[str, Any] = {
        "per_transaction_fen": rule.per_transaction_fen,
        "total_fen": rule.total_fen,
        "start_minute": window.start_minute,
        "end_minute": window.end_minute,
        "changed_by": actor.name[:150],
        "changed_at": (clock or SystemClock()).now(),
    }
    with transaction.atomic(), refusals():
        scope: dict[str, Any] = {"unit_id": unit_id, "terminal_id": terminal_id}
        row, _ = TerminalLimit.objects.update_or_create(**scope, defaults=values)
        _signal(unit_id)
    return row


def allow_door(
    terminal_id: int, *, actor: Actor, department_id: int | None = None, window: Window | None = None, clock: Clock | None = None
) -> DoorAccess:
    """Let a department with those below it (None: everybody of the unit) pass a door. Raises Forbidden, InvalidInput."""
    _platform(actor)
    span = window or Window()
    with transaction.atomic(), refusals():
        row = DoorAccess.objects.create(
            terminal_id=terminal_id,
            department_id=department_id,
            start_minute=span.start_minute,
            end_minute=span.end_minute,
            days=sum(1 << (day - 1) for day in span.days),
            changed_by=actor.name[:150],
            changed_at=(clock or SystemClock()).now(),
        )
        _signal(None)
    return row


def close_door(access_id: int, *, actor: Actor) -> None:
    """Take such a rule away; nothing when it is not there."""
    _platform(actor)
    with transaction.atomic():
        DoorAccess.objects.filter(pk=access_id).delete()
        _signal(None)


def _platform(actor: Actor) -> None:
    """Off line the platform bears the risk: operators of a part of it do not set it."""
    actor.require("offline.rules")
    if actor.operators is not None:
        raise Forbidden("脱机规则由平台设定", "offline rules are the platform's to set")


def _signal(unit_id: int | None) -> None:
    Change.objects.create(unit_id=unit_id, kind="rules")
